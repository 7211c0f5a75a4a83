package exporter

import (
	"context"
	"sync"

	"mailhaul/account"
)

// What is fetched at a time from a source that hands out many blobs for one
// request: requests are what servers ration, and far away each costs a round
// trip.
const (
	batchItems = 500
	batchBytes = 3 << 20
	// A first batch is small; the next ones grow as long as they come.
	firstItems = 100
	firstBytes = 1 << 20
	// batchBlob is the size above which a blob streams alone: there base64
	// costs more than a request.
	batchBlob = 256 << 10
	// bytesInFlight bounds what all batches under way hold in memory together.
	// The answer, in base64, and what is decoded of it are about three times that.
	bytesInFlight = 15 << 20
	// tailBytes is what a batch has at least when the end is near and what is left
	// is divided, so that none is under way alone at last.
	tailBytes = firstBytes
)

// batchSize is how much is asked for at once: as much as has been seen to work.
type batchSize struct {
	most  int // items, what the source takes
	mu    sync.Mutex
	items int
	bytes int64
}

func newBatchSize(most int) *batchSize {
	most = min(most, batchItems)
	return &batchSize{most: most, items: min(most, firstItems), bytes: firstBytes}
}

func (b *batchSize) now() (items int, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.items, b.bytes
}

// grow asks for twice as much, after a batch that came.
func (b *batchSize) grow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items, b.bytes = min(2*b.items, b.most), min(2*b.bytes, batchBytes)
}

// shrink asks for half of what failed.
func (b *batchSize) shrink(items int, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items, b.bytes = max(1, min(b.items, items/2)), max(1, min(b.bytes, bytes/2))
}

// work is an object on its way and the lot that it is waited for with.
type work struct {
	object account.Object
	lot    *lot
}

// gather puts an object into the batch that is being gathered, which is sent
// when it is full.
func (k *taker) gather(w work, size int64) error {
	items, bytes := k.size.now()
	if k.toCome >= 0 {
		bytes = min(bytes, max(tailBytes, k.toCome/defaultConcurrency))
	}
	if n := len(k.gathered); n > 0 && (n >= items || k.gatheredBytes+size > bytes) {
		if err := k.flush(); err != nil {
			w.drop(k)
			return err
		}
	}
	k.gathered, k.gatheredBytes = append(k.gathered, w), k.gatheredBytes+size
	w.lot.gathered++
	return nil
}

// flush sends what was gathered.
func (k *taker) flush() error {
	job, bytes := k.gathered, k.gatheredBytes
	k.gathered, k.gatheredBytes = nil, 0
	for _, w := range job {
		w.lot.gathered--
	}
	if k.toCome >= 0 {
		k.toCome = max(0, k.toCome-bytes)
	}
	return k.start(job, bytes)
}

// drop gives an object up that was not taken; a later run will.
func (w work) drop(k *taker) {
	k.release(w.object)
	w.lot.wg.Done()
}

// takeBatch fetches many small blobs at once and answers the objects whose blob
// did not come. A batch that fails is halved.
func (k *taker) takeBatch(ctx context.Context, objects []account.Object) ([]account.Object, error) {
	left, err := k.takeAtOnce(ctx, objects)
	if err == nil {
		k.size.grow()
		return left, nil
	}
	if ctx.Err() != nil || k.endsRun(ctx, err) {
		return nil, err
	}
	if len(left) < 2 || !k.batch.batches() {
		return left, nil
	}
	k.size.shrink(len(left), k.bytesOf(left))
	var still []account.Object
	for _, half := range [][]account.Object{left[:len(left)/2], left[len(left)/2:]} {
		some, err := k.takeBatch(ctx, half)
		if err != nil {
			return nil, err
		}
		still = append(still, some...)
	}
	return still, nil
}

func (k *taker) bytesOf(objects []account.Object) (n int64) {
	for _, o := range objects {
		n += max(0, k.sizeOf(o))
	}
	return n
}
