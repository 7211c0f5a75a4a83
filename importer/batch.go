package importer

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// A batch is small enough that little is sent twice when an answer is lost, and
// large enough that requests, which servers ration, don't cost more than bytes.
const (
	batchItems = 50
	batchBytes = 8 << 20
)

// item is a message on its way.
type item struct {
	id       string
	blob     archive.Hash
	size     int64
	object   account.Object
	place    placement
	blobID   string // on the target, once uploaded
	tries    int    // times it was refused for what may pass
	keywords int    // how many of keywordSets were given up
	detours  int    // times it went through the scratch account in vain
	original string // its id there
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

// send sends what is pending (only: these), in batches: while one batch is
// imported the next is uploaded. It answers how many the server took.
func (r *run) send(ctx context.Context, only map[string]archive.Entry, items, bytes int64) (int64, error) {
	st := r.stage(account.Email.Name, items, bytes)
	defer st.finish()
	var sent atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	ready := make(chan []*item)
	g.Go(func() error {
		defer close(ready)
		return r.batches(gctx, only, st, func(b []*item) error {
			sent, err := r.upload(gctx, b)
			if err != nil {
				return err
			}
			st.add(int64(len(b)-len(sent)), 0)
			b = sent
			select {
			case ready <- b:
				return nil
			case <-gctx.Done():
				return gctx.Err()
			}
		})
	})
	g.Go(func() error {
		for b := range ready {
			n, err := r.deliver(gctx, b)
			sent.Add(n)
			if err != nil {
				return err
			}
			for _, it := range b {
				st.add(1, it.size)
			}
		}
		return nil
	})
	err := g.Wait()
	return sent.Load(), err
}

// batches cuts what is pending into batches.
func (r *run) batches(ctx context.Context, only map[string]archive.Entry, st *stage, take func([]*item) error) error {
	limits := r.to.Client.Limits()
	most := int(min(batchItems, max(1, limits.MaxObjectsInSet)))
	var batch []*item
	var bytes int64
	for p, err := range r.j.Pending(r.at) {
		if err != nil {
			return fmt.Errorf("read what is left to send: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if only != nil {
			if _, ok := only[p.SourceID]; !ok {
				continue
			}
		}
		if p.Blob != "" && p.Size > limits.MaxSizeUpload { // see nameOversized
			st.add(1, p.Size)
			continue
		}
		it, err := r.prepare(ctx, p)
		if err != nil {
			return err
		}
		if it == nil { // failed, and said so
			st.add(1, p.Size)
			continue
		}
		switch {
		case it.place.stray:
			r.strays++
		case it.place.unknown > 0:
			r.partStrays++
		}
		if len(batch) > 0 && (len(batch) >= most || bytes+it.size > batchBytes) {
			if err := take(batch); err != nil {
				return err
			}
			batch, bytes = nil, 0
		}
		batch = append(batch, it)
		bytes += it.size
	}
	if len(batch) == 0 {
		return nil
	}
	return take(batch)
}

// prepare reads what is needed to send a message. Nil: it can't be sent.
func (r *run) prepare(ctx context.Context, p archive.PendingItem) (*item, error) {
	rec, err := r.ar.Object(r.at, account.Email, p.SourceID)
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
func (r *run) deliver(ctx context.Context, items []*item) (stored int64, err error) {
	for lost := 0; len(items) > 0; {
		if err := ctx.Err(); err != nil {
			return stored, err
		}
		if err := r.markInFlight(items); err != nil {
			return stored, err
		}
		// From here the request is out: an interruption waits for its answer.
		res, err := r.to.Import(context.WithoutCancel(ctx), calls(items))
		if err == nil {
			n, again, err := r.settle(ctx, items, res)
			stored += n
			if err != nil {
				return stored, err
			}
			items = again
			continue
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
		stored += int64(before - len(items))
		if lost < mostLost || len(items) == 0 {
			continue
		}
		lost = 0
		half := len(items) / 2
		for _, part := range [][]*item{items[:half], items[half:]} {
			n, err := r.deliver(ctx, part)
			stored += n
			if err != nil {
				return stored, err
			}
		}
		return stored, nil
	}
	return stored, nil
}

// mostLost is how often a batch whose answer is lost goes out as it is. Then,
// and at once when the server fails over it, it is split until the message that
// it fails over is alone.
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
	if *lost < mostLost || len(missing) > 1 {
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

func calls(items []*item) map[string]jmapclient.EmailImport {
	m := make(map[string]jmapclient.EmailImport, len(items))
	for i, it := range items {
		m[creationID(i)] = jmapclient.EmailImport{
			BlobID:     it.blobID,
			MailboxIDs: account.SetOf(it.place.mailboxes...),
			Keywords:   account.SetOf(it.place.keywords...),
			ReceivedAt: it.object.Text("receivedAt"),
		}
	}
	return m
}

// full ends the run because the account can hold no more.
func (r *run) full(it *item, said string) error {
	if err := r.failEmail(it.object, it.blob, "the account is full: "+said, "raise the account's quota or make room, then run the import again"); err != nil {
		return err
	}
	n, bytes, err := r.j.PendingCount(r.at)
	if err != nil {
		return err
	}
	return &jmapclient.Error{Kind: jmapclient.OverQuota, Op: "Email/import", Account: r.to.Name,
		Detail: fmt.Sprintf("the account is full (%s); still to come: %s, %s", said, counted(n, "message", "messages"), size(bytes))}
}
