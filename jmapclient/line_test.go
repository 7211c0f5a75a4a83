package jmapclient

import (
	"bytes"
	"encoding/base64"
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
	speed float64 // of the line each way, in octets a second; 0: all is there at once
}

func (s *within) RoundTrip(req *http.Request) (*http.Response, error) {
	in := req.Clone(req.Context())
	in.Host, in.RequestURI = req.URL.Host, req.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	if s.speed > 0 {
		in.Body = &slowly{in.Body, s.speed}
	}
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

// A line is measured with what goes as it is, and again after so much that went
// compressed. What goes at once counts together.
func TestTheLineIsMeasured(t *testing.T) {
	k := &clock{at: time.Unix(0, 0)}
	l := &line{now: k.now}
	// send lets n bodies of a quarter of a megabyte over the line, so many at once,
	// and says how many should have been compressed.
	const body = measured / 4
	send := func(n, atOnce int, speed float64) (compresses int) {
		for range n / atOnce {
			for range atOnce {
				if l.compresses() {
					compresses++
				}
				l.begin()
			}
			if speed > 0 {
				k.pass(time.Duration(body * float64(atOnce) / speed * float64(time.Second)))
			}
			for range atOnce {
				l.end(body)
			}
		}
		return compresses
	}
	const each = compressed / body
	for _, c := range []struct {
		n, atOnce int
		speed     float64
		want      int
	}{
		{8, 1, 0, 0},
		{8, 1, 2 * slowLine, 0},
		{8, 4, 2 * slowLine, 0},
		{4 + each, 1, slowLine / 2, each},
		{4, 1, slowLine / 20, 0}, // measured again, and still slow
		{each, 4, slowLine / 20, each},
		{4, 4, slowLine / 20, 0},
		{each, 1, 0, each}, // it has become fast, which is found out when it is measured
		{40, 1, 0, 0},
	} {
		if got := send(c.n, c.atOnce, c.speed); got != c.want {
			t.Errorf("%d, %d at once, at %.0f octets a second: %d should have been compressed, want %d", c.n, c.atOnce, c.speed, got, c.want)
		}
	}
}

// Answers are asked for compressed over a slow line: the server's processor is
// slower than a fast one.
func TestAnswersAreCompressedOnASlowLine(t *testing.T) {
	plain := fmt.Sprintf(`{"methodResponses":[["Mailbox/get",{"state":"%s","list":[]},"0"]]}`, strings.Repeat("z", measured/2))
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	_, _ = io.WriteString(z, plain)
	_ = z.Close()
	for speed, want := range map[float64]int{0: 0, 2 * slowLine: 0, slowLine / 2: 3, slowLine / 20: 3} {
		synctest.Test(t, func(t *testing.T) {
			gzips := 0
			f := &fake{t: t, counts: map[string]int{}}
			f.api = func(w http.ResponseWriter, r *http.Request, _ int, _ []invocation) {
				switch how := r.Header.Get("Accept-Encoding"); how {
				case "gzip":
					gzips++
					w.Header().Set("Content-Encoding", how)
					_, _ = w.Write(small.Bytes())
				case "identity":
					fmt.Fprint(w, plain)
				default:
					t.Errorf("asked for as %q", how)
				}
			}
			a := dialWithin(t, &within{Handler: f, speed: speed}, Options{})
			before := a.Client.Stats()
			for range 5 {
				if st, err := a.State(t.Context(), mailbox); err != nil || len(st) != measured/2 {
					t.Fatalf("%d octets, %v", len(st), err)
				}
			}
			if gzips != want {
				t.Errorf("at %.0f octets a second %d of 5 were asked for compressed, want %d", speed, gzips, want)
			}
			if in, came := a.Client.Stats().BytesIn-before.BytesIn, int64(gzips*small.Len()+(5-gzips)*len(plain)); in != came {
				t.Errorf("%d octets are counted, and %d came", in, came)
			}
		})
	}
}

// Requests are compressed over a slow line, to a server that says that it takes
// them so (RFC 7694 §3), until it turns out that it does not.
func TestRequestsAreCompressedOnASlowLine(t *testing.T) {
	blob := bytes.Repeat([]byte("The same again. "), 16<<10)
	encoded := []byte(base64.StdEncoding.EncodeToString(blob))
	for name, test := range map[string]struct {
		speed           float64
		announces       string
		minds           bool
		asSent, decoded int // of 10 requests
	}{
		"a slow line":                          {slowLine / 10, "deflate, gzip", false, 3, 7},
		"a slow line, with a weight":           {slowLine / 10, "GZIP;q=0.5", false, 3, 7},
		"a fast line":                          {0, "deflate, gzip", false, 10, 0},
		"a server that does not say":           {slowLine / 10, "", false, 10, 0},
		"a server that takes something else":   {slowLine / 10, "deflate, gzipped", false, 10, 0},
		"a server that says so and refuses it": {slowLine / 10, "gzip", true, 10, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asSent, decoded, refused int
				f := &fake{t: t, counts: map[string]int{}}
				s := &within{speed: test.speed, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch {
					case r.URL.Path != "/api":
						f.ServeHTTP(w, r)
						return
					case r.Header.Get("Content-Encoding") == "":
						asSent++
					case test.minds:
						refused++
						w.WriteHeader(http.StatusUnsupportedMediaType)
						return
					default:
						decoded++
						z, err := gzip.NewReader(r.Body)
						if err != nil {
							t.Error(err)
							return
						}
						r.Body = io.NopCloser(z)
					}
					if body, err := io.ReadAll(r.Body); err != nil || !bytes.Contains(body, encoded) {
						t.Errorf("something else arrived: %v", err)
					}
					w.Header().Set("Accept-Encoding", test.announces)
					answer(w, [3]string{"Blob/upload", fmt.Sprintf(`{"created":{"k":{"id":"b","size":%d}}}`, len(blob)), "0"})
				})}
				a := dialWithin(t, s, Options{})
				for range 10 {
					if d, err := a.ImportBlobs(t.Context(), map[string][]byte{"k": blob}, nil); err != nil || d.Uploaded["k"].BlobID != "b" {
						t.Fatal(d, err)
					}
				}
				if asSent != test.asSent || decoded != test.decoded || refused > 1 {
					t.Errorf("%d as they are, %d compressed, %d refused; want %d and %d", asSent, decoded, refused, test.asSent, test.decoded)
				}
			})
		})
	}
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
	a.Client.fromServer.slow = true
	if err := ask(t, a, Downloads); err != nil {
		t.Error(err)
	}
}
