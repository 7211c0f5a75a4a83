package importer

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mailhaul/account"
	"mailhaul/archive"
)

// A batch is small enough that little is sent twice when an answer is lost, and
// large enough that requests, which servers ration, don't cost more than bytes.
const (
	batchItems = 50
	batchBytes = 8 << 20
)

// parcel is a batch on its way from the uploads to the import.
type parcel struct {
	items    []*item
	uploaded bool
}

// send sends what is pending (only: these), in batches: while one batch is
// imported the next is uploaded. It answers how many the server took.
func (r *run) send(ctx context.Context, only map[string]archive.Entry, items, bytes int64) (int64, error) {
	st := r.stage(account.Email.Name, items, bytes)
	defer st.finish()
	var sent atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	ready := make(chan parcel)
	hand := func(p parcel) error {
		select {
		case ready <- p:
			return nil
		case <-gctx.Done():
			return gctx.Err()
		}
	}
	g.Go(func() error {
		defer close(ready)
		return r.batches(gctx, only, st, func(b []*item) error { return r.uploadBatch(gctx, b, st, hand) })
	})
	g.Go(func() error {
		for p := range ready {
			take := r.carry
			if p.uploaded {
				take = r.deliver
			}
			n, err := take(gctx, p.items)
			sent.Add(n)
			if err != nil {
				return err
			}
			for _, it := range p.items {
				st.add(1, it.size)
			}
		}
		return nil
	})
	err := g.Wait()
	return sent.Load(), err
}

// uploadBatch uploads a batch and hands it on. What the server refuses for now
// is tried again later, while the rest goes on; where there is another way in,
// it goes that way.
func (r *run) uploadBatch(ctx context.Context, b []*item, st *stage, hand func(parcel) error) error {
	for len(b) > 0 {
		if r.byIMAP() {
			return hand(parcel{items: b})
		}
		sent, held, err := r.upload(ctx, b)
		if err != nil {
			return err
		}
		st.add(int64(len(b)-len(sent)-len(held)), 0)
		if len(sent) > 0 {
			if err := hand(parcel{sent, true}); err != nil {
				return err
			}
		}
		if len(held) > 0 {
			if err := r.holdBack(ctx, held); err != nil {
				return err
			}
		}
		b = held
	}
	return nil
}

// batches cuts what is pending into batches.
func (r *run) batches(ctx context.Context, only map[string]archive.Entry, st *stage, take func([]*item) error) error {
	limits := r.to.Client.Limits()
	most := int(min(batchItems, max(1, limits.MaxObjectsInSet)))
	var batch []*item
	var bytes int64
	var big bool
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
		// What is too large for a method call waits in its upload for the hourly
		// quota: nothing else waits with it.
		afterBig := big
		big = rationed(r.to) && it.size > rationEach
		if len(batch) > 0 && (len(batch) >= most || bytes+it.size > batchBytes || big || afterBig) {
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
