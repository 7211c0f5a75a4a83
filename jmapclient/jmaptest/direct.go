package jmaptest

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Direct access for tests, no HTTP: put mail in, and judge what is there. All
// of it panics on a login or an id that is not there.

// Message is a message as a test sees it.
type Message struct {
	// Mailboxes are paths, "Projects/2024"; they are made if they are not there.
	// A slash in a name is written `\/`, a backslash `\\`.
	Mailboxes  []string
	Keywords   []string
	ReceivedAt time.Time
	Raw        []byte
}

// Deliver stores a message, whatever the profile thinks of it, and answers its id.
func (s *Server) Deliver(login string, m Message) (emailID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.must(login)
	in := map[*mailbox]bool{}
	for _, path := range m.Mailboxes {
		in[a.mailboxAt(path)] = true
	}
	if len(in) == 0 {
		panic("jmaptest: a message is in one mailbox at least")
	}
	b := s.keep(bytes.Clone(m.Raw))
	if e := a.emailWith(b); e != nil && s.p.IDs == ContentIDs {
		maps.Copy(in, e.in)
		keywords := setOf(m.Keywords)
		maps.Copy(keywords, e.keywords)
		a.emailPut(e, in, keywords)
		return e.id
	}
	return a.emailAdd(b, parse(b.data), in, setOf(m.Keywords), m.ReceivedAt.UTC()).id
}

// Messages are all of an account's, by receivedAt, then by their bytes;
// mailboxes and keywords sorted.
func (s *Server) Messages(login string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Message{}
	for _, e := range s.must(login).emails.order {
		m := Message{Keywords: slices.Sorted(maps.Keys(e.keywords)), ReceivedAt: e.received, Raw: e.blob.data}
		for box := range e.in {
			m.Mailboxes = append(m.Mailboxes, box.path())
		}
		slices.Sort(m.Mailboxes)
		list = append(list, m)
	}
	slices.SortStableFunc(list, func(x, y Message) int {
		return cmp.Or(x.ReceivedAt.Compare(y.ReceivedAt), bytes.Compare(x.Raw, y.Raw),
			slices.Compare(x.Mailboxes, y.Mailboxes), slices.Compare(x.Keywords, y.Keywords))
	})
	return list
}

// EmailIDs are the ids of an account's messages, by receivedAt.
func (s *Server) EmailIDs(login string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, e := range s.must(login).emails.order {
		ids = append(ids, e.id)
	}
	return ids
}

// MailboxInfo is a mailbox as a test sees it; Subscribed is the account's own.
type MailboxInfo struct {
	ID, Path, Role string
	Subscribed     bool
}

// Mailboxes are all of an account's, by path.
func (s *Server) Mailboxes(login string) []MailboxInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.must(login)
	list := []MailboxInfo{}
	for _, m := range a.mailboxes.byID {
		list = append(list, MailboxInfo{m.id, m.path(), m.role, m.subscribers[a.user.Login]})
	}
	slices.SortFunc(list, func(x, y MailboxInfo) int {
		return cmp.Or(strings.Compare(x.Path, y.Path), strings.Compare(x.ID, y.ID))
	})
	return list
}

// AddMailbox makes a mailbox, and those above it, if they are not there.
func (s *Server) AddMailbox(login, path, role string) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.must(login)
	m := a.mailboxAt(path)
	if m.role != role {
		m.role = role
		a.note(typeMailbox, m.id, updated)
	}
	return m.id
}

// DestroyMailbox takes a mailbox away, and the messages that are in no other.
func (s *Server) DestroyMailbox(login, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.must(login)
	m := a.mailboxAt(path)
	c := &call{s: s, a: a, caller: a}
	if bad := c.mailboxDestroy(m.id, true); bad != nil {
		panic("jmaptest: " + path + ": " + bad.Type)
	}
}

// Subscribe sets the account's own subscription of a mailbox.
func (s *Server) Subscribe(login, path string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.must(login)
	m := a.mailboxAt(path)
	m.subscribe(a, on)
	a.note(typeMailbox, m.id, updated)
}

// Modify and Destroy change a message behind the client's back, as another
// client would. No mailboxes destroy it.
func (s *Server) Modify(login, emailID string, mailboxes, keywords []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.must(login)
	in := map[*mailbox]bool{}
	for _, path := range mailboxes {
		in[a.mailboxAt(path)] = true
	}
	a.emailPut(a.mustEmail(emailID), in, setOf(keywords))
}

// Destroy destroys a message, see Modify.
func (s *Server) Destroy(login, emailID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.must(login)
	a.emailDestroy(a.mustEmail(emailID))
}

// ForgetHistory makes the changes up to now something that the server cannot
// tell: every state but the current one is cannotCalculateChanges, or with the
// profile's ForgetsSilently told too little.
func (s *Server) ForgetHistory(login string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.must(login).histories {
		h.log, h.from = nil, h.last
	}
}

func (a *account) mustEmail(id string) *email {
	e := a.emails.byID[id]
	if e == nil {
		panic("jmaptest: " + a.user.Login + " has no message " + id)
	}
	return e
}

func setOf(keys []string) map[string]bool {
	m := make(map[string]bool, len(keys))
	for _, k := range keys {
		m[k] = true
	}
	return m
}

// mailboxAt finds a mailbox by its path, and makes what is not there.
func (a *account) mailboxAt(path string) *mailbox {
	var at *mailbox
	for _, name := range splitPath(path) {
		m := a.mailboxes.child(at, name)
		if m == nil {
			m = a.mailboxes.add(a, &mailbox{name: name, parent: at})
			a.note(typeMailbox, m.id, created)
		}
		at = m
	}
	return at
}

var pathEscapes = strings.NewReplacer(`\`, `\\`, `/`, `\/`)

func (m *mailbox) path() string {
	name := pathEscapes.Replace(m.name)
	if m.parent == nil {
		return name
	}
	return m.parent.path() + "/" + name
}

func splitPath(path string) []string {
	var names []string
	var name strings.Builder
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '\\' && i+1 < len(path):
			i++
			name.WriteByte(path[i])
		case path[i] == '/':
			names = append(names, name.String())
			name.Reset()
		default:
			name.WriteByte(path[i])
		}
	}
	return append(names, name.String())
}
