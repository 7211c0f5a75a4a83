package exporter

import (
	"context"
	"sync"
	"time"

	"mailhaul/account"
	"mailhaul/archive"
)

// What one worker takes at a time from a source that hands out many blobs for
// one request. The bound on octets is what a worker holds in memory; base64
// and JSON triple it.
const (
	batchItems = 100
	batchBytes = 1 << 20
	batchBlob  = 64 << 10 // a larger blob streams alone: there JSON costs more than a request
)

// grace is how long blobs in flight may take to arrive once the caller has
// cancelled the run.
const grace = 5 * time.Second

// defaultConcurrency is how many blobs are fetched at once: what servers allow
// a user by default (RFC 8620 §2 suggests at least 4).
const defaultConcurrency = 4

// taker brings objects of one type, and the blobs they name, into the archive
// with a bounded number of workers.
type taker struct {
	src   Source
	batch blobBatcher // nil: blobs one by one
	run   *archive.Run
	t     account.Type
	stage *stage
	tally *tally
	got   *fetched

	ctx    context.Context // the workers': ends at the first error that stops the run
	cancel context.CancelCauseFunc
	unhook func() bool
	slots  chan struct{}

	mu       sync.Mutex
	inFlight map[string]bool // blob ids
}

// lot is a set of objects that are waited for together.
type lot struct {
	wg sync.WaitGroup
	// later are objects whose blob was in flight for another object: it is
	// held by the time the lot is finished.
	later []account.Object
}

func (e *export) taker(ctx context.Context, t account.Type, s *stage) *taker {
	k := &taker{src: e.src, run: e.run, t: t, stage: s, tally: e.tallies[t.Name], got: &e.got,
		inFlight: map[string]bool{}}
	if b, ok := e.src.(blobBatcher); ok && b.batches() {
		k.batch = b
	}
	n := e.opts.Concurrency
	if n <= 0 {
		n = defaultConcurrency
	}
	k.slots = make(chan struct{}, n)
	// The workers outlive the caller's context by the grace, so that what is
	// nearly there is not thrown away.
	k.ctx, k.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	k.unhook = context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, func() { k.cancel(ctx.Err()) })
	})
	return k
}

// close waits for the workers to end. Nothing may be fed any more.
func (k *taker) close() {
	for range cap(k.slots) {
		k.slots <- struct{}{}
	}
	k.unhook()
	k.cancel(nil)
}

// feed starts taking objects. It returns as soon as the last of them has a
// worker, so that the next page can be read meanwhile.
func (k *taker) feed(ctx context.Context, l *lot, objects []account.Object) error {
	var job []account.Object
	var octets int64
	flush := func() error {
		j := job
		job, octets = nil, 0
		return k.start(ctx, l, j)
	}
	for _, o := range objects {
		blob := o.Text(k.t.Blob)
		if !k.claim(blob) {
			l.later = append(l.later, o)
			continue
		}
		size := k.size(o)
		job, octets = append(job, o), octets+max(size, 0)
		if k.batch == nil || size < 0 || size > batchBlob || len(job) >= batchItems || octets >= batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// finish waits until the whole lot is in the archive.
func (k *taker) finish(l *lot) error {
	l.wg.Wait()
	if err := k.stopped(); err != nil {
		return err
	}
	for _, o := range l.later {
		if err := k.take(k.ctx, []account.Object{o}); err != nil {
			return err
		}
	}
	l.later = nil
	return nil
}

// stopped is the error that ended the workers.
func (k *taker) stopped() error {
	if k.ctx.Err() == nil {
		return nil
	}
	return context.Cause(k.ctx)
}

func (k *taker) start(ctx context.Context, l *lot, job []account.Object) error {
	if len(job) == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		k.releaseAll(job)
		return ctx.Err()
	case <-k.ctx.Done():
		k.releaseAll(job)
		return k.stopped()
	case k.slots <- struct{}{}:
	}
	l.wg.Go(func() {
		defer func() { <-k.slots }()
		defer k.releaseAll(job)
		if err := k.take(k.ctx, job); err != nil {
			k.cancel(err)
		}
	})
	return nil
}

// claim notes that a blob is being fetched; false when it already is.
func (k *taker) claim(blobID string) bool {
	if blobID == "" {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.inFlight[blobID] {
		return false
	}
	k.inFlight[blobID] = true
	return true
}

func (k *taker) releaseAll(objects []account.Object) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, o := range objects {
		delete(k.inFlight, o.Text(k.t.Blob))
	}
}

// size is the size an object's blob must have, -1 if it is not known.
func (k *taker) size(o account.Object) int64 {
	if !o.Has("size") {
		return -1
	}
	return o.Int("size")
}
