package harness

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"mailhaul/internal/bubble"
	"mailhaul/jmapclient/jmaptest"
)

// trouble is what befalls a request.
type trouble string

const (
	refused   trouble = "not sent"
	dropped   trouble = "sent, not served, connection closed"
	reset     trouble = "served, connection reset before the answer"
	lost      trouble = "served, connection closed before the answer"
	cut       trouble = "answer cut"
	short     trouble = "answer ends early, as if whole"
	busy      trouble = "429"
	away      trouble = "503"
	failed    trouble = "500 before it was served"
	failedYet trouble = "500 after it was served"
	wrongSize trouble = "wrong size told"
)

var troubles = []trouble{refused, dropped, reset, lost, cut, short, busy, away, failed, failedYet, wrongSize}

// end is how a disturbed run ends, if it does not by itself.
type end string

const (
	goesOn    end = "not at all"
	cancelled end = "cancelled"
	killed    end = "killed"
	atWrite   end = "at a write"
)

// line is one run's way to a server: it counts the run's requests and disturbs
// some of them.
type line struct {
	*bubble.Process
	server *jmaptest.Server
	plan   disturbance
	cancel context.CancelFunc
	meddle func() // what happens at the source at a request
	pause  time.Duration

	n atomic.Int64
}

func newLine(s *jmaptest.Server, d disturbance) *line {
	return &line{Process: bubble.NewProcess(), server: s, plan: d, cancel: func() {}, meddle: func() {}}
}

// stop ends the run here if that is planned for the request, before or after
// it is served.
func (l *line) stop(n int64, served bool) {
	if l.plan.End == atWrite || n != int64(l.plan.EndAt) || served != l.plan.EndServed {
		return
	}
	count(string(l.plan.End))
	switch l.plan.End {
	case cancelled:
		l.cancel()
	case killed:
		l.Kill()
	}
}

func (l *line) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := l.Rest(); err != nil {
		return nil, err
	}
	body, err := bubble.Body(req)
	if err != nil {
		return nil, err
	}
	time.Sleep(l.pause)
	n := l.n.Add(1)
	what := l.plan.Troubles[int(n)]
	if n == int64(l.plan.MeddleAt) {
		l.meddle()
	}
	l.stop(n, false)
	if err := errors.Join(l.Rest(), req.Context().Err()); err != nil {
		return nil, err
	}
	resp, err := l.exchange(req, body, what)
	l.stop(n, true)
	if err := errors.Join(l.Rest(), req.Context().Err()); err != nil {
		return nil, err
	}
	return resp, err
}

func (l *line) exchange(req *http.Request, body []byte, what trouble) (*http.Response, error) {
	if what != "" {
		count(string(what))
	}
	if what == refused {
		return nil, syscall.ECONNREFUSED
	}
	bubble.Connected(req)
	switch what {
	case dropped:
		return nil, io.EOF
	case busy:
		return status(req, 429), nil
	case away:
		return status(req, 503), nil
	case failed:
		return status(req, 500), nil
	case wrongSize:
		l.server.Inject(jmaptest.Fault{Do: jmaptest.WrongSize, Times: 1})
	}
	resp, err := bubble.Serve(l.server.Handler(), req, body)
	if err != nil {
		return nil, err
	}
	switch what {
	case lost:
		return nil, io.EOF
	case reset:
		return nil, syscall.ECONNRESET
	case failedYet:
		return status(req, 500), nil
	case cut, short:
		data, _ := io.ReadAll(resp.Body) // of a recorder
		var tail io.Reader = strings.NewReader("")
		if what == cut {
			tail = broken{}
		}
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(data[:len(data)*2/3]), tail))
		resp.ContentLength = -1
	}
	return resp, nil
}

func status(req *http.Request, code int) *http.Response {
	w := httptest.NewRecorder()
	http.Error(w, "disturbed", code)
	resp := w.Result()
	resp.Request = req
	return resp
}

// broken is the end of an answer that was cut.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
