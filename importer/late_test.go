package importer

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailhaul/internal/bubble"
	"mailhaul/jmapclient/jmaptest"
)

// TestWhatTheServerStoresLateIsNotSentAgain has a server that gets to an import
// only when its connection is gone, or the process that sent it, while other
// imports are under way.
func TestWhatTheServerStoresLateIsNotSentAgain(t *testing.T) {
	const messages = lateImports*batchItems + batchItems + 20
	defer func(d time.Duration) { settlePause = d }(settlePause)
	settlePause = time.Second // as it is: the client's own pauses are of half a second
	for _, p := range []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart07, jmaptest.Stalwart016, jmaptest.Cyrus36} {
		for _, what := range []fate{brokenLate, killedLate} {
			t.Run(fmt.Sprintf("%s/%s", p.Name, what), func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					for nth := int64(1); nth <= lateImports; nth++ {
						storesLate(t, p, what, nth, mails(messages))
					}
				})
			})
		}
	}
}

// storesLate is an import whose nth Email/import meets that fate, and another.
func storesLate(t *testing.T, p jmaptest.Profile, what fate, nth int64, ls []letter) {
	t.Helper()
	s, ar := newQuietTarget(t, p), newArchive(t)
	snapshot(t, ar, contents{folders: []folder{inbox}, letters: ls})
	w := newWire(s.Server)
	var asked atomic.Int64 // imports
	w.fate = func(_ int, methods string) fate {
		if !strings.Contains(methods, "Email/import") || asked.Add(1) != nth {
			return ""
		}
		return what
	}
	s.over = w
	var err error
	ar, died := w.remains(t, ar, func(ctx context.Context) { _, err = Import(ctx, ar, s.account(), Options{}) })
	if asked.Load() < nth || died != (what == killedLate) {
		t.Fatalf("%d imports, killed: %v", asked.Load(), died)
	}
	if !died {
		must(t, err)
	}
	s.over = newWire(s.Server)
	res, err := Import(context.Background(), ar, s.account(), Options{})
	must(t, err)
	w.late.Wait()
	same(t, "failures", res.Failures, []Failure(nil))
	same(t, "messages", s.holds(), wants(ls, map[string]string{"inbox": "Inbox"}))
	must(t, ar.Close())
}
