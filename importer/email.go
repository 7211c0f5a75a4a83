package importer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"mailhaul/account"
	"mailhaul/archive"
)

// emails brings every message of the snapshot to the target, see the package
// comment for the way they go.
func (r *run) emails(ctx context.Context) error {
	if err := r.list(ctx); err != nil {
		return err
	}
	r.dropped = nil
	r.imap = r.newAppender()
	defer r.imap.hangUp()
	r.imapGone.Store(false)
	if err := r.followPart(); err != nil {
		return err
	}
	released, err := r.relink(ctx)
	if err != nil {
		return err
	}
	if err := r.clearLeftovers(ctx); err != nil {
		return err
	}
	if len(released) > 0 {
		r.warn("%s again", counted(int64(len(released)), "message that an earlier import put into the account is no longer there; it is sent",
			"messages that an earlier import put into the account are no longer there; they are sent"))
	}
	if err := r.followSource(ctx); err != nil {
		return err
	}
	items, bytes, err := r.tally()
	if err != nil {
		return err
	}
	if items > 0 {
		if err := r.checkQuota(ctx, bytes); err != nil {
			return err
		}
		r.expectRation(items, bytes)
		if err := r.sendAll(ctx, items, bytes); err != nil {
			return err
		}
	}
	if err := r.readBack(ctx); err != nil {
		return err
	}
	if err := r.removeAppendBox(ctx); err != nil {
		return err
	}
	if r.o.ResetFlags {
		if err := r.resetFlags(ctx); err != nil {
			return err
		}
	}
	_, _, err = r.tally()
	return err
}

// tellSwallowed says which messages have no copy of their own.
func (r *run) tellSwallowed() {
	if r.alsoBelow > 0 {
		r.warn("the server keeps identical messages of an account once: %s below %s, and as one with the one that was there", counted(r.alsoBelow, "message is", "messages are"), r.boxes.root.path)
	}
	if r.swallowed > 0 {
		r.warn("the server keeps identical messages of an account once: %s there, but as one with another copy in the same mailbox, "+
			"or under its received date", counted(r.swallowed, "message is", "messages are"))
	}
}

// tellStrays says which messages are not where they were because the archive
// does not hold their mailboxes.
func (r *run) tellStrays() {
	if r.strays > 0 {
		r.warn("%s in the mailbox %s", counted(r.strays, "message belongs to no mailbox that could be restored; it is",
			"messages belong to no mailbox that could be restored; they are"), r.boxes.targetPath(r.boxes.recovered))
	}
	if r.partStrays > 0 {
		r.warn("%s belonged to further mailboxes that could not be restored", counted(r.partStrays, "message", "messages"))
	}
}

// tally counts what is pending, and as present what is done and was not
// written by this run.
func (r *run) tally() (items, bytes int64, err error) {
	items, bytes, err = r.pendingCount()
	if err != nil {
		return 0, 0, fmt.Errorf("count what is left to send: %w", err)
	}
	r.count(account.Email, func(c *Counts) {
		c.Present = max(0, c.Total-items-c.Created-(c.Updated-r.putRight))
	})
	return items, bytes, nil
}

// sendAll sends what is pending. What the server said it stored but does not
// show afterwards is sent a second time, and then given up.
func (r *run) sendAll(ctx context.Context, items, bytes int64) error {
	if err := r.nameOversized(ctx); err != nil {
		return err
	}
	sent, err := r.sendEach(ctx, nil, items, bytes)
	r.tellStrays()
	r.tellSwallowed()
	r.tellRationed()
	if err != nil {
		return err
	}
	for round := 0; sent > 0; round++ {
		if !r.fresh {
			if err := r.refresh(ctx, false); err != nil {
				return err
			}
		}
		lost, err := r.relink(ctx)
		if err != nil || len(lost) == 0 {
			return err
		}
		r.count(account.Email, func(c *Counts) { c.Created -= int64(len(lost)) })
		if round > 0 {
			return r.giveUp(lost)
		}
		r.warn("%s once more", counted(int64(len(lost)), "message that the server said it stored is not in the account; it is sent",
			"messages that the server said it stored are not in the account; they are sent"))
		if sent, err = r.sendEach(ctx, lost, int64(len(lost)), 0); err != nil {
			return err
		}
	}
	return nil
}

