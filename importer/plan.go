package importer

import (
	"context"
	"errors"
	"fmt"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// plan computes what an import would do, and changes nothing: neither the
// target, nor a journal.
func (r *run) plan(ctx context.Context) error {
	r.tellGaps()
	if _, ok := r.to.Using(account.Email); !ok {
		return r.lacking(account.Email, 0)
	}
	if err := r.borrowJournal(); err != nil {
		return err
	}
	defer r.returnJournal()
	if err := r.findBoxes(ctx); err != nil {
		return err
	}
	for _, b := range r.boxes.boxes {
		switch {
		case b.id == "" || !r.scope.makes(b) || !r.scope.takes(account.Mailbox):
		case b.target == "":
			r.count(account.Mailbox, func(c *Counts) { c.Total++; c.Created++ })
			r.note("mailbox %s would be made", b.path)
		case b.was == nil && r.boxes.targetPath(b.target) != b.path:
			r.note("mailbox %s would be %s on the target (matched by %s)", b.path, r.boxes.targetPath(b.target), b.how)
			fallthrough
		default:
			r.count(account.Mailbox, func(c *Counts) { c.Total++; c.Present++ })
		}
	}
	if r.scope.takes(account.Email) {
		if err := r.planEmails(ctx); err != nil {
			return err
		}
	}
	for _, t := range account.Types[2:] {
		if !r.scope.takes(t) {
			continue
		}
		n, err := r.restorable(t)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if !r.has(t) {
			if err := r.lacking(t, n); err != nil {
				return err
			}
			continue
		}
		same, _, err := r.compareSmall(ctx, t)
		if err != nil {
			if err := r.orGoOn(t, err); err != nil {
				return err
			}
			continue
		}
		r.count(t, func(c *Counts) { c.Present, c.Created = same, n-same })
	}
	return nil
}

// planEmails counts what would be sent and names what can't be.
func (r *run) planEmails(ctx context.Context) error {
	c, err := r.compare(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	limit := r.to.Client.Limits().MaxSizeUpload
	var total Counts
	for rec, err := range r.ar.Objects(r.at, account.Email) {
		if err != nil {
			return fmt.Errorf("read the archive's messages: %w", err)
		}
		if !r.scope.has(rec.Object.ID()) {
			continue
		}
		total.Total++
		o := r.scope.email(rec.Object)
		id, err := c.targetOf(ctx, o.ID())
		if err != nil {
			return err
		}
		if id != "" {
			t, _, err := c.row(ctx, id)
			if err != nil {
				return err
			}
			e := newEdit(account.Object{"mailboxIds": account.Marshal(account.SetOf(t.boxes...)), "keywords": account.Marshal(account.SetOf(t.words...))})
			if r.o.ResetFlags {
				e.wantBoxes, e.wantWords = map[string]bool{}, map[string]bool{}
				r.setBack(e, rec.Object)
			} else {
				e.add(r.placeNow(o.Set("mailboxIds"), o.Set("keywords")))
			}
			if e.empty() {
				total.Present++
			} else {
				total.Updated++
			}
			continue
		}
		switch n := o.Int("size"); {
		case rec.Blob == "":
			r.fail(account.Email, o.ID(), r.describe(o), "the archive has no content for it", "run the export again while the old server is there")
		case n > limit:
			r.fail(account.Email, o.ID(), r.describe(o), fmt.Sprintf("too large: %s, and the server takes %s at most", size(n), size(limit)),
				"raise the server's limit for uploads (maxSizeUpload)")
		default:
			total.Created++
			total.Bytes += n
		}
	}
	r.count(account.Email, func(c *Counts) {
		total.Failed = c.Failed
		*c = total
	})
	r.expectRation(total.Created, total.Bytes)
	err = r.checkQuota(ctx, total.Bytes)
	var full *jmapclient.Error
	if errors.As(err, &full) && full.Kind == jmapclient.OverQuota {
		r.warn("%s", full.Detail)
		return nil
	}
	return err
}

// borrowJournal opens the journal there is for the target, and makes none. One
// that another process holds, or that can't be opened where nothing can be
// written, is done without: everything can be found by looking.
func (r *run) borrowJournal() error {
	infos, err := r.ar.Journals()
	if err != nil {
		return err
	}
	for _, i := range infos {
		if id, _ := r.journalName(); i.Server != r.to.Client.Origin() || i.AccountID != id {
			continue
		}
		j, err := r.ar.Journal(i.Server, i.AccountID, i.AccountName)
		var locked *archive.LockedError
		if errors.As(err, &locked) {
			r.note("an import into %s is running (process %d): comparing without its journal", r.to.Name, locked.PID)
			return nil
		}
		if err != nil {
			r.note("comparing without the import's journal: %v", err)
			return nil
		}
		r.j, r.known.frozen = j, true
	}
	return nil
}

func (r *run) returnJournal() {
	if r.j != nil {
		_ = r.j.Close() // nothing was written
	}
}
