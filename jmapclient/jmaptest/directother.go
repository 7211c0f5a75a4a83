package jmaptest

import "encoding/json"

// Identity is an identity as a test sees it; it reads as the JMAP object.
type Identity struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"`
	Email         string    `json:"email"`
	ReplyTo       []Address `json:"replyTo"`
	Bcc           []Address `json:"bcc"`
	TextSignature string    `json:"textSignature"`
	HTMLSignature string    `json:"htmlSignature"`
}

// Address is RFC 8621 §4.1.2.3's EmailAddress.
type Address struct {
	Name  *string `json:"name"`
	Email string  `json:"email"`
}

// Identities are an account's, oldest first.
func (s *Server) Identities(login string) []Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.must(login)
	list := []Identity{}
	for _, id := range a.identityIDs() {
		i := Identity{ID: id}
		if err := json.Unmarshal(encode(a.identity.byID[id].props), &i); err != nil {
			panic("jmaptest: " + err.Error())
		}
		list = append(list, i)
	}
	return list
}

// AddIdentity makes an identity and answers its id.
func (s *Server) AddIdentity(login string, i Identity) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.must(login)
	a.identity.touched = true
	props := a.blank()
	props["name"], props["email"] = i.Name, i.Email
	props["textSignature"], props["htmlSignature"] = i.TextSignature, i.HTMLSignature
	if i.ReplyTo != nil {
		props["replyTo"] = i.ReplyTo
	}
	if i.Bcc != nil {
		props["bcc"] = i.Bcc
	}
	id := a.identityAdd(props)
	a.note(typeIdentity, id, created)
	return id
}

// Script is a Sieve script as a test sees it.
type Script struct {
	ID, Name string
	Content  []byte
	Active   bool
}

// Scripts are an account's, oldest first.
func (s *Server) Scripts(login string) []Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Script{}
	for _, sc := range s.must(login).sortedScripts() {
		list = append(list, Script{sc.id, sc.name, sc.blob.data, sc.active})
	}
	return list
}

// AddScript makes a script, whatever is in it, and answers its id.
func (s *Server) AddScript(login, name, content string, active bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.must(login)
	sc := a.scriptAdd(name, s.keep([]byte(content)))
	if active {
		a.activate(sc)
	}
	return sc.id
}

// Vacation is a vacation response as a test sees it; nil is unset.
type Vacation struct {
	IsEnabled                                     bool
	FromDate, ToDate, Subject, TextBody, HTMLBody *string
}

// Vacation is the account's vacation response, nil where there is none.
func (s *Server) Vacation(login string) *Vacation {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.must(login).vacation
	if v == nil {
		return nil
	}
	return &Vacation{v.IsEnabled, v.FromDate, v.ToDate, v.Subject, v.TextBody, v.HTMLBody}
}

// SetVacation gives the account a vacation response.
func (s *Server) SetVacation(login string, v Vacation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.must(login).vacationPut(&vacation{v.IsEnabled, v.FromDate, v.ToDate, v.Subject, v.TextBody, v.HTMLBody})
}
