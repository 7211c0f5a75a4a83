package jmapclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// Endpoint is one of the three places at which a server answers (RFC 8620 §2).
type Endpoint int

// The endpoints.
const (
	noEndpoint Endpoint = iota // discovery, and probes
	API
	Uploads
	Downloads
	endpoints
)

// called names what is sent there.
func (e Endpoint) called() string {
	return [...]string{API: "requests", Uploads: "uploads", Downloads: "downloads"}[e]
}

const (
	// mostLost is how many requests in a row are given up on before their
	// endpoint is asked whether it is there at all.
	mostLost = 3
	// mostLostBlind is how many where there is nothing harmless to ask.
	mostLostBlind = 20
)

// Dead says whether nothing comes back from an endpoint any more: the last
// requests there were each given up for the line's or the server's sake, and a
// harmless one after them as well. Then each further request is tried once, and
// fails with Unreachable, or with Unknown if it creates; the first that is
// answered ends that state.
func (c *Client) Dead(e Endpoint) bool {
	b := &c.breakers[e]
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open
}

// breaker keeps one dead endpoint from costing every item its own retries.
type breaker struct {
	mu      sync.Mutex
	answers int           // requests that were answered
	row     int           // requests in a row that were given up on
	open    bool          // the endpoint is dead
	probing chan struct{} // closed when the probe that is out has its outcome, nil when none is out
}

// worked notes an answer.
func (b *breaker) worked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.row, b.open = 0, false
	b.answers++
}

// heard is how many requests were answered so far.
func (b *breaker) heard() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.answers
}

// weak says that the endpoint is not worth a second try.
func (b *breaker) weak() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.row >= mostLost && b.probing == nil
}

// wait holds a request back while a probe is out: the server may be starting
// again, and what the probe finds decides how often the request may be tried.
func (b *breaker) wait(ctx context.Context) error {
	b.mu.Lock()
	out := b.probing
	b.mu.Unlock()
	if out == nil {
		return nil
	}
	select {
	case <-out:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lost notes a request that was given up on and says whether its endpoint is
// dead. Of several that are lost at once one sends the probe.
func (b *breaker) lost(ctx context.Context, probe func() bool) bool {
	b.mu.Lock()
	b.row++
	for b.probing != nil {
		b.mu.Unlock()
		if b.wait(ctx) != nil {
			return false
		}
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	switch {
	case b.open || b.row < mostLost:
	case probe == nil:
		b.open = b.row >= mostLostBlind
	default:
		b.probing = make(chan struct{})
		b.mu.Unlock()
		answered := probe()
		b.mu.Lock()
		close(b.probing)
		b.probing = nil
		switch {
		case answered: // it is the items, then: each has its own tries
			b.row = 0
		case ctx.Err() == nil:
			b.open = true
		}
	}
	return b.open
}

// unanswered says whether a try failed for the line's or the server's sake,
// whatever was asked for.
func (f *fault) unanswered() bool {
	switch f.class {
	case passing, silent, broken, faulty:
		return true
	case busy:
		return f.Status >= 500
	}
	return f.Kind == Unreachable
}

// despair is what becomes of the error of a request that was given up on.
func (c *Client) despair(ctx context.Context, x *exchange, err error) error {
	b := &c.breakers[x.endpoint]
	var probe func() bool
	if p := c.probe(x); p != nil {
		probe = func() bool { return c.answers(ctx, p) }
	}
	if x.endpoint == noEndpoint || !b.lost(ctx, probe) {
		return err
	}
	e := *err.(*Error)
	if e.Kind != Unknown {
		e.Kind = Unreachable
	}
	said := e.Detail
	if said == "" && e.Err != nil {
		said = e.Err.Error()
	}
	n, nor := mostLost, ", nor was a probe"
	if probe == nil {
		n, nor = mostLostBlind, ""
	}
	e.Detail = fmt.Sprintf("none of the last %d %s was answered as it should be%s; of this one: %s", n, x.endpoint.called(), nor, said)
	return &e
}

// probe is a harmless request to the endpoint of x, nil where there is none:
// Core/echo, a blob of a few octets, the smallest blob that came down well.
func (c *Client) probe(x *exchange) *exchange {
	p := &exchange{op: "probe of the server", account: x.account, method: x.method, url: x.url, accept: x.accept, lane: x.lane,
		transfer: x.transfer, foreign: x.foreign, probe: true, contentType: "application/json"}
	var body payload
	want := int64(-1)
	switch x.endpoint {
	case API:
		body = encode(&request{using: []string{coreURN}, calls: []*call{{method: "Core/echo", args: map[string]any{}}}})
	case Uploads:
		body, p.contentType = payload{{text: []byte("mailhaul probe")}}, "text/plain"
	case Downloads:
		if p.url, want = c.sample.get(); p.url == "" {
			return nil
		}
	}
	if body != nil {
		p.size, p.open = body.size(), body.open
	}
	p.take = func(resp *http.Response) *fault {
		r := &wholeReader{r: resp.Body, want: want}
		if _, err := io.Copy(io.Discard, io.LimitReader(r, max(want, 1<<20))); err != nil {
			return c.readFault(p, err)
		}
		return nil
	}
	return p
}

// answers carries a probe out. Refusals are answers too.
func (c *Client) answers(ctx context.Context, p *exchange) bool {
	f, err := c.persist(ctx, p)
	return err == nil || f.refusal()
}

// refusal says whether a server that is there said no.
func (f *fault) refusal() bool { return f.Status >= 300 && f.Status < 500 && f.Status != 408 }

// sample is the smallest blob that came down well.
type sample struct {
	mu   sync.Mutex
	url  string
	size int64
}

func (s *sample) note(url string, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if size > 0 && (s.url == "" || size < s.size) {
		s.url, s.size = url, size
	}
}

func (s *sample) get() (string, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url, s.size
}
