package importer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// claimChunk is how many listed messages are looked at together.
const claimChunk = 200

// relink compares the journal with the listing. Entries whose message is gone
// are released, and found again where it only got another id (threads that
// merge do that). Messages that are there already, and those whose request was
// in flight, are claimed. It answers the entries that stay released.
func (r *run) relink(ctx context.Context) (map[string]archive.Entry, error) {
	released, err := r.j.ReleaseMissing()
	if err != nil {
		return nil, fmt.Errorf("compare the journal with the target: %w", err)
	}
	lost := make(map[string]archive.Entry, len(released))
	for _, e := range released {
		lost[e.SourceID] = e
		if e.TargetBlobID != "" && e.Blob != "" {
			r.known.byBlob[e.TargetBlobID] = e.Blob
		}
	}
	if err := r.claim(ctx, nil, lost); err != nil {
		return nil, err
	}
	if err := r.awaitInFlight(ctx, lost); err != nil {
		return nil, err
	}
	for id, e := range lost { // one message that stands for several is not listed twice
		if _, err := r.ar.Object(r.at, account.Email, id); err != nil {
			delete(lost, id) // gone from the source as well
		} else if !r.scope.has(id) {
			delete(lost, id)
		} else if e.TargetID == "" {
			delete(lost, id)
		}
	}
	return lost, nil
}

// awaitInFlight waits for what an import had sent when it was killed and is not
// listed: the server may still be storing it, and would store it twice if it
// were sent again.
func (r *run) awaitInFlight(ctx context.Context, lost map[string]archive.Entry) error {
	ids, err := r.inFlight()
	if err != nil || len(ids) == 0 {
		return err
	}
	r.note("an earlier import ended before the server had answered for %s; looking whether it is still storing them", counted(int64(len(ids)), "message", "messages"))
	return r.untilQuiet(ctx, func() (bool, error) {
		if err := r.claim(ctx, ids, lost); err != nil {
			return false, err
		}
		left, err := r.inFlight()
		return len(left) > 0, err
	})
}

// inFlight are the source ids of messages whose request was sent and of which
// nothing more is known. An entry whose message is gone from the source has
// nothing left to be known.
func (r *run) inFlight() (ids []string, err error) {
	var gone []string
	for e, err := range r.j.Entries(account.Email.Name, archive.InFlight) {
		if err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		switch _, err := r.ar.Object(r.at, account.Email, e.SourceID); {
		case errors.Is(err, archive.ErrNotFound):
			gone = append(gone, e.SourceID)
		default: // one that is damaged is no less in flight
			ids = append(ids, e.SourceID)
		}
	}
	if len(gone) > 0 {
		err = r.j.Delete(account.Email.Name, gone...)
	}
	return ids, err
}

// claim pairs source messages without a done entry with listed messages that
// nobody claimed. ids narrows it to these source messages. Entries of lost that
// are found again are taken out of it.
func (r *run) claim(ctx context.Context, ids []string, lost map[string]archive.Entry) error {
	var groups []group
	n := 0
	open := func(c archive.Candidate) bool {
		_, isLost := lost[c.SourceID]
		return isLost || c.State == archive.InFlight || r.scope.has(c.SourceID)
	}
	flush := func() error {
		groups, err := r.ours(ctx, groups, open)
		if err != nil {
			return err
		}
		matches, err := r.known.pair(ctx, groups)
		if err != nil {
			return err
		}
		matches = slices.DeleteFunc(matches, func(m match) bool { return !open(m.source) })
		return r.claimed(ctx, matches, lost)
	}
	for c, err := range r.j.Candidates(r.at, ids) {
		if err != nil {
			return fmt.Errorf("compare the archive with the target: %w", err)
		}
		last := len(groups) - 1
		if last >= 0 && groups[last].sources[0].Key == c.Key {
			groups[last].sources = append(groups[last].sources, c)
			continue
		}
		if n >= claimChunk {
			if err := flush(); err != nil {
				return err
			}
			groups, n = nil, 0
		}
		groups = append(groups, group{sources: []archive.Candidate{c}, listed: c.Listed})
		n += len(c.Listed)
	}
	return flush()
}

