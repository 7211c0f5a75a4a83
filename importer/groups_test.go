package importer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailhaul/archive"
	"mailhaul/internal/bubble"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// TestManyGroupsOfOneMessageID is the move that the old tool loses mail in: 50
// groups of two to six messages share a Message-ID each.
func TestManyGroupsOfOneMessageID(t *testing.T) {
	ls := repeated(manyMails, manyGroups)
	shared := int64(manyGroups / 5 * (1 + 2 + 3 + 4 + 5))
	begin := func(t *testing.T) (*target, *archive.Archive) {
		s, ar := newQuietTarget(t, jmaptest.Stalwart07), newArchive(t)
		snapshot(t, ar, contents{folders: inboxAndProject, letters: ls})
		return s, ar
	}
	complete := func(t *testing.T, s *target, ar *archive.Archive) {
		t.Helper()
		same(t, "messages", s.holds(), wants(ls, inboxAndProjects))
		rep, err := Verify(context.Background(), ar, s.asAdmin(), VerifyOptions{Full: true})
		must(t, err)
		same(t, "differences", rep.Differences, []Difference(nil))
	}
	clean := func(t *testing.T, s *target, ar *archive.Archive, open func() *jmapclient.Account, o Options) *Result {
		t.Helper()
		s.over = newWire(s.Server)
		res, err := Import(context.Background(), ar, open(), o)
		must(t, err)
		same(t, "failures", res.Failures, []Failure(nil))
		return res
	}
	t.Run("as administrator", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			s, ar := begin(t)
			untouched := s.adminsMail()
			res := clean(t, s, ar, s.asAdmin, Options{})
			emailCounts(t, res, Counts{Total: manyMails, Created: manyMails})
			if !slices.ContainsFunc(res.Warnings, func(w string) bool {
				return strings.HasPrefix(w, fmt.Sprintf("%d messages share a Message-ID", shared))
			}) {
				t.Errorf("the warnings do not count them: %q", res.Warnings)
			}
			complete(t, s, ar)
			untouched(t)
		})
	})
	// Killed again and again, each time some requests later.
	t.Run("as administrator, killed", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			s, ar := begin(t)
			untouched := s.adminsMail()
			deaths := 0
			for at, died := 8, true; died; at += 4 {
				w := newWire(s.Server)
				w.fate = func(n int, _ string) fate {
					if n == at {
						return []fate{killedAt, killedAfter}[at/4%2]
					}
					return ""
				}
				s.over = w
				if ar, died = w.remains(t, ar, func(ctx context.Context) { _, _ = Import(ctx, ar, s.asAdmin(), Options{}) }); died {
					deaths++
				}
			}
			if deaths < 5 {
				t.Errorf("killed %d times", deaths)
			}
			clean(t, s, ar, s.asAdmin, Options{})
			complete(t, s, ar)
			untouched(t)
		})
	})
	t.Run("as the user over IMAP", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			s, ar := begin(t)
			before := len(s.Mailboxes("alice"))
			clean(t, s, ar, s.account, Options{IMAP: openQuietIMAP(t, &imapDoor{s: s.Server, breaks: map[int]string{2: "stored", 11: "not stored", 30: "refused"}})})
			complete(t, s, ar)
			same(t, "mailboxes", len(s.Mailboxes("alice")), before+1)
		})
	})
	t.Run("as the user without", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			s, ar := begin(t)
			res, err := Import(context.Background(), ar, s.account(), Options{})
			must(t, err)
			emailCounts(t, res, Counts{Total: manyMails, Created: manyMails - shared, Failed: shared})
			named := map[string]int{} // failures by Message-ID
			for _, f := range res.Failures {
				i := slices.IndexFunc(ls, func(l letter) bool { return l.id == f.ID })
				if i < 0 || !strings.Contains(f.Reason, "Message-ID") || !strings.Contains(f.Reason, ls[i].msgID) || !strings.Contains(f.Advice, "--imap-url") {
					t.Fatalf("%+v", f)
				}
				named[ls[i].msgID]++
			}
			want := map[string]int{}
			for _, l := range ls {
				want[l.msgID]++
			}
			for id, n := range want {
				if want[id] = n - 1; n == 1 {
					delete(want, id)
				}
			}
			same(t, "named by Message-ID", named, want)
		})
	})
}

// TestEveryRequestOfALongDetourCanFail disturbs each request of an import once,
// in one of a few runs, which get over it by themselves.
func TestEveryRequestOfALongDetourCanFail(t *testing.T) {
	ls := repeated(detourMails, detourGroups)
	for _, what := range []fate{notSent, answerLost} {
		t.Run(string(what), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				const runs = 7
				for i := range runs {
					s, ar := newQuietTarget(t, jmaptest.Stalwart07), newArchive(t)
					snapshot(t, ar, contents{folders: inboxAndProject, letters: ls})
					untouched := s.adminsMail()
					w := newWire(s.Server)
					w.once = true // what is lost twice while others get through is given up on, and rightly
					w.fate = func(n int, _ string) fate {
						if n > 3 && (n+n/runs*3)%runs == i { // at no regular distance
							return what
						}
						return ""
					}
					s.over = w
					res, err := Import(context.Background(), ar, s.asAdmin(), Options{})
					must(t, err)
					if len(res.Failures) > 0 {
						t.Fatalf("run %d: %d failures, the first: %s", i, len(res.Failures), res.Failures[0].Reason)
					}
					same(t, "messages", s.holds(), wants(ls, inboxAndProjects))
					untouched(t)
					must(t, ar.Close())
				}
			})
		})
	}
}
