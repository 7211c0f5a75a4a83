package importer

import (
	"context"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"mailhaul/account"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

func sorted(list []string) []string { slices.Sort(list); return list }

// paths are the target's mailboxes, "path role".
func (s *target) paths() []string {
	var list []string
	for _, m := range s.Mailboxes("alice") {
		list = append(list, strings.TrimSpace(m.Path+" "+m.Role))
	}
	return sorted(list)
}

func TestMailboxesAreMatchedByRoleThenByPath(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	s.put(mail(50), "Projects/2024")
	before := s.paths()
	snapshot(t, ar, contents{folders: []folder{
		inbox, {id: "s", name: "Gesendet", role: "sent"}, {id: "p", name: "Projects"}, {id: "y", name: "2024", parent: "p"},
	}, letters: []letter{{id: "1", boxes: []string{"s", "y"}, received: mail(1).received, raw: mail(1).raw}}})
	s.imports(ar, Options{})
	same(t, "mailboxes", s.paths(), before)
	if got := s.Messages("alice"); len(got) != 2 || !slices.ContainsFunc(got, func(m jmaptest.Message) bool {
		return slices.Equal(m.Mailboxes, []string{"Projects/2024", "Sent"})
	}) {
		t.Errorf("messages: %+v", got)
	}
}

func TestRefusedMailboxesGoByTheNearestNameAndAreReported(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Profile{NoSlash: true, TrimNames: true, MaxDepth: 3, MaxName: 255}), newArchive(t)
	long := strings.Repeat("é", 200)
	ls := mails(6)
	for i, id := range []string{"slash", "lead", "long", "d4", "d5", "arch2"} {
		ls[i].boxes = []string{id}
	}
	c := contents{folders: []folder{inbox,
		{id: "slash", name: "a/b"}, {id: "lead", name: " lead"}, {id: "long", name: long},
		{id: "d1", name: "1"}, {id: "d2", name: "2", parent: "d1"}, {id: "d3", name: "3", parent: "d2"},
		{id: "d4", name: "4", parent: "d3"}, {id: "d5", name: "5", parent: "d4"},
		{id: "arch", name: "Archive", role: "archive"}, {id: "arch2", name: "Old", role: "archive"},
		{id: "lost", name: "Lost", parent: "unknown"},
	}, letters: ls}
	snapshot(t, ar, c)
	paths := map[string]string{"slash": "a-b", "lead": "lead", "long": shorten(long, 255), "d4": "1/2/3 - 4", "d5": "1/2/3 - 4 - 5", "arch2": "Old"}
	res := s.imports(ar, Options{})
	same(t, "messages", s.holds(), wants(ls, paths))
	if !slices.Contains(s.paths(), "Lost") {
		t.Errorf("mailboxes: %q", s.paths())
	}
	mapped := strings.Join(res.Mapped, "\n")
	for _, want := range []string{`"a/b" → "a-b"`, `" lead" → "lead"`, "255 bytes", `"1/2/3/4" → "1/2/3 - 4"`, `"1/2/3/4/5" → "1/2/3 - 4 - 5"`, `"Old" → "Old" (without the role "archive"`, `"Lost" → "Lost"`} {
		if !strings.Contains(mapped, want) {
			t.Errorf("%q is not reported in\n%s", want, mapped)
		}
	}
	// Neither a second run, nor one that has lost its journal, makes them again.
	boxes := s.paths()
	s.imports(ar, Options{})
	fresh := newArchive(t)
	snapshot(t, fresh, c)
	s.imports(fresh, Options{})
	same(t, "mailboxes", s.paths(), boxes)
	same(t, "messages", s.holds(), wants(ls, paths))
}

func TestALostAnswerMakesNoMailboxTwice(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	snapshot(t, ar, contents{folders: []folder{inbox, {id: "a", name: "A"}, {id: "b", name: "B", parent: "a"}}})
	s.Inject(jmaptest.Fault{Match: at("Mailbox/set"), Times: 2, Do: jmaptest.DropAfter})
	s.imports(ar, Options{})
	var made []string
	for _, p := range s.paths() {
		if strings.HasPrefix(p, "A") && p != "Archive archive" || strings.HasPrefix(p, "B") {
			made = append(made, p)
		}
	}
	same(t, "mailboxes", made, []string{"A", "A/B"})
}

