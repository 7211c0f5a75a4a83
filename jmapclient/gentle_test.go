package jmapclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"
)

// A rate holds both ways, for whatever moves, to the millisecond, and what is
// waited for it is not taken for a line on which nothing moves.
func TestTheRateIsKept(t *testing.T) {
	const rate, size, burst = 10_000, 400_000, 1 << 10
	blob := make([]byte, size)
	state := string(bytes.Repeat([]byte("x"), size))
	for name, move := range map[string]func(context.Context, *Account) error{
		"up": func(ctx context.Context, a *Account) error {
			_, err := a.Upload(ctx, "", size, opener(blob))
			return err
		},
		"down": func(ctx context.Context, a *Account) error {
			return a.Download(ctx, "b", size, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
		},
		"an answer": func(ctx context.Context, a *Account) error { _, err := a.State(ctx, mailbox); return err },
		"many blobs": func(ctx context.Context, a *Account) error {
			_, err := a.ImportBlobs(ctx, map[string][]byte{"k": blob[:size/4*3]}, nil)
			return err
		},
		"four at once": func(ctx context.Context, a *Account) error {
			var all errgroup.Group
			for range 4 {
				all.Go(func() error {
					return a.Download(ctx, "quarter", size/4, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
				})
			}
			return all.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{t: t, counts: map[string]int{}}
				f.upload = receive
				f.download = func(w http.ResponseWriter, r *http.Request, _ int) {
					if strings.Contains(r.URL.Path, "quarter") {
						_, _ = w.Write(blob[:size/4])
						return
					}
					_, _ = w.Write(blob)
				}
				f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
					if calls[0].method == "Blob/upload" {
						answer(w, [3]string{"Blob/upload", fmt.Sprintf(`{"created":{"k":{"id":"b","size":%d}}}`, size/4*3), "0"})
						return
					}
					answer(w, [3]string{calls[0].method, `{"state":"` + state + `"}`, "0"})
				}
				a := dialWithin(t, &within{Handler: f}, Options{Rate: rate, StallTimeout: 2 * time.Second})
				time.Sleep(time.Minute) // the session is paid for
				before, began := a.Client.Stats(), time.Now()
				if err := move(t.Context(), a); err != nil {
					t.Fatal(err)
				}
				took, after := time.Since(began), a.Client.Stats()
				moved := after.BytesIn + after.BytesOut - before.BytesIn - before.BytesOut
				want := time.Duration(moved-burst) * time.Second / rate
				if moved < size || (took-want).Abs() > time.Millisecond {
					t.Errorf("%d bytes took %v, want %v", moved, took, want)
				}
				if after.Retries != 0 {
					t.Errorf("%d further tries", after.Retries)
				}
			})
		})
	}
}

// A burst is small beside the rate, whatever the rate.
func TestTheRateIsEven(t *testing.T) {
	for _, perSecond := range []int64{1, 1000, 500_000, 2_000_000, 1 << 40} {
		if l := newRate(perSecond); float64(l.Limit()) != float64(perSecond) || l.Burst() < 1 || l.Burst() > 256<<10 {
			t.Errorf("%d a second: %v, %d at once", perSecond, l.Limit(), l.Burst())
		}
	}
	if newRate(0) != nil {
		t.Error("no rate is one")
	}
}

// A server sees no more requests at once than it allows and the user wants, be
// they connections of their own or streams over one (HTTP/2).
func TestNoMoreAtOnceThanIsWanted(t *testing.T) {
	for name, test := range map[string]struct {
		http2                   bool
		said, wanted            int
		requests, conns, atOnce int64
	}{
		"HTTP/1.1, the user's limit":   {false, 4, 2, 12, 2, 2},
		"HTTP/1.1, the server's limit": {false, 3, 0, 12, 3, 3},
		"HTTP/1.1, one":                {false, 4, 1, 5, 1, 1},
		"HTTP/2, the user's limit":     {true, 4, 2, 12, 1, 2},
		"HTTP/2, the server's limit":   {true, 3, 0, 12, 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.session = func(w http.ResponseWriter, _ *http.Request, _ int) {
				fmt.Fprint(w, sessionJSON("/", fmt.Sprintf(`"maxConcurrentRequests":%d`, test.said)))
			}
			var now, most, met, conns atomic.Int64
			all := make(chan struct{})
			f.download = func(w http.ResponseWriter, r *http.Request, _ int) {
				if (r.ProtoMajor == 2) != test.http2 {
					t.Errorf("spoken to in %s", r.Proto)
				}
				n := now.Add(1)
				defer now.Add(-1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				if met.Add(1) == test.atOnce {
					close(all)
				}
				<-all
				fmt.Fprint(w, "blob")
			}
			s := httptest.NewUnstartedServer(f)
			s.EnableHTTP2 = test.http2
			s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					conns.Add(1)
				}
			}
			if test.http2 {
				s.StartTLS()
			} else {
				s.Start()
			}
			t.Cleanup(s.Close)
			a, _ := dial(t, s.URL, func(o *Options) { o.Insecure, o.MaxConnections = true, test.wanted })
			var group sync.WaitGroup
			for range test.requests {
				group.Go(func() {
					if err := ask(t, a, Downloads); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			if most.Load() != test.atOnce {
				t.Errorf("%d at once, want %d", most.Load(), test.atOnce)
			}
			if conns.Load() > test.conns {
				t.Errorf("%d connections, want %d", conns.Load(), test.conns)
			}
		})
	}
}
