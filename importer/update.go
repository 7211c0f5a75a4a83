package importer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"mailhaul/account"
	"mailhaul/archive"
)

// followSource carries over what changed on the source since messages were
// imported. Only differences to what was written last are written, so that what
// the target's user changed stays.
func (r *run) followSource(ctx context.Context) error {
	moved, err := r.followIDs()
	if err != nil {
		return err
	}
	since, fresh, err := r.appliedSnapshot()
	if err != nil {
		return err
	}
	if fresh {
		return r.followed(since)
	}
	f := follower{r: r}
	if r.scope.emails != nil {
		moved = slices.Sorted(maps.Keys(r.scope.emails))
	}
	for _, id := range moved {
		rec, err := r.readEmail(id)
		if err != nil {
			return fmt.Errorf("read message %s of the archive: %w", id, err)
		}
		if err := f.take(ctx, rec); err != nil {
			return err
		}
	}
	if r.scope.emails == nil && (since < r.snap.Snapshot || r.at < 0) {
		for rec, err := range r.j.Changed(r.at, since, account.Email) {
			if err != nil {
				return fmt.Errorf("read what changed in the archive: %w", err)
			}
			if err := f.take(ctx, rec); err != nil {
				return err
			}
		}
	}
	if err := f.flush(ctx); err != nil {
		return err
	}
	if err := r.replace(ctx, f.replaced); err != nil {
		return err
	}
	if r.scope.emails != nil {
		return r.followed(since)
	}
	if err := r.followRemovals(ctx); err != nil {
		return err
	}
	if f.refused || f.unsettled {
		return nil
	}
	return r.followed(since)
}

// followIDs hands the entry of a message that is gone from the source to a new
// one with the same bytes and received date: it is the same message under
// another id, and must not be sent again. It answers the new ids.
func (r *run) followIDs() ([]string, error) {
	gone := map[archive.Hash][]archive.Entry{}
	for e, err := range r.j.Removed(r.at, account.Email) {
		if err != nil {
			return nil, fmt.Errorf("read what went from the archive: %w", err)
		}
		if e.Blob != "" {
			gone[e.Blob] = append(gone[e.Blob], e)
		}
	}
	if len(gone) == 0 {
		return nil, nil
	}
	var moved, old []string
	var entries []archive.Entry
	for p, err := range r.pending() {
		if err != nil {
			return nil, fmt.Errorf("read what is left to send: %w", err)
		}
		if list := gone[p.Blob]; len(list) > 0 {
			rec, err := r.readEmail(p.SourceID)
			if err != nil {
				return nil, fmt.Errorf("read message %s of the archive: %w", p.SourceID, err)
			}
			i := slices.IndexFunc(list, func(e archive.Entry) bool { return readApplied(e.Applied).Received == receivedOf(rec.Object) })
			if i < 0 {
				continue
			}
			e := list[i]
			gone[p.Blob] = slices.Delete(list, i, i+1)
			old = append(old, e.SourceID)
			e.SourceID = p.SourceID
			entries = append(entries, e)
			moved = append(moved, e.SourceID)
		}
	}
	if len(entries) == 0 {
		return nil, nil
	}
	if err := r.j.Put(entries...); err != nil {
		return nil, err
	}
	// An id that went may be one that came, for other bytes: ids are used again.
	old = slices.DeleteFunc(old, func(id string) bool { return slices.Contains(moved, id) })
	return moved, r.j.Delete(account.Email.Name, old...)
}

// follower gathers done messages that changed on the source, and writes the
// changes in batches.
type follower struct {
	r       *run
	records []archive.Record
	entries []archive.Entry
	refused bool
	// unsettled: something is to be asked again by the next import.
	unsettled bool
	shared    map[string][]string // see standIns; nil: not needed yet
	// replaced are messages whose id was given to another one of the same bytes.
	replaced []archive.Entry
}

func (f *follower) take(ctx context.Context, rec archive.Record) error {
	e, ok, err := f.r.j.Get(account.Email.Name, rec.Object.ID())
	if err != nil || !ok || e.State != archive.Done || rec.Blob != e.Blob {
		return err
	}
	was, now := f.r.applied(e), appliedOf(rec.Object, false)
	if was.Received != now.Received {
		// The date never changes (RFC 8621 §4.1.1). Where ids are used again and
		// blobIds are made of id and bytes (Stalwart 0.6, 0.7), the date alone
		// tells that this is another message.
		f.replaced = append(f.replaced, e)
		return nil
	}
	if slices.Equal(was.Mailboxes, now.Mailboxes) && slices.Equal(was.Keywords, now.Keywords) {
		return nil
	}
	f.records, f.entries = append(f.records, rec), append(f.entries, e)
	if len(f.records) < f.r.pageSize() {
		return nil
	}
	return f.flush(ctx)
}

// applied is what was written for an entry, as far as it is in scope.
func (r *run) applied(e archive.Entry) applied {
	a := readApplied(e.Applied)
	a.Mailboxes = r.scope.inside(a.Mailboxes)
	return a
}

