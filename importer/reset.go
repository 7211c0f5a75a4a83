package importer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
)

// resetFlags sets keywords and mailboxes of the messages in scope back to what
// the archive has, whatever the target's user did to them since.
func (r *run) resetFlags(ctx context.Context) error {
	shared, err := r.standIns()
	if err != nil {
		return err
	}
	var batch []archive.Entry
	for e, err := range r.j.Entries(account.Email.Name, archive.Done) {
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		if !r.scope.has(e.SourceID) {
			continue
		}
		if batch = append(batch, e); len(batch) < r.pageSize() {
			continue
		}
		if err := r.resetSome(ctx, batch, shared); err != nil {
			return err
		}
		batch = nil
	}
	if len(batch) == 0 {
		return nil
	}
	return r.resetSome(ctx, batch, shared)
}

// standIns are the messages on the target that stand for several of the
// source, with those.
func (r *run) standIns() (map[string][]string, error) {
	first, shared := map[string]string{}, map[string][]string{}
	for e, err := range r.j.Entries(account.Email.Name, archive.Done) {
		if err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		switch id, again := first[e.TargetID]; {
		case !again:
			first[e.TargetID] = e.SourceID
		case shared[e.TargetID] == nil:
			shared[e.TargetID] = []string{id, e.SourceID}
		default:
			shared[e.TargetID] = append(shared[e.TargetID], e.SourceID)
		}
	}
	return shared, nil
}

func (r *run) resetSome(ctx context.Context, entries []archive.Entry, shared map[string][]string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	there, err := r.readEntries(ctx, entries)
	if err != nil {
		return err
	}
	edits, known := map[string]*edit{}, map[string]account.Object{}
	for _, e := range entries {
		t := there[e.SourceID]
		if t == nil {
			continue
		}
		sources := shared[e.TargetID]
		if sources == nil {
			sources = []string{e.SourceID}
		}
		edit := newEdit(t)
		clear(edit.wantBoxes)
		clear(edit.wantWords)
		for _, id := range sources {
			rec, err := r.ar.Object(r.at, account.Email, id)
			if errors.Is(err, archive.ErrNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("read message %s of the archive: %w", id, err)
			}
			if id == e.SourceID {
				known[id] = rec.Object
			}
			r.setBack(edit, rec.Object)
		}
		if known[e.SourceID] != nil {
			edits[e.TargetID] = edit
		}
	}
	refused, err := r.edit(ctx, edits)
	if err != nil {
		return err
	}
	var done []archive.Entry
	for _, e := range entries {
		o, edit := known[e.SourceID], edits[e.TargetID]
		if o == nil || edit == nil {
			continue
		}
		if se, ok := refused[e.TargetID]; ok {
			r.fail(account.Email, e.SourceID, r.describe(o), "the server refused to set its mailboxes or keywords back: "+se.String(), "set them by hand")
			continue
		}
		if !edit.empty() {
			r.count(account.Email, func(c *Counts) { c.Updated++ })
		}
		a := r.nowApplied(e, r.scope.email(o))
		if err := r.noteThere(&a, keysOf(edit.wantBoxes), keysOf(edit.wantWords)); err != nil {
			return err
		}
		e.Applied = a.encode()
		done = append(done, e)
	}
	if len(done) == 0 {
		return nil
	}
	return r.j.Put(done...)
}

// setBack adds what the archive has of a message. It comes into the mailboxes in scope,
// and stays in its others, as far as it is there. One that belongs to no known
// mailbox stays where it is.
func (r *run) setBack(e *edit, o account.Object) {
	in := r.placeNow(r.scope.email(o).Set("mailboxIds"), o.Set("keywords"))
	if e.add(in); len(in.mailboxes) == 0 {
		e.wantBoxes = maps.Clone(e.hasBoxes)
	}
	for _, id := range r.placeNow(r.scope.outside(o.Set("mailboxIds")), nil).mailboxes {
		if e.hasBoxes[id] {
			e.wantBoxes[id] = true
		}
	}
	e.keepWords()
}

// forceWords makes keywords what they are to be.
func (e *edit) forceWords(words []string) {
	e.wantWords = account.SetOf(words...)
	e.keepWords()
}

// keepWords keeps the spelling of keywords that are there already, and those that
// are the server's.
func (e *edit) keepWords() {
	for k := range e.hasWords {
		switch {
		case hasWord(e.wantWords, k):
			removeWord(e.wantWords, k)
			e.wantWords[k] = true
		case serversOwn[strings.ToLower(k)]:
			e.wantWords[k] = true
		}
	}
}

// nowApplied is what an entry's message has got of the archive's.
func (r *run) nowApplied(e archive.Entry, o account.Object) applied {
	was := readApplied(e.Applied)
	a := appliedOf(o, was.Created)
	a.Mailboxes = sortedUnion(a.Mailboxes, r.scope.outside(was.Mailboxes))
	return a
}

// sortedUnion is the sorted union of two sets.
func sortedUnion(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}
