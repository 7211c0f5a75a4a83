package exporter

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"mailhaul/account"
	"mailhaul/archive"
)

// grace is how long blobs in flight may take to arrive once the caller has
// cancelled the run.
const grace = 5 * time.Second

// defaultConcurrency is how many requests a source is sent at once that does
// not say: what servers allow a user by default (RFC 8620 §2 suggests at least 4).
const defaultConcurrency = 4

// taker brings objects of one type, and the blobs they name, into the archive
// with a bounded number of workers. Its methods feed and finish are called by
// one goroutine.
type taker struct {
	src   Source
	batch blobBatcher // nil: blobs one by one
	run   *archive.Run
	t     account.Type
	stage *stage
	tally *tally
	got   *fetched

	caller context.Context // ends when no new work is wanted
	ctx    context.Context // the workers': ends at the first error that stops the run
	cancel context.CancelCauseFunc
	unhook func() bool
	slots  chan struct{}
	bytes  *semaphore.Weighted // in flight

	whose map[string]string // what names an object, by its id: for a type that is Named

	size          *batchSize
	gathered      []work
	gatheredBytes int64
	toCome        int64 // bytes that are still to be sent for, -1: not known

	mu       sync.Mutex
	inFlight map[string]bool // blob ids
}

// lot is a set of objects that are waited for together. Lots are finished in
// the order in which they were fed.
type lot struct {
	wg       sync.WaitGroup
	gathered int // objects that no worker has yet
	// later are objects whose blob was in flight for another object: it is
	// held by the time the lot is finished.
	later []account.Object
}

func (e *export) taker(ctx context.Context, t account.Type, s *stage) *taker {
	k := &taker{src: e.src, run: e.run, t: t, stage: s, tally: e.tallies[t.Name], got: &e.got, caller: ctx,
		bytes: semaphore.NewWeighted(bytesInFlight), inFlight: map[string]bool{}, toCome: -1}
	if b, ok := e.src.(blobBatcher); ok && b.batches() {
		k.batch, k.size = b, newBatchSize(b.batchLimit())
	}
	k.slots = make(chan struct{}, e.workers())
	// The workers outlive the caller's context by the grace, so that what is
	// nearly there is not thrown away.
	k.ctx, k.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	k.unhook = context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, func() { k.cancel(ctx.Err()) })
	})
	return k
}

// workers are as many as there may be requests at once, and some more that
// decode, compress and write meanwhile.
func (e *export) workers() int {
	if n := e.opts.Concurrency; n > 0 {
		return n
	}
	n := defaultConcurrency
	if l, ok := e.src.(limiter); ok {
		n = l.atOnce()
	}
	return n + runtime.GOMAXPROCS(0)
}

// close waits for the workers to end. Nothing may be fed any more.
func (k *taker) close() {
	k.abandon()
	for range cap(k.slots) {
		k.slots <- struct{}{}
	}
	k.unhook()
	k.cancel(nil)
}

// feed starts taking objects. It returns as soon as the last of them is
// gathered or has a worker, so that the next page can be read meanwhile.
func (k *taker) feed(l *lot, objects []account.Object) error {
	for _, o := range objects {
		blob := o.Text(k.t.Blob)
		if !k.claim(blob) {
			l.later = append(l.later, o)
			continue
		}
		l.wg.Add(1)
		w := work{o, l}
		var err error
		if size := k.sizeOf(o); k.batch == nil || size < 0 || size > batchBlob {
			err = k.start([]work{w}, 0) // it streams
		} else {
			err = k.gather(w, size)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// finish waits until the whole lot is in the archive.
func (k *taker) finish(l *lot) error {
	if l.gathered > 0 {
		if err := k.flush(); err != nil {
			return err
		}
	}
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

// abandon gives up what was gathered and not sent.
func (k *taker) abandon() {
	for _, w := range k.gathered {
		w.lot.gathered--
		w.drop(k)
	}
	k.gathered, k.gatheredBytes = nil, 0
}

// stopped is the error that ended the workers.
func (k *taker) stopped() error {
	if k.ctx.Err() == nil {
		return nil
	}
	return context.Cause(k.ctx)
}

// start gives a job to the next free worker. bytes is what it will hold in memory.
func (k *taker) start(job []work, bytes int64) error {
	if len(job) == 0 {
		return nil
	}
	if err := k.admit(bytes); err != nil {
		for _, w := range job {
			w.drop(k)
		}
		return err
	}
	go func() {
		defer func() { <-k.slots }()
		defer k.bytes.Release(bytes)
		objects := make([]account.Object, len(job))
		for i, w := range job {
			objects[i] = w.object
		}
		if err := k.take(k.ctx, objects); err != nil {
			k.cancel(err)
		}
		for _, w := range job {
			w.drop(k)
		}
	}()
	return nil
}

// admit waits for a free worker and for room in memory.
func (k *taker) admit(bytes int64) error {
	select {
	case <-k.caller.Done():
		return k.caller.Err()
	case <-k.ctx.Done():
		return k.stopped()
	case k.slots <- struct{}{}:
	}
	if err := k.bytes.Acquire(k.ctx, bytes); err != nil {
		<-k.slots
		return k.stopped()
	}
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

func (k *taker) release(o account.Object) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.inFlight, o.Text(k.t.Blob))
}

// sizeOf is the size an object's blob must have, -1 if it is not known.
func (k *taker) sizeOf(o account.Object) int64 {
	if !o.Has("size") {
		return -1
	}
	return o.Int("size")
}
