package archive

import (
	"hash/maphash"
	"sync/atomic"
)

// filterBits is 4 MB: with a million messages one look-up in a hundred is made
// in vain.
const filterBits = 1 << 25

// filter remembers what was put by a run that began with an empty archive, so
// that it need not look into the catalog for each message whether that is held.
// It is a Bloom filter: it may take for put what was not, never the other way
// round. Made by no one, it knows nothing and lacks nothing.
type filter struct {
	seed maphash.Seed
	bits []atomic.Uint32
}

func newFilter() filter {
	return filter{seed: maphash.MakeSeed(), bits: make([]atomic.Uint32, filterBits/32)}
}

// places are the bits of a key.
func (f *filter) places(kind string, key ...string) [4]uint64 {
	var h maphash.Hash
	h.SetSeed(f.seed)
	for _, part := range append([]string{kind}, key...) {
		_, _ = h.WriteString(part)
		_ = h.WriteByte(0)
	}
	sum := h.Sum64()
	low, high := sum&0xffffffff, sum>>32|1
	return [4]uint64{low % filterBits, (low + high) % filterBits, (low + 2*high) % filterBits, (low + 3*high) % filterBits}
}

func (f *filter) add(kind string, key ...string) {
	if f.bits == nil {
		return
	}
	for _, n := range f.places(kind, key...) {
		f.bits[n/32].Or(1 << (n % 32))
	}
}

// lacks says that the key was surely not put.
func (f *filter) lacks(kind string, key ...string) bool {
	if f.bits == nil {
		return false
	}
	for _, n := range f.places(kind, key...) {
		if f.bits[n/32].Load()&(1<<(n%32)) == 0 {
			return true
		}
	}
	return false
}

// beginFilter makes the filter if the archive holds nothing.
func (r *Run) beginFilter() error {
	held, err := r.a.cat.row(`SELECT 1 FROM blob UNION ALL SELECT 1 FROM record LIMIT 1`, nil, new(int))
	if err != nil {
		return r.a.catalogError("look for what is held", err)
	}
	if !held {
		r.first = newFilter()
	}
	return nil
}
