package jmaptest

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Server is an in-memory JMAP server on loopback. Safe for concurrent use.
type Server struct {
	URL string // http://127.0.0.1:port

	o Options
	p Profile

	mu       sync.Mutex // guards everything below
	accounts []*account
	byID     map[string]*account
	nextID   uint64
	blobs    map[hash]*blob
	numbered map[string]hash // by blob id, where that does not hold the hash
	domains  []*domain
	lists    uint64             // how many were made over x:MailingList
	hashed   map[[2]string]bool // whether a hash is of a password

	traffic traffic
	http    *http.Server
	handler http.Handler
	closed  chan struct{}
	moved   chan struct{} // closed at the next change, nil when nobody waits for one; under mu
	once    sync.Once
}

// Options say how it behaves; the zero value is a strict RFC server.
type Options struct {
	Profile   Profile
	Admin     [2]string                       // login and password of an administrator who may name any account ("" none)
	Listen    string                          // host:port, default 127.0.0.1:0
	Transport func(http.Handler) http.Handler // wraps the handler
	Now       func() time.Time
}

// New starts a server; Close stops it. It panics when it cannot listen.
func New(o Options) *Server {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		o:      o,
		p:      o.Profile.withDefaults(),
		byID:   map[string]*account{},
		blobs:  map[hash]*blob{},
		closed: make(chan struct{}),
	}
	s.numbered = map[string]hash{}
	s.hashed = map[[2]string]bool{}
	s.nextID = s.p.FirstAccount
	s.traffic.reset()
	if o.Admin[0] != "" {
		s.addAdmin(o.Admin[0], o.Admin[1])
	}
	s.handler = http.HandlerFunc(s.serve)
	if o.Transport != nil {
		s.handler = o.Transport(s.handler)
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		panic("jmaptest: " + err.Error())
	}
	s.URL = "http://" + l.Addr().String()
	s.http = &http.Server{Handler: s.handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.http.Serve(l) }() // ends with ErrServerClosed
	return s
}

// Close stops the server and cuts every connection.
func (s *Server) Close() {
	s.once.Do(func() { close(s.closed) })
	_ = s.http.Close()
}

// Handler is the server's handler, for tests that bring their own listener.
func (s *Server) Handler() http.Handler { return s.handler }

// User is an account to make.
type User struct {
	Login, Password, Description string
	Token                        string // bearer token that signs in, "" none
	Emails                       []string
	MemberOf                     []string // logins of groups and lists
	Group                        bool
	List                         bool // a mailing list; its members are those who name it in MemberOf
	ReadOnly                     bool
	Admin                        bool  // may name any account
	Quota                        int64 // octets, 0 none
	// Secrets are further passwords, as they are stored: plain, or a hash. Roles
	// and External (members of a list elsewhere) are what management keeps.
	Secrets, Roles, External []string
}

// AddUser makes an account with the profile's default mailboxes and answers
// its id. It panics when the login is taken.
func (s *Server) AddUser(u User) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byLogin(u.Login) != nil {
		panic("jmaptest: there is an account " + u.Login)
	}
	for _, e := range append([]string{u.Login}, u.Emails...) {
		s.addDomain(domainOf(e))
	}
	if s.p.AccountIDIsLogin {
		return s.addAccount(u.Login, u).id
	}
	if u.List && s.p.Management == ManagementObjects {
		return s.addAccount(s.newListID(), u).id
	}
	return s.addAccount(s.newAccountID(), u).id
}

// SetReadOnly makes an account read-only, or writable again.
func (s *Server) SetReadOnly(login string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.must(login).user.ReadOnly = on
}

// SetQuota gives an account another quota, in octets, 0 none.
func (s *Server) SetQuota(login string, octets int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.must(login).user.Quota = octets
}

func (s *Server) addAdmin(login, password string) {
	id := s.p.AdminID
	if id == "" {
		id = s.newAccountID()
	}
	description := s.p.AdminName
	if description == "" {
		description = login
	}
	a := s.addAccount(id, User{Login: login, Password: password, Description: description, Admin: true})
	a.hidden = s.p.AdminID != ""
}

func (s *Server) newAccountID() string {
	id := s.id('A', s.nextID)
	s.nextID++
	return id
}

func (s *Server) addAccount(id string, u User) *account {
	if u.Password != "" {
		u.Secrets = append([]string{u.Password}, u.Secrets...)
	}
	a := newAccount(s, id, u)
	a.number = max(s.nextID, 1) - 1
	s.accounts = append(s.accounts, a)
	s.byID[id] = a
	return a
}

// byLogin finds an account by its login, nil if there is none.
func (s *Server) byLogin(login string) *account {
	for _, a := range s.accounts {
		if a.user.Login == login || s.p.FoldLogin && strings.EqualFold(a.user.Login, login) {
			return a
		}
	}
	return nil
}

// must is byLogin for the direct door, where an unknown login is the test's mistake.
func (s *Server) must(login string) *account {
	a := s.byLogin(login)
	if a == nil {
		panic("jmaptest: no account " + login)
	}
	return a
}

func (s *Server) now() time.Time { return s.o.Now().UTC() }
