package jmapclient

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A rate holds both ways, for whatever moves, and what is waited for it is not
// taken for a line on which nothing moves.
func TestTheRateIsKept(t *testing.T) {
	const rate, size = 10_000, 400_000
	blob := make([]byte, size)
	f := newFake(t)
	f.upload = receive
	f.download = func(w http.ResponseWriter, _ *http.Request, _ int) { _, _ = w.Write(blob) }
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
		answer(w, [3]string{calls[0].method, `{"state":"1","x":"` + string(bytes.Repeat([]byte("x"), size)) + `"}`, "0"})
	}
	a, k := dial(t, f.URL, func(o *Options) { o.Rate = rate })
	for name, move := range map[string]func() error{
		"up": func() error { _, err := a.Upload(t.Context(), "", size, opener(blob)); return err },
		"down": func() error {
			return a.Download(t.Context(), "b", size, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
		},
		"an answer": func() error { _, err := a.State(t.Context(), mailbox); return err },
	} {
		began := k.now()
		if err := move(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := time.Duration(size/rate) * time.Second
		if took := k.now().Sub(began); took < want-2*time.Second || took > want+2*time.Second {
			t.Errorf("%s: %d bytes took %v, want %v", name, size, took, want)
		}
	}
	if s := a.Client.Stats(); s.Retries != 0 {
		t.Errorf("%d further tries", s.Retries)
	}
}

func TestNoMoreConnectionsThanAreWanted(t *testing.T) {
	f := newFake(t)
	var now, most, met atomic.Int64
	both := make(chan struct{})
	f.download = func(w http.ResponseWriter, _ *http.Request, _ int) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if met.Add(1) == 2 { // the second beside the first
			close(both)
		}
		<-both
		fmt.Fprint(w, "blob")
	}
	a, _ := dial(t, f.URL, func(o *Options) { o.MaxConnections = 2 })
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := ask(t, a, Downloads); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if most.Load() != 2 {
		t.Errorf("%d at once, want 2", most.Load())
	}
}
