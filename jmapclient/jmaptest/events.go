package jmaptest

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// serveEvents is the event source (RFC 8620 §7.3): a StateChange for each change
// in an account of the caller's, until the client goes. It tells all types at
// once, whatever was asked for.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request, caller *account, _ string) {
	f := s.traffic.count(Request{Kind: "eventsource", Login: caller.user.Login})
	if !f.before(w) {
		return
	}
	var ping <-chan time.Time
	if n, err := strconv.Atoi(r.URL.Query().Get("ping")); err == nil && n > 0 {
		t := time.NewTicker(time.Duration(n) * time.Second)
		defer t.Stop()
		ping = t.C
	}
	w.Header().Set("Content-Type", "text/event-stream")
	said, moved := s.pushed(caller)
	if s.tell(w, "ping", object{"interval": r.URL.Query().Get("ping")}) != nil {
		return
	}
	for {
		name, data := "ping", object{"interval": r.URL.Query().Get("ping")}
		select {
		case <-r.Context().Done():
			return
		case <-s.closed:
			return
		case <-ping:
		case <-moved:
			was := said
			said, moved = s.pushed(caller)
			changed := object{}
			for id, n := range said {
				if n != was[id] {
					changed[id] = object{typeEmail: fmt.Sprint(n), typeMailbox: fmt.Sprint(n)}
				}
			}
			if len(changed) == 0 {
				continue // it was in another account
			}
			name, data = "state", object{"@type": "StateChange", "changed": changed}
		}
		if s.tell(w, name, data) != nil {
			return
		}
	}
}

// pushed is how far the caller's accounts are, and what is closed when any goes on.
func (s *Server) pushed(caller *account) (seq map[string]int64, moved <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seq = map[string]int64{}
	for _, a := range s.accounts {
		if a == caller || s.member(caller, a) {
			seq[a.id] = a.seq
		}
	}
	if s.moved == nil {
		s.moved = make(chan struct{})
	}
	return seq, s.moved
}

func (s *Server) tell(w http.ResponseWriter, name string, data object) error {
	if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, encode(data)); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

// wake tells the event sources that something has changed. s.mu is held.
func (s *Server) wake() {
	if s.moved != nil {
		close(s.moved)
		s.moved = nil
	}
}
