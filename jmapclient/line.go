package jmapclient

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	// slowLine is the speed, in octets a second, below which it pays that a server
	// compresses its answers: Cyrus does 8 MB a second, and halves base64.
	slowLine = 2 << 20
	// measured is how many octets tell the speed of the line.
	measured = 1 << 20
	// compressed is how many octets, as they come over the line, are asked for
	// compressed before the line is measured again.
	compressed = 16 << 20
)

// line decides whether answers are asked for compressed: on a slow line they
// come sooner, on a fast one they wait for the server's processor
// (docs/decisions/compression.md).
type line struct {
	now func() time.Time

	mu     sync.Mutex
	open   int // bodies that are being read
	since  time.Time
	busy   time.Duration // in which any body was read
	octets int64
	slow   bool
}

// encoding is what is asked for (RFC 9110 §12.5.3).
func (l *line) encoding() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.slow {
		return "gzip"
	}
	return "identity"
}

// begin notes that a body is going to be read.
func (l *line) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open++; l.open == 1 {
		l.since = l.now()
	}
}

// end notes that a body was read, and how many octets it had on the line.
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