// sendEach is send, and then the other way for what the server dropped.
func (r *run) sendEach(ctx context.Context, only map[string]archive.Entry, items, bytes int64) (int64, error) {
	sent, err := r.send(ctx, only, items, bytes)
	if err != nil {
		return sent, err
	}
	brought, err := r.bringDropped(ctx)
	return sent + brought, err
}

// nameOversized fails what the server will not take, before anything is sent:
// it may need a limit to be raised, and that is better known early.
func (r *run) nameOversized(ctx context.Context) error {
	limit := r.to.Client.Limits().MaxSizeUpload
	for p, err := range r.inScope(r.j.PendingLarger(r.at, limit)) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("read what is to be sent: %w", err)
		}
		if p.Blob == "" {
			continue
		}
		rec, err := r.readEmail(p.SourceID)
		if err != nil {
			return fmt.Errorf("read message %s of the archive: %w", p.SourceID, err)
		}
		if err := r.failEmail(rec.Object, p.Blob, fmt.Sprintf("too large: %s, and the server takes %s at most", size(p.Size), size(limit)),
			"raise the server's limit for uploads (maxSizeUpload) and run the import again"); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) giveUp(lost map[string]archive.Entry) error {
	for id := range lost {
		rec, err := r.readEmail(id)
		if err != nil {
			return err
		}
		if err := r.failEmail(rec.Object, rec.Blob, "the server said twice that it stored the message, but it is not in the account",
			"look at the server's log and its filters, then run the import again"); err != nil {
			return err
		}
	}
	return nil
}

// failEmail reports a message that did not arrive and journals why.
func (r *run) failEmail(o account.Object, blob archive.Hash, reason, advice string) error {
	r.fail(account.Email, o.ID(), r.describe(o), reason, advice)
	return r.j.Put(archive.Entry{Type: account.Email.Name, SourceID: o.ID(), Blob: blob, State: archive.Failed, Reason: reason})
}

// describe names a message as a person would look for it.
func (r *run) describe(o account.Object) string {
	text := account.Describe(o)
	if r.boxes == nil {
		return text
	}
	for _, id := range o.Set("mailboxIds") {
		if b := r.boxes.bySource[id]; b != nil {
			return b.path + ": " + text
		}
	}
	return text
}

// applied is an Email entry's Applied in the journal: what the source had when
// it was carried over last. A later run writes only what differs from it.
type applied struct {
	Mailboxes []string `json:"mailboxes"` // source ids
	Keywords  []string `json:"keywords"`
	Received  int64    `json:"received,omitempty"` // seconds since 1970
	Created   bool     `json:"created,omitempty"`  // by an import; else it was there
	// There is what the message on the target had then, where that is something else: nil where it is not.
	There *thereState `json:"there,omitempty"`
}

func appliedOf(o account.Object, created bool) applied {
	return applied{Mailboxes: o.Set("mailboxIds"), Keywords: o.Set("keywords"), Received: receivedOf(o), Created: created}
}

func receivedOf(o account.Object) int64 { return o.Time("receivedAt").Unix() }

func (a applied) encode() string { return string(account.Marshal(a)) }

func readApplied(s string) (a applied) {
	_ = json.Unmarshal([]byte(s), &a) // an unreadable one reads as nothing applied
	return a
}

// placement is where a message belongs on the target, and its keywords.
type placement struct {
	mailboxes []string // target ids, sorted
	keywords  []string
	unknown   int  // how many mailboxes the archive does not hold
	stray     bool // it belongs to none that is known
}

// place says where a message belongs on the target. What is in no known
// mailbox belongs in a mailbox of its own, which is made when it is needed.
func (r *run) place(ctx context.Context, mailboxes, keywords []string) (placement, error) {
	p := r.placeNow(mailboxes, keywords)
	if len(p.mailboxes) == 0 {
		t, err := r.recoveredBox(ctx)
		if err != nil {
			return p, err
		}
		p.mailboxes = []string{t}
	}
	return p, nil
}

// placeNow is place with the mailboxes that there are.
func (r *run) placeNow(mailboxes, keywords []string) placement {
	p := placement{keywords: keywords}
	for _, id := range mailboxes {
		if t := r.boxes.target(id); t == "" {
			p.unknown++
		} else if !slices.Contains(p.mailboxes, t) {
			p.mailboxes = append(p.mailboxes, t)
		}
	}
	p.stray = len(p.mailboxes) == 0
	if p.stray && r.boxes.recoveredID() != "" {
		p.mailboxes = []string{r.boxes.recoveredID()}
	}
	slices.Sort(p.mailboxes)
	return p
}
