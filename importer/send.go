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
	batchItems = 100
	batchBytes = 5 << 20
)

// batchesAtOnce bounds how many batches are on their way, and with that the
// memory they take. How many requests are out at once is the client's to decide:
// these are some more, so that one is ready when another is answered.
const batchesAtOnce = 6

// The last batches are of one size, so that all are through at about the same
// time, but not for a handful of messages.
const (
	lastBatches = 4
	leastItems  = 25
)

// send sends what is pending (only: these), in batches, several at once. It
// answers how many the server took.
func (r *run) send(ctx context.Context, only map[string]archive.Entry, items, bytes int64) (int64, error) {
	st := r.stage(account.Email.Name, items, bytes)
	defer st.finish()
	return r.sendFrom(ctx, st, func(ctx context.Context, take func([]*item) error) error {
		return r.batches(ctx, only, items, st, take)
	})
}

// sendFrom sends the batches that feed hands to take.
func (r *run) sendFrom(ctx context.Context, st *stage, feed func(ctx context.Context, take func([]*item) error) error) (int64, error) {
	r.keeper, r.fresh = r.keep(ctx), false
	defer func() { r.keeper = nil }()
	var sent atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	ready := make(chan []*item)
	g.Go(func() error {
		defer close(ready)
		return feed(gctx, func(b []*item) error {
			select {
			case ready <- b:
				return nil
			case <-gctx.Done():
				return gctx.Err()
			}
		})
	})
	atOnce := batchesAtOnce
	if rationed(r.to) {
		atOnce = 1 // the hour is what it waits for
	}
	for range atOnce {
		g.Go(func() error {
			for b := range ready {
				n, err := r.bring(gctx, b, st)
				sent.Add(n)
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	r.keeper.end()
	if err == nil && sent.Load() > 0 { // what is left to list and to read back
		r.fresh, err = r.keeper.last(ctx)
	}
	return sent.Load(), err
}

// bring takes a batch all the way. What the server refuses for now is tried
// again later, while the rest goes on; where there is another way in, it goes
// that way. It answers how many were stored.
func (r *run) bring(ctx context.Context, b []*item, st *stage) (stored int64, err error) {
	for len(b) > 0 {
		if r.byIMAP() {
			if err := r.locks.serial.Acquire(ctx, 1); err != nil {
				return stored, err
			}
			n, err := r.carry(ctx, b)
			r.locks.serial.Release(1)
			st.pass(b)
			return stored + n, err
		}
		sent, held, err := r.upload(ctx, b)
		if err != nil {
			return stored, err
		}
		st.add(int64(len(b)-len(sent)-len(held)), 0)
		if len(sent) > 0 {
			n, err := r.deliver(ctx, sent)
			stored += n
			if err != nil {
				return stored, err
			}
			st.pass(sent)
		}
		if len(held) > 0 {
			if err := r.holdBack(ctx, held); err != nil {
				return stored, err
			}
		}
		b = held
	}
	return stored, nil
}

// pass counts a batch that came to its end.
func (s *stage) pass(items []*item) {
	var bytes int64
	for _, it := range items {
		bytes += it.size
	}
	s.add(int64(len(items)), bytes)
}

// batches cuts what is pending into batches.
// left is how many there are, as far as is known.
func (r *run) batches(ctx context.Context, only map[string]archive.Entry, left int64, st *stage, take func([]*item) error) error {
	limits := r.to.Client.Limits()
	limit := int(min(batchItems, max(1, limits.MaxObjectsInSet)))
	var batch []*item
	var bytes int64
	var big, even bool
	for p, err := range r.pending() {
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
		if len(batch) > 0 && (len(batch) >= r.pace.items(limit) || bytes+it.size > batchBytes || big || afterBig) {
			if err := take(batch); err != nil {
				return err
			}
			batch, bytes = nil, 0
		}
		if n := int(left+lastBatches-1) / lastBatches; len(batch) == 0 && !even && n <= limit {
			even, limit = true, max(n, min(limit, leastItems))
		}
		left--
		batch = append(batch, it)
		bytes += it.size
	}
	if len(batch) == 0 {
		return nil
	}
	return take(batch)
}
