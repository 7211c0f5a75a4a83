package jmapclient

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// villain is a server that means harm, with a second one beside it that waits
// for credentials to be sent there.
type villain struct {
	*fake
	clock *clock       // the client's
	other string       // the second one's origin
	asked atomic.Int64 // how often it was asked
	sent  atomic.Int64 // octets of bodies that the first got rid of
}

func newVillain(t *testing.T) *villain {
	v := &villain{fake: newFake(t), clock: &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
	v.deaf = true
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { v.asked.Add(1) }))
	t.Cleanup(s.Close)
	v.other = s.URL
	return v
}

// flood writes first, and then again without end, until the client has enough.
func (v *villain) flood(w io.Writer, first, again string) {
	n, _ := io.WriteString(w, first)
	v.sent.Add(int64(n))
	for chunk := []byte(strings.Repeat(again, 1+(64<<10)/len(again))); v.sent.Load() < 10<<30; {
		n, err := w.Write(chunk)
		v.sent.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// bomb is a flood that is a thousand times smaller on the wire: gzip members,
// one after the other.
func (v *villain) bomb(w http.ResponseWriter, first string) {
	w.Header().Set("Content-Encoding", "gzip")
	v.flood(w, member(first), member(strings.Repeat("0", 1<<20)))
}

func member(s string) string {
	var b strings.Builder
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, s)
	_ = z.Close()
	return b.String()
}

// drip writes an octet a minute of the client's clock.
func (v *villain) drip(w http.ResponseWriter) {
	for {
		v.clock.pass(time.Minute)
		if _, err := io.WriteString(w, " "); err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
	}
}

func (k *clock) pass(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at = k.at.Add(d)
}

const filler = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func manyHeaders(w http.ResponseWriter) {
	for i := range 2_000 {
		w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat(filler, 10))
	}
}

var redirects = []int{301, 302, 303, 307, 308}

// meet signs in and acts, on a clock that only the villain moves.
func (v *villain) meet(t *testing.T, act func(context.Context, *Account) error) (*Client, error) {
	o := Options{URL: v.URL, Auth: Auth{Username: "alice", Password: secret}}
	c, err := newClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.now, c.sleep = v.clock.now, v.clock.sleep
	if err = c.discover(t.Context(), o); err == nil && act != nil {
		var a *Account
		if a, err = c.Account(t.Context(), ""); err == nil {
			err = act(t.Context(), a)
		}
	}
	return c, err
}

func allocated() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc)
}
