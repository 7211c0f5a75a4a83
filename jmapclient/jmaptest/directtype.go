package jmaptest

import (
	"encoding/json"
	"slices"
)

// Objects are an account's of a type in the profile's table, oldest first, as
// its owner is answered them, with every property.
func (s *Server) Objects(login, typ string) []map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, t := s.must(login), s.mustType(typ)
	c := s.directly(a)
	list := []map[string]any{}
	for _, th := range a.of(t).sorted() {
		list = append(list, clone(c.thingObject(t, th)))
	}
	return list
}

// AddObject makes an object and answers its id. The server's rules do not hold:
// what is fixed or refused can be set, what is required can be missing, and
// nobody is told. Blobs that it names are those of [Server.AddBlob].
func (s *Server) AddObject(login, typ string, props map[string]any) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, t := s.must(login), s.mustType(typ)
	a.of(t)
	w := &write{c: s.directly(a), t: t, props: clone(t.Props), asked: asked(props), given: true, blob: a.blobByID}
	th, _ := w.store()
	return th.id
}

// ModifyObject changes an object behind a client's back; the keys are
// properties or pointers into them, and nil takes one away.
func (s *Server) ModifyObject(login, typ, id string, patch map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, t := s.must(login), s.mustType(typ)
	w := &write{c: s.directly(a), t: t, th: s.mustThing(a, t, id), asked: asked(patch), given: true, blob: a.blobByID}
	w.props = clone(w.th.props)
	_, _ = w.store() // what is given is not refused
}

// DestroyObject takes an object away, and what is in nothing else with it.
func (s *Server) DestroyObject(login, typ, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, t := s.must(login), s.mustType(typ)
	th := s.mustThing(a, t, id)
	_ = s.directly(a).thingEmpty(t, th, true) // which then is refused nothing
	a.thingGone(t, th)
}

// ShareMailbox shares a mailbox with others, whose rights are given by their
// logins: in the property that the profile has for that, acl or shareWith.
func (s *Server) ShareMailbox(login, path string, rights map[string][]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.must(login)
	m := a.mailboxAt(path)
	if s.p.MailboxACL {
		m.acl = encode(rights)
	} else {
		m.shareWith = object{}
		for who, list := range rights {
			m.shareWith[s.must(who).id] = s.p.sharedRights(setOf(list))
		}
	}
	a.note(typeMailbox, m.id, updated)
}

// MailboxShares are the rights that others have in a mailbox, sorted, by their
// logins, or ids where those are nobody's.
func (s *Server) MailboxShares(login, path string) map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.must(login).mailboxAt(path)
	all := map[string][]string{}
	if m.acl != nil {
		if err := json.Unmarshal(m.acl, &all); err != nil {
			panic("jmaptest: " + err.Error())
		}
	}
	for id, rights := range m.shareWith {
		who := id
		if a := s.byID[id]; a != nil {
			who = a.user.Login
		}
		all[who] = []string{}
		for right, on := range rights.(object) {
			if on == true {
				all[who] = append(all[who], right)
			}
		}
	}
	for _, rights := range all {
		slices.Sort(rights)
	}
	return all
}

// AddBlob uploads bytes into an account and answers the blob's id.
func (s *Server) AddBlob(login string, data []byte) (blobID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.keep(append([]byte{}, data...))
	s.must(login).addUpload(b, "application/octet-stream")
	return s.uploadBlobID(b.hash)
}

// Blob is what is in a blob of an account; false when there is none.
func (s *Server) Blob(login, blobID string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.must(login).blobByID(blobID)
	if b == nil {
		return nil, false
	}
	return b.data, true
}

// Sent is what would have been sent to people for what clients wrote into an account, oldest first.
func (s *Server) Sent(login string) []Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Sent{}, s.must(login).sent...)
}

// directly is a call of the account's owner.
func (s *Server) directly(a *account) *call { return &call{s: s, a: a, caller: a, req: &request{}} }

func (s *Server) mustType(typ string) *Type {
	t := s.typeByName(typ)
	if t == nil {
		panic("jmaptest: the profile has no type " + typ)
	}
	return t
}

func (s *Server) mustThing(a *account, t *Type, id string) *thing {
	th := a.of(t).byID[id]
	if th == nil {
		panic("jmaptest: " + a.user.Login + " has no " + t.Name + " " + id)
	}
	return th
}

// asked writes properties as a client does.
func asked(props map[string]any) fields {
	f := fields{}
	for name, v := range props {
		f[name] = json.RawMessage(encode(v))
	}
	return f
}
