package jmapclient

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mailhaul/account"
)

const (
	secret    = "s3cret-pässword"
	everyType = `"urn:ietf:params:jmap:core":{},"urn:ietf:params:jmap:mail":{},"urn:ietf:params:jmap:sieve":{},"urn:ietf:params:jmap:submission":{},"urn:ietf:params:jmap:vacationresponse":{},"urn:ietf:params:jmap:blob":{}`
)

// invocation is a method call as the fake server saw it.
type invocation struct {
	method string
	args   account.Object
	id     string
}

// fake is a server whose answers a test writes.
type fake struct {
	*httptest.Server
	t *testing.T
	// Each handler may be nil; n is the number of the request of its kind, from 1.
	session  func(w http.ResponseWriter, r *http.Request, n int)
	api      func(w http.ResponseWriter, r *http.Request, n int, calls []invocation)
	upload   func(w http.ResponseWriter, r *http.Request, n int)
	download func(w http.ResponseWriter, r *http.Request, n int)

	deaf bool // Core/echo is for api too

	done chan struct{} // closed when the test ends: what a handler that stalls waits for

	mu     sync.Mutex
	counts map[string]int
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, counts: map[string]int{}, done: make(chan struct{})}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	t.Cleanup(func() { close(f.done) })
	return f
}

func (f *fake) count(kind string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[kind]++
	return f.counts[kind]
}

func (f *fake) counted(kind string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[kind]
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == wellKnown:
		n := f.count("session")
		if f.session != nil {
			f.session(w, r, n)
			return
		}
		fmt.Fprint(w, sessionJSON("/", ""))
	case path == "/api":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client went away
		}
		calls := readCalls(f.t, body)
		if calls[0].method == "Core/echo" && !f.deaf {
			f.count("echo")
			answer(w, [3]string{"Core/echo", `{}`, "0"})
			return
		}
		f.api(w, r, f.count("api"), calls)
	case strings.HasPrefix(path, "/up/"):
		f.upload(w, r, f.count("upload"))
	case strings.HasPrefix(path, "/down/"):
		f.download(w, r, f.count("download"))
	default:
		http.NotFound(w, r)
	}
}

func readCalls(t *testing.T, body []byte) []invocation {
	var req struct {
		MethodCalls [][3]json.RawMessage `json:"methodCalls"`
	}
	if err := json.Unmarshal(body, &req); err != nil {
		t.Errorf("the request is no JSON: %v: %s", err, body)
	}
	var calls []invocation
	for _, c := range req.MethodCalls {
		var inv invocation
		_ = json.Unmarshal(c[0], &inv.method)
		_ = json.Unmarshal(c[1], &inv.args)
		_ = json.Unmarshal(c[2], &inv.id)
		calls = append(calls, inv)
	}
	return calls
}

// sessionJSON is a session whose URLs begin with base, with core limits as given.
func sessionJSON(base, core string) string {
	return fmt.Sprintf(`{"username":"alice","capabilities":{%s},
		"accounts":{"a1":{"name":"Alice","isPersonal":true,"isReadOnly":false,"accountCapabilities":{%s}}},
		"primaryAccounts":{"urn:ietf:params:jmap:mail":"a1"},
		"apiUrl":"%[3]sapi","downloadUrl":"%[3]sdown/{accountId}/{blobId}/{name}?accept={type}","uploadUrl":"%[3]sup/{accountId}/","state":"s"}`,
		strings.Replace(everyType, `core":{}`, `core":{`+core+`}`, 1), everyType, base)
}

// answer writes method responses, each given as name, JSON of arguments, call id.
func answer(w http.ResponseWriter, responses ...[3]string) {
	var parts []string
	for _, r := range responses {
		parts = append(parts, fmt.Sprintf("[%q,%s,%q]", r[0], r[1], r[2]))
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"methodResponses":[%s],"sessionState":"s"}`, strings.Join(parts, ","))
}

// problem writes a problem details object.
func problem(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// hangUp closes the connection without an answer.
func hangUp(t *testing.T, w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	conn.Close()
}

// clock is time that passes only when the client waits.
type clock struct {
	mu    sync.Mutex
	at    time.Time
	waits []time.Duration
	wake  func(context.Context) // called at each wait
}

func (k *clock) now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.at
}

func (k *clock) sleep(ctx context.Context, d time.Duration) error {
	k.mu.Lock()
	k.at = k.at.Add(d)
	k.waits = append(k.waits, d)
	k.mu.Unlock()
	if k.wake != nil {
		k.wake(ctx)
	}
	return ctx.Err()
}

func (k *clock) total() (d time.Duration) {
	for _, w := range k.waits {
		d += w
	}
	return d
}

// dialAs dials with a clock of its own.
func dialAs(t *testing.T, o Options) (*Client, *clock, error) {
	t.Helper()
	if o.Auth == (Auth{}) {
		o.Auth = Auth{Username: "alice", Password: secret}
	}
	c, err := newClient(o)
	if err != nil {
		t.Fatal(err)
	}
	k := &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	c.now, c.sleep = k.now, k.sleep
	t.Cleanup(c.Close)
	return c, k, c.discover(t.Context(), o)
}

func dial(t *testing.T, url string, change ...func(*Options)) (*Account, *clock) {
	t.Helper()
	o := Options{URL: url}
	for _, f := range change {
		f(&o)
	}
	c, k, err := dialAs(t, o)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Account(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return a, k
}

// wantKind fails unless err is an *Error of that kind, and answers it.
func wantKind(t *testing.T, err error, k Kind) *Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one of kind %v", k)
	}
	e, ok := err.(*Error)
	if !ok || e.Kind != k {
		t.Fatalf("error of kind %v, want %v: %v", KindOf(err), k, err)
	}
	if strings.Contains(err.Error(), secret) {
		t.Fatalf("the error tells the password: %v", err)
	}
	return e
}
