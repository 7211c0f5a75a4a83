package importer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
	"mailhaul/internal/bubble"
	"mailhaul/jmapclient/jmaptest"
)

// state is every mailbox and message of the target by id, as JSON.
func (s *target) state() map[string]string {
	s.t.Helper()
	a, ctx, all := s.account(), context.Background(), map[string]string{}
	boxes, err := a.All(ctx, account.Mailbox, []string{"id", "name", "parentId", "role", "sortOrder", "isSubscribed"})
	must(s.t, err)
	for _, o := range boxes.List {
		all["mailbox "+o.ID()] = string(o.Encode())
	}
	must(s.t, eachPage(ctx, a, 100, []string{"id", "blobId", "mailboxIds", "keywords", "receivedAt"}, func() error { return nil }, func(list []account.Object) error {
		for _, o := range list {
			all["email "+o.ID()] = string(o.Encode())
		}
		return nil
	}))
	return all
}

// untouched fails if one of these objects, of those that keep says, is not as it was.
func (s *target) untouched(before map[string]string, keep func(key string) bool) {
	s.t.Helper()
	after := s.state()
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if keep(key) && after[key] != before[key] {
			s.t.Errorf("%s was\n%s\nand is\n%s", key, before[key], after[key])
		}
	}
}

var everything = func(string) bool { return true }

// projects are three levels of mailboxes.
var projects = []folder{inbox, {id: "p", name: "Projects", order: 7}, {id: "p24", name: "2024", parent: "p"}, {id: "b", name: "Bridge", parent: "p24"},
	{id: "q", name: "Quiet"}, {id: "t", name: "Trash", role: "trash"}}

var projectPaths = map[string]string{"inbox": "Inbox", "p": "Projects", "p24": "Projects/2024", "b": "Projects/2024/Bridge", "q": "Quiet", "t": "Trash"}

// inProjects are 30 messages all over them, some in two.
func inProjects() []letter {
	ls := mails(30)
	for i := range ls {
		ls[i].boxes = [][]string{{"inbox"}, {"p"}, {"inbox", "p24"}, {"q"}, {"b"}, {"p24", "b"}}[i%6]
	}
	return ls
}

// only are those of them that are in these mailboxes, in no others.
func only(ls []letter, boxes ...string) (part []letter) {
	for _, l := range ls {
		l.boxes = slices.DeleteFunc(slices.Clone(l.boxes), func(b string) bool { return !slices.Contains(boxes, b) })
		if len(l.boxes) > 0 {
			part = append(part, l)
		}
	}
	return part
}

func TestARestoreOfOneMailboxTouchesNothingElse(t *testing.T) {
	for name, profile := range map[string]jmaptest.Profile{"strict": jmaptest.Strict, "reused ids": {ReuseIDs: true}, "Cyrus": jmaptest.Cyrus36} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				s, ar := newQuietTarget(t, profile), newArchive(t)
				ls := inProjects()
				snapshot(t, ar, contents{folders: projects, letters: ls})
				s.imports(ar, Options{})
				// The user empties Projects and those below, and changes the rest.
				for i, l := range ls {
					switch i % 6 {
					case 1, 4, 5:
						s.Destroy("alice", s.idOf(l))
					case 0:
						s.Modify("alice", s.idOf(l), []string{"Quiet"}, []string{"$flagged"})
					case 2:
						s.Modify("alice", s.idOf(l), []string{"Inbox"}, nil)
					case 3:
						s.Modify("alice", s.idOf(l), []string{"Trash"}, nil)
					}
				}
				s.DestroyMailbox("alice", "Projects/2024/Bridge")
				before := s.state()
				res := s.imports(ar, Options{Scope: Scope{Mailboxes: []string{"Projects/**"}}})
				s.untouched(before, everything)
				emailCounts(t, res, Counts{Total: 20, Created: 15, Present: 5})
				want := only(ls, "p", "p24", "b")
				want = slices.DeleteFunc(want, func(l letter) bool { return len(l.boxes) == 1 && l.boxes[0] == "p24" }) // are there, in the inbox
				got := slices.DeleteFunc(s.holds(), func(line string) bool { return !strings.Contains(line, "Projects") })
				same(t, "messages of Projects", got, wants(want, projectPaths))
				// The next whole import has nothing left to send.
				s.ResetCounts()
				s.imports(ar, Options{})
				if n := s.Requests()["Email/import"] + s.Requests()["Email/set"]; n != 0 {
					t.Errorf("%d requests that change messages after it", n)
				}
			})
		})
	}
}

