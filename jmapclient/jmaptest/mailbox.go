package jmaptest

import (
	"encoding/json"
	"maps"
	"slices"
)

// mailbox is RFC 8621 §2. isSubscribed is each caller's own.
type mailbox struct {
	n           uint32
	id          string
	name        string
	parent      *mailbox
	role        string
	sortOrder   int64
	acl         json.RawMessage
	shareWith   object
	madeBy      *call           // what is making it, nil when that is done
	subscribers map[string]bool // logins

	emails, unread int
}

func (m *mailbox) subscribe(who *account, on bool) {
	if m.subscribers == nil {
		m.subscribers = map[string]bool{}
	}
	m.subscribers[who.user.Login] = on
}

// depth is 1 for a mailbox at the top.
func (m *mailbox) depth() int {
	d := 1
	for p := m.parent; p != nil; p = p.parent {
		d++
	}
	return d
}

// mailboxes are an account's.
type mailboxes struct {
	byID    map[string]*mailbox
	numbers numbers
}

func (b *mailboxes) init() { b.byID = map[string]*mailbox{} }

// add makes a mailbox; it is no change yet.
func (b *mailboxes) add(a *account, m *mailbox) *mailbox {
	m.n = b.numbers.take()
	m.id = a.s.id('P', uint64(m.n))
	b.byID[m.id] = m
	return m
}

// sorted is all of them in the order they were made.
func (b *mailboxes) sorted() []*mailbox {
	return slices.SortedFunc(maps.Values(b.byID), func(x, y *mailbox) int { return int(x.n) - int(y.n) })
}

func (b *mailboxes) byRole(role string) *mailbox {
	for _, m := range b.byID {
		if m.role == role {
			return m
		}
	}
	return nil
}

func (b *mailboxes) child(parent *mailbox, name string) *mailbox {
	for _, m := range b.byID {
		if m.parent == parent && m.name == name {
			return m
		}
	}
	return nil
}

var mailboxProps = []string{"id", "name", "parentId", "role", "sortOrder", "isSubscribed",
	"totalEmails", "unreadEmails", "totalThreads", "unreadThreads", "myRights"}

// rights are what the caller may do in a mailbox.
func (c *call) rights() object {
	rights := allRights
	if c.a.user.ReadOnly {
		rights = readRights
	}
	if c.s.p.ShareWith {
		rights = maps.Clone(rights)
		rights["mayShare"] = !c.a.user.ReadOnly
	}
	return rights
}

var allRights = object{
	"mayReadItems": true, "mayAddItems": true, "mayRemoveItems": true, "maySetSeen": true, "maySetKeywords": true,
	"mayCreateChild": true, "mayRename": true, "mayDelete": true, "maySubmit": true,
}

var readRights = object{
	"mayReadItems": true, "mayAddItems": false, "mayRemoveItems": false, "maySetSeen": false, "maySetKeywords": false,
	"mayCreateChild": false, "mayRename": false, "mayDelete": false, "maySubmit": false,
}

// sharesMailboxes says whether there is a property shareWith for the call.
func (c *call) sharesMailboxes() bool {
	return c.s.p.ShareWith || c.s.p.ShareNeeds != "" && slices.Contains(c.using, c.s.p.ShareNeeds)
}

func (c *call) mailboxGet() (any, error) {
	var g getArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	r := reader{state: c.a.state(typeMailbox), props: mailboxProps}
	if c.s.p.MailboxACL {
		r.more = append(r.more, "acl")
	}
	if c.sharesMailboxes() {
		r.more = append(r.more, "shareWith")
	}
	r.all = func() []string {
		var ids []string
		for _, m := range c.a.mailboxes.sorted() {
			ids = append(ids, m.id)
		}
		return ids
	}
	r.get = func(id string, want func(string) bool) object {
		m := c.a.mailboxes.byID[id]
		if m == nil {
			return nil
		}
		return c.mailboxObject(m, want)
	}
	return c.get(g, r)
}

func (c *call) mailboxObject(m *mailbox, want func(string) bool) object {
	o := object{
		"id": m.id, "name": m.name, "parentId": nil, "role": nil, "sortOrder": m.sortOrder,
		"isSubscribed": m.subscribers[c.caller.user.Login],
		"totalEmails":  m.emails, "unreadEmails": m.unread, "myRights": c.rights(),
	}
	if m.parent != nil {
		o["parentId"] = m.parent.id
	}
	if m.role != "" {
		o["role"] = m.role
	}
	if want("totalThreads") || want("unreadThreads") {
		o["totalThreads"], o["unreadThreads"] = c.a.threadCounts(m)
	}
	if want("acl") {
		o["acl"] = object{}
		if m.acl != nil {
			o["acl"] = m.acl
		}
	}
	if want("shareWith") {
		switch {
		case m.shareWith != nil:
			o["shareWith"] = maps.Clone(m.shareWith)
		case c.s.p.ShareNeeds != "":
			o["shareWith"] = nil
		default:
			o["shareWith"] = object{}
		}
	}
	return pick(o, want)
}

func (c *call) mailboxChanges() (any, error) {
	o, d, err := c.changes(typeMailbox)
	if err != nil {
		return nil, err
	}
	if c.s.p.NoUpdatedProperties {
		return o, nil
	}
	o["updatedProperties"] = nil
	if d.countsOnly && len(d.updated) > 0 {
		o["updatedProperties"] = []string{"totalEmails", "unreadEmails", "totalThreads", "unreadThreads"}
	}
	return o, nil
}
