package importer

import (
	"context"
	"slices"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/internal/cyrustest"
)

// TestPartsOnARealCyrus restores a mailbox, then everything below a mailbox of its own,
// then the whole, and sets back what was changed; each leaves the rest alone. A share with
// somebody of whom Cyrus does not tell is named.
func TestPartsOnARealCyrus(t *testing.T) {
	alice := cyrustest.User{Login: "alice@example.org", Password: "pw"}
	c := cyrustest.Start(t, alice, cyrustest.User{Login: "bob@example.org", Password: "pw"})
	acc, ar, ctx := dial(t, c.URL, alice.Login, alice.Password), newArchive(t), context.Background()
	ls := inProjects()
	snapshot(t, ar, contents{folders: projects, letters: ls})
	imports := func(o Options) *Result {
		t.Helper()
		res, err := Import(ctx, ar, acc, o)
		must(t, err)
		same(t, "failures", res.Failures, []Failure(nil))
		return res
	}
	// holds lists the messages by their Message-IDs.
	holds := func() map[string]string {
		t.Helper()
		boxes, err := acc.All(ctx, account.Mailbox, []string{"id", "name", "parentId"})
		must(t, err)
		m := &boxMap{targets: map[string]account.Object{}}
		for _, o := range boxes.List {
			m.targets[o.ID()] = o
		}
		list := map[string]string{}
		must(t, eachPage(ctx, acc, 100, []string{"id", "messageId", "mailboxIds", "keywords"}, func() error { return nil }, func(objs []account.Object) error {
			for _, o := range objs {
				var paths []string
				for _, id := range o.Set("mailboxIds") {
					paths = append(paths, m.targetPath(id))
				}
				slices.Sort(paths)
				list[account.MessageIDs(o)] = strings.Join(append(paths, o.Set("keywords")...), " ")
			}
			return nil
		}))
		return list
	}
	wanted := func(ls []letter, also string) map[string]string {
		list := map[string]string{}
		for _, l := range ls {
			var paths []string
			for _, id := range l.boxes {
				paths = append(paths, projectPaths[id])
				if also != "" {
					paths = append(paths, also+"/"+strings.Replace(projectPaths[id], "Inbox", "INBOX", 1))
				}
			}
			slices.Sort(paths)
			list[l.msgID] = strings.Join(append(paths, l.keywords...), " ")
		}
		return list
	}
	emailCounts(t, imports(Options{Scope: Scope{Mailboxes: []string{"Projects/**"}}}), Counts{Total: 20, Created: 20})
	same(t, "after one mailbox", holds(), wanted(only(ls, "p", "p24", "b"), ""))
	imports(Options{})
	same(t, "after the whole", holds(), wanted(ls, ""))
	imports(Options{Into: "Restored"})
	same(t, "after one into a mailbox", holds(), wanted(ls, "Restored"))
	imports(Options{ResetFlags: true})
	same(t, "after it was set back", holds(), wanted(ls, ""))
	for _, o := range []Options{{}, {ResetFlags: true}, {Scope: Scope{Mailboxes: []string{"Quiet"}}}} {
		if c := imports(o).Types["Email"]; c.Created+c.Updated != 0 {
			t.Errorf("%+v with nothing to do: %+v", o, c)
		}
	}
	if id, told, err := acc.Client.PrincipalID(ctx, "bob@example.org"); id != "" || told || err != nil {
		t.Errorf("bob is %q to alice, told: %t, %v", id, told, err)
	}
}
