package exporter

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
)

// Options narrow and watch an export.
type Options struct {
	Events      progress.Func
	Concurrency int // blobs fetched at once; 0: what suits the source
}

// Result is what an export did.
type Result struct {
	Snapshot  archive.SnapshotRecord
	Unchanged bool  // nothing new since the last snapshot: none was written
	Fetched   int64 // blobs
	Bytes     int64
	Failed    int // items and types that failed
}

// export is one run of Export.
type export struct {
	src    Source
	ar     *archive.Archive
	run    *archive.Run
	opts   Options
	report *reporter
	// last is the newest finished snapshot, nil when there is none.
	last *archive.SnapshotRecord
	// moved: the archive was made from the same account under another address.
	moved   bool
	tallies map[string]*tally
	got     fetched
	// touched: the archive has something of this snapshot.
	touched atomic.Bool
	// quiet: what is listed is listed for a second time, its progress was shown.
	quiet bool
	// unread are ids of Emails that the source listed and did not hand out.
	unread map[string]bool
	// retried: what failed in earlier runs was tried again.
	retried bool

	mu      sync.Mutex // guards what follows: types are exported side by side
	types   map[string]archive.TypeRecord
	unknown map[string]bool
}

// Export brings the archive up to date with the source, as a new snapshot. On
// a cancelled context it commits what is whole and returns ctx's error.
func Export(ctx context.Context, src Source, ar *archive.Archive, o Options) (res *Result, err error) {
	e := &export{src: src, ar: ar, opts: o,
		report:  &reporter{to: o.Events, account: src.Origin().Name},
		tallies: map[string]*tally{}, types: map[string]archive.TypeRecord{}, unknown: map[string]bool{},
		unread: map[string]bool{}}
	if err := e.sameAccount(); err != nil {
		return nil, err
	}
	snapshots, err := ar.Snapshots()
	if err != nil {
		return nil, err
	}
	if n := len(snapshots); n > 0 {
		e.last = &snapshots[n-1]
	}
	if e.run, err = ar.Begin(); err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := e.run.Close(); err == nil && closeErr != nil {
			res, err = nil, closeErr
		}
	}()
	if err := e.restore(); err != nil {
		return nil, err
	}
	if t, ok := src.(faultTeller); ok {
		t.tellFaults(e.report.emit)
	}
	if err := e.everything(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return e.finish()
}

// sameAccount refuses to mix two accounts in one archive.
func (e *export) sameAccount() error {
	is, was := e.src.Origin(), e.ar.Manifest().Account
	same := strings.EqualFold(is.Name, was.Name)
	if is.ID != "" && was.ID != "" {
		same = is.ID == was.ID
	}
	if is.Source != was.Source || !same {
		return fmt.Errorf("the archive %s holds %s; this is %s: choose another directory for it",
			e.ar.Dir(), originText(was), originText(is))
	}
	e.moved = is.Server != was.Server
	return nil
}

func originText(o archive.Origin) string {
	var b strings.Builder
	b.WriteString(o.Name)
	if o.ID != "" && o.ID != o.Name {
		fmt.Fprintf(&b, " (account id %s)", o.ID)
	}
	if o.Server != "" {
		fmt.Fprintf(&b, " of %s", o.Server)
	}
	fmt.Fprintf(&b, " [%s]", o.Source)
	return b.String()
}

// tallyKey is where a snapshot under way keeps its tallies, by type.
const tallyKey = "tallies"

// restore takes up what an earlier run of the same snapshot left.
func (e *export) restore() error {
	var before map[string]tallyRecord
	if _, err := e.run.Progress(tallyKey, &before); err != nil {
		return err
	}
	for _, t := range account.Types {
		e.tallies[t.Name] = newTally(before[t.Name], e.lastOf(t).Failed)
	}
	e.touched.Store(e.run.Resumed())
	return nil
}

// save keeps the tallies with what was put so far. A run that has nothing to
// keep leaves no trace in the archive.
func (e *export) save() error {
	e.mu.Lock() // so that older tallies do not replace newer ones
	defer e.mu.Unlock()
	now := map[string]tallyRecord{}
	// A blob that was lost is fetched again without a change to its object.
	touched := e.got.blobs.Load() > 0
	for _, t := range account.Types {
		n := e.tallies[t.Name].record()
		now[t.Name] = n
		touched = touched || n.Changed+n.Gone > 0 || !failedBefore(n.Failed, e.lastOf(t).Failed)
	}
	if touched {
		e.touched.Store(true)
	}
	if !e.touched.Load() {
		return nil
	}
	return kept(e.run.SetProgress(tallyKey, now))
}