// replace makes room for messages that came under the id, and with the bytes,
// of others: they are sent. The others are gone from the source.
func (r *run) replace(ctx context.Context, entries []archive.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if r.o.Delete {
		shared, err := r.sharedTargets(entries)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(entries, r.pageSize()) {
			if err := r.remove(ctx, part, shared); err != nil {
				return err
			}
		}
	}
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.SourceID
	}
	return r.j.Delete(account.Email.Name, ids...)
}

// flush writes the gathered changes. An entry whose message on the target is
// another one by now is released: the message is sent again.
func (f *follower) flush(ctx context.Context) error {
	if len(f.entries) == 0 {
		return nil
	}
	r := f.r
	there, err := r.readEntries(ctx, f.entries)
	if err != nil {
		return err
	}
	edits := map[string]*edit{}
	how, bases := make([]manners, len(f.entries)), make([]thereState, len(f.entries))
	for i, e := range f.entries {
		t := there[e.SourceID]
		if t == nil {
			if err := r.j.Delete(account.Email.Name, e.SourceID); err != nil {
				return err
			}
			continue
		}
		if edits[e.TargetID] == nil {
			edits[e.TargetID] = newEdit(t)
		}
		now := f.records[i].Object
		if how[i], bases[i], err = f.mannersOf(ctx, readApplied(e.Applied), r.applied(e), now, t); err != nil {
			return err
		}
		if err := r.follow(ctx, edits[e.TargetID], how[i], r.applied(e), now); err != nil {
			return err
		}
	}
	refused, err := r.edit(ctx, edits)
	if err != nil {
		return err
	}
	var done []archive.Entry
	for i, e := range f.entries {
		if there[e.SourceID] == nil {
			continue
		}
		if se, ok := refused[e.TargetID]; ok {
			f.refused = true
			r.fail(account.Email, e.SourceID, r.describe(f.records[i].Object), "the server refused what changed of its mailboxes or keywords: "+se.String(),
				"run the import again, or change them by hand")
			continue
		}
		if !edits[e.TargetID].empty() {
			r.count(account.Email, func(c *Counts) { c.Updated++ })
		}
		now := f.records[i].Object
		again := r.tellClash(how[i], now, there[e.SourceID])
		a, err := f.settled(e, again, now, bases[i], edits[e.TargetID])
		if err != nil {
			return err
		}
		e.Applied = a.encode()
		done = append(done, e)
	}
	f.records, f.entries = nil, nil
	if len(done) == 0 {
		return nil
	}
	return r.j.Put(done...)
}

// follow makes the change that the source made since was was applied.
func (r *run) follow(ctx context.Context, e *edit, how manners, was applied, now account.Object) error {
	p, err := r.place(ctx, now.Set("mailboxIds"), now.Set("keywords"))
	if err != nil {
		return err
	}
	if err := r.followBoxes(e, how.boxes, was, p); err != nil {
		return err
	}
	switch how.words {
	case leave:
	case force:
		e.forceWords(p.keywords)
	default:
		e.followWords(was.Keywords, p.keywords)
	}
	return nil
}

func (r *run) followBoxes(e *edit, how manner, was applied, p placement) error {
	switch how {
	case leave:
		return nil
	case force:
		e.wantBoxes = account.SetOf(p.mailboxes...)
		return nil
	}
	before := map[string]bool{}
	for _, id := range was.Mailboxes {
		t, err := r.targetEver(id)
		if err != nil {
			return err
		}
		before[t] = true
	}
	for _, id := range p.mailboxes {
		if !before[id] {
			e.wantBoxes[id] = true
		}
		delete(before, id)
	}
	for id := range before {
		delete(e.wantBoxes, id)
	}
	if len(e.wantBoxes) == 0 { // a message is in a mailbox always (RFC 8621 §4.1.1)
		e.wantBoxes = account.SetOf(p.mailboxes...)
	}
	return nil
}

func (e *edit) followWords(was, now []string) {
	for _, k := range now {
		if !slices.Contains(was, k) && !hasWord(e.wantWords, k) {
			e.wantWords[k] = true
		}
	}
	for _, k := range was {
		if !slices.Contains(now, k) {
			removeWord(e.wantWords, k)
		}
	}
}

// settled is what an entry's message has got: of what is to be asked again, what
// it had before.
func (f *follower) settled(e archive.Entry, again manners, now account.Object, base thereState, edit *edit) (applied, error) {
	was, a := readApplied(e.Applied), f.r.nowApplied(e, now)
	boxes, words := keysOf(edit.wantBoxes), keysOf(edit.wantWords)
	if again.boxes == leave {
		a.Mailboxes, boxes, f.unsettled = was.Mailboxes, base.Boxes, true
	}
	if again.words == leave {
		a.Keywords, words, f.unsettled = was.Keywords, base.Words, true
	}
	return a, f.r.noteThere(&a, boxes, words)
}

// targetEver is where a source mailbox is or was, also when it is gone from
// the source by now.
func (r *run) targetEver(sourceID string) (string, error) {
	if t := r.boxes.target(sourceID); t != "" {
		return t, nil
	}
	e, _, err := r.j.Get(account.Mailbox.Name, sourceID)
	return e.TargetID, err
}
