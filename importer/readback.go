package importer

import (
	"context"
	"fmt"
	"maps"

	"mailhaul/account"
	"mailhaul/archive"
)

// readBack reads what was written and not checked yet, and puts right what
// lies elsewhere or lacks a keyword: servers file spam on the way in, and leave
// things out.
func (r *run) readBack(ctx context.Context) error {
	var batch []archive.Entry
	for e, err := range r.j.Entries(account.Email.Name, archive.Done) {
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		if e.Checked || !r.scope.has(e.SourceID) {
			continue
		}
		if batch = append(batch, e); len(batch) >= r.pageSize() {
			if err := r.check(ctx, batch); err != nil {
				return err
			}
			batch = nil
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return r.check(ctx, batch)
}

// check compares entries with their messages on the target.
func (r *run) check(ctx context.Context, entries []archive.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	there, err := r.readEntries(ctx, entries)
	if err != nil {
		return err
	}
	return r.checkAgainst(ctx, entries, there)
}

// checkAgainst compares entries with their messages as they were just read, by
// source id.
func (r *run) checkAgainst(ctx context.Context, entries []archive.Entry, there map[string]account.Object) error {
	edits := map[string]*edit{}
	for _, e := range entries {
		t := there[e.SourceID]
		if t == nil {
			continue
		}
		a := readApplied(e.Applied)
		p, err := r.place(ctx, a.Mailboxes, a.Keywords)
		if err != nil {
			return err
		}
		if edits[e.TargetID] == nil {
			edits[e.TargetID] = newEdit(t)
		}
		edits[e.TargetID].correct(p, !r.merged[e.TargetID])
	}
	refused, err := r.edit(ctx, edits)
	if err != nil {
		return err
	}
	var checked []archive.Entry
	for _, e := range entries {
		if there[e.SourceID] == nil {
			continue // another run finds out where it went
		}
		if se, ok := refused[e.TargetID]; ok {
			if r.keeper != nil {
				continue // it is tried again, and failed, at the end
			}
			r.fail(account.Email, e.SourceID, r.describeID(e.SourceID), "the message is there, but the server refused its mailboxes or keywords: "+se.String(),
				"run the import again, or set them by hand")
			continue
		}
		if !edits[e.TargetID].empty() {
			r.count(account.Email, func(c *Counts) { c.Updated++ })
			r.putRight++
		}
		a, was := readApplied(e.Applied), edits[e.TargetID]
		if err := r.noteThere(&a, keysOf(was.wantBoxes), keysOf(was.wantWords)); err != nil {
			return err
		}
		e.Applied = a.encode()
		e.Checked = true
		checked = append(checked, e)
	}
	if len(checked) == 0 {
		return nil
	}
	return r.j.Put(checked...)
}

// correct puts a message where it was sent. One that is in none of its
// mailboxes was filed elsewhere by the server, and is taken from there if the
// message is only ours; otherwise nothing is taken away.
func (e *edit) correct(p placement, ours bool) {
	inNone := true
	for _, id := range p.mailboxes {
		inNone = inNone && !e.wantBoxes[id]
	}
	if inNone && ours {
		clear(e.wantBoxes)
	}
	e.add(p)
}

// readEntries reads the messages of entries, by source id. A message with
// another blobId than the remembered one is another message, and left out.
func (r *run) readEntries(ctx context.Context, entries []archive.Entry) (map[string]account.Object, error) {
	merges := make([]merge, len(entries))
	for i, e := range entries {
		merges[i].entry = e
	}
	byTarget, err := r.readTargets(ctx, merges)
	if err != nil {
		return nil, err
	}
	there := map[string]account.Object{}
	for _, e := range entries {
		if t := byTarget[e.TargetID]; t != nil && t.Text("blobId") == e.TargetBlobID {
			there[e.SourceID] = maps.Clone(t)
		}
	}
	return there, nil
}

func (r *run) describeID(sourceID string) string {
	rec, err := r.ar.Object(r.at, account.Email, sourceID)
	if err != nil {
		return "message " + sourceID
	}
	return r.describe(rec.Object)
}