// claimed journals what was recognised. A message that an import had sent is
// done; one that was there already gets what it lacks.
func (r *run) claimed(ctx context.Context, matches []match, lost map[string]archive.Entry) error {
	var done []archive.Entry
	var merges []merge
	for _, m := range matches {
		id := m.source.SourceID
		e := archive.Entry{Type: account.Email.Name, SourceID: id, Blob: m.source.Blob, State: archive.Done,
			TargetID: m.listed.ID, TargetBlobID: m.listed.BlobID}
		if was, ok := lost[id]; ok && was.Blob == m.source.Blob {
			delete(lost, id) // the same message under another id
			e.Applied, e.Checked = was.Applied, was.Checked
			done = append(done, e)
			continue
		}
		if m.source.State == archive.InFlight {
			sent, _, err := r.j.Get(account.Email.Name, id)
			if err != nil {
				return fmt.Errorf("read the journal: %w", err)
			}
			e.Applied = sent.Applied
			done = append(done, e)
			if r.scope.has(id) {
				r.count(account.Email, func(c *Counts) { c.Created++ })
			}
			continue
		}
		rec, err := r.readEmail(id)
		if err != nil {
			return fmt.Errorf("read message %s of the archive: %w", id, err)
		}
		if m.source.State == archive.Failed {
			r.unfail(account.Email, id)
		}
		merges = append(merges, merge{entry: e, object: rec.Object})
	}
	if len(done) > 0 {
		if err := r.j.Put(done...); err != nil {
			return err
		}
	}
	return r.mergeAll(ctx, merges)
}

// settlePause is the pause before the first second look for what a lost answer
// was about; it doubles.
var settlePause = time.Second

// mostLooks bounds how often is looked again, on a target that others change all
// the time: half a minute in all.
const mostLooks = 5

// untilQuiet has look see what arrived until that leaves nothing open or the
// target rests: a server may be at work on a request long after the connection,
// or the process, that sent it is gone. It rests when nothing has changed between two
// looks at least two settlePauses apart.
func (r *run) untilQuiet(ctx context.Context, look func() (open bool, err error)) error {
	state := ""
	for n := 0; ; n++ {
		if err := r.refresh(ctx, false); err != nil {
			return err
		}
		open, err := look()
		if err != nil || !open {
			return err
		}
		was := state
		if _, err := r.j.Note(listingNote, &state); err != nil {
			return err
		}
		if n >= mostLooks || (n >= 2 && state == was) {
			return nil
		}
		if err := pause(ctx, settlePause<<n); err != nil {
			return err
		}
	}
}

// reconcile finds out what became of items whose answer was lost or does not
// fit, and yields those that did not arrive.
//
// No import is out meanwhile: what one has stored, before the journal knows,
// would be taken for one of the items if it has the same bytes. For the same
// reason all others whose answer is lost are looked for as well.
func (r *run) reconcile(ctx context.Context, items []*item) (missing []*item, err error) {
	if err := r.locks.out.Acquire(ctx, allOut); err != nil {
		return nil, err
	}
	defer r.locks.out.Release(allOut)
	ids := r.unsure.with(items)
	err = r.untilQuiet(ctx, func() (bool, error) {
		if err := r.claim(ctx, ids, nil); err != nil {
			return false, err
		}
		missing = missing[:0]
		for _, it := range items {
			e, ok, err := r.j.Get(account.Email.Name, it.id)
			if err != nil {
				return false, err
			}
			if !ok || e.State != archive.Done || e.Blob != it.blob {
				missing = append(missing, it)
			}
		}
		return len(missing) > 0, nil
	})
	if err != nil {
		return nil, err
	}
	r.unsure.drop(items)
	return missing, nil
}

// unsure are source ids of messages whose answer is missing or does not fit.
type unsure struct {
	mu  sync.Mutex
	ids map[string]bool
}

func (u *unsure) add(items []*item) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ids == nil {
		u.ids = map[string]bool{}
	}
	for _, it := range items {
		u.ids[it.id] = true
	}
}

func (u *unsure) drop(items []*item) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, it := range items {
		delete(u.ids, it.id)
	}
}

// with yields them and the items' ids.
func (u *unsure) with(items []*item) []string {
	u.add(items)
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Sorted(maps.Keys(u.ids))
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// endsRun says whether an error would meet every further request as well.
func endsRun(err error) bool {
	switch jmapclient.KindOf(err) {
	case jmapclient.Unauthorized, jmapclient.Forbidden, jmapclient.Unreachable, jmapclient.NotJMAP, jmapclient.NoAccount, jmapclient.Cancelled:
		return true
	case 0: // not the server's: the archive's, the disk's, the context's
		return true
	}
	return false
}
