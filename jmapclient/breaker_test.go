package jmapclient

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// An endpoint of the fake server that answers as it should unless it is told not to.
type patient struct {
	*fake
	fail atomic.Pointer[func(w http.ResponseWriter, r *http.Request)]
}

func newPatient(t *testing.T) *patient {
	p := &patient{fake: newFake(t)}
	p.deaf = true
	p.api = func(w http.ResponseWriter, r *http.Request, _ int, calls []invocation) {
		if f := p.fail.Load(); f != nil {
			(*f)(w, r)
			return
		}
		answer(w, [3]string{calls[0].method, `{"state":"1"}`, "0"})
	}
	p.upload = func(w http.ResponseWriter, r *http.Request, n int) {
		if f := p.fail.Load(); f != nil {
			(*f)(w, r)
			return
		}
		receive(w, r, n)
	}
	p.download = func(w http.ResponseWriter, r *http.Request, _ int) {
		if f := p.fail.Load(); f != nil {
			(*f)(w, r)
			return
		}
		fmt.Fprint(w, "blob")
	}
	return p
}

func (p *patient) failing(f func(w http.ResponseWriter, r *http.Request)) {
	if f == nil {
		p.fail.Store(nil)
		return
	}
	p.fail.Store(&f)
}

// ask sends one request to an endpoint.
func ask(t *testing.T, a *Account, e Endpoint) error {
	var err error
	switch e {
	case API:
		_, err = a.State(t.Context(), mailbox)
	case Uploads:
		_, err = a.Upload(t.Context(), "", 3, opener([]byte("abc")))
	case Downloads:
		err = a.Download(t.Context(), "b", 4, func(r io.Reader) error { _, err := io.ReadAll(r); return err })
	}
	return err
}

// A dead endpoint costs three requests and a probe with all their tries, and
// from then on one try a request.
func TestADeadEndpointIsGivenUp(t *testing.T) {
	for name, die := range map[string]func(t *testing.T, done chan struct{}) func(http.ResponseWriter, *http.Request){
		"closes": func(t *testing.T, _ chan struct{}) func(http.ResponseWriter, *http.Request) {
			return func(w http.ResponseWriter, _ *http.Request) { hangUp(t, w) }
		},
		"fails": func(*testing.T, chan struct{}) func(http.ResponseWriter, *http.Request) {
			return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }
		},
		"is behind a proxy that does not reach it": func(*testing.T, chan struct{}) func(http.ResponseWriter, *http.Request) {
			return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }
		},
		"stalls": func(_ *testing.T, done chan struct{}) func(http.ResponseWriter, *http.Request) {
			return func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // so that the end of the connection is noticed
				select {
				case <-done:
				case <-r.Context().Done():
				}
			}
		},
		"cuts": func(*testing.T, chan struct{}) func(http.ResponseWriter, *http.Request) {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				_, _ = io.WriteString(w, `{`)
			}
		},
	} {
		for _, e := range []Endpoint{API, Uploads, Downloads} {
			t.Run(e.called()+" "+name, func(t *testing.T) {
				t.Parallel()
				p := newPatient(t)
				a, k := dial(t, p.URL, func(o *Options) { o.GiveUpAfter = 3 * time.Second })
				c := a.Client
				if err := ask(t, a, e); err != nil {
					t.Fatal(err)
				}
				stall, request := c.stallTimeout, c.requestTimeout
				if name == "stalls" {
					c.stallTimeout, c.requestTimeout = 20*time.Millisecond, 20*time.Millisecond
				}
				p.failing(die(t, p.done))
				for n := 1; n < mostLost; n++ {
					if err := ask(t, a, e); err == nil || strings.Contains(err.Error(), "none of the last") || c.Dead(e) {
						t.Errorf("request %d: %v, dead %v", n, err, c.Dead(e))
					}
				}
				began := k.now()
				err := wantKind(t, ask(t, a, e), Unreachable)
				if want := fmt.Sprintf("none of the last 3 %s was answered as it should be, nor was a probe", e.called()); !strings.Contains(err.Error(), want) || !c.Dead(e) {
					t.Errorf("dead %v: %v", c.Dead(e), err)
				}
				if took := k.now().Sub(began); took > 4*c.giveUpAfter {
					t.Errorf("it took %v to find out", took)
				}
				before := c.Stats().Requests
				for range 5 {
					wantKind(t, ask(t, a, e), Unreachable)
				}
				if n := c.Stats().Requests - before; n != 5 {
					t.Errorf("5 requests to a dead endpoint were sent %d times", n)
				}
				for _, other := range []Endpoint{API, Uploads, Downloads} {
					if other != e && c.Dead(other) {
						t.Errorf("%s are given up too", other.called())
					}
				}
				p.failing(nil)
				c.stallTimeout, c.requestTimeout = stall, request
				if err := ask(t, a, e); err != nil || c.Dead(e) {
					t.Errorf("it is back: %v, dead %v", err, c.Dead(e))
				}
			})
		}
	}
}

