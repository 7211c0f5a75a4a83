package bubble

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
)

// Process is the process that a test kills without ending its own. From then on
// it is at rest: its requests neither go out nor return until it was buried, so
// that what it left can be looked at.
type Process struct {
	// Death is closed when it is killed; who saw to what it left closes Buried.
	Death, Buried chan struct{}

	once sync.Once
}

// NewProcess is a process that lives.
func NewProcess() *Process {
	return &Process{Death: make(chan struct{}), Buried: make(chan struct{})}
}

// Kill kills it.
func (p *Process) Kill() { p.once.Do(func() { close(p.Death) }) }

// Dead says whether it was killed.
func (p *Process) Dead() bool {
	select {
	case <-p.Death:
		return true
	default:
		return false
	}
}

// Rest holds a request of a dead process up until that is buried. The error is
// nil while it lives.
func (p *Process) Rest() error {
	if !p.Dead() {
		return nil
	}
	<-p.Buried
	return errors.New("the process is dead")
}

// Body reads a request's body to its end.
func Body(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer req.Body.Close()
	return io.ReadAll(req.Body)
}

// Connected tells the request's trace that it has a connection.
func Connected(req *http.Request) {
	if t := httptrace.ContextClientTrace(req.Context()); t != nil && t.GotConn != nil {
		t.GotConn(httptrace.GotConnInfo{})
	}
}
