package exporter

import (
	"context"
	"fmt"
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
	// Scope narrows the run, nil: the whole account. MailboxIDs are found by the run,
	// and the types that others need are added; see [Completed].
	Scope *archive.Scope
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
	// Scope is what the run was narrowed to, nil for the whole account. That of an
	// Unchanged run's Snapshot may be another.
	Scope *archive.Scope
}

// export is one run of Export.
type export struct {
	src    Source
	ar     *archive.Archive
	run    *archive.Run
	opts   Options
	report *reporter
	// scope is what the run is narrowed to, nil: the whole account.
	scope *archive.Scope
	// living are the mailboxes in the scope that the account has.
	living []string
	// snapshots are the finished ones; last is the newest, nil when there is none.
	snapshots []archive.SnapshotRecord
	last      *archive.SnapshotRecord
	// moved: the archive was made from the same account under another address.
	moved   bool
	tallies map[string]*tally
	got     fetched
	// stray are types of which runs that did not end put something after they were
	// last read: since then it may have gone, and no change tells.
	stray map[string]bool
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

	mu      sync.Mutex                 // guards what follows: types are exported side by side
	ahead   map[string]*listed         // what was listed and not yet taken, by type
	present map[string]map[string]bool // ids that were listed of types of which some are kept all the same, see dropEmptied
	types   map[string]archive.TypeRecord
	unknown map[string]bool
}

// Export brings the archive up to date with the source, as a new snapshot. On
// a cancelled context it commits what is whole and returns ctx's error.
func Export(ctx context.Context, src Source, ar *archive.Archive, o Options) (res *Result, err error) {
	e := &export{src: src, ar: ar, opts: o, scope: Completed(o.Scope), present: map[string]map[string]bool{},
		report:  &reporter{to: o.Events, account: src.Origin().Name},
		tallies: map[string]*tally{}, types: map[string]archive.TypeRecord{}, unknown: map[string]bool{},
		ahead: map[string]*listed{}, unread: map[string]bool{}, stray: map[string]bool{}}
	if err := e.sameAccount(); err != nil {
		return nil, err
	}
	if e.snapshots, err = ar.Snapshots(); err != nil {
		return nil, err
	}
	if n := len(e.snapshots); n > 0 {
		e.last = &e.snapshots[n-1]
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
		e.tallies[t.Name] = newTally(before[t.Name], e.lastOf(t).Failed, !e.scope.Whole(t))
	}
	e.touched.Store(e.run.Resumed())
	for _, t := range account.Types {
		last := e.lastRead(t)
		if !t.Large || last == nil || last.Snapshot == e.last.Snapshot {
			continue
		}
		for _, err := range e.run.PutSince(t, last.Snapshot) {
			if err != nil {
				return err
			}
			e.stray[t.Name] = true
			break
		}
	}
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
	rec := e.record()
	res := &Result{Fetched: e.got.blobs.Load(), Bytes: e.got.bytes.Load(), Scope: e.scope}
	for _, t := range account.Types {
		r := rec.Types[t.Name]
		for _, f := range r.Failed {
			if !f.Untried {
				res.Failed++
			}
		}
		if r.Error != "" && !t.Informational && !r.Outside {
			res.Failed++
		}
	}
	if e.last != nil && e.last.Scope.CoversAll(e.scope) && sameOutcome(rec, *e.last) && (!e.touched.Load() || e.foundNothing(rec)) {
		if e.touched.Load() {
			if err := e.run.Discard(); err != nil {
				return nil, err
			}
		}
		res.Unchanged, res.Snapshot = true, *e.last
		what := "nothing"
		if e.scope != nil {
			what = fmt.Sprintf("of what was asked for (%s) nothing", e.scope)
		}
		e.report.emit(progress.Event{Kind: progress.Note, Text: fmt.Sprintf("%s has changed since snapshot %d of %s: no new one is written",
			what, e.last.Snapshot, e.last.Finished.Local().Format("2006-01-02 15:04"))})
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
