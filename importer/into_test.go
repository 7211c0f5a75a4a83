package importer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailhaul/internal/bubble"
	"mailhaul/jmapclient/jmaptest"
)

func TestIntoAMailboxPutsCopiesBesideWhatIsThere(t *testing.T) {
	for name, profile := range map[string]jmaptest.Profile{"strict": jmaptest.Strict, "merged threads": {MergeThreads: true}, "no digests": withoutDigests(true)} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				s, ar := newQuietTarget(t, profile), newArchive(t)
				ls := append(inProjects(), letter{id: "stray", boxes: []string{"unknown"}, received: mail(99).received, raw: mail(99).raw})
				snapshot(t, ar, contents{folders: projects, letters: ls})
				s.imports(ar, Options{Scope: Scope{Mailboxes: []string{"!Quiet"}}})
				before, there := s.state(), s.holds()
				o := Options{Into: "Restored/of May"}
				res := s.imports(ar, o)
				s.untouched(before, everything)
				paths := map[string]string{"unknown": "Restored/of May/Recovered"}
				for id, p := range projectPaths {
					paths[id] = "Restored/of May/" + p
				}
				paths["inbox"] = "Restored/of May/INBOX"
				copies := wants(ls, paths)
				both := func() []string { return slices.Sorted(slices.Values(slices.Concat(there, copies))) }
				same(t, "messages", s.holds(), both())
				emailCounts(t, res, Counts{Total: 31, Created: 31})
				for _, m := range s.Mailboxes("alice") {
					if strings.HasPrefix(m.Path, "Restored") && m.Role != "" {
						t.Errorf("%s has the role %s", m.Path, m.Role)
					}
				}
				s.ResetCounts()
				s.imports(ar, o)
				if n := s.Requests()["Email/import"] + s.Requests()["Email/set"] + s.Requests()["Mailbox/set"]; n != 0 {
					t.Errorf("%d requests that change something with nothing to do", n)
				}
				// Without its journal it finds by looking what is there.
				snapshot(t, ar, contents{folders: projects, letters: ls})
				again := newArchive(t)
				snapshot(t, again, contents{folders: projects, letters: ls})
				s.imports(again, o)
				same(t, "messages after one without a journal", s.holds(), both())
			})
		})
	}
}

func TestARestoreIntoAMailboxThatLosesAnswersAndIsKilledDoublesNothing(t *testing.T) {
	for n := 1; n <= 12; n++ {
		bubble.Test(t, func(t *testing.T) {
			s, ar := newQuietTarget(t, jmaptest.Strict), newArchive(t)
			ls := inProjects()
			snapshot(t, ar, contents{folders: projects, letters: ls})
			s.imports(ar, Options{})
			there := s.holds()
			w := newWire(s.Server)
			s.over = w
			w.fate = func(i int, methods string) fate {
				if i == 8+n {
					return []fate{answerLost, killedAfter, killedLate}[n%3]
				}
				return ""
			}
			o := Options{Into: "Restored"}
			ar, _ = w.remains(t, ar, func(ctx context.Context) { _, _ = Import(ctx, ar, s.account(), o) })
			s.over = newWire(s.Server)
			s.imports(ar, o)
			paths := map[string]string{}
			for id, p := range projectPaths {
				paths[id] = "Restored/" + strings.Replace(p, "Inbox", "INBOX", 1)
			}
			same(t, fmt.Sprintf("messages after the fate of request %d", 8+n), s.holds(), slices.Sorted(slices.Values(slices.Concat(there, wants(ls, paths)))))
		})
	}
}

func TestIntoAMailboxOfAServerThatKeepsIdenticalMessagesOnceAddsTheMailbox(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Cyrus36), newArchive(t)
	ls := inProjects()[:6]
	snapshot(t, ar, contents{folders: projects, letters: ls})
	s.imports(ar, Options{Scope: Scope{Mailboxes: []string{"role:inbox"}}})
	s.Modify("alice", s.idOf(ls[0]), []string{"Inbox"}, []string{"$flagged"})
	res := s.imports(ar, Options{Into: "Restored"})
	var want []string
	for i, l := range ls {
		var boxes []string
		for _, id := range l.boxes {
			boxes = append(boxes, "Restored/"+strings.Replace(projectPaths[id], "Inbox", "INBOX", 1))
		}
		switch i {
		case 0:
			boxes, l.keywords = append(boxes, "Inbox"), []string{"$flagged"}
		case 2:
			boxes = append(boxes, "Inbox")
		}
		want = append(want, line(boxes, l.keywords, l.received, l.raw))
	}
	slices.Sort(want)
	same(t, "messages", s.holds(), want)
	if !strings.Contains(strings.Join(res.Warnings, "\n"), "once: 2 messages are below Restored") {
		t.Errorf("warnings: %q", res.Warnings)
	}
}

func TestIntoAMailboxOfAServerThatDropsKnownMessageIDs(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Stalwart07), newArchive(t)
	untouched := s.adminsMail()
	ls := mails(5)
	snapshot(t, ar, onlyInbox(ls))
	_, err := Import(t.Context(), ar, s.asAdmin(), Options{})
	must(t, err)
	before := s.state()
	res, err := Import(t.Context(), ar, s.asAdmin(), Options{Into: "Restored"})
	must(t, err)
	emailCounts(t, res, Counts{Total: 5, Created: 5})
	s.untouched(before, everything)
	want := slices.Concat(wants(ls, inboxOnly), wants(ls, map[string]string{"inbox": "Restored/INBOX"}))
	slices.Sort(want)
	same(t, "messages", s.holds(), want)
	untouched(t)
}
