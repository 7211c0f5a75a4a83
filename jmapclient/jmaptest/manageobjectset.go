package jmaptest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// managedError is a SetError of management.
type managedError struct {
	typ, says  string
	properties []string
	existing   object
}

func (e *managedError) object() object {
	o := object{"type": e.typ}
	if e.says != "" {
		o["description"] = e.says
	}
	if e.properties != nil {
		o["properties"] = e.properties
	}
	if e.existing != nil {
		o["objectId"] = e.existing
	}
	return o
}

// managedIn is an object as it comes, in a create or, in parts, in an update.
type managedIn struct {
	Kind        string `json:"@type"`
	Name        *string
	DomainID    *string
	Description *string
	Credentials *map[string]struct {
		Kind   string `json:"@type"`
		Secret string
	}
	Aliases *map[string]struct {
		Name, DomainID string
		Enabled        bool
		Description    *string
	}
	MemberGroupIDs *map[string]bool
	Quotas         *map[string]int64
	Roles          *struct {
		Kind string `json:"@type"`
	}
	Recipients *map[string]bool
	CreatedAt  *string
}

func readManaged(raw json.RawMessage) (managedIn, *managedError) {
	var in managedIn
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, &managedError{typ: "invalidPatch", says: err.Error()}
	}
	return in, nil
}

func (s *Server) createManaged(kind string, raw json.RawMessage) (string, *managedError) {
	in, bad := readManaged(raw)
	if bad != nil {
		return "", bad
	}
	if in.Name == nil || *in.Name == "" {
		return "", &managedError{typ: "invalidProperties", says: "A name is needed.", properties: []string{"name"}}
	}
	name := strings.ToLower(*in.Name)
	if kind == "Domain" {
		if d := s.domainNamed(name); d != nil {
			return "", s.taken("Domain", s.domainID(d), "name")
		}
		return s.domainID(s.addDomain(name)), nil
	}
	d := s.domainByID(in.DomainID)
	if d == nil {
		return "", &managedError{typ: "invalidForeignKey", says: "There is no such domain."}
	}
	u := User{Login: name + "@" + d.name, Group: kind == "Account" && in.Kind == "Group", List: kind == "MailingList"}
	if kind == "Account" && in.Kind != "Group" && in.Kind != "User" {
		return "", &managedError{typ: "invalidProperties", says: "Say which it is.", properties: []string{"@type"}}
	}
	if a := s.byAddress(u.Login); a != nil {
		return "", s.taken(kind, a.id, "name")
	}
	u.Emails = []string{u.Login}
	if bad := s.fill(nil, &u, in); bad != nil {
		return "", bad
	}
	if u.List {
		a := s.addAccount(s.newListID(), u)
		s.receive(a, in)
		return strings.TrimPrefix(a.id, listPrefix), nil
	}
	return s.addAccount(s.newAccountID(), u).id, nil
}

func (s *Server) newListID() string {
	s.lists++
	return listPrefix + s.id('L', s.lists)
}

func (s *Server) updateManaged(kind, id string, raw json.RawMessage) *managedError {
	in, bad := readManaged(raw)
	if bad != nil {
		return bad
	}
	if kind == "MailingList" {
		id = listPrefix + id
	}
	a := s.byID[id]
	if kind == "Domain" || a == nil || a.hidden || a.user.List != (kind == "MailingList") {
		return &managedError{typ: "notFound"}
	}
	if in.Name != nil || in.DomainID != nil {
		return &managedError{typ: "invalidPatch", says: "Names stay here."}
	}
	u := a.user
	if bad := s.fill(a, &u, in); bad != nil {
		return bad
	}
	a.user = u
	s.receive(a, in)
	return nil
}

func (s *Server) taken(kind, id, property string) *managedError {
	return &managedError{typ: "primaryKeyViolation", properties: []string{property}, existing: object{"object": kind, "id": id}}
}

func (s *Server) domainByID(id *string) *domain {
	i := slices.IndexFunc(s.domains, func(d *domain) bool { return id != nil && s.domainID(d) == *id })
	if i < 0 {
		return nil
	}
	return s.domains[i]
}

func (s *Server) byAddress(address string) *account {
	for _, a := range s.accounts {
		if strings.EqualFold(a.user.Login, address) || slices.ContainsFunc(a.user.Emails, func(e string) bool { return strings.EqualFold(e, address) }) {
			return a
		}
	}
	return nil
}

// hashed finds secrets that are hashes.
var hashed = regexp.MustCompile(`^(\$[0-9a-z-]+\$|\{[A-Za-z0-9-]+\})`)

// fill puts what is given into a user; a is the account that it is, nil for a new one.
func (s *Server) fill(a *account, u *User, in managedIn) *managedError {
	if in.Description != nil {
		u.Description = *in.Description
	}
	if in.Quotas != nil {
		u.Quota = (*in.Quotas)["maxDiskQuota"]
	}
	if in.Roles != nil {
		u.Admin = in.Roles.Kind == "Admin"
	}
	if in.Credentials != nil {
		u.Secrets = nil
		for _, c := range *in.Credentials {
			if !hashed.MatchString(c.Secret) && len(c.Secret) < 8 {
				return &managedError{typ: "invalidProperties", says: "Password must be at least 8 characters long.", properties: []string{"secret"}}
			}
			u.Secrets = append(u.Secrets, c.Secret)
		}
	}
	if in.Aliases != nil {
		u.Emails = []string{u.Login}
		for _, alias := range *in.Aliases {
			d := s.domainByID(&alias.DomainID)
			if d == nil {
				return &managedError{typ: "invalidForeignKey", says: "There is no such domain."}
			}
			address := strings.ToLower(alias.Name + "@" + d.name)
			if other := s.byAddress(address); other != nil && other != a {
				return s.taken("Account", other.id, "aliases")
			}
			u.Emails = append(u.Emails, address)
		}
		slices.Sort(u.Emails[1:])
	}
	if in.MemberGroupIDs != nil {
		u.MemberOf = slices.DeleteFunc(slices.Clone(u.MemberOf), func(m string) bool { g := s.byLogin(m); return g != nil && g.user.Group })
		for id := range *in.MemberGroupIDs {
			g := s.byID[id]
			if g == nil || !g.user.Group {
				return &managedError{typ: "invalidForeignKey", says: "There is no such group."}
			}
			u.MemberOf = append(u.MemberOf, g.user.Login)
		}
		slices.Sort(u.MemberOf)
	}
	return nil
}

// receive makes a list's recipients its members, those elsewhere by their address.
func (s *Server) receive(list *account, in managedIn) {
	if in.Recipients == nil {
		return
	}
	for _, a := range s.accounts {
		a.leave(list.user.Login)
	}
	list.user.External = nil
	for address := range *in.Recipients {
		if a := s.byLogin(address); a != nil {
			a.join(list.user.Login)
		} else {
			list.user.External = append(list.user.External, address)
		}
	}
	slices.Sort(list.user.External)
}
