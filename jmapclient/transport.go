package jmapclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync/atomic"
	"time"
)

// newTransport is HTTP as a migration wants it: patient with slow servers, not
// with dead connections.
func newTransport(o Options) (*http.Transport, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, &Error{Kind: Invalid, Op: "reading the CA file", Detail: err.Error(), Err: err}
		}
		if conf.RootCAs, err = x509.SystemCertPool(); err != nil {
			conf.RootCAs = x509.NewCertPool()
		}
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &Error{Kind: Invalid, Op: "reading the CA file", Detail: o.CAFile + " holds no PEM certificate"}
		}
	}
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     conf,
		TLSHandshakeTimeout: 15 * time.Second,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		MaxIdleConnsPerHost: 16,
		// Shorter than servers keep idle connections: a request that meets the
		// close of one is a request of unknown outcome.
		IdleConnTimeout: 15 * time.Second,
	}, nil
}

// exchange is one HTTP request, tried as often as it takes.
type exchange struct {
	op, account, item string // for errors
	method, url       string
	contentType       string
	accept            string
	size              int64                            // of the body
	open              func() (io.ReadCloser, error)    // the body, nil for none; called anew for each try
	gate              *gate                            // which limit of concurrency it counts for
	transfer          bool                             // a blob: no deadline for the whole
	creates           bool                             // must not be carried out twice
	foreign           bool                             // about an account that is not the session's
	take              func(resp *http.Response) *fault // reads a 2xx answer; nil is success
	tries             int                              // out: how often it was sent
	location          string                           // out: where it was redirected to
}

// The causes for which a request is cut from this side.
var (
	errStalled  = errors.New("no byte moved")
	errTimedOut = errors.New("no complete answer in time")
)

// attempt sends the request once.
func (c *Client) attempt(ctx context.Context, x *exchange) (f *fault) {
	if err := x.gate.enter(ctx); err != nil {
		return x.fault(final, Cancelled, err)
	}
	defer func() {
		if f != nil && f.narrow {
			x.gate.leaveNarrower()
		} else {
			x.gate.leave()
		}
	}()

	reqCtx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	if !x.transfer {
		var cancel context.CancelFunc
		reqCtx, cancel = context.WithTimeoutCause(reqCtx, c.requestTimeout, errTimedOut)
		defer cancel()
	}
	watch := c.watch(cut)
	defer watch.stop()
	if x.open == nil && !x.transfer {
		watch.allow(c.requestTimeout)
	}

	var connected atomic.Bool
	reqCtx = httptrace.WithClientTrace(reqCtx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := http.NewRequestWithContext(reqCtx, x.method, x.url, nil)
	if err != nil {
		return x.fault(final, Invalid, err)
	}
	c.auth.sign(req.Header)
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("Accept", x.accept)
	if x.transfer {
		req.Header.Set("Accept-Encoding", "identity")
	}
	var sent *sentBody
	if x.open != nil {
		req.Header.Set("Content-Type", x.contentType)
		if sent, err = c.attach(req, x, watch); err != nil {
			return &fault{class: final, own: err}
		}
	}

	c.nRequests.Add(1)
	resp, err := c.http.Do(req)
	if err != nil && reqCtx.Err() == nil && sent != nil && sent.failed() != nil {
		return &fault{class: final, own: sent.failed()}
	}
	if err != nil {
		return c.connectionFault(reqCtx, x, err, connected.Load())
	}
	watch.stop()
	resp.Body = &receivedBody{ReadCloser: resp.Body, ctx: reqCtx, watch: watch, n: &c.nIn}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return c.refusal(x, resp)
	}
	return x.take(resp)
}

// attach gives the request its body. GetBody lets net/http send a request
// again on a fresh connection when it found the old one closed before it wrote
// a single byte; a POST that was partly written it never sends again.
func (c *Client) attach(req *http.Request, x *exchange, w *watch) (*sentBody, error) {
	if x.size == 0 {
		req.Body = http.NoBody
		return nil, nil
	}
	s := &sentBody{want: x.size, watch: w, answerIn: c.requestTimeout, n: &c.nOut}
	open := func() (io.ReadCloser, error) {
		r, err := x.open()
		if err != nil {
			s.fail(err)
			return nil, err
		}
		return &sentReader{sentBody: s, ReadCloser: r}, nil
	}
	r, err := open()
	if err != nil {
		return nil, err
	}
	req.Body, req.GetBody, req.ContentLength = r, open, x.size
	return s, nil
}

// sentBody watches a request's body on its way out.
type sentBody struct {
	want     int64
	watch    *watch
	answerIn time.Duration
	n        *atomic.Int64
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
}

// Close is net/http's way to say that it wants no more; what Read answers from
// then on is no failure of the caller's reader.
func (r *sentReader) Close() error {
	r.closed.Store(true)
	return r.ReadCloser.Close()
}

func (r *sentReader) Read(p []byte) (int, error) {
	r.watch.stop() // the caller's own slowness is not the line's
	n, err := r.ReadCloser.Read(p)
	r.got += int64(n)
	r.n.Add(int64(n))
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
	ctx   context.Context
	watch *watch
	n     *atomic.Int64
}

func (b *receivedBody) Read(p []byte) (int, error) {
	b.watch.allow(b.watch.stall)
	n, err := b.ReadCloser.Read(p)
	b.watch.stop() // what the caller does with it takes as long as it takes
	b.n.Add(int64(n))
	if err != nil && err != io.EOF && b.ctx.Err() != nil {
		err = context.Cause(b.ctx) // say why it was cut
	}
	return n, err
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
