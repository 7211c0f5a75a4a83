package jmaptest

import "slices"

// Domains are those that the server knows, oldest first.
func (s *Server) Domains() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, d := range s.domains {
		names = append(names, d.name)
	}
	return names
}

// Users are all accounts that management knows, by login, with all of their
// secrets in Secrets.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []User
	for _, a := range s.managedAccounts() {
		u := a.user
		u.Password = ""
		u.Emails, u.MemberOf, u.Secrets = slices.Clone(u.Emails), slices.Clone(u.MemberOf), slices.Clone(u.Secrets)
		u.Roles, u.External = slices.Clone(u.Roles), slices.Clone(u.External)
		list = append(list, u)
	}
	return list
}

// Opens says whether a password signs a user in.
func (s *Server) Opens(login, password string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.must(login).opens(password)
}

// SetSecrets gives an account other passwords, as they are stored: the user's
// own change behind a client's back.
func (s *Server) SetSecrets(login string, secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.must(login).user.Secrets = secrets
}

// AddDomain makes a domain, unless it is there. Those of users' addresses are there.
func (s *Server) AddDomain(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addDomain(name)
}
