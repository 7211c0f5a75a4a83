package exporter

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"mailhaul/account"
	"mailhaul/jmapclient/jmaptest"
)

// A server that dies of one call kills the request that it is in: the others of
// that request are asked for again, alone, and what is the matter is said of that
// type. What it dies of is not asked for more often than need be.
func TestJMAPATypeThatKillsWhatIsAskedWithIt(t *testing.T) {
	for _, killer := range []string{"SieveScript", "VacationResponse"} {
		t.Run(killer, func(t *testing.T) {
			w := newWorld(t, jmaptest.Strict)
			w.giveUp = 100 * time.Millisecond
			for i := range 50 {
				w.deliver(i)
			}
			w.Inject(jmaptest.Fault{Match: func(r jmaptest.Request) bool { return slices.Contains(r.Methods, killer+"/get") }, Do: jmaptest.DropBefore})
			src := w.alice(t)
			ar := newArchive(t, src)
			w.ResetCounts()
			res := mustExport(t, src, ar)
			w.has(t, ar)
			for name, r := range res.Snapshot.Types {
				if (r.Error != "") != (name == killer) {
					t.Errorf("%s: %+v", name, r)
				}
			}
			if n := w.Requests()[killer+"/get"]; n > 4 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// late is an account whose blobs come after it was asked what changed last.
type late struct {
	*jmapSource
	once, changed sync.Once
	asked         chan struct{}
	change        func()
}

func (l *late) closing(ctx context.Context, since string, mailboxes bool) (*closing, error) {
	c, err := l.jmapSource.closing(ctx, since, mailboxes)
	l.once.Do(func() { close(l.asked) })
	return c, err
}

func (l *late) fetchBatch(ctx context.Context, ids []string, take func(string, []byte) error) error {
	<-l.asked
	l.changed.Do(l.change)
	return l.jmapSource.fetchBatch(ctx, ids, take)
}

// What changes while the last blobs are on their way, after the changes were
// asked for, is in this snapshot or in the next.
func TestJMAPChangesBehindTheClosing(t *testing.T) {
	for name, test := range map[string]struct {
		change func(w *world, ids []string)
		next   bool // it may be for the next export to find
	}{
		"one goes":            {func(w *world, ids []string) { w.Destroy("alice", ids[3]) }, false},
		"one goes, one comes": {func(w *world, ids []string) { w.Destroy("alice", ids[3]); w.deliver(77) }, false},
		"one comes":           {func(w *world, ids []string) { w.deliver(77) }, true},
		"one is moved":        {func(w *world, ids []string) { w.Modify("alice", ids[3], []string{"Inbox", w.made("New")}, nil) }, true},
		"one goes, one is read": {func(w *world, ids []string) {
			w.Destroy("alice", ids[1])
			w.Modify("alice", ids[4], []string{"Inbox"}, []string{"$seen"})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, jmaptest.Strict)
			var ids []string
			for i := range 6 {
				ids = append(ids, w.deliver(i))
			}
			src := &late{jmapSource: w.alice(t).(*jmapSource), asked: make(chan struct{})}
			src.change = func() { test.change(w, ids) }
			ar := newArchive(t, src)
			if res := mustExport(t, src, ar); res.Failed != 0 {
				t.Errorf("failed: %+v", res.Snapshot.Types[account.Email.Name])
			}
			if test.next {
				mustExport(t, w.alice(t), ar)
			}
			w.has(t, ar)
		})
	}
}

// made makes a mailbox and is its name.
func (w *world) made(name string) string {
	w.AddMailbox("alice", name, "")
	return name
}
