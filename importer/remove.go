package importer

import (
	"context"
	"fmt"
	"slices"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// followRemovals removes from the target what is gone from the source, if that
// was asked for and an import put it there.
func (r *run) followRemovals(ctx context.Context) error {
	var gone []archive.Entry
	for e, err := range r.j.Removed(r.at, account.Email) {
		if err != nil {
			return fmt.Errorf("read what went from the archive: %w", err)
		}
		gone = append(gone, e)
	}
	if len(gone) == 0 {
		return nil
	}
	if !r.o.Delete {
		r.note("%s (--delete removes that)", counted(int64(len(gone)), "message that was imported earlier is gone from the source; it stays",
			"messages that were imported earlier are gone from the source; they stay"))
		return nil
	}
	shared, err := r.sharedTargets(gone)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(gone, r.pageSize()) {
		if err := r.remove(ctx, part, shared); err != nil {
			return err
		}
	}
	return r.removeBoxes(ctx)
}

// sharedTargets are the messages on the target that stand for another source
// message as well, with the mailboxes that one wants.
func (r *run) sharedTargets(gone []archive.Entry) (map[string][]string, error) {
	ids, going := map[string]bool{}, map[string]bool{}
	for _, e := range gone {
		ids[e.TargetID], going[e.SourceID+" "+string(e.Blob)] = true, true
	}
	shared := map[string][]string{}
	for e, err := range r.j.Entries(account.Email.Name, archive.Done) {
		if err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		if ids[e.TargetID] && !going[e.SourceID+" "+string(e.Blob)] {
			shared[e.TargetID] = append(shared[e.TargetID], readApplied(e.Applied).Mailboxes...)
		}
	}
	return shared, nil
}

func (r *run) remove(ctx context.Context, entries []archive.Entry, shared map[string][]string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	there, err := r.readEntries(ctx, entries)
	if err != nil {
		return err
	}
	keep, settled, err := r.clashingRemovals(entries, there, shared)
	if err != nil {
		return err
	}
	var destroy []string
	edits := map[string]*edit{}
	for _, e := range entries {
		t, a := there[e.SourceID], readApplied(e.Applied)
		others, isShared := shared[e.TargetID]
		switch {
		case t == nil || !a.Created && !isShared:
			// It is another message, or was there before any import: it stays.
		case keep[e.SourceID]:
		case isShared:
			if edits[e.TargetID] == nil {
				edits[e.TargetID] = newEdit(t)
			}
			r.leaveBoxes(edits[e.TargetID], a.Mailboxes, others)
		default:
			destroy = append(destroy, e.TargetID)
		}
	}
	if _, err := r.edit(ctx, edits); err != nil {
		return err
	}
	res := &jmapclient.SetResult{}
	if len(destroy) > 0 {
		if res, err = r.to.Set(ctx, account.Email, jmapclient.SetArgs{Destroy: destroy}); err != nil {
			return err
		}
	}
	entries = slices.DeleteFunc(slices.Clone(entries), func(e archive.Entry) bool { return keep[e.SourceID] && !settled[e.SourceID] })
	return r.journalRemovals(entries, destroy, res)
}

// leaveBoxes takes a message that stays for others out of the mailboxes that
// only the one that is gone was in.
func (r *run) leaveBoxes(e *edit, mailboxes, others []string) {
	keep := map[string]bool{}
	for _, id := range others {
		keep[r.boxes.target(id)] = true
	}
	for _, id := range mailboxes {
		if t := r.boxes.target(id); !keep[t] && len(e.wantBoxes) > 1 {
			delete(e.wantBoxes, t)
		}
	}
}

func (r *run) journalRemovals(entries []archive.Entry, destroy []string, res *jmapclient.SetResult) error {
	var forget []string
	for _, e := range entries {
		se, refused := res.NotDestroyed[e.TargetID]
		if refused && se.Type != "notFound" {
			r.fail(account.Email, e.SourceID, "message "+e.TargetID, "it is gone from the source, but the server refused to remove it: "+se.String(),
				"remove it by hand")
			continue
		}
		if slices.Contains(destroy, e.TargetID) && !refused {
			r.count(account.Email, func(c *Counts) { c.Removed++ })
		}
		now, ok, err := r.j.Get(account.Email.Name, e.SourceID)
		if err != nil {
			return err
		}
		if ok && now.Blob == e.Blob { // not another message's entry by now
			forget = append(forget, e.SourceID)
		}
	}
	if err := r.j.ListDelete(res.Destroyed...); err != nil {
		return err
	}
	return r.j.Delete(account.Email.Name, forget...)
}

// removeBoxes removes mailboxes that an import made and that are gone from the
// source, if they are empty.
func (r *run) removeBoxes(ctx context.Context) error {
	var gone []archive.Entry
	for e, err := range r.j.Removed(r.at, account.Mailbox) {
		if err != nil {
			return fmt.Errorf("read what went from the archive: %w", err)
		}
		gone = append(gone, e)
	}
	// Children go before what contains them: the deepest first.
	slices.SortStableFunc(gone, func(a, b archive.Entry) int {
		return int(r.boxes.depth(b.TargetID) - r.boxes.depth(a.TargetID))
	})
	for _, e := range gone {
		var was boxApplied
		readJSON(e.Applied, &was)
		t := r.boxes.targets[e.TargetID]
		if t == nil || !was.Created || t.Text("name") != was.Name || r.boxes.claimed[e.TargetID] != nil {
			if err := r.j.Delete(account.Mailbox.Name, e.SourceID); err != nil {
				return err
			}
			continue
		}
		res, err := r.to.Set(ctx, account.Mailbox, jmapclient.SetArgs{Destroy: []string{e.TargetID}})
		if err != nil {
			return err
		}
		if se, ok := res.NotDestroyed[e.TargetID]; ok {
			r.note("mailbox %s is gone from the source and stays: %s", r.boxes.targetPath(e.TargetID), se)
			continue
		}
		r.count(account.Mailbox, func(c *Counts) { c.Removed++ })
		if err := r.j.Delete(account.Mailbox.Name, e.SourceID); err != nil {
			return err
		}
	}
	return nil
}
