package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

// Export is how far an export is that an import follows.
type Export struct {
	Mailboxes <-chan struct{} // closed when the archive holds all mailboxes
	Ended     <-chan struct{} // closed when it is done: nothing more comes
	Enough    int             // messages that are worth a listing of the target while it goes on; 0: 100
}

// followEvery is how often it is looked what an export has written.
const followEvery = 200 * time.Millisecond

// Follow is a head start for [Import]: while an export into the archive goes on it
// sends what is sure to be sent, so that both take hardly longer than the slower
// of them. It ends with the export, or with ctx when that has failed. Import must follow, which does all the rest
// and comes to the same as if there had been no head start; with its Result
// the one of Follow goes into [Result.Ahead].
//
// What is sure is decided in [archive.Journal.Ahead]: a message that may be on
// the target already, or may be another one under a new id, or that an
// import has tried before, is left to Import, which knows the whole snapshot. Nothing
// is changed or removed on the target but mailboxes that are missing or got
// another name. What fails is tried again by Import, and told by it.
//
// The target is listed when there is enough to send and not otherwise, once, and
// from then on by its changes. An account that is rationed by the hour is not
// worth a head start, and a restore of parts, or to another place, has none.
func Follow(ctx context.Context, ar *archive.Archive, target *jmapclient.Account, o Options, e Export) (*Result, error) {
	res := &Result{Types: map[string]Counts{}}
	if _, ok := target.Using(account.Email); !ok || target.ReadOnly || rationed(target) || o.Scope.IsPart() || o.Into != "" {
		return res, nil
	}
	o.At, o.Delete, o.IMAP = -1, false, nil
	o.Events = withoutFailures(o.Events)
	j, err := ar.Journal(target.Client.Origin(), target.ID, target.Name)
	if err != nil {
		return res, fmt.Errorf("open the import journal for %s: %w", target.Name, err)
	}
	f := &follow{ar: ar, j: j, export: e, fed: map[string]bool{}}
	if f.worthWhile(ctx) {
		if f.run, err = newRun(ar, target, o); err == nil {
			f.run.j, res = j, f.run.res
			err = f.send(ctx)
		}
	}
	if f.err != nil && err == nil {
		err = f.err
	}
	if cerr := j.Close(); err == nil {
		err = cerr
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return res, err
}

// withoutFailures are all events but those of what is tried again.
func withoutFailures(to progress.Func) progress.Func {
	return func(e progress.Event) {
		if to != nil && e.Kind != progress.Failure {
			to(e)
		}
	}
}

// follow is one head start.
type follow struct {
	ar     *archive.Archive
	j      *archive.Journal
	run    *run
	export Export
	at     archive.Place   // what lies before it was looked at
	fed    map[string]bool // source ids that were handed on and may have no entry yet
	err    error
}

// ended says whether the export has.
func (f *follow) ended() bool {
	select {
	case <-f.export.Ended:
		return true
	default:
		return false
	}
}

// rest waits a little for the export; false when that has ended.
func (f *follow) rest(ctx context.Context) bool {
	t := time.NewTimer(followEvery)
	defer t.Stop()
	select {
	case <-t.C:
		return !f.ended()
	case <-f.export.Ended:
		return false
	case <-ctx.Done():
		return false
	}
}

// worthWhile waits until there is enough to send. It is false when the export
// ends before that.
func (f *follow) worthWhile(ctx context.Context) bool {
	select {
	case <-f.export.Mailboxes:
	case <-f.export.Ended:
		return false
	case <-ctx.Done():
		return false
	}
	since := 0
	if _, f.err = f.j.Note(snapshotNote, &since); f.err == nil {
		f.at, f.err = f.ar.After(since)
	}
	for f.err == nil && !f.ended() && ctx.Err() == nil {
		var end archive.Place
		if end, f.err = f.ar.End(); f.err != nil {
			return false
		}
		n := 0
		for _, err := range f.j.Ahead(f.at, end) {
			if f.err = err; err != nil {
				return false
			}
			if n++; n >= cmp.Or(f.export.Enough, batchItems) {
				return true
			}
		}
		if !f.rest(ctx) {
			return false
		}
	}
	return false
}

// send makes the mailboxes, lists the target, and sends while the export goes on.
func (f *follow) send(ctx context.Context) error {
	r := f.run
	r.imap = r.newAppender()
	if err := r.mailboxes(ctx); err != nil {
		return err
	}
	if err := r.refresh(ctx, true); err != nil {
		return err
	}
	st := r.stage(account.Email.Name, 0, 0)
	defer st.finish()
	_, err := r.sendFrom(ctx, st, f.feed)
	r.tellSwallowed()
	return errors.Join(err, f.planAgain())
}

// planAgain leaves it to Import to bring in what the server dropped.
func (f *follow) planAgain() error {
	ids := make([]string, len(f.run.dropped))
	for i, p := range f.run.dropped {
		ids[i] = p.SourceID
	}
	return f.j.Delete(account.Email.Name, ids...)
}

// feed hands on what the export has written, in whole batches until it has ended.
func (f *follow) feed(ctx context.Context, take func([]*item) error) error {
	limits := f.run.to.Client.Limits()
	limit := int(min(batchItems, max(1, limits.MaxObjectsInSet)))
	var batch []*item
	var bytes int64
	for {
		last := f.ended()
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.forget(); err != nil {
			return err
		}
		end, err := f.ar.End()
		if err != nil {
			return err
		}
		for p, err := range f.j.Ahead(f.at, end) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			if f.fed[p.SourceID] || p.Size > limits.MaxSizeUpload {
				continue
			}
			it, err := f.prepare(p)
			if err != nil {
				return err
			}
			if it == nil {
				continue
			}
			if len(batch) > 0 && (len(batch) >= f.run.pace.items(limit) || bytes+it.size > batchBytes) {
				if err := take(batch); err != nil {
					return err
				}
				batch, bytes = nil, 0
			}
			f.fed[it.id] = true
			batch = append(batch, it)
			bytes += it.size
		}
		switch {
		case last && len(batch) > 0:
			return take(batch)
		case last:
			return nil
		case f.at == end:
			f.rest(ctx)
		}
		f.at = end
	}
}

