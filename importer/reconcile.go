package importer

import (
	"context"
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
	for id, e := range lost { // one message that stands for several is not listed twice
		if _, err := r.ar.Object(r.at, account.Email, id); err != nil {
			delete(lost, id) // gone from the source as well
		} else if e.TargetID == "" {
			delete(lost, id)
		}
	}
	return lost, nil
}

// claim pairs source messages without a done entry with listed messages that
// nobody claimed. ids narrows it to these source messages. Entries of lost that
// are found again are taken out of it.
func (r *run) claim(ctx context.Context, ids []string, lost map[string]archive.Entry) error {
	var groups []group
	n := 0
	flush := func() error {
		matches, err := r.known.pair(ctx, groups)
		groups, n = nil, 0
		if err != nil {
			return err
		}
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
			r.count(account.Email, func(c *Counts) { c.Created++ })
			continue
		}
		rec, err := r.ar.Object(r.at, account.Email, id)
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

// reconcile finds out what became of items whose answer was lost or does not
// fit, and yields those that did not arrive. It looks again as long as the
// target still changes: the server may be at work on the request.
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
	state := ""
	for look := 0; ; look++ {
		if err := r.refresh(ctx, false); err != nil {
			return nil, err
		}
		if err := r.claim(ctx, ids, nil); err != nil {
			return nil, err
		}
		missing = missing[:0]
		for _, it := range items {
			e, ok, err := r.j.Get(account.Email.Name, it.id)
			if err != nil {
				return nil, err
			}
			if !ok || e.State != archive.Done || e.Blob != it.blob {
				missing = append(missing, it)
			}
		}
		was := state
		if _, err := r.j.Note(listingNote, &state); err != nil {
			return nil, err
		}
		if len(missing) == 0 || look >= 3 || (look > 0 && state == was) {
			r.unsure.drop(items)
			return missing, nil
		}
		if err := pause(ctx, settlePause<<look); err != nil {
			return nil, err
		}
	}
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