func TestAMessageGoesOnlyIntoTheMailboxesInScope(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	ls := inProjects()
	snapshot(t, ar, contents{folders: projects, letters: ls})
	res := s.imports(ar, Options{Scope: Scope{Mailboxes: []string{"Projects/2024"}}})
	same(t, "messages", s.holds(), wants(only(ls, "p24"), projectPaths))
	same(t, "counts of mailboxes", res.Types["Mailbox"], Counts{Total: 2, Created: 2})
	if slices.Contains(s.paths(), "Quiet") || slices.Contains(s.paths(), "Projects/2024/Bridge") {
		t.Errorf("mailboxes %q", s.paths())
	}
	res = s.imports(ar, Options{})
	same(t, "messages after a whole import", s.holds(), wants(ls, projectPaths))
	emailCounts(t, res, Counts{Total: 30, Created: 20, Updated: 10})
	// What it put there is its own: --delete removes it.
	snapshot(t, ar, contents{folders: projects, letters: ls[:2]})
	s.imports(ar, Options{Delete: true})
	same(t, "messages after --delete", s.holds(), wants(ls[:2], projectPaths))
}

func TestSingleMessagesAreRestoredByIDOrMessageID(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	ls := inProjects()
	snapshot(t, ar, contents{folders: projects, letters: ls})
	s.AddMailbox("alice", "Projects", "")
	before := s.state()
	res := s.imports(ar, Options{Scope: Scope{Messages: []string{ls[5].id, "<" + ls[1].msgID + ">"}}})
	s.untouched(before, everything)
	same(t, "messages", s.holds(), wants([]letter{ls[1], ls[5]}, projectPaths))
	emailCounts(t, res, Counts{Total: 2, Created: 2})
	res = s.imports(ar, Options{Scope: Scope{Messages: []string{ls[2].id}, Mailboxes: []string{"role:inbox"}}})
	emailCounts(t, res, Counts{Total: 1, Created: 1})
	s.imports(ar, Options{})
	same(t, "messages after a whole import", s.holds(), wants(ls, projectPaths))
}

func TestResetFlagsSetsBackWhatTheUserChanged(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	ls := inProjects()
	ls[1].keywords = []string{"$seen", "Work"}
	snapshot(t, ar, contents{folders: projects, letters: ls})
	s.imports(ar, Options{})
	s.Modify("alice", s.idOf(ls[1]), []string{"Trash"}, []string{"$flagged"})
	s.Modify("alice", s.idOf(ls[2]), []string{"Inbox", "Quiet"}, nil)
	s.Modify("alice", s.idOf(ls[0]), []string{"Trash"}, nil)
	before, changed := s.state(), []string{"email " + s.idOf(ls[1]), "email " + s.idOf(ls[2])}
	plan := s.imports(ar, Options{ResetFlags: true, DryRun: true, Scope: Scope{Mailboxes: []string{"Projects/**"}}})
	emailCounts(t, plan, Counts{Total: 20, Updated: 2, Present: 18})
	s.untouched(before, everything)
	res := s.imports(ar, Options{ResetFlags: true, Scope: Scope{Mailboxes: []string{"Projects/**"}}})
	emailCounts(t, res, Counts{Total: 20, Updated: 2, Present: 18})
	s.untouched(before, func(key string) bool { return !slices.Contains(changed, key) })
	want := slices.Clone(ls)
	want[0].boxes, want[0].keywords = []string{"t"}, nil
	want[1].keywords = []string{"$seen", "work"} // as servers keep them
	same(t, "messages", s.holds(), wants(want, projectPaths))
	s.imports(ar, Options{ResetFlags: true})
	ls[1].keywords = []string{"$seen", "work"}
	same(t, "messages after all were set back", s.holds(), wants(ls, projectPaths))
}

