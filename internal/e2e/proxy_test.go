package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// proxy stands between mailhaul and a server: it counts what is asked, and can
// kill the asker at a chosen request, or die itself. It is the server, under
// another URL.
type proxy struct {
	server
	url     string
	forward http.Handler

	mu      sync.Mutex
	total   int
	methods map[string]int // requests by kind and, inside API requests, calls by method
	asked   [][]string     // the blobs whose content each request asked for, in order
	strike  *strike
	dark    bool // it answers nothing any more
}

// strike is what befalls mailhaul at one request: its death, as a rule.
type strike struct {
	of    func(kind string, calls []call) bool // of which requests; nil: of all
	after int                                  // requests that still pass
	when  moment                               // of that request
	do    func()
	hit   bool
}

func (m moment) String() string {
	return [...]string{"before the request", "after the server acted", "amid the answer", "beside the request"}[m]
}

// moment is the point within a request at which a strike comes.
type moment int

const (
	unsent   moment   = iota // the server never sees it
	acted                    // the server has acted, the answer is lost
	answered                 // half of the answer has arrived
	beside                   // just before it passes, whole
	moments  = beside        // how many of them lose the answer
)

// content and writing are requests that strikes choose.
func content(_ string, calls []call) bool {
	return slices.ContainsFunc(calls, func(c call) bool { return len(c.blobs) > 0 })
}

func writing(kind string, calls []call) bool {
	return kind == "upload" || slices.ContainsFunc(calls, func(c call) bool {
		_, verb, _ := strings.Cut(c.method, "/")
		return verb == "set" || verb == "import" || verb == "upload" || verb == "copy"
	})
}

// calling is the requests that call a method.
func calling(method string) func(string, []call) bool {
	return func(_ string, calls []call) bool {
		return slices.ContainsFunc(calls, func(c call) bool { return c.method == method })
	}
}

func newProxy(t *testing.T, s server) *proxy {
	t.Helper()
	to, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{server: s}
	p.reset()
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // servers write their own URLs by it
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { panic(http.ErrAbortHandler) },
	}
	h := httptest.NewServer(p)
	t.Cleanup(h.Close)
	p.url = h.URL
	return p
}

func (p *proxy) URL() string { return p.url }

func (p *proxy) Importer(login string) []string {
	flags := slices.Clone(p.server.Importer(login))
	flags[slices.Index(flags, "-u")+1] = p.url
	return flags
}

func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total, p.methods, p.asked, p.strike, p.dark = 0, map[string]int{}, nil, nil, false
}

// goDark lets every request from now on fail, until the next reset.
func (p *proxy) goDark() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dark = true
}

// arm prepares a strike; hit tells whether it came.
func (p *proxy) arm(s *strike) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.strike = s
}

func (p *proxy) hit(s *strike) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.strike = nil
	return s.hit
}

// count is how often a kind of request or a method was asked for.
func (p *proxy) count(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if what == "" {
		return p.total
	}
	return p.methods[what]
}

// fetches are the blobs whose content each request asked for, in the order in
// which the requests came.
func (p *proxy) fetches() [][]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(context.WithoutCancel(r.Context()))
	strike, dark := p.note(r)
	switch {
	case dark:
		panic(http.ErrAbortHandler)
	case strike != nil && strike.when == beside:
		strike.do()
		fallthrough
	case strike == nil:
		p.forward.ServeHTTP(w, r)
		return
	}
	defer strike.do() // whatever the server does
	if strike.when != unsent {
		rec := httptest.NewRecorder()
		p.forward.ServeHTTP(rec, r)
		if strike.when == answered {
			for name, values := range rec.Header() {
				w.Header()[name] = values
			}
			w.WriteHeader(rec.Code)
			_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
			_ = http.NewResponseController(w).Flush()
		}
	}
	panic(http.ErrAbortHandler)
}

// note counts a request and answers the strike that falls on it, and whether
// the server is dead.
func (p *proxy) note(r *http.Request) (_ *strike, dark bool) {
	kind, calls := classify(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total++
	p.methods[kind]++
	var blobs []string
	for _, c := range calls {
		p.methods[c.method]++
		blobs = append(blobs, c.blobs...)
	}
	if len(blobs) > 0 {
		p.asked = append(p.asked, blobs)
	}
	s := p.strike
	if s == nil || s.hit || s.of != nil && !s.of(kind, calls) {
		return nil, p.dark
	}
	if s.after--; s.after >= 0 {
		return nil, p.dark
	}
	s.hit = true
	return s, p.dark
}

// call is one method call, and the blobs whose content it asks for.
type call struct {
	method string
	blobs  []string
}

// classify tells "session", "api", "upload" and "download" requests apart.
func classify(r *http.Request) (kind string, calls []call) {
	if _, rest, ok := strings.Cut(r.URL.Path, "/download/"); ok && r.Method == http.MethodGet {
		parts := strings.Split(rest, "/") // accountId/blobId/name
		if len(parts) > 1 {
			return "download", []call{{"", parts[1:2]}}
		}
	}
	if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/upload/") {
		return "upload", nil
	}
	if r.Method != http.MethodPost {
		return "session", nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "api", nil // its sender is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var req struct{ MethodCalls [][]json.RawMessage }
	_ = json.Unmarshal(body, &req) // what is no request has no calls
	for _, c := range req.MethodCalls {
		var method string
		if len(c) == 3 && json.Unmarshal(c[0], &method) == nil {
			calls = append(calls, call{method, blobsAsked(method, c[1])})
		}
	}
	return "api", calls
}

// blobsAsked are the blobs whose content a Blob/get asks for; a digest or a size is not content.
func blobsAsked(method string, args json.RawMessage) []string {
	var get struct {
		IDs        []string
		Properties []string
	}
	if method != "Blob/get" || json.Unmarshal(args, &get) != nil {
		return nil
	}
	content := get.Properties == nil
	for _, p := range get.Properties {
		content = content || strings.HasPrefix(p, "data")
	}
	if !content {
		return nil
	}
	return get.IDs
}
