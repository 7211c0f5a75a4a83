package e2e

import (
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/internal/mailgen"
)

// fillHard gives alice every hard mailbox the server takes, every hard message,
// a message in each mailbox, ordinary mail around them, and subscriptions that
// are not the default's.
func fillHard(t *testing.T, k kind, s server) {
	t.Helper()
	var taken []string
	for _, path := range mailgen.HardMailboxes() {
		if s.MakeMailbox(alice, path) {
			taken = append(taken, path)
		} else {
			t.Logf("the server refuses a mailbox %q", path)
		}
	}
	if len(taken) < 20 {
		t.Fatalf("only %d hard mailboxes taken: %q", len(taken), taken)
	}
	for _, m := range mailgen.Hard() {
		if k.small && len(m.Raw) > 1<<20 {
			continue
		}
		m.Mailboxes = slices.Clone(m.Mailboxes)
		for i, path := range m.Mailboxes {
			if path != mailgen.Inbox && !slices.Contains(taken, path) {
				m.Mailboxes[i] = mailgen.Inbox
			}
		}
		s.Put(alice, m)
	}
	i := 0
	for m := range mailgen.Sized(11, len(taken), 3000) {
		m.Mailboxes = taken[i : i+1]
		s.Put(alice, m)
		s.Subscribe(alice, taken[i], i%3 != 0)
		i++
	}
	s.Subscribe(alice, mailgen.Inbox, true)
	s.Put(alice, slices.Collect(mailgen.Account(12, k.of(120)))...)
}

// expectSameMailboxes compares the mailboxes, their roles and subscriptions.
func expectSameMailboxes(t *testing.T, want, got []mailbox) {
	t.Helper()
	order := func(m []mailbox) []mailbox {
		return slices.SortedFunc(slices.Values(m), func(a, b mailbox) int { return strings.Compare(a.Path, b.Path) })
	}
	if d := cmp.Diff(order(want), order(got)); d != "" {
		t.Errorf("mailboxes differ (- wanted, + there):\n%s", d)
	}
}

func TestAccountArrivesWhole(t *testing.T) {
	onEveryServer(t, func(t *testing.T, k kind) {
		from, to := k.start(t), k.start(t)
		from.AddUser(alice)
		to.AddUser(alice)
		fillHard(t, k, from)

		archive := exportAccount(t, from, alice, t.TempDir())
		mailhaul(t, "verify", archive).expect(t, 0)
		importAccount(t, to, alice, archive)
		expectSameMail(t, from.Mail(alice), to.Mail(alice))
		wanted, there := from.Mailboxes(alice), to.Mailboxes(alice)
		if !slices.Equal(to.Importer(alice), signIn(to.URL(), alice)) {
			for _, list := range [][]mailbox{wanted, there} {
				for i := range list {
					list[i].Subscribed = false // an administrator can't carry it
				}
			}
		}
		expectSameMailboxes(t, wanted, there)
		mailhaul(t, append(to.Importer(alice), "verify", "--full", archive, alice)...).expect(t, 0)
	})
}

// A rerun costs what changed, not what is there.
func TestRerunsMoveNothing(t *testing.T) {
	onEveryServer(t, func(t *testing.T, k kind) {
		from, to := k.start(t), k.start(t)
		from.AddUser(alice)
		to.AddUser(alice)
		from.Put(alice, slices.Collect(mailgen.Sized(21, k.of(150), 3000))...)
		source, target := newProxy(t, from), newProxy(t, to)
		dir := t.TempDir()
		archive := exportAccount(t, source, alice, dir)
		importAccount(t, target, alice, archive)
		if n := target.count("Email/import"); n == 0 {
			t.Fatal("the proxy saw no Email/import of the first run")
		}

		source.reset()
		exportAccount(t, source, alice, dir)
		const most = 15 // session, account, a state or a list for each type
		if n := source.count(""); n > most {
			t.Errorf("exporting an unchanged account took %d requests, want at most %d: %v", n, most, source.methods)
		}
		if n := len(source.fetches()); n > 0 {
			t.Errorf("exporting an unchanged account fetched %d blobs", n)
		}

		target.reset()
		importAccount(t, target, alice, archive)
		for _, what := range []string{"Email/import", "upload", "Blob/upload", "Blob/set", "Email/set"} {
			if n := target.count(what); n > 0 {
				t.Errorf("importing an imported archive sent %d × %s", n, what)
			}
		}
		expectSameMail(t, from.Mail(alice), to.Mail(alice))
	})
}

// What changed between the first copy and the last pass is carried over.
func TestSecondPassCarriesChanges(t *testing.T) {
	onEveryServer(t, func(t *testing.T, k kind) {
		from, to := k.start(t), k.start(t)
		from.AddUser(alice)
		to.AddUser(alice)
		from.Put(alice, inInbox(mailgen.Sized(31, 12, 3000))...)
		from.Put(alice, slices.Collect(mailgen.Sized(32, k.of(60), 3000))...)
		dir := t.TempDir()
		importAccount(t, to, alice, exportAccount(t, from, alice, dir))

		from.Put(alice, slices.Collect(mailgen.Sized(33, k.of(20), 3000))...)
		from.Change(alice)
		before := from.Mail(alice)
		importAccount(t, to, alice, exportAccount(t, from, alice, dir))
		expectSameMail(t, before, to.Mail(alice))
	})
}

// inInbox puts all messages into the inbox, and nowhere else.
func inInbox(mail iter.Seq[mailgen.Message]) []mailgen.Message {
	var list []mailgen.Message
	for m := range mail {
		m.Mailboxes = []string{mailgen.Inbox}
		list = append(list, m)
	}
	return list
}

// Between servers of different makes an ordinary account arrives whole too.
func TestAccountArrivesOnAnotherMake(t *testing.T) {
	t.Parallel()
	for _, way := range []struct {
		name     string
		from, to func(*testing.T) server
	}{
		{"memory to cyrus", startMemory, startCyrus},
		{"cyrus to memory", startCyrus, startMemory},
	} {
		t.Run(way.name, func(t *testing.T) {
			from, to := way.from(t), way.to(t)
			from.AddUser(alice)
			to.AddUser(alice)
			from.Put(alice, slices.Collect(mailgen.Account(41, 150))...)
			archive := exportAccount(t, from, alice, t.TempDir())
			importAccount(t, to, alice, archive)
			expectSameMail(t, byRole(from.Mail(alice), from.Mailboxes(alice)), byRole(to.Mail(alice), to.Mailboxes(alice)))
		})
	}
}

// byRole names mailboxes that have a role by it: servers call them as they like.
func byRole(items []item, boxes []mailbox) []item {
	roles := map[string]string{}
	for _, b := range boxes {
		if b.Role != "" {
			roles[b.Path] = "role " + b.Role
		}
	}
	items = slices.Clone(items)
	for i := range items {
		if role, ok := roles[items[i].Mailbox]; ok {
			items[i].Mailbox = role
		}
	}
	return items
}
