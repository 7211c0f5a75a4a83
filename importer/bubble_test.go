package importer

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-imap/v2/imapserver"

	"mailhaul/archive"
	"mailhaul/internal/bubble"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// newQuietTarget is newTarget for a bubble: without a network.
func newQuietTarget(t testing.TB, p jmaptest.Profile) *target {
	t.Helper()
	s := newTarget(t, p)
	s.Close() // its handler serves all the same
	s.over = newWire(s.Server)
	return s
}

// fate is what befalls a request, and the process that sent it.
type fate string

const (
	notSent     fate = "not sent"
	answerLost  fate = "its answer lost"
	interrupted fate = "the run interrupted at it"
	lostThen    fate = "its answer lost and the run interrupted"
	killedAt    fate = "the process killed at it"
	killedAfter fate = "the process killed after it"
	brokenLate  fate = "its connection broken and the server at it later"
	killedLate  fate = "the process killed and the server at it later"
)

// later is when a server gets to a request that nobody waits for any more.
func later() time.Duration { return 5 * settlePause / 2 }

// wire is a process's way to a server where there is no network.
type wire struct {
	*bubble.Process
	s      *jmaptest.Server
	fate   func(n int, methods string) fate // of the nth request, from 1; nil: none
	once   bool                             // a request that met a fate is let through when it comes again
	cancel func()
	crash  func(methods string, body []byte) bool // the connection is closed with no answer

	late sync.WaitGroup // requests that the server has not got to

	mu  sync.Mutex
	n   int
	log []string        // methods of each request
	met map[string]bool // requests that met a fate and have not come again
}

func newWire(s *jmaptest.Server) *wire {
	return &wire{Process: bubble.NewProcess(), s: s, cancel: func() {}, met: map[string]bool{}}
}

// kill ends the process; it returns when that is buried.
func (w *wire) kill() error {
	w.Kill()
	return w.Rest()
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := w.Rest(); err != nil {
		return nil, err
	}
	body, err := bubble.Body(req)
	if err != nil {
		return nil, err
	}
	methods := methodsOf(req, body)
	w.mu.Lock()
	w.n++
	n := w.n
	w.log = append(w.log, methods)
	w.mu.Unlock()
	what := w.meets(n, methods, req.URL.String()+string(body))
	switch what {
	case notSent:
		return nil, syscall.ECONNREFUSED
	case killedAt:
		return nil, w.kill()
	case interrupted, lostThen:
		w.cancel()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	bubble.Connected(req)
	if what == brokenLate || what == killedLate {
		w.late.Go(func() {
			time.Sleep(later())
			bubble.Serve(w.s.Handler(), req, body)
		})
		if what == killedLate {
			return nil, w.kill()
		}
		return nil, io.EOF
	}
	if w.crash != nil && w.crash(methods, body) {
		return nil, io.EOF
	}
	resp, err := bubble.Serve(w.s.Handler(), req, body)
	switch what {
	case answerLost, lostThen:
		return nil, io.EOF
	case killedAfter:
		return nil, w.kill()
	}
	if err := w.Rest(); err != nil {
		return nil, err
	}
	return resp, err
}

// meets is what befalls the nth request.
func (w *wire) meets(n int, methods, request string) fate {
	if w.fate == nil {
		return ""
	}
	what := w.fate(n, methods)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.once && w.met[request] {
		delete(w.met, request)
		return ""
	}
	w.met[request] = what != ""
	return what
}

// methodsOf is what a request asks for, in words.
func methodsOf(req *http.Request, body []byte) string {
	var api struct{ MethodCalls [][]json.RawMessage }
	if req.Method != http.MethodPost || json.Unmarshal(body, &api) != nil || len(api.MethodCalls) == 0 {
		return req.URL.Path
	}
	var names []string
	for _, c := range api.MethodCalls {
		names = append(names, strings.Trim(string(c[0]), `"`))
	}
	return strings.Join(names, " ")
}

// remains is what a process that is killed leaves on the disk: run is let go
// until it dies, or ends by itself, which died tells.
func (w *wire) remains(t testing.TB, ar *archive.Archive, run func(context.Context)) (left *archive.Archive, died bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	t.Cleanup(w.late.Wait)
	ended := make(chan struct{})
	go func() { run(ctx); close(ended) }()
	select {
	case <-ended:
		return ar, false
	case <-w.Death:
	}
	synctest.Wait()
	dir := filepath.Join(t.TempDir(), "archive")
	must(t, os.CopyFS(dir, os.DirFS(ar.Dir())))
	cancel()
	close(w.Buried)
	<-ended
	must(t, ar.Close())
	again, err := archive.Open(dir)
	must(t, err)
	t.Cleanup(func() { again.Close() })
	return again, true
}

// pipes is a listener for connections within the process.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// openQuietIMAP is openIMAP for a bubble.
func openQuietIMAP(t testing.TB, d *imapDoor) *IMAP {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := newIMAPServer(d)
	go srv.Serve(p)
	t.Cleanup(func() {
		synctest.Wait() // Serve counts itself in, while Close waits for all that did
		srv.Close()
	})
	return &IMAP{Addr: "pipe", Auth: jmapclient.Auth{Username: "alice", Password: "pw"}, connect: func(ctx context.Context) (net.Conn, error) {
		here, there := net.Pipe()
		select {
		case p.conns <- there:
			return here, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
}

var _ imapserver.Session = (*imapSession)(nil)
