package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// item is a message on its way.
type item struct {
	id       string
	blob     archive.Hash
	size     int64
	object   account.Object
	place    placement
	blobID   string // on the target, once uploaded
	raw      []byte // to go with the request that imports it, in place of blobID
	counted  bool   // as uploaded
	byItself bool   // it is uploaded by itself: otherwise it did not arrive
	tries    int    // times it was refused for what may pass
	keywords int    // how many of keywordSets were given up
	detours  int    // times it went through the scratch account in vain
	original string // its id there
	held     string // what the server said when it refused the upload for now, "" when it did not
	refusal  error  // of the upload, for good
	// notByIMAP: appending it failed, for the reason in said unless that is "".
	notByIMAP bool
	said      string
}

// applied is what was asked for, which is less than the source has when the
// server refused keywords.
func (it *item) applied() applied {
	a := appliedOf(it.object, true)
	if it.keywords > 0 {
		a.Keywords = it.place.keywords
	}
	return a
}

// prepare reads what is needed to send a message. Nil: it can't be sent.
func (r *run) prepare(ctx context.Context, p archive.PendingItem) (*item, error) {
	rec, err := r.readEmail(p.SourceID)
	if err != nil {
		var damaged *archive.DamagedError
		if !errors.As(err, &damaged) {
			return nil, fmt.Errorf("read message %s of the archive: %w", p.SourceID, err)
		}
		return nil, r.failEmail(account.Object{"id": account.Marshal(p.SourceID)}, p.Blob, "damaged in the archive: "+err.Error(), adviceDamaged)
	}
	if p.Blob == "" {
		return nil, r.failEmail(rec.Object, "", "the archive has no content for it: the export could not fetch it",
			"run the export again while the old server is there, then the import")
	}
	place, err := r.place(ctx, rec.Object.Set("mailboxIds"), rec.Object.Set("keywords"))
	if err != nil {
		return nil, err
	}
	return &item{id: p.SourceID, blob: p.Blob, size: p.Size, object: rec.Object, place: place}, nil
}

const adviceDamaged = "run `mailhaul archive reindex` on the archive, which leaves out what is damaged, then the export again while the old server is there, " +
	"which fetches it anew, then the import"

// deliver imports a batch. It returns when each of its messages is done, failed
// or put aside, or with the error that ends the run; then messages are in flight and
// the next run finds out about them. It answers how many were stored.
//
// Several batches may be on their way. What goes wrong with one is put right
// while nothing else is put right.
func (r *run) deliver(ctx context.Context, items []*item) (stored int64, err error) {
	out, err := r.ask(ctx, items)
	if err == nil && out.clean() {
		return int64(len(out.done)), nil
	}
	// What was asked for is finished, though the run was interrupted.
	if err := r.locks.serial.Acquire(context.WithoutCancel(ctx), 1); err != nil {
		return 0, err
	}
	defer r.locks.serial.Release(1)
	return r.persist(ctx, items, out, err)
}

// again is deliver for who puts something right (and holds locks.serial).
func (r *run) again(ctx context.Context, items []*item) (stored int64, err error) {
	if len(items) == 0 {
		return 0, nil
	}
	out, err := r.ask(ctx, items)
	return r.persist(ctx, items, out, err)
}

// persist goes on with a batch after its answer, or the error in place of one,
// until nothing is left of it.
func (r *run) persist(ctx context.Context, items []*item, out *outcome, err error) (stored int64, _ error) {
	if k := r.keeper; k != nil {
		k.miss()
	}
	for lost := 0; ; {
		if err == nil {
			n, err := r.settle(ctx, out)
			return stored + n, err
		}
		if endsRun(err) {
			return stored, err
		}
		if jmapclient.KindOf(err) == jmapclient.OverQuota {
			return stored, r.full(items[0], err.Error())
		}
		before := len(items)
		if items, err = r.afterError(ctx, items, err, &lost); err != nil {
			return stored, err
		}
		if stored += int64(before - len(items)); len(items) == 0 {
			return stored, nil
		}
		if lost >= mostLost {
			break
		}
		out, err = r.ask(ctx, items)
	}
	if slices.ContainsFunc(items, func(it *item) bool { return it.raw != nil }) { // the server may fail over a blob
		r.pace.parts()
		for _, it := range items {
			it.byItself = true
		}
		n, err := r.carry(ctx, items)
		return stored + n, err
	}
	half := len(items) / 2
	for _, part := range [][]*item{items[:half], items[half:]} {
		n, err := r.again(ctx, part)
		stored += n
		if err != nil {
			return stored, err
		}
	}
	return stored, nil
}

// mostLost is how often a batch whose answer is lost goes out as it is. Then,
// and at once when the server fails over it, its blobs are uploaded one by one,
// and it is split until the message that the server fails over is alone.
const mostLost = 3

// afterError finds out what of a batch arrived although its call failed, and
// yields the rest. lost reaching mostLost asks for the batch to be split.
func (r *run) afterError(ctx context.Context, items []*item, cause error, lost *int) ([]*item, error) {
	r.note("the answer to an import of %s is missing or an error (%v); looking at what arrived", counted(int64(len(items)), "message", "messages"), cause)
	missing, err := r.reconcile(ctx, items)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	if *lost++; jmapclient.KindOf(cause) != jmapclient.Unknown {
		*lost = mostLost
	}
	if *lost < mostLost || len(missing) > 1 || missing[0].raw != nil {
		return missing, nil
	}
	it := missing[0]
	if it.tries++; it.tries < 2 { // once more, alone
		*lost = 0
		return missing, nil
	}
	return nil, r.failEmail(it.object, it.blob, "the server fails over this message: "+cause.Error(),
		"look at the server's log; the message stays in the archive, a further import tries it again")
}

func (r *run) markInFlight(items []*item) error {
	entries := make([]archive.Entry, len(items))
	for i, it := range items {
		entries[i] = archive.Entry{Type: account.Email.Name, SourceID: it.id, Blob: it.blob, State: archive.InFlight, Applied: it.applied().encode()}
	}
	return r.j.Put(entries...)
}

// full ends the run because the account can hold no more. The first batch to
// meet that names one of its messages.
func (r *run) full(it *item, said string) error {
	if r.isFull {
		return errors.Join(r.j.Delete(account.Email.Name, it.id), r.fullError(said)) // planned again
	}
	r.isFull = true
	if err := r.failEmail(it.object, it.blob, "the account is full: "+said, "raise the account's quota or make room, then run the import again"); err != nil {
		return err
	}
	return r.fullError(said)
}

func (r *run) fullError(said string) error {
	n, bytes, err := r.pendingCount()
	if err != nil {
		return err
	}
	return &jmapclient.Error{Kind: jmapclient.OverQuota, Op: "Email/import", Account: r.to.Name,
		Detail: fmt.Sprintf("the account is full (%s); still to come: %s, %s", said, counted(n, "message", "messages"), size(bytes))}
}
