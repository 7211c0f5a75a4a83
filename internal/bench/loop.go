package main

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// job is what one connection of a bare loop does at a time; it answers how many
// messages, and octets of messages, that carried.
type job func(ctx context.Context) (messages int, octets int64, err error)

// loop is a way to carry all messages by bare requests.
type loop struct {
	name string
	most int // connections that the server allows
	// jobs makes it ready, which is not measured.
	jobs func(ctx context.Context, w *wire) ([]job, error)
}

// run runs the jobs over so many connections, and begins none after the limit.
func run(ctx context.Context, w *wire, jobs []job, connections int, limit time.Duration) (figure, error) {
	var f figure
	var mu sync.Mutex
	next := 0
	before, began := w.requests.Load(), time.Now()
	take := func() job {
		mu.Lock()
		defer mu.Unlock()
		if next == len(jobs) || time.Since(began) > limit {
			return nil
		}
		next++
		return jobs[next-1]
	}
	g, ctx := errgroup.WithContext(ctx)
	for range connections {
		g.Go(func() error {
			for j := take(); j != nil; j = take() {
				messages, octets, err := j(ctx)
				if err != nil {
					return err
				}
				mu.Lock()
				f.messages, f.octets = f.messages+messages, f.octets+octets
				mu.Unlock()
			}
			return nil
		})
	}
	err := g.Wait()
	f.took, f.requests = time.Since(began), w.requests.Load()-before
	return f, err
}

// tuned is a loop at a number of connections.
type tuned struct {
	loop
	connections int
}

// tune finds out at how many connections a loop is fastest.
func tune(l loop, try func(tuned) (figure, error)) (tuned, figure, error) {
	best, fastest := tuned{l, 1}, figure{}
	for n := 1; n <= l.most; n *= 2 {
		t := tuned{l, n}
		f, err := try(t)
		if err != nil {
			return best, fastest, err
		}
		if f.rate() > fastest.rate() {
			best, fastest = t, f
		} else if f.rate() < 0.9*fastest.rate() {
			break // more make it slower
		}
	}
	return best, fastest, nil
}
