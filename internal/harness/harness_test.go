package harness

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"mailhaul/archive"
	"mailhaul/exporter"
	"mailhaul/importer"
	"mailhaul/internal/bubble"
	"mailhaul/internal/failpoint"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

func TestTheWholeWayUnderAnyDisturbance(t *testing.T) {
	cases := os.Getenv("MAILHAUL_HARNESS_CASES")
	if f := flag.Lookup("rapid.checks"); cases == "" && f.Value.String() == f.DefValue {
		cases = shortCases
	}
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		t.Fatal(err)
	}
	if cases != "" {
		if err := flag.Set("rapid.checks", cases); err != nil {
			t.Fatal(err)
		}
	}
	happened = map[string]int{}
	defer func() {
		t.Logf("what happened: %v", happened)
		if cases == shortCases && len(happened) < 4 {
			t.Error("next to nothing was disturbed")
		}
	}()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		bubble.Prepare()
		rapid.SyncTest(t, func(t *rapid.T) {
			dir := tempDir(t)
			w := &way{plan: p, dir: dir, home: filepath.Join(dir, "archive"), from: newServer(p.Source), to: newServer(p.Target), copied: map[string]bool{}, touched: map[string]bool{}, ever: map[string]letter{}, sent: map[string]int{}}
			if err := w.all(); err != nil {
				t.Fatalf("%s → %s: %v", p.Source, p.Target, err)
			}
		})
	})
}

// happened counts what befell all runs, to know that something did.
var (
	countMu  sync.Mutex
	happened map[string]int
)

func count(what string) {
	countMu.Lock()
	defer countMu.Unlock()
	happened[what]++
}

