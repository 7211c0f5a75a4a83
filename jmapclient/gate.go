package jmapclient

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// gate lets so many requests through at once.
type gate struct {
	sem  *semaphore.Weighted
	mu   sync.Mutex
	size int64
}

func newGate(size int64) *gate { return &gate{sem: semaphore.NewWeighted(size), size: size} }

func (g *gate) enter(ctx context.Context) error { return g.sem.Acquire(ctx, 1) }

func (g *gate) leave() { g.sem.Release(1) }

// leaveNarrower leaves and takes the place along, unless it is the last: the
// server takes fewer requests at once than it said.
func (g *gate) leaveNarrower() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.size == 1 {
		g.leave()
		return
	}
	g.size--
}
