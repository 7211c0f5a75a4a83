package importer

import (
	"bytes"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailhaul/internal/bubble"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

func isUpload(methods string) bool {
	return strings.Contains(methods, "/upload/") || strings.HasPrefix(methods, "Blob/")
}

// TestAServerThatTakesNoUploadsEndsTheRun in bounded time, with the messages
// still to come; the same command goes on once it does.
func TestAServerThatTakesNoUploadsEndsTheRun(t *testing.T) {
	for _, p := range []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart07, jmaptest.Cyrus36} {
		for _, after := range []int{0, 60}[:min(2, 1+4/everyNth)] {
			bubble.Test(t, func(t *testing.T) {
				p.Limits.MaxObjectsInSet = 20
				s, ar := newQuietTarget(t, p), newArchive(t)
				w := newWire(s.Server)
				s.over = w
				ls := mails(2 * batchesAtOnce * 20) // more than are under way when it begins
				snapshot(t, ar, onlyInbox(ls))
				w.crash = func(methods string, _ []byte) bool { return isUpload(methods) && len(s.Messages("alice")) >= after }
				began := time.Now()
				res, err := Import(context.Background(), ar, s.account(), Options{})
				if jmapclient.KindOf(err) != jmapclient.Unreachable {
					t.Errorf("%s: it ends with %v", p.Name, err)
				}
				if took := time.Since(began); took > 15*time.Minute {
					t.Errorf("%s: it took %v to end", p.Name, took)
				}
				same(t, "failures", res.Failures, []Failure(nil))
				most := 0
				if after > 0 {
					most = batchesAtOnce * 20 // what was under way then
				}
				if n := len(s.Messages("alice")); n < after || n > most {
					t.Errorf("%s: %d messages came in", p.Name, n)
				}
				w.crash = nil
				s.imports(ar, Options{})
				same(t, "messages", s.holds(), wants(ls, inboxOnly))
			})
		}
	}
}

// TestAServerThatDiesInMidImportIsUnreachable, whatever request is the first to
// meet it.
func TestAServerThatDiesInMidImportIsUnreachable(t *testing.T) {
	for _, p := range []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart07, jmaptest.Cyrus36} {
		for _, first := range []string{"Email/import", "Email/changes"} {
			bubble.Test(t, func(t *testing.T) {
				p.Limits.MaxObjectsInSet = 20
				s, ar := newQuietTarget(t, p), newArchive(t)
				w := newWire(s.Server)
				s.over = w
				ls := mails(70)
				snapshot(t, ar, onlyInbox(ls))
				var dead atomic.Bool
				w.crash = func(methods string, _ []byte) bool {
					if len(s.Messages("alice")) >= 20 && strings.Contains(methods, first) {
						dead.Store(true)
					}
					return dead.Load()
				}
				res, err := Import(context.Background(), ar, s.account(), Options{})
				if jmapclient.KindOf(err) != jmapclient.Unreachable {
					t.Errorf("%s, at %s: it ends with %v", p.Name, first, err)
				}
				same(t, "failures", res.Failures, []Failure(nil))
				w.crash = nil
				s.imports(ar, Options{})
				same(t, "messages", s.holds(), wants(ls, inboxOnly))
			})
		}
	}
}

// TestMessagesThatAServerCrashesOverAreNamed, however many there are in a row,
// and all others arrive.
func TestMessagesThatAServerCrashesOverAreNamed(t *testing.T) {
	for _, p := range []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart07, jmaptest.Cyrus36} {
		for _, bad := range [][]int{{70}, {70, 71, 72, 73, 74, 75}} {
			bubble.Test(t, func(t *testing.T) {
				s, ar := newQuietTarget(t, p), newArchive(t)
				w := newWire(s.Server)
				s.over = w
				ls := mails(120)
				snapshot(t, ar, onlyInbox(ls))
				w.crash = func(methods string, body []byte) bool {
					return isUpload(methods) && slices.ContainsFunc(bad, func(n int) bool {
						return bytes.Contains(body, []byte(ls[n].raw)) || bytes.Contains(body, []byte(base64.StdEncoding.EncodeToString([]byte(ls[n].raw))))
					})
				}
				res := s.imports(ar, Options{})
				emailCounts(t, res, Counts{Total: 120, Created: int64(120 - len(bad)), Failed: int64(len(bad))})
				for i, f := range res.Failures {
					if f.ID != ls[bad[i]].id || !strings.Contains(f.Reason, "closed the connection") || f.Advice == "" {
						t.Errorf("%s: %+v", p.Name, f)
					}
				}
				same(t, "messages", s.holds(), wants(slices.Concat(ls[:bad[0]], ls[bad[len(bad)-1]+1:]), inboxOnly))
			})
		}
	}
}
