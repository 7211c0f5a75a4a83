package jmaptest

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// before does what a fault does ahead of the request; false ends it there.
func (f *Fault) before(w http.ResponseWriter) bool {
	if f == nil {
		return true
	}
	status := map[FaultKind]int{Status429: 429, Status503: 503, Status500: 500}[f.Do]
	switch {
	case f.Do == DropBefore:
		drop(w)
		return false
	case status != 0:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		problem(w, status, "", http.StatusText(status), "injected fault")
		return false
	}
	return true
}

// answer writes the answer as the fault lets it through.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, f *Fault, status int, typ string, body []byte) {
	if f != nil && f.Do == DropAfter {
		drop(w)
		return
	}
	w.Header().Set("Content-Type", typ)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if f == nil || f.Do != CutBody && f.Do != Stall && f.Do != Slow {
		_, _ = w.Write(body) // the client may have gone
		return
	}
	switch f.Do {
	case CutBody:
		_, _ = w.Write(body[:min(f.Bytes, max(len(body)-1, 0))])
		flush(w)
		drop(w)
	case Stall:
		_, _ = w.Write(body[:min(f.Bytes, max(len(body)-1, 0))])
		flush(w)
		s.wait(r, f.Wait, f.Wait == 0)
		drop(w)
	case Slow:
		s.trickle(w, r, f.Wait, body)
	}
}

// trickle writes the body in twenty pieces, spread over the time.
func (s *Server) trickle(w http.ResponseWriter, r *http.Request, over time.Duration, body []byte) {
	const pieces = 20
	for chunk := range slices.Chunk(body, len(body)/pieces+1) {
		if !s.wait(r, over/pieces, false) {
			return
		}
		if _, err := w.Write(bytes.Clone(chunk)); err != nil {
			return
		}
		flush(w)
	}
}

// wait lets time pass; false when the client or the server went meanwhile.
func (s *Server) wait(r *http.Request, d time.Duration, forever bool) bool {
	var after <-chan time.Time
	if !forever {
		t := time.NewTimer(d)
		defer t.Stop()
		after = t.C
	}
	select {
	case <-after:
		return true
	case <-r.Context().Done():
	case <-s.closed:
	}
	return false
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// drop closes the connection under the client, as a crash would.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // no connection of our own: the handler's way to the same end
	}
	_ = conn.Close()
}