// forget forgets what has an entry by now: that is not yielded again.
func (f *follow) forget() error {
	for id := range f.fed {
		_, ok, err := f.j.Get(account.Email.Name, id)
		if err != nil {
			return err
		}
		if ok {
			delete(f.fed, id)
		}
	}
	return nil
}

// prepare reads what is needed to send a message. Nil: it is not known yet where
// it belongs, or it is another one by now, or damaged, which Import tells.
func (f *follow) prepare(p archive.PendingItem) (*item, error) {
	rec, err := f.ar.Object(-1, account.Email, p.SourceID)
	if isDamage(err) || err == nil && rec.Blob != p.Blob {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read message %s of the archive: %w", p.SourceID, err)
	}
	place := f.run.placeNow(rec.Object.Set("mailboxIds"), rec.Object.Set("keywords"))
	if place.stray || place.unknown > 0 {
		return nil, nil
	}
	return &item{id: p.SourceID, blob: p.Blob, size: p.Size, object: rec.Object, place: place}, nil
}

// Ahead adds what a head start has done, which the import that followed found there.
func (r *Result) Ahead(a *Result) {
	if a == nil {
		return
	}
	for name, c := range a.Types {
		now := r.Types[name]
		now.Created += c.Created
		now.Updated += c.Updated
		now.Bytes += c.Bytes
		now.Present = max(0, now.Present-c.Created-c.Updated)
		r.Types[name] = now
	}
	r.Mapped = appended(a.Mapped, r.Mapped)
	r.Warnings = appended(a.Warnings, r.Warnings)
}

// appended is a list and what another one has besides.
func appended(list, more []string) []string {
	there := map[string]bool{}
	for _, s := range list {
		there[s] = true
	}
	for _, s := range more {
		if !there[s] {
			list = append(list, s)
		}
	}
	return list
}
