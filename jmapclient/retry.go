package jmapclient

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Pauses between tries grow from half a second to half a minute, with jitter.
const (
	firstPause = 500 * time.Millisecond
	mostPause  = 30 * time.Second
)

// patience is how much longer than GiveUpAfter the waits may last that a server
// asked for: 70 minutes by default, as upload quotas are counted by the hour
// (Stalwart).
const patience = 14

// againFor bounds, by class, how many tries follow the first; a class that is
// not there is bounded by time alone.
var againFor = map[class]int{final: 0, faulty: 3, silent: 2, broken: 4}

// againForBlob is how often a blob's request is tried again when the connection
// was closed with no answer: there it is the line and not the method.
const againForBlob = 5

// do carries the exchange out, as often as it takes and is allowed.
func (c *Client) do(ctx context.Context, x *exchange) error {
	f, err := c.persist(ctx, x)
	switch {
	case f == nil && err == nil:
		c.breakers[x.endpoint].worked()
	case f == nil || f.own != nil || KindOf(err) == Cancelled: // says nothing about the server
	case !f.unanswered():
		c.breakers[x.endpoint].worked()
	default:
		return c.despair(ctx, x, err)
	}
	return err
}

// persist tries the exchange until it succeeds or is given up on; then it
// answers the last fault and the error that it comes to.
func (c *Client) persist(ctx context.Context, x *exchange) (*fault, error) {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval, pauses.Multiplier = firstPause, mostPause, 2
	breaker := &c.breakers[x.endpoint]
	began := c.now()
	var asked time.Duration // waited because the server asked for it
	var held time.Duration  // waited for the outcome of a probe
	var others int          // requests that had been answered when this one was first met with silence
	count := map[class]int{}
	for {
		now := c.now()
		if err := breaker.wait(ctx); err != nil {
			return nil, x.fault(final, Cancelled, err).last(x)
		}
		held += c.now().Sub(now)
		f := c.attempt(ctx, x)
		x.tries++
		if f == nil {
			return nil, nil
		}
		if err := c.ended(ctx, x, f); err != nil {
			return f, err
		}
		count[f.class]++
		most, counted := againFor[f.class]
		switch {
		case f.class == silent && x.transfer:
			most = againForBlob
		case f.class == silent && count[silent] == 1:
			others = breaker.heard()
		}
		// It is neither the line nor the server then, but what is asked.
		alone := func() bool { return f.class == silent && count[silent] > 1 && !x.transfer && breaker.heard() > others }
		if counted && count[f.class] > most || breaker.weak() || alone() || x.once || x.probe && f.refusal() {
			return f, f.last(x)
		}
		pause := pauses.NextBackOff()
		if f.class == silent && count[silent] == 1 {
			// Most often it was an idle connection that the server was about to
			// close; the next one is new.
			pause = 0
			pauses.Reset()
		}
		if f.after > 0 || f.class == filled {
			pause = max(pause, f.after)
			if asked+pause > patience*c.giveUpAfter {
				return f, f.last(x)
			}
			asked += pause
		} else if c.now().Sub(began)-asked-held+pause > c.giveUpAfter {
			return f, f.last(x)
		}
		if c.onWait != nil && pause > 0 {
			c.onWait(f.reason(), c.now().Add(pause))
		}
		if err := c.sleep(ctx, pause); err != nil {
			return f, x.fault(final, Cancelled, err).last(x)
		}
		if alone() {
			return f, f.last(x)
		}
		c.nRetries.Add(1)
	}
}

// ended is the error of a try after which no other may follow, whatever time is left.
func (c *Client) ended(ctx context.Context, x *exchange, f *fault) error {
	switch {
	case f.own != nil && ctx.Err() == nil:
		return f.own
	case ctx.Err() != nil:
		e := x.fault(final, Cancelled, ctx.Err())
		return e.last(x)
	case x.creates && !f.refused:
		e := f.Error
		e.Kind = Unknown
		return &e
	}
	return nil
}

// last is the error when no other try follows.
func (f *fault) last(x *exchange) error {
	e := f.Error
	if x.tries > 1 && e.Kind != Cancelled {
		if e.Detail == "" && e.Err != nil {
			e.Detail = e.Err.Error()
		}
		e.Detail = fmt.Sprintf("%s [given up after %d tries]", e.Detail, x.tries)
	}
	return &e
}

// reason says in a few words why a request waits.
func (f *fault) reason() string {
	e := f.Error
	e.Account = ""
	said := e.Detail
	if said == "" && e.Err != nil {
		said = e.Err.Error()
	}
	if e.Type != "" {
		said = e.Type + ": " + said
	}
	return e.Op + ": " + said
}
