package exporter

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
)

// Options narrow and watch an export.
type Options struct {
	Events      progress.Func
	Concurrency int // blobs fetched at once; 0: what suits the source
	// Mailboxes is told when the archive holds all mailboxes for the first time,
	// for who reads it while it grows; messages may be there before.
	Mailboxes func()
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

	// before is how often messages had moved when the run began.
	before int64
	// after are the mailboxes as they were listed after the messages, nil: they were not.
	after *listed

	mu      sync.Mutex         // guards what follows: types are exported side by side
	ahead   map[string]*listed // what was listed and not yet taken, by type
	types   map[string]archive.TypeRecord
	unknown map[string]bool
}

// Export brings the archive up to date with the source, as a new snapshot. On
// a cancelled context it commits what is whole and returns ctx's error.
func Export(ctx context.Context, src Source, ar *archive.Archive, o Options) (res *Result, err error) {
	e := &export{src: src, ar: ar, opts: o,
		report:  &reporter{to: o.Events, account: src.Origin().Name},
		tallies: map[string]*tally{}, types: map[string]archive.TypeRecord{}, unknown: map[string]bool{},
		ahead: map[string]*listed{}, unread: map[string]bool{}}
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
	e.tellUnknown()
	if err := e.everything(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return e.finish()
}

// tellUnknown names what the source has besides, so that nobody thinks it was taken.
func (e *export) tellUnknown() {
	if u, ok := e.src.(unknowner); ok {
		for _, what := range u.unknown() {
			e.report.emit(progress.Event{Kind: progress.Note, Item: what, Text: "the server also has this, and mailhaul does not know it: not taken"})
		}
	}
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

// lastTypes is what the last snapshot says, by type.
func (e *export) lastTypes() map[string]archive.TypeRecord {
	if e.last == nil {
		return nil
	}
	return e.last.Types
}

// lastOf is what the last snapshot says of a type.
func (e *export) lastOf(t account.Type) archive.TypeRecord {
	return e.lastTypes()[t.Name]
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
		if r.Error != "" && !t.Informational {
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
