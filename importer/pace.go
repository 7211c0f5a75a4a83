package importer

import "sync"

// pace is how many messages go in one batch: half as many after a request that
// failed as a whole, more again while they go well.
type pace struct {
	mu   sync.Mutex
	most int // 0: not changed yet
}

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

// went notes that one was answered.
func (p *pace) went() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most += p.most/4 + 1
}