func TestSubscriptionsAreTheUsersOwn(t *testing.T) {
	folders := []folder{inbox, {id: "a", name: "A", subscribed: true}, {id: "b", name: "B"}, {id: "s", name: "Sent", role: "sent"}}
	subscribed := func(s *target) (list []string) {
		for _, m := range s.Mailboxes("alice") {
			if m.Subscribed {
				list = append(list, m.Path)
			}
		}
		return sorted(list)
	}
	t.Run("by the user", func(t *testing.T) {
		s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
		snapshot(t, ar, contents{folders: folders})
		s.imports(ar, Options{})
		got := subscribed(s)
		if !slices.Contains(got, "A") || slices.Contains(got, "B") || slices.Contains(got, "Sent") {
			t.Errorf("subscribed: %q", got)
		}
	})
	t.Run("by an administrator", func(t *testing.T) {
		s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
		snapshot(t, ar, contents{folders: folders})
		before := subscribed(s)
		res, err := Import(context.Background(), ar, s.asAdmin(), Options{})
		must(t, err)
		same(t, "subscribed", subscribed(s), before)
		if !strings.Contains(strings.Join(res.Warnings, "\n"), "2 subscribed mailboxes are not subscribed") {
			t.Errorf("warnings: %q", res.Warnings)
		}
		// They are set when the user signs in, although the rest is done.
		s.ResetCounts()
		s.imports(ar, Options{})
		got := subscribed(s)
		if !slices.Contains(got, "A") || slices.Contains(got, "B") || slices.Contains(got, "Sent") {
			t.Errorf("subscribed: %q", got)
		}
		// What the user changes then stays, whoever imports next.
		s.Subscribe("alice", "A", false)
		s.Subscribe("alice", "B", true)
		after := subscribed(s)
		folders = slices.Clone(folders)
		folders[1].order, folders[2].order = 7, 8
		snapshot(t, ar, contents{folders: folders})
		for _, open := range []func() *jmapclient.Account{s.asAdmin, s.account} {
			res, err := Import(context.Background(), ar, open(), Options{})
			must(t, err)
			same(t, "warnings", res.Warnings, []string(nil))
		}
		same(t, "subscribed", subscribed(s), after)
	})
}

func TestARenamedMailboxIsRenamed(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	snapshot(t, ar, contents{folders: []folder{inbox, {id: "a", name: "A"}, {id: "b", name: "B", parent: "a"}}})
	s.imports(ar, Options{})
	snapshot(t, ar, contents{folders: []folder{inbox, {id: "a", name: "New"}, {id: "b", name: "B"}}})
	s.imports(ar, Options{})
	for _, want := range []string{"New", "B"} {
		if !slices.Contains(s.paths(), want) {
			t.Errorf("no mailbox %s in %q", want, s.paths())
		}
	}
}

func TestAttemptsEndInANameThatAnyServerTakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		list := attempts(name)
		last := list[len(list)-1].name
		if last == "" || len(last) > 100 {
			t.Fatalf("last attempt for %q: %q", name, last)
		}
		for _, c := range last {
			if c >= utf8.RuneSelf || strings.ContainsRune("/%*\\\"", c) || c < ' ' {
				t.Fatalf("last attempt for %q: %q", name, last)
			}
		}
		seen := map[string]bool{}
		for _, a := range list {
			if seen[a.name] || a.name == "" {
				t.Fatalf("attempts for %q: %q", name, list)
			}
			seen[a.name] = true
		}
	})
}

func TestPlantPutsParentsFirstAndBreaksCycles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(t, "n")
		var objs []account.Object
		for i := range n {
			parent := rapid.SampledFrom([]string{"", "0", "1", "2", "3", "4", "5", "missing"}).Draw(t, "parent")
			f := folder{id: string(rune('0' + i)), name: "n", parent: parent}
			objs = append(objs, f.object())
		}
		boxes, _ := plant(objs)
		if len(boxes) != n {
			t.Fatalf("%d of %d mailboxes", len(boxes), n)
		}
		seen := map[*box]bool{}
		for _, b := range boxes {
			if b.parent != nil && !seen[b.parent] {
				t.Fatalf("%s comes before its parent", b.path)
			}
			seen[b] = true
		}
	})
}