// lastOf is what the last snapshot says of a type.
func (e *export) lastOf(t account.Type) archive.TypeRecord {
	if e.last == nil {
		return archive.TypeRecord{}
	}
	return e.last.Types[t.Name]
}

// everything exports each type: the mailboxes, the others side by side, and
// the mailboxes once more when messages came: one may lie in a mailbox that was
// made after the mailboxes were listed.
func (e *export) everything(ctx context.Context) error {
	if e.moved {
		e.report.emit(progress.Event{Kind: progress.Warning, Text: fmt.Sprintf("the archive was made from %s and now goes on from %s",
			originText(e.ar.Manifest().Account), originText(e.src.Origin()))})
	}
	if err := e.one(ctx, account.Mailbox); err != nil {
		return err
	}
	messages := e.tallies[account.Email.Name]
	before := messages.moved()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.one(gctx, account.Email) })
	g.Go(func() error {
		for _, t := range account.Types {
			if t.Name == account.Mailbox.Name || t.Name == account.Email.Name {
				continue
			}
			if err := e.one(gctx, t); err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil || messages.moved() == before {
		return err
	}
	return e.settle(ctx)
}

// settle lists the mailboxes again until they fit the messages.
func (e *export) settle(ctx context.Context) error {
	const most = 3
	e.quiet = true
	defer func() { e.quiet = false }()
	for range most {
		if e.types[account.Email.Name].Error != "" || e.types[account.Mailbox.Name].Error != "" {
			return nil
		}
		before := e.tallies[account.Mailbox.Name].moved()
		if err := e.one(ctx, account.Mailbox); err != nil {
			return err
		}
		if e.tallies[account.Mailbox.Name].moved() == before {
			return nil
		}
		if err := e.one(ctx, account.Email); err != nil {
			return err
		}
	}
	return nil
}

// one exports one type and records how that ended. The error is one that stops
// the run.
func (e *export) one(ctx context.Context, t account.Type) error {
	rec := archive.TypeRecord{}
	var err error
	switch {
	case !e.src.Has(t):
		rec.Absent = true
	case t.Name == account.Email.Name:
		rec.State, err = e.email(ctx)
	default:
		rec.State, err = e.small(ctx, t)
	}
	if err != nil {
		if ctx.Err() != nil || stops(err) {
			return fmt.Errorf("exporting %s of %s: %w", t.Name, e.report.account, err)
		}
		rec.Error = err.Error()
		e.report.emit(progress.Event{Kind: progress.Failure, Stage: t.Name, Item: t.Name + " as a whole", Text: rec.Error,
			Advice: "what the archive held of it is kept; run the same export again"})
	}
	e.mu.Lock()
	e.types[t.Name] = rec
	e.mu.Unlock()
	return e.save()
}

// finish closes the snapshot, or leaves none when there is nothing new in it.
func (e *export) finish() (*Result, error) {
	rec := archive.SnapshotRecord{Types: map[string]archive.TypeRecord{}, Unknown: slices.Sorted(maps.Keys(e.unknown))}
	res := &Result{Fetched: e.got.blobs.Load(), Bytes: e.got.bytes.Load()}
	for _, t := range account.Types {
		r := e.types[t.Name]
		r.Failed = e.tallies[t.Name].record().Failed
		rec.Types[t.Name] = r
		res.Failed += len(r.Failed)
		if r.Error != "" {
			res.Failed++
		}
	}
	if e.last != nil && sameOutcome(rec, *e.last) && (!e.touched.Load() || e.foundNothing(rec)) {
		if e.touched.Load() {
			if err := e.run.Discard(); err != nil {
				return nil, err
			}
		}
		res.Unchanged, res.Snapshot = true, *e.last
		e.report.emit(progress.Event{Kind: progress.Note, Text: fmt.Sprintf("nothing has changed since snapshot %d of %s: no new one is written",
			e.last.Snapshot, e.last.Finished.Local().Format("2006-01-02 15:04"))})
		return res, nil
	}
	if err := e.run.Finish(rec); err != nil {
		return nil, err
	}
	snapshots, err := e.ar.Snapshots()
	if err != nil {
		return nil, err
	}
	res.Snapshot = snapshots[len(snapshots)-1]
	return res, nil
}