// Whatever parts are restored before, in whatever order and though they are
// interrupted, a whole import then completes the rest and doubles nothing.
func TestPartsThenTheWholeEndAsTheWhole(t *testing.T) {
	parts := []Scope{{Mailboxes: []string{"Projects/**"}}, {Mailboxes: []string{"**/2024", "role:inbox"}}, {Mailboxes: []string{"!Projects/**"}},
		{Messages: []string{"e2", "e3", "<m5@example.org>"}}, {Types: []string{"Mailbox"}}, {}}
	type attempt struct {
		part Scope
		stop int
		what fate
	}
	draw := rapid.Custom(func(rt *rapid.T) attempt {
		return attempt{rapid.SampledFrom(parts).Draw(rt, "part"), rapid.IntRange(5, 40).Draw(rt, "stop"),
			rapid.SampledFrom([]fate{answerLost, killedAfter, killedLate, interrupted}).Draw(rt, "fate")}
	})
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		if n++; n > mostWorlds {
			return
		}
		profile := rapid.SampledFrom([]jmaptest.Profile{jmaptest.Strict, {ReuseIDs: true}, {MergeThreads: true}}).Draw(rt, "profile")
		attempts := rapid.SliceOfN(draw, 1, 4).Draw(rt, "attempts")
		var got, want []string
		bubble.Test(t, func(t *testing.T) {
			s, ar := newQuietTarget(t, profile), newArchive(t)
			ls := inProjects()
			for i := 24; i < 30; i++ { // copies of others, elsewhere
				ls[i].raw, ls[i].received, ls[i].msgID, ls[i].keywords = ls[i-23].raw, ls[i-23].received, ls[i-23].msgID, ls[i-23].keywords
			}
			snapshot(t, ar, contents{folders: projects, letters: ls})
			for _, a := range attempts {
				w := newWire(s.Server)
				ctx, cancel := context.WithCancel(context.Background())
				w.cancel, s.over = cancel, w
				w.fate = func(i int, _ string) fate {
					if i == a.stop {
						return a.what
					}
					return ""
				}
				ar, _ = w.remains(t, ar, func(run context.Context) {
					defer context.AfterFunc(run, cancel)()
					_, _ = Import(ctx, ar, s.account(), Options{Scope: a.part})
				})
				cancel()
			}
			s.over = newWire(s.Server)
			s.imports(ar, Options{})
			got, want = s.holds(), wants(ls, projectPaths)
		})
		if d := cmp.Diff(want, got); d != "" {
			rt.Errorf("messages (-want +got):\n%s", d)
		}
	})
}

func TestOnlyTheTypesInScopeAreRestored(t *testing.T) {
	ar := newArchive(t)
	snapshot(t, ar, contents{folders: []folder{inbox}, letters: mails(2), scripts: []script{{"a", "keep;", true}}})
	for _, tc := range []struct {
		scope           Scope
		emails, scripts int
	}{
		{Scope{Types: []string{"Email"}}, 2, 0},
		{Scope{Types: []string{"SieveScript"}}, 0, 1},
		{Scope{SkipTypes: []string{"SieveScript"}}, 2, 0},
		{Scope{SkipTypes: []string{"Email"}}, 0, 1},
		{Scope{Mailboxes: []string{"inbox"}}, 2, 0},
	} {
		s := newTarget(t, jmaptest.Strict)
		s.imports(ar, Options{Scope: tc.scope})
		if n, m := len(s.holds()), len(s.Scripts("alice")); n != tc.emails || m != tc.scripts {
			t.Errorf("%+v: %d messages and %d scripts", tc.scope, n, m)
		}
	}
}

func TestAScopeThatIsNotOfTheArchiveIsRefusedBeforeAnyRequest(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	snapshot(t, ar, contents{folders: projects, letters: inProjects()})
	acc := s.account()
	s.ResetCounts()
	for want, o := range map[string]Options{
		`matched by "Porjects"; there are "INBOX", "Projects"`: {Scope: Scope{Mailboxes: []string{"Porjects", "Quiet"}}},
		`matched by "!Porjects"`:                               {Scope: Scope{Mailboxes: []string{"!Porjects"}}},
		`empty level`:                                          {Scope: Scope{Mailboxes: []string{"/a"}}},
		"no message e99":                                       {Scope: Scope{Messages: []string{"e1", "e99"}}},
		"no message gone@example.org":                          {Scope: Scope{Messages: []string{"<gone@example.org>"}}},
		"is in no mailbox that":                                {Scope: Scope{Messages: []string{"e1"}, Mailboxes: []string{"Quiet"}}},
		`"Mails" is no type`:                                   {Scope: Scope{Types: []string{"Mails"}}},
		"no type is left":                                      {Scope: Scope{Types: []string{"SieveScript"}, SkipTypes: []string{"SieveScript"}}},
		"need their mailboxes":                                 {Scope: Scope{SkipTypes: []string{"Mailbox"}}},
		"restore mail, and SieveScript is none":                {Into: "x", Scope: Scope{Types: []string{"SieveScript"}}},
		"removes nothing":                                      {Into: "x", Delete: true},
		"names no mailbox":                                     {Into: "a//b"},
		"leaves alone":                                         {Into: "a", ResetFlags: true},
	} {
		_, err := Import(context.Background(), ar, acc, o)
		var bad *ScopeError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want an error saying %q", o, err, want)
		}
	}
	if n := len(s.Requests()); n != 0 {
		t.Errorf("requests: %v", s.Requests())
	}
}
