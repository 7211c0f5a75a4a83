package jmapclient

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/gzip"
)

// within is a server without sockets, so that a test's time can be virtual.
type within struct {
	http.Handler
	speed float64 // of answers on the line, in octets a second; 0: they are there
}

func (s *within) RoundTrip(req *http.Request) (*http.Response, error) {
	in := req.Clone(req.Context())
	in.Host, in.RequestURI = req.URL.Host, req.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, in)
	resp := rec.Result()
	resp.Request = req
	resp.ContentLength = int64(rec.Body.Len())
	if s.speed > 0 {
		resp.Body = &slowly{resp.Body, s.speed}
	}
	return resp, nil
}

type slowly struct {
	io.ReadCloser
	speed float64
}

func (s *slowly) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	time.Sleep(time.Duration(float64(n) / s.speed * float64(time.Second)))
	return n, err
}

// dialWithin signs in to a server without sockets, with the time that there is.
func dialWithin(t *testing.T, s *within, o Options) *Account {
	t.Helper()
	o.URL, o.Transport, o.Auth = "http://mail.example.org", s, Auth{Username: "alice", Password: secret}
	c, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Account(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What is asked for compressed is what comes over a slow line; the server's
// processor is slower than a fast one.
func TestAnswersAreCompressedOnASlowLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plain := fmt.Sprintf(`{"methodResponses":[["Mailbox/get",{"state":"%s","list":[]},"0"]]}`, strings.Repeat("z", 1<<19))
		var small bytes.Buffer // not much: what is compressed is measured again after so many octets
		z, err := gzip.NewWriterLevel(&small, gzip.NoCompression)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(z, plain)
		_ = z.Close()
		var asked []string
		f := &fake{t: t, counts: map[string]int{}}
		f.api = func(w http.ResponseWriter, r *http.Request, _ int, _ []invocation) {
			how := r.Header.Get("Accept-Encoding")
			asked = append(asked, how)
			if how != "gzip" {
				fmt.Fprint(w, plain)
				return
			}
			w.Header().Set("Content-Encoding", how)
			_, _ = w.Write(small.Bytes())
		}
		s := &within{Handler: f}
		a := dialWithin(t, s, Options{})
		// gzips says how many of the next n answers were asked for compressed.
		gzips := func(n int) (count int) {
			t.Helper()
			asked = nil
			for range n {
				if st, err := a.State(t.Context(), mailbox); err != nil || len(st) != 1<<19 {
					t.Fatalf("%d octets, %v", len(st), err)
				}
			}
			for _, how := range asked {
				if how == "gzip" {
					count++
				}
			}
			return count
		}
		for _, c := range []struct {
			speed   float64
			n, want int
		}{
			{0, 10, 0},
			{2 * slowLine, 10, 0},
			{slowLine / 2, 40, 36}, // two tell the speed, 32 are compressed, two tell the speed …
		} {
			s.speed = c.speed
			if got := gzips(c.n); got != c.want {
				t.Errorf("at %.0f octets a second %d of %d were asked for compressed, want %d", c.speed, got, c.n, c.want)
			}
		}
		before := a.Client.Stats()
		n := gzips(10)
		if in, came := a.Client.Stats().BytesIn-before.BytesIn, int64(n*small.Len()+(10-n)*len(plain)); in != came {
			t.Errorf("%d octets are counted, and %d came", in, came)
		}

		// Once it is fast again that is noticed, at the latest after so much.
		s.speed = 0
		gzips(compressed/small.Len() + 2)
		if got := gzips(10); got != 0 {
			t.Errorf("the line is fast, and %d of 10 were asked for compressed", got)
		}
	})
}

// Blobs are taken as they are, over any line: a digest is of these octets.
func TestBlobsAreNotAskedForCompressed(t *testing.T) {
	f := newFake(t)
	f.download = func(w http.ResponseWriter, r *http.Request, _ int) {
		if how := r.Header.Get("Accept-Encoding"); how != "identity" {
			t.Errorf("asked for as %q", how)
		}
		fmt.Fprint(w, "blob")
	}
	a, _ := dial(t, f.URL)
	a.Client.line.slow = true
	if err := ask(t, a, Downloads); err != nil {
		t.Error(err)
	}
}
