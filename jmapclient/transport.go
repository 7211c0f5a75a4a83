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
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxHeaders bounds an answer's headers, in octets.
const maxHeaders = 1 << 20

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
		// As many as may be out at once: one that is closed and made anew costs round trips.
		MaxIdleConnsPerHost: 2 * mostAtOnce,
		MaxConnsPerHost:     o.MaxConnections,
		// Shorter than servers keep idle connections: a request that meets the
		// close of one is a request of unknown outcome.
		IdleConnTimeout:        15 * time.Second,
		MaxResponseHeaderBytes: maxHeaders,
	}, nil
}

// exchange is one HTTP request, tried as often as it takes.
type exchange struct {
	op, account, item string // for errors
	method, url       string
	contentType       string
	encoding          string // Content-Encoding of the body, "" for none
	accept            string
	size              int64                            // of the body
	open              func() (io.ReadCloser, error)    // the body, nil for none; called anew for each try
	endpoint          Endpoint                         // where it goes
	probe             bool                             // asks but whether the endpoint is there
	lane              lane                             // where it waits for its turn
	transfer          bool                             // a blob: no deadline for the whole
	creates           bool                             // must not be carried out twice
	once              bool                             // is tried once
	bulky             bool                             // an API request whose answer is megabytes of blobs
	foreign           bool                             // about an account that is not the session's
	take              func(resp *http.Response) *fault // reads a 2xx answer; nil is success
	tries             int                              // out: how often it was sent
	location          string                           // out: where it was redirected to
}

// The causes for which a request is cut from this side.
var (
	errStalled  = errors.New("no byte moved")
	errTimedOut = errors.New("no complete answer in time")
	errCrawls   = fmt.Errorf("less than %d bytes a second get through", minPace)
)

// attempt sends the request once.
func (c *Client) attempt(ctx context.Context, x *exchange) (f *fault) {
	pass, err := c.gate.enter(ctx, x.lane, x.lane == reading && !x.bulky && !x.transfer)
	if err != nil {
		return x.fault(final, Cancelled, err)
	}
	var got int64
	var conn connection
	defer func() { c.gate.leave(pass, outcomeOf(f, &conn), x.size+got) }()

	reqCtx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	if !x.transfer {
		var cancel context.CancelFunc
		reqCtx, cancel = context.WithTimeoutCause(reqCtx, c.requestTimeout+c.slowed(x.size+c.maxAnswer), errTimedOut)
		defer cancel()
	}
	watch := c.watch(cut)
	defer watch.stop()
	if x.open == nil && !x.transfer {
		watch.allow(c.requestTimeout)
	}

	reqCtx = httptrace.WithClientTrace(reqCtx, &httptrace.ClientTrace{GotConn: conn.got})
	req, err := http.NewRequestWithContext(reqCtx, x.method, x.url, nil)
	if err != nil {
		return x.fault(final, Invalid, err)
	}
	c.auth.sign(req.Header)
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("Accept", x.accept)
	// Named, lest net/http asks for gzip itself.
	req.Header.Set("Accept-Encoding", "identity")
	if x.endpoint == API && c.fromServer.compresses() {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	var sent *sentBody
	if x.open != nil {
		req.Header.Set("Content-Type", x.contentType)
		if x.encoding != "" {
			req.Header.Set("Content-Encoding", x.encoding)
		}
		if sent, err = c.attach(req, x, watch, cut); err != nil {
			return &fault{class: final, own: err}
		}
	}

	c.nRequests.Add(1)
	resp, err := c.http.Do(req)
	if err != nil && reqCtx.Err() == nil && sent != nil && sent.failed() != nil {
		return &fault{class: final, own: sent.failed()}
	}
	if err != nil {
		return c.connectionFault(reqCtx, x, err, conn.there.Load())
	}
	watch.stop()
	body := &receivedBody{ReadCloser: resp.Body, c: c, ctx: reqCtx, watch: watch, pace: c.pace()}
	resp.Body = body
	defer func() { body.Close(); got = body.got }()
	if x.endpoint == API {
		c.fromServer.begin()
		body.ended = c.fromServer.end
		c.noteAccepted(resp)
	}
	if !x.transfer {
		inflate(resp)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return c.refusal(x, resp)
	}
	if how := resp.Header.Get("Content-Encoding"); x.transfer && how != "" && !strings.EqualFold(how, "identity") {
		return x.says(faulty, ServerFault, "the server sends as %s what was asked for as it is", c.quote(how))
	}
	return x.take(resp)
}

// connection is what is known of the one that a request went out on.
type connection struct{ there, fresh atomic.Bool }

func (n *connection) got(info httptrace.GotConnInfo) {
	n.there.Store(true)
	n.fresh.Store(!info.Reused)
}

// OnSent is a context whose first request calls f when it has a connection to go
// out on. Who has requests that others wait for and such that nobody does, and
// few connections that stand, sends the others after it.
func OnSent(ctx context.Context, f func()) context.Context {
	f = sync.OnceFunc(f)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { f() }})
}

// outcomeOf is what a try tells the gate.
func outcomeOf(f *fault, conn *connection) outcome {
	switch {
	case f == nil && conn.fresh.Load(): // some servers start a process for each connection
		return cold
	case f == nil:
		return done
	case f.narrow:
		return crowded
	case f.class == busy:
		return refused
	}
	return failed
}

// attach gives the request its body. GetBody lets net/http send a request
// again on a fresh connection when it found the old one closed before it wrote
// a single byte; a POST that was partly written it never sends again.
func (c *Client) attach(req *http.Request, x *exchange, w *watch, cut context.CancelCauseFunc) (*sentBody, error) {
	if x.size == 0 {
		req.Body = http.NoBody
		return nil, nil
	}
	s := &sentBody{c: c, ctx: req.Context(), want: x.size, watch: w, answerIn: c.requestTimeout}
	open := func() (io.ReadCloser, error) {
		r, err := x.open()
		if err != nil {
			s.fail(err)
			return nil, err
		}
		sent := &sentReader{sentBody: s, ReadCloser: r, pace: c.pace(), cut: cut}
		if x.endpoint == API {
			sent.line = &c.toServer
		}
		return sent, nil
	}
	r, err := open()
	if err != nil {
		return nil, err
	}
	req.Body, req.GetBody, req.ContentLength = r, open, x.size
	return s, nil
}
