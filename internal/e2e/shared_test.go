package e2e

import (
	"path/filepath"
	"slices"
	"testing"

	"mailhaul/internal/mailgen"
	"mailhaul/jmapclient/jmaptest"
)

// A group is an account like any other, reached by one of its members.
func TestMemberMovesGroup(t *testing.T) {
	t.Parallel()
	const support = "support@example.org"
	from, to := startMemory(t).(memory), startMemory(t).(memory)
	for _, s := range []memory{from, to} {
		s.Server.AddUser(jmaptest.User{Login: support, Group: true, Emails: []string{support}})
		s.Server.AddUser(jmaptest.User{Login: alice, Password: password, Emails: []string{alice}, MemberOf: []string{support}})
	}
	from.Put(support, slices.Collect(mailgen.Sized(101, 40, 2000))...)
	from.Put(alice, slices.Collect(mailgen.Sized(102, 5, 2000))...)

	dir := t.TempDir()
	mailhaul(t, append(signIn(from.URL(), alice), "export", "account", support, dir)...).expect(t, 0)
	mailhaul(t, append(signIn(to.URL(), alice), "import", "account", support, filepath.Join(dir, support))...).expect(t, 0)
	expectSameMail(t, from.Mail(support), to.Mail(support))
	if n := len(to.Mail(alice)); n > 0 {
		t.Errorf("%d messages went to the member in place of the group", n)
	}
}

// The vendor's documented steps: an administrator moves somebody's account.
// What it reads of subscriptions is its own, so it leaves those of the target
// alone, and says so.
func TestAdministratorMovesAccount(t *testing.T) {
	t.Parallel()
	const secret = "the administrator's"
	options := jmaptest.Options{Admin: [2]string{"admin", secret}}
	from, to := startMemoryWith(t, options), startMemoryWith(t, options)
	from.AddUser(alice)
	to.AddUser(alice)
	from.Put(alice, slices.Collect(mailgen.Sized(111, 60, 2000))...)
	for _, m := range from.Mailboxes(alice) {
		from.Subscribe(alice, m.Path, m.Role == "")
	}
	subscribed := func(s memory) (paths []string) {
		for _, m := range s.Mailboxes(alice) {
			if m.Subscribed && m.Role != "" {
				paths = append(paths, m.Path)
			}
		}
		return paths
	}
	before := subscribed(to)

	dir := t.TempDir()
	mailhaul(t, "-u", from.URL(), "-c", secret, "export", "account", alice, dir).expect(t, 0).says(t, "subscri")
	mailhaul(t, "-u", to.URL(), "-c", secret, "import", "account", alice, filepath.Join(dir, alice)).expect(t, 0)
	expectSameMail(t, from.Mail(alice), to.Mail(alice))
	if after := subscribed(to); !slices.Equal(before, after) {
		t.Errorf("subscriptions of the target's own mailboxes were %q, are %q", before, after)
	}
}