func tempDir(t *rapid.T) string {
	base := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		base = "/dev/shm" // a disk's fsync is most of a case's time
	}
	dir, err := os.MkdirTemp(base, "mailhaul-harness-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// way is a case under way.
type way struct {
	plan     plan
	dir      string // of archives: each kill leaves another one
	home     string // of the archive
	deaths   int
	from, to *jmaptest.Server
	ar       *archive.Archive // nil until a run opens it
	result   *importer.Result // of the last import
	target   *jmapclient.Account
	copied   map[string]bool // bytes of which there were several messages
	touched  map[string]bool // bytes of messages that the target's owner changed
	ever     map[string]letter
	sent     map[string]int // how many messages of these bytes there ever were
	holed    bool           // the archive lost something that nobody has any more
	blind    bool           // the archive lost what it knew of the target
}

// all goes the whole way and judges what came of it.
func (w *way) all() (err error) {
	for _, d := range w.plan.Mail {
		w.do(d)
	}
	defer func() {
		if w.ar != nil {
			_ = w.ar.Close()
		}
	}()
	for i := range 2 {
		if err := w.exports(w.plan.Export[i]); err != nil {
			return fmt.Errorf("export %d: %w", i+1, err)
		}
		if i == 0 {
			for _, d := range w.plan.Between[0] {
				w.doLater(d)
			}
			if err := w.damaged(w.plan.Damage[0]); err != nil {
				return err
			}
		}
	}
	for i := range 2 {
		if i == 1 {
			for _, d := range w.plan.Between[1] {
				w.doLater(d)
			}
			for _, d := range w.plan.There {
				w.there(d)
			}
			if err := w.damaged(w.plan.Damage[1]); err != nil {
				return err
			}
			if err := w.exports(nil); err != nil {
				return fmt.Errorf("export 3: %w", err)
			}
		}
		if err := w.imports(w.plan.Import[i]); err != nil {
			return fmt.Errorf("import %d: %w", i+1, err)
		}
	}
	return w.verify()
}

// do is what happens at the source during an export. A server that forgets
// without a word does so after a month, see doLater.
func (w *way) do(d deed) {
	if d.Do != "forget" || !profileOf(w.plan.Source).ForgetsSilently {
		w.deed(d)
	}
}

func (w *way) deed(d deed) {
	if do(w.from, d) {
		w.sent[d.Raw]++
	}
}

// doLater is what happens between two exports.
func (w *way) doLater(d deed) {
	if d.Do == "forget" && profileOf(w.plan.Source).ForgetsSilently {
		time.Sleep(31 * 24 * time.Hour)
		return
	}
	w.deed(d)
}

// exports runs the disturbed exports and then one that is not.
func (w *way) exports(disturbed []disturbance) error {
	for _, d := range disturbed {
		if err := w.run(w.from, d, w.export); err != nil {
			return err
		}
	}
	var clean error
	if err := w.run(w.from, disturbance{}, func(ctx context.Context, l *line) error {
		clean = w.export(ctx, l)
		return nil
	}); err != nil {
		return err
	}
	if clean != nil {
		return fmt.Errorf("undisturbed: %w", clean)
	}
	return w.judgeArchive()
}

func (w *way) imports(disturbed []disturbance) error {
	for _, d := range disturbed {
		if err := w.run(w.to, d, w.imported); err != nil {
			return err
		}
	}
	// A message that could not be brought in beside another of its Message-ID
	// can be when that one was removed, at the end of the first run.
	for range 2 {
		var clean error
		if err := w.run(w.to, disturbance{}, func(ctx context.Context, l *line) error {
			clean = w.imported(ctx, l)
			return nil
		}); err != nil {
			return err
		}
		if clean != nil {
			return fmt.Errorf("undisturbed: %w", clean)
		}
	}
	return w.judgeTarget()
}

// run is one run of the program. What a disturbed one says about how it ended
// is its own affair; an error is one of the harness's.
func (w *way) run(s *jmaptest.Server, d disturbance, step func(context.Context, *line) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l := newLine(s, d)
	l.cancel = cancel
	if d.MeddleAt > 0 {
		l.meddle = func() { w.do(d.Deed) }
	}
	disk := w.watch(l, d)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = step(ctx, l)
	}()
	var err error
	select {
	case <-done:
	case <-l.Death:
		if d.End == killed {
			synctest.Wait() // until all that the run does hangs on a request, or in a pause
			err = w.bury()
		}
		close(l.Buried)
		cancel()
		<-done
	}
	failpoint.Clear()
	s.ClearFaults()
	if err = errors.Join(err, disk.err); err != nil {
		return err
	}
	return w.leave(l, disk)
}

func dial(ctx context.Context, l *line, url, who string) (*jmapclient.Account, error) {
	c, err := jmapclient.Dial(ctx, jmapclient.Options{URL: url, Auth: signIn(who), Transport: l})
	if err != nil {
		return nil, err
	}
	return c.Account(ctx, login)
}

func (w *way) export(ctx context.Context, l *line) error {
	a, err := dial(ctx, l, "http://source.test", w.plan.ExportsAs)
	if err != nil {
		return err
	}
	src := exporter.JMAP(a)
	if err := w.open(src.Origin()); err != nil {
		return err
	}
	o := exporter.Options{Concurrency: w.plan.Workers}
	end := w.follow(ctx, l, &o)
	res, err := exporter.Export(ctx, src, w.ar, o)
	end(err)
	if err != nil {
		return err
	}
	for name, r := range res.Snapshot.Types {
		if len(r.Failed) > 0 || r.Error != "" && !excusedType(name, w.plan.Source) {
			return fmt.Errorf("%s failed: %+v", name, r)
		}
	}
	return nil
}

func (w *way) imported(ctx context.Context, l *line) (err error) {
	if w.target, err = dial(ctx, l, "http://target.test", w.plan.ImportsAs); err != nil {
		return err
	}
	if err = w.open(archive.Origin{}); err != nil {
		return err
	}
	w.result, err = importer.Import(ctx, w.ar, w.target, importer.Options{Delete: w.plan.Delete})
	return err
}
