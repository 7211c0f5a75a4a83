package jmaptest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
)

type mailboxSetArgs struct {
	setArgs
	OnDestroyRemoveEmails bool `json:"onDestroyRemoveEmails"`
}

func (c *call) mailboxSet() (any, error) {
	var g mailboxSetArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	o, err := c.set(g.setArgs, writer{
		typ:   typeMailbox,
		after: "parentId",
		create: func(f fields) (object, *setError) {
			m := &mailbox{madeBy: c}
			if bad := c.mailboxPatch(m, f, true); bad != nil {
				return nil, bad
			}
			c.a.mailboxes.add(c.a, m)
			c.a.note(typeMailbox, m.id, created)
			if c.s.p.BareCreated {
				return object{"id": m.id}, nil
			}
			o := c.mailboxObject(m, func(p string) bool { return p != "acl" && p != "shareWith" && f[p] == nil })
			return o, nil
		},
		update: func(id string, _ json.RawMessage, f fields) (any, *setError) {
			m := c.a.mailboxes.byID[id]
			if m == nil {
				return nil, refused("notFound", "")
			}
			if bad := c.mailboxPatch(m, f, false); bad != nil {
				return nil, bad
			}
			c.a.note(typeMailbox, m.id, updated)
			return nil, nil
		},
		destroy: func(id string) *setError { return c.mailboxDestroy(id, g.OnDestroyRemoveEmails) },
	})
	for _, m := range c.a.mailboxes.byID {
		m.madeBy = nil
	}
	return o, err
}

// mailboxPatch gives a mailbox new properties, or says which one it cannot have.
func (c *call) mailboxPatch(m *mailbox, f fields, isNew bool) *setError {
	next := *m
	next.subscribers = maps.Clone(m.subscribers)
	for _, p := range slices.Sorted(maps.Keys(f)) {
		if bad := c.mailboxProp(&next, p, f[p]); bad != nil {
			return bad
		}
	}
	if bad := c.mailboxFits(m, &next, isNew); bad != nil {
		return bad
	}
	*m = next
	return nil
}

func (c *call) mailboxProp(m *mailbox, prop string, raw json.RawMessage) *setError {
	var err error
	if prop == "shareWith" || strings.HasPrefix(prop, "shareWith/") {
		return c.mailboxShare(m, prop, raw)
	}
	switch prop {
	case "name":
		if err = json.Unmarshal(raw, &m.name); c.s.p.TrimNames {
			m.name = strings.TrimSpace(m.name)
		}
	case "parentId":
		var ref *string
		if err = json.Unmarshal(raw, &ref); err == nil {
			return c.mailboxParent(m, ref)
		}
	case "role":
		var role *string
		err = json.Unmarshal(raw, &role)
		m.role = ""
		if role != nil {
			m.role = *role
		}
	case "sortOrder":
		if err = json.Unmarshal(raw, &m.sortOrder); m.sortOrder < 0 {
			return invalid("sortOrder cannot be negative.", prop)
		}
	case "isSubscribed":
		var on bool
		if err = json.Unmarshal(raw, &on); err == nil {
			m.subscribe(c.caller, on)
		}
	case "acl":
		if !c.s.p.MailboxACL {
			return invalid("There is no property acl.", prop)
		}
		m.acl = slices.Clone(raw)
	default:
		return invalid("The property cannot be set.", prop)
	}
	if err != nil {
		return invalid("It has the wrong type.", prop)
	}
	return nil
}

// mailboxShare sets shareWith, whole or for one principal; each has all rights spelled out.
func (c *call) mailboxShare(m *mailbox, prop string, raw json.RawMessage) *setError {
	_, who, one := strings.Cut(prop, "/")
	given := map[string]map[string]bool{}
	var err error
	if one {
		var rights map[string]bool
		err = json.Unmarshal(raw, &rights)
		given[who] = rights
	} else {
		err = json.Unmarshal(raw, &given)
	}
	if err != nil || !c.sharesMailboxes() {
		return invalid("shareWith cannot be that.", prop)
	}
	if m.shareWith = maps.Clone(m.shareWith); m.shareWith == nil || !one {
		m.shareWith = object{}
	}
	for who, rights := range given {
		if rights == nil {
			delete(m.shareWith, who)
			continue
		}
		if p := c.s.byID[who]; c.s.p.ShareNeeds == "" && (p == nil || p.hidden || p == c.a) {
			return invalid("It cannot be shared with "+who+".", "shareWith")
		}
		m.shareWith[who] = c.s.p.sharedRights(rights)
	}
	return nil
}

