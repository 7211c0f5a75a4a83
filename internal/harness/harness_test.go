package harness

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"mailhaul/archive"
	"mailhaul/exporter"
	"mailhaul/importer"
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
	warmUp(t)
	happened = map[string]int{}
	defer func() {
		t.Logf("what happened: %v", happened)
		if cases == shortCases && len(happened) < 4 {
			t.Error("next to nothing was disturbed")
		}
	}()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		forgetPools()
		rapid.SyncTest(t, func(t *rapid.T) {
			w := &way{plan: p, dir: tempDir(t), from: newServer(p.Source), to: newServer(p.Target), copied: map[string]bool{}}
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

// warmUp makes what a process makes once, outside of any bubble: a channel that
// is made in one can't be used in the next.
func warmUp(t *testing.T) {
	ar, err := archive.Create(filepath.Join(t.TempDir(), "archive"), archive.Origin{Name: "warm"})
	if err != nil {
		t.Fatal(err)
	}
	run, err := ar.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := run.PutBlob(strings.NewReader("warm"), -1); err != nil {
		t.Fatal(err)
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ar.Close(); err != nil {
		t.Fatal(err)
	}
}

// forgetPools empties all sync.Pools, for the same reason: a pool's content
// survives one collection.
func forgetPools() {
	runtime.GC()
	runtime.GC()
}

// way is a case under way.
type way struct {
	plan     plan
	dir      string // of archives: each kill leaves another one
	deaths   int
	from, to *jmaptest.Server
	ar       *archive.Archive
	result   *importer.Result // of the last import
	target   *jmapclient.Account
	copied   map[string]bool // bytes of which there were several messages
}

// all goes the whole way and judges what came of it.
func (w *way) all() (err error) {
	for _, d := range w.plan.Mail {
		do(w.from, d)
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
		}
	}
	for i := range 2 {
		if i == 1 {
			for _, d := range w.plan.Between[1] {
				w.doLater(d)
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
		do(w.from, d)
	}
}

// doLater is what happens between two exports.
func (w *way) doLater(d deed) {
	if d.Do == "forget" && profileOf(w.plan.Source).ForgetsSilently {
		time.Sleep(31 * 24 * time.Hour)
		return
	}
	do(w.from, d)
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
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = step(ctx, l)
	}()
	select {
	case <-done:
		s.ClearFaults()
		return nil
	case <-l.death:
	}
	synctest.Wait() // until all that the run does hangs on a request, or in a pause
	err := w.bury()
	close(l.buried)
	cancel()
	<-done
	s.ClearFaults()
	if err == nil {
		err = w.reopen()
	}
	return err
}

// bury keeps what a killed run has on disk.
func (w *way) bury() error {
	if w.ar == nil {
		return nil
	}
	w.deaths++
	return copyDir(w.ar.Dir(), w.heir())
}

func (w *way) heir() string { return filepath.Join(w.dir, fmt.Sprint("archive-", w.deaths)) }

// reopen goes on with what the killed run has left. A process that is dead
// writes nothing more: what it wrote since is in a directory that nobody reads.
func (w *way) reopen() error {
	if w.ar == nil {
		return nil
	}
	_ = w.ar.Close()
	ar, err := archive.Open(w.heir())
	if err != nil {
		return fmt.Errorf("open what a killed run left: %w", err)
	}
	w.ar = ar
	return nil
}

func copyDir(from, to string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		// SQLite's index of its log is shared memory: it goes with the process.
		if strings.HasSuffix(path, "-shm") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
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
	if w.ar == nil {
		if w.ar, err = archive.Create(filepath.Join(w.dir, "archive"), src.Origin()); err != nil {
			return err
		}
	}
	res, err := exporter.Export(ctx, src, w.ar, exporter.Options{Concurrency: w.plan.Workers})
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
	w.result, err = importer.Import(ctx, w.ar, w.target, importer.Options{Delete: true})
	return err
}
