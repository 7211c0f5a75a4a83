package jmapclient

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// sentBody watches a request's body on its way out.
type sentBody struct {
	c        *Client
	ctx      context.Context
	want     int64
	watch    *watch
	answerIn time.Duration
	err      atomic.Pointer[error]
}

// failed is the error of the caller's own reader, if it had one.
func (s *sentBody) failed() error {
	if p := s.err.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *sentBody) fail(err error) { s.err.CompareAndSwap(nil, &err) }

type sentReader struct {
	*sentBody
	io.ReadCloser
	got    int64
	closed atomic.Bool
	pace   *pace
	cut    context.CancelCauseFunc
}

// Close is net/http's way to say that it wants no more; what Read answers from
// then on is no failure of the caller's reader.
func (r *sentReader) Close() error {
	r.closed.Store(true)
	return r.ReadCloser.Close()
}

func (r *sentReader) Read(p []byte) (int, error) {
	r.watch.stop() // the caller's own slowness is not the line's
	if r.got > 0 && r.pace.crawls(r.got) {
		r.cut(errCrawls)
		return 0, errCrawls
	}
	defer r.pace.begin()
	n, err := r.ReadCloser.Read(p)
	r.got += int64(n)
	r.c.nOut.Add(int64(n))
	if err := r.c.slow(r.ctx, n); err != nil {
		return 0, err
	}
	if r.got == r.want && err == nil {
		// net/http sends what it was promised and may have an answer before it
		// looks for more: whether there is more is asked before the end is sent.
		var one [1]byte
		var more int
		if more, err = r.ReadCloser.Read(one[:]); more > 0 {
			r.got += int64(more)
		}
	}
	switch {
	case r.closed.Load():
	case err != nil && err != io.EOF:
		r.fail(err)
	case err == io.EOF && r.got < r.want:
		err = fmt.Errorf("what is to be sent ends after %d of %d bytes", r.got, r.want)
		r.fail(err)
	case r.got > r.want:
		err = fmt.Errorf("what is to be sent is longer than %d bytes", r.want)
		r.fail(err)
		return 0, err // without its end the request is none
	}
	if r.got >= r.want {
		r.watch.allow(r.answerIn) // all is handed over: now the server works
	} else {
		r.watch.allow(r.watch.stall)
	}
	return n, err
}

// receivedBody watches an answer's body on its way in.
type receivedBody struct {
	io.ReadCloser
	c     *Client
	ctx   context.Context
	watch *watch
	pace  *pace
	got   int64
}

func (b *receivedBody) Read(p []byte) (int, error) {
	b.watch.allow(b.watch.stall)
	b.pace.begin()
	n, err := b.ReadCloser.Read(p)
	b.watch.stop() // what the caller does with it takes as long as it takes
	b.c.nIn.Add(int64(n))
	if b.got += int64(n); b.pace.crawls(b.got) && err == nil {
		return n, errCrawls
	}
	if err == nil {
		err = b.c.slow(b.ctx, n)
	}
	if err != nil && err != io.EOF && b.ctx.Err() != nil {
		err = context.Cause(b.ctx) // say why it was cut
	}
	return n, err
}

// minPace is the least, in octets a second, that a transfer must average once it
// has taken the time of a request.
const minPace = 1 << 10

// pace is how long the line has taken for a transfer: one in which a byte moves
// now and then never stalls and never ends.
type pace struct {
	now   func() time.Time
	grace time.Duration
	from  time.Time
	spent time.Duration
}

func (c *Client) pace() *pace { return &pace{now: c.now, grace: c.requestTimeout} }

// begin says that from here on it is the line that takes its time.
func (p *pace) begin() { p.from = p.now() }

// crawls ends what begin began, and says whether it was too much for n octets.
func (p *pace) crawls(n int64) bool {
	p.spent += p.now().Sub(p.from)
	return p.spent > p.grace+time.Duration(n/minPace)*time.Second
}

// watch cuts a transfer in which nothing moves.
type watch struct {
	timer *time.Timer
	stall time.Duration
}

func (c *Client) watch(cut context.CancelCauseFunc) *watch {
	return &watch{
		timer: time.AfterFunc(c.stallTimeout, func() { cut(errStalled) }),
		stall: c.stallTimeout,
	}
}

func (w *watch) allow(d time.Duration) { w.timer.Reset(d) }
func (w *watch) stop()                 { w.timer.Stop() }

// rate spreads octets over time: each is paid for by waiting before the next.
type rate struct {
	perSecond float64
	mu        sync.Mutex
	free      time.Time // from when on more may move
}

// take counts n octets that moved and says how long nothing more may.
func (r *rate) take(now time.Time, n int) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.free.Before(now) {
		r.free = now
	}
	r.free = r.free.Add(r.time(int64(n)))
	return r.free.Sub(now)
}

// time is how long n octets take.
func (r *rate) time(n int64) time.Duration {
	return time.Duration(float64(n) / r.perSecond * float64(time.Second))
}

// slow waits until by Options.Rate more may move than the n octets that did.
func (c *Client) slow(ctx context.Context, n int) error {
	if c.rate == nil || n == 0 {
		return nil
	}
	return c.sleep(ctx, c.rate.take(c.now(), n))
}

// slowed is how long n octets take by Options.Rate alone.
func (c *Client) slowed(n int64) time.Duration {
	if c.rate == nil {
		return 0
	}
	return c.rate.time(n)
}
