package importer

import "sync"

// pace is how messages are put together, by what was seen to work: how many go
// in one batch, half as many after a request that failed as a whole, more again
// while they go well; and whether their blobs go with the request that imports
// them.
type pace struct {
	mu     sync.Mutex
	most   int  // messages in one batch, 0: not changed yet
	parted int  // batches in a row that failed with their blobs
	split  bool // their blobs go ahead of the request
}

// mostParted is how many batches in a row may fail with their blobs until no
// more are tried so.
const mostParted = 3

func (p *pace) items(limit int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.most == 0 || p.most > limit {
		p.most = limit
	}
	return p.most
}

// lost notes that a batch of n failed.
func (p *pace) lost(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = max(1, min(p.most, n)/2)
}

// went notes that one was answered, and whether its blobs went with it.
func (p *pace) went(together bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most += p.most/4 + 1
	if together {
		p.parted = 0
	}
}

// parts notes that a batch failed, perhaps for its blobs.
func (p *pace) parts() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parted++
	p.split = p.split || p.parted >= mostParted
}

// apart notes that the server does not take blobs so.
func (p *pace) apart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.split = true
}

// areApart says whether blobs are uploaded before the request that imports them.
func (p *pace) areApart() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.split
}
