package jmaptest

import (
	"net/http"
	"strings"
	"sync"
)

// signIn finds who asks, by basic or bearer authentication; nil when nobody who is known.
func (s *Server) signIn(r *http.Request) *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	if login, password, ok := r.BasicAuth(); ok {
		a := s.byLogin(login)
		if user, master, ok := cutLast(login, "%"); ok && s.p.MasterSignIn {
			if m := s.byLogin(master); m != nil && m.user.Admin && m.opens(password) {
				return s.byLogin(user)
			}
		}
		if a == nil || a.user.Group || a.user.List || !a.opens(password) {
			return nil
		}
		return a
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return nil
	}
	for _, a := range s.accounts {
		if a.user.Token == token {
			return a
		}
	}
	return nil
}

func (s *Server) inRate(a *account) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.p.RatePerMinute == 0 || s.exempt(a) || a.rate.take(s.now(), s.p.RatePerMinute)
}

// enter takes one of the places that a limit leaves a user at a time, or
// answers that there is none. The place is given up once, ahead of the answer:
// a client that has it may ask again at once.
func (s *Server) enter(w http.ResponseWriter, limit string, caller *account, most int64) (leave func(), ok bool) {
	if s.exempt(caller) || s.p.RequestsUncounted && limit == "maxConcurrentRequests" {
		return func() {}, true
	}
	key := limit + " " + caller.user.Login
	if !s.traffic.enter(key, most) {
		limitProblem(w, limit)
		return nil, false
	}
	return sync.OnceFunc(func() { s.traffic.leave(key) }), true
}

func (s *Server) exempt(a *account) bool { return a.user.Admin && s.p.AdminExempt }