// sharedRights are all that shareWith tells of one who has these.
func (p *Profile) sharedRights(rights map[string]bool) object {
	all := object{}
	for _, name := range p.ShareRights {
		all[name] = rights[name]
	}
	if p.ShareRights == nil {
		all["mayShare"] = rights["mayShare"]
		for name := range allRights {
			all[name] = rights[name]
		}
	}
	return all
}

func (c *call) mailboxParent(m *mailbox, ref *string) *setError {
	m.parent = nil
	if ref == nil {
		return nil
	}
	if m.parent = c.a.mailboxes.byID[c.resolveID(*ref)]; m.parent != nil {
		return nil
	}
	if strings.HasPrefix(*ref, "#") && c.s.p.DanglingNotFound {
		return refused("notFound", "What "+*ref+" stands for was not made.")
	}
	return invalid("The parent "+*ref+" does not exist.", "parentId")
}

// mailboxFits checks a mailbox as it would be against the others (RFC 8621 §2.5).
func (c *call) mailboxFits(m, next *mailbox, isNew bool) *setError {
	for p := next.parent; p != nil; p = p.parent {
		if p == m && !isNew {
			return invalid("A mailbox cannot be inside itself.", "parentId")
		}
	}
	if strings.ContainsAny(next.name, c.s.p.BadNameMarks) {
		return refused("serverFail", "Invalid mailbox name")
	}
	switch other := c.sibling(next); {
	case next.name == "":
		return invalid("A mailbox needs a name.", "name")
	case c.s.p.BadNameMarks != "" && strings.ContainsFunc(next.name, unicode.IsControl):
		return invalid("A name cannot have control characters.", "name")
	case len(next.name) > c.s.p.MaxName:
		return invalid("The name is too long.", "name")
	case c.s.p.NoSlash && strings.Contains(next.name, "/"):
		return invalid("A name cannot have a slash.", "name")
	case next.depth() > c.s.p.MaxDepth:
		return invalid("That is too deep.", "parentId")
	case other != nil && other != m && (isNew || next.name != m.name || next.parent != m.parent):
		if c.s.p.TakenAlreadyExists {
			return &setError{Type: "alreadyExists", Description: "There is a mailbox of that name.", ExistingID: other.id}
		}
		return invalid("There is a mailbox of that name.", "name")
	}
	if next.role == "" || next.role == m.role && !isNew {
		return nil
	}
	if other := c.a.mailboxes.byRole(next.role); other != nil && other != m {
		if c.s.p.RoleClashDropped {
			next.role = ""
			return nil
		}
		return invalid("There is a mailbox with the role "+next.role+".", "role")
	}
	if c.s.p.Roles != nil && !slices.Contains(c.s.p.Roles, next.role) {
		return invalid("There is no role "+next.role+".", "role")
	}
	return nil
}

// sibling is a mailbox in the place that one of that parent and name would take, nil if there is none.
func (c *call) sibling(next *mailbox) *mailbox {
	if c.s.p.FoldInbox && next.parent == nil && strings.EqualFold(next.name, "INBOX") {
		return c.a.mailboxes.byRole("inbox")
	}
	other := c.a.mailboxes.child(next.parent, next.name)
	if other != nil && other.madeBy == c && c.s.p.RepeatedNamesInCall {
		return nil
	}
	return other
}

func (c *call) mailboxDestroy(id string, removeEmails bool) *setError {
	m := c.a.mailboxes.byID[id]
	if m == nil {
		return refused("notFound", "")
	}
	for _, child := range c.a.mailboxes.byID {
		if child.parent == m {
			return refused("mailboxHasChild", "There are mailboxes inside it.")
		}
	}
	if m.role == "inbox" {
		return refused("forbidden", "The inbox stays.")
	}
	if m.emails > 0 && !removeEmails {
		return refused("mailboxHasEmail", "There are messages in it.")
	}
	for _, e := range slices.Clone(c.a.emails.order) {
		if e.in[m] {
			in := maps.Clone(e.in)
			delete(in, m)
			c.a.emailPut(e, in, e.keywords)
		}
	}
	c.a.mailboxGone(m)
	return nil
}

func (a *account) mailboxGone(m *mailbox) {
	delete(a.mailboxes.byID, m.id)
	if a.s.p.ReuseIDs {
		a.mailboxes.numbers.giveBack(m.n)
	}
	a.note(typeMailbox, m.id, destroyed)
}
