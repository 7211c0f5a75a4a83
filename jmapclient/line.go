package jmapclient

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	// slowLine is the speed, in octets a second, below which it pays to compress:
	// Cyrus compresses 8 MB of answers a second, and halves base64.
	slowLine = 2 << 20
	// measured is how many octets tell the speed of the line.
	measured = 1 << 20
	// compressed is how many octets, as they are on the line, go compressed before
	// it is measured again.
	compressed = 16 << 20
)

// line decides whether bodies go compressed one way: on a slow line they arrive
// sooner, on a fast one they wait for the processor (docs/decisions/compression.md).
type line struct {
	now func() time.Time

	mu     sync.Mutex
	open   int // bodies that are on their way
	since  time.Time
	busy   time.Duration // in which any body was
	octets int64
	slow   bool
}

// compresses says whether the next body should be compressed.
func (l *line) compresses() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.slow
}

// begin notes that a body is on its way.
func (l *line) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open++; l.open == 1 {
		l.since = l.now()
	}
}

// end notes that a body is through, and how many octets it had on the line.
func (l *line) end(octets int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.busy += now.Sub(l.since)
	l.since = now
	l.open--
	l.octets += octets
	switch {
	case l.slow && l.octets >= compressed:
		l.slow = false
	case !l.slow && l.octets >= measured:
		l.slow = float64(l.octets) < slowLine*l.busy.Seconds()
	default:
		return
	}
	l.octets, l.busy = 0, 0
}

// deflate compresses what is about to be sent, if that is worth it: over a slow
// line, to a server that says that it takes it (RFC 7694 §3; of those that are known
// Cyrus does).
func (c *Client) deflate(x *exchange) error {
	if x.size < worthIt || !c.takesGzip.Load() || c.mindsGzip.Load() || !c.toServer.compresses() {
		return nil
	}
	plain, err := x.open()
	if err != nil {
		return err
	}
	var small bytes.Buffer
	z, err := gzip.NewWriterLevel(&small, gzip.BestSpeed)
	if err == nil {
		_, err = io.Copy(z, plain)
	}
	if err = errors.Join(err, z.Close(), plain.Close()); err != nil {
		return err
	}
	x.encoding, x.size = "gzip", int64(small.Len())
	x.open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(small.Bytes())), nil }
	return nil
}

// worthIt is what a request must have, in octets, to be compressed: less is in one packet or two.
const worthIt = 4 << 10

// noteAccepted notes whether the server takes compressed requests.
func (c *Client) noteAccepted(resp *http.Response) {
	for how := range strings.SplitSeq(resp.Header.Get("Accept-Encoding"), ",") {
		if name, _, _ := strings.Cut(how, ";"); strings.EqualFold(strings.TrimSpace(name), "gzip") {
			c.takesGzip.Store(true)
		}
	}
}

// inflate undoes the compression of an answer that came compressed, asked for or
// not. How large it becomes is for the reader to bound.
func inflate(resp *http.Response) {
	if how := resp.Header.Get("Content-Encoding"); !strings.EqualFold(how, "gzip") && !strings.EqualFold(how, "x-gzip") {
		return
	}
	resp.Header.Del("Content-Encoding")
	resp.ContentLength = -1
	resp.Body = &inflated{ReadCloser: resp.Body}
}

type inflated struct {
	io.ReadCloser
	gz  *gzip.Reader
	err error
}

func (i *inflated) Read(p []byte) (int, error) {
	if i.gz == nil && i.err == nil {
		i.gz, i.err = gzip.NewReader(i.ReadCloser)
	}
	if i.err != nil {
		return 0, i.err
	}
	return i.gz.Read(p)
}