// What a server dies of, however often in a row, is those items' failure while
// it answers anything else.
func TestPoisonedItemsDoNotEndARun(t *testing.T) {
	p := newPatient(t)
	a, _ := dial(t, p.URL)
	var poison atomic.Bool
	spoil := func(next func(w http.ResponseWriter, r *http.Request, n int)) func(w http.ResponseWriter, r *http.Request, n int) {
		return func(w http.ResponseWriter, r *http.Request, n int) {
			if poison.Load() && r.ContentLength == 3 || strings.Contains(r.URL.Path, "/poison/") {
				w.WriteHeader(500)
				return
			}
			next(w, r, n)
		}
	}
	p.upload, p.download = spoil(p.upload), spoil(p.download)
	if err := ask(t, a, Downloads); err != nil {
		t.Fatal(err)
	}
	poison.Store(true)
	for n := range 3 * mostLost {
		before := a.Client.Stats()
		wantKind(t, ask(t, a, Uploads), ServerFault)
		wantKind(t, a.Download(t.Context(), "poison", 4, func(r io.Reader) error { _, err := io.ReadAll(r); return err }), ServerFault)
		if n := a.Client.Stats().Retries - before.Retries; n != 2*int64(againFor[faulty]) {
			t.Errorf("request %d of each: tried again %d times", n, n)
		}
		if a.Client.Dead(Uploads) || a.Client.Dead(Downloads) {
			t.Fatalf("given up after %d poisoned items", n+1)
		}
	}
}

// Where nothing ever came down there is nothing to try: it takes longer, one
// try each.
func TestDownloadsThatNeverWorked(t *testing.T) {
	p := newPatient(t)
	p.failing(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	a, _ := dial(t, p.URL)
	for n := 1; n < mostLostBlind; n++ {
		wantKind(t, ask(t, a, Downloads), ServerFault)
	}
	if a.Client.Dead(Downloads) {
		t.Error("given up early")
	}
	err := wantKind(t, ask(t, a, Downloads), Unreachable)
	if !strings.Contains(err.Error(), "none of the last 20 downloads") || !a.Client.Dead(Downloads) {
		t.Errorf("dead %v: %v", a.Client.Dead(Downloads), err)
	}
	if want, n := mostLost*(1+againFor[faulty])+mostLostBlind-mostLost, p.counted("download"); n != want {
		t.Errorf("%d requests, want %d", n, want)
	}
}

// The outcome of what creates stays unknown, whatever is known of the server.
func TestADeadEndpointDoesNotMakeTheUnknownKnown(t *testing.T) {
	p := newPatient(t)
	p.failing(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	a, _ := dial(t, p.URL)
	for range mostLost + 1 {
		_, err := a.Import(t.Context(), map[string]EmailImport{"k": {}})
		wantKind(t, err, Unknown)
	}
	if !a.Client.Dead(API) {
		t.Error("it is not given up")
	}
	wantKind(t, ask(t, a, API), Unreachable)
}

// A refusal is an answer: nothing is given up for it, and it ends the row.
func TestRefusalsAreAnswers(t *testing.T) {
	p := newPatient(t)
	a, _ := dial(t, p.URL)
	for n := range 4 * mostLost {
		status := 500
		if n%mostLost == 0 {
			status = 413
		}
		p.failing(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if ask(t, a, Uploads) == nil || a.Client.Dead(Uploads) {
			t.Fatalf("given up at request %d", n)
		}
	}
	// So it is for the probe: a quota that is used up does not mean that nobody is there.
	p.upload = func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.ContentLength == 3 {
			w.WriteHeader(500)
			return
		}
		problem(w, 403, `{"title":"Quota exceeded"}`)
	}
	for range 2 * mostLost {
		wantKind(t, ask(t, a, Uploads), ServerFault)
	}
	if a.Client.Dead(Uploads) {
		t.Error("given up although the probe was refused")
	}
}

// While a probe is out the others wait for what it finds: the server that died
// of three messages may be starting again.
func TestAServerThatStartsAgain(t *testing.T) {
	p := newPatient(t)
	a, k := dial(t, p.URL)
	probed, goOn := make(chan struct{}), make(chan struct{})
	var sick atomic.Bool
	sick.Store(true)
	p.upload = func(w http.ResponseWriter, r *http.Request, n int) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case !sick.Load():
			fmt.Fprintf(w, `{"blobId":"b","size":%d}`, len(body))
		case string(body) == "mailhaul probe":
			close(probed)
			<-goOn
			sick.Store(false)
			w.WriteHeader(502)
		default:
			w.WriteHeader(500)
		}
	}
	for range mostLost - 1 {
		wantKind(t, ask(t, a, Uploads), ServerFault)
	}
	var group sync.WaitGroup
	group.Go(func() { wantKindQuietly(t, ask(t, a, Uploads), ServerFault) })
	<-probed
	for range 3 { // sent before the probe has its outcome they would fail
		group.Go(func() {
			if err := ask(t, a, Uploads); err != nil {
				t.Error("a request that waited for the probe:", err)
			}
		})
	}
	close(goOn)
	group.Wait()
	if a.Client.Dead(Uploads) || k.total() == 0 {
		t.Error("given up although it came back")
	}
}

// wantKindQuietly is wantKind for other goroutines than the test's.
func wantKindQuietly(t *testing.T, err error, k Kind) {
	if KindOf(err) != k {
		t.Errorf("error of kind %v, want %v: %v", KindOf(err), k, err)
	}
}
