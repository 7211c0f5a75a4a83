package jmapclient

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
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
	line   *line // that it is measured on, nil for none
	onLine atomic.Bool
}

// begin and end tell the line of the body, once each.
func (r *sentReader) begin() {
	if r.line != nil && r.got == 0 && r.onLine.CompareAndSwap(false, true) {
		r.line.begin()
	}
}

func (r *sentReader) end(octets int64) {
	if r.onLine.CompareAndSwap(true, false) {
		r.line.end(octets)
	}
}

// Close is net/http's way to say that it wants no more; what Read answers from
// then on is no failure of the caller's reader.
func (r *sentReader) Close() error {
	r.closed.Store(true)
	r.end(0)
	return r.ReadCloser.Close()
}

func (r *sentReader) Read(p []byte) (int, error) {
	r.watch.stop() // the caller's own slowness is not the line's
	r.begin()
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
		r.end(r.got)
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
	ended func(octets int64) // called once, nil: by nobody
}

// Close gives up what was not read.
func (b *receivedBody) Close() error {
	b.end()
	return b.ReadCloser.Close()
}

func (b *receivedBody) end() {
	if b.ended != nil {
		b.ended(b.got)
		b.ended = nil
	}
}

func (b *receivedBody) Read(p []byte) (int, error) {
	b.watch.allow(b.watch.stall)
	b.pace.begin()
	n, err := b.ReadCloser.Read(p)
	b.watch.stop() // what the caller does with it takes as long as it takes
	b.c.nIn.Add(int64(n))
	if b.got += int64(n); b.pace.crawls(b.got) && err == nil {
		b.end()
		return n, errCrawls
	}
	if err == nil || err == io.EOF {
		if e := b.c.slow(b.ctx, n); e != nil {
			err = e
		}
	}
	if err != nil && err != io.EOF && b.ctx.Err() != nil {
		err = context.Cause(b.ctx) // say why it was cut
	}
	if err != nil {
		b.end()
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

// newRate is a limiter of octets a second, nil for none. A tenth of a second's
// worth may go at once, as buffers do.
func newRate(perSecond int64) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), int(min(max(perSecond/10, 1<<10), 256<<10)))
}

// slow waits until by Options.Rate n more octets may have moved.
func (c *Client) slow(ctx context.Context, n int) error {
	if c.rate == nil {
		return nil
	}
	for n > 0 {
		some := min(n, c.rate.Burst())
		if err := c.rate.WaitN(ctx, some); err != nil {
			if ctx.Err() == nil {
				return errTimedOut // it knows beforehand that the time will not do
			}
			return err
		}
		n -= some
	}
	return nil
}

// slowed is how long n octets take by Options.Rate alone.
func (c *Client) slowed(n int64) time.Duration {
	if c.rate == nil {
		return 0
	}
	return time.Duration(float64(n) / float64(c.rate.Limit()) * float64(time.Second))
}
