package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

const (
	// The states are asked for after watchFirst, and then ever less often, up to
	// watchMost; where the server tells of changes by itself, up to watchHeard: it
	// may lose one.
	watchFirst = 5 * time.Second
	watchMost  = time.Minute
	watchHeard = 5 * time.Minute
	// watchGather is how long after the word of a change is waited for more of it.
	watchGather = time.Second
	// watchAgain is how long after an event source broke off it is asked for again.
	watchAgain = time.Minute
)

// watch makes passes until ctx ends. Between two, when all is done, that is a
// proper end: the answer is the last pass, and no interruption.
func (s *syncer) watch(ctx context.Context) (*synced, error) {
	w := &watcher{states: s.states, events: s.from.Events}
	stop := w.listen(ctx)
	defer stop()
	// What changes while a pass is at work may be in it or not: the states to wait
	// for others than are those from before it.
	before, err := s.states(ctx)
	if err != nil {
		return nil, fmt.Errorf("watching %s: %w", s.from.Client.Origin(), err)
	}
	for {
		done, err := s.pass(ctx)
		if err != nil && !isA[*itemsError](err) {
			return done, err
		}
		s.a.screen.say(done.line())
		if s.passes == 1 {
			s.a.screen.say("Waiting for changes; Ctrl-C ends it.")
		}
		now, werr := w.await(ctx, before)
		switch {
		case ctx.Err() != nil:
			return done, asStopped(err)
		case werr != nil:
			return done, fmt.Errorf("watching %s: %w", s.from.Client.Origin(), werr)
		}
		before = now
	}
}

// asStopped is what a pass came to, when it is the last one for being told to stop.
func asStopped(err error) error {
	if err == nil {
		return nil
	}
	return &stoppedError{err}
}

// stoppedError is the outcome of the pass before an interruption between passes.
type stoppedError struct{ err error }

func (e *stoppedError) Error() string { return e.err.Error() }
func (e *stoppedError) Unwrap() error { return e.err }

// states are the source's states of the types that told one in the last export,
// in one request; before the first export those of mail.
func (s *syncer) states(ctx context.Context) (string, error) {
	types := []account.Type{account.Mailbox, account.Email}
	snaps, err := s.ar.Snapshots()
	if err != nil {
		return "", err
	}
	if n := len(snaps); n > 0 {
		for _, t := range account.Types[2:] {
			if snaps[n-1].Types[t.Name].State != "" {
				types = append(types, t)
			}
		}
	}
	together := s.from.Together()
	answers := map[string]*jmapclient.Answer[string]{}
	for _, t := range types {
		answers[t.Name] = together.State(t)
	}
	together.Send(ctx)
	var all []string
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		if err := answers[name].Err; err != nil {
			return "", err
		}
		all = append(all, name+" "+answers[name].Value)
	}
	return strings.Join(all, "\n"), nil
}

// watcher waits for a change.
type watcher struct {
	states func(context.Context) (string, error)
	events func(ctx context.Context, heard func(changed bool)) error

	wake chan struct{} // something may have changed
	live atomic.Bool   // the server tells of changes by itself
}

// listen hears the server's events until it is stopped.
func (w *watcher) listen(ctx context.Context) (stop func()) {
	w.wake = make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			err := w.events(ctx, func(changed bool) {
				w.live.Store(true)
				if changed {
					w.nudge()
				}
			})
			w.live.Store(false)
			if jmapclient.KindOf(err) == jmapclient.Unsupported {
				return
			}
			w.nudge() // what was told meanwhile was told to nobody
			pause(ctx, watchAgain)
		}
	}()
	return func() { cancel(); <-ended }
}

func (w *watcher) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// await returns the states when they are not what they were before, or an error
// when ctx has ended.
func (w *watcher) await(ctx context.Context, before string) (now string, err error) {
	wait := watchFirst
	for {
		now, err := w.states(ctx)
		if err != nil || now != before {
			return now, err
		}
		if err := w.waitFor(ctx, wait); err != nil {
			return now, err
		}
		most := watchMost
		if w.live.Load() {
			most = watchHeard
		}
		wait = min(2*wait, most)
	}
}

// waitFor waits for word of a change, or so long.
func (w *watcher) waitFor(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-w.wake:
		return pause(ctx, watchGather)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
