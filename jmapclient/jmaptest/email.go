package jmaptest

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// email is RFC 8621 §4.
type email struct {
	doc      uint32
	id       string
	blobID   string
	thread   *thread
	blob     *blob
	head     *parsed
	in       map[*mailbox]bool // replaced, never changed
	keywords map[string]bool   // likewise
	received time.Time
	arrived  time.Time // when it came here, for the index that lags

	// mailboxIds and keywords as JSON, made anew at every change.
	inJSON, keywordsJSON json.RawMessage
}

func (e *email) size() int64 { return int64(len(e.blob.data)) }

// emails are an account's.
type emails struct {
	byID     map[string]*email
	byOldID  map[string]oldID
	order    []*email   // by receivedAt, then by age
	byMsgID  emailIndex // by each Message-ID
	mentions emailIndex // by Message-ID and by what it answers
	used     int64      // octets
	docs     numbers
	threads  threads
}

// oldID is the email behind an id that merged threads took away, and the thread that it was in.
type oldID struct {
	email  *email
	thread string
}

// emailIndex finds emails by a message id.
type emailIndex map[string][]*email

func (x emailIndex) drop(id string, e *email) {
	if x[id] = slices.DeleteFunc(x[id], func(o *email) bool { return o == e }); len(x[id]) == 0 {
		delete(x, id)
	}
}

func (b *emails) init() {
	b.byID, b.byOldID = map[string]*email{}, map[string]oldID{}
	b.byMsgID, b.mentions = emailIndex{}, emailIndex{}
	b.threads.byID = map[string]*thread{}
}

// compare is the order of arrival: receivedAt, and among equals the number.
func compare(x, y *email) int {
	if n := x.received.Compare(y.received); n != 0 {
		return n
	}
	return int(int64(x.doc) - int64(y.doc))
}

// place is where an email is in the order.
func (b *emails) place(e *email) (int, bool) { return slices.BinarySearchFunc(b.order, e, compare) }

// emailAdd stores a message and notes what that changes.
func (a *account) emailAdd(b *blob, head *parsed, in map[*mailbox]bool, keywords map[string]bool, received time.Time) *email {
	m := &a.emails
	e := &email{doc: m.docs.take(), blob: b, head: head, received: received, arrived: a.s.now()}
	e.blobID = a.s.storedBlobID(b.hash, a, e.doc)
	a.joinThread(e)
	e.id = a.s.emailID(e.thread, e)
	at, _ := m.place(e)
	m.order = slices.Insert(m.order, at, e)
	m.byID[e.id] = e
	for _, id := range head.messageID {
		m.byMsgID[id] = append(m.byMsgID[id], e)
	}
	m.used += e.size()
	a.hold(b.hash)
	a.note(typeEmail, e.id, created)
	a.emailPlace(e, in, keywords)
	return e
}

// emailPlace gives an email its mailboxes and keywords, and the mailboxes their counts.
func (a *account) emailPlace(e *email, in map[*mailbox]bool, keywords map[string]bool) {
	unread := func(k map[string]bool) int {
		if k["$seen"] || k["$draft"] {
			return 0
		}
		return 1
	}
	touched := map[*mailbox]bool{}
	for m := range e.in {
		m.emails--
		m.unread -= unread(e.keywords)
		touched[m] = true
	}
	for m := range in {
		m.emails++
		m.unread += unread(keywords)
		touched[m] = !touched[m] || unread(keywords) != unread(e.keywords)
	}
	e.in, e.keywords = in, keywords
	mailboxIDs := make(map[string]bool, len(in))
	for m := range in {
		mailboxIDs[m.id] = true
	}
	e.inJSON, e.keywordsJSON = encode(mailboxIDs), encode(keywords)
	for m, changed := range touched {
		if changed && !a.s.p.CountsUnnoted {
			a.note(typeMailbox, m.id, counted)
		}
	}
}

// emailPut changes an email's mailboxes and keywords; none of the first destroys it.
func (a *account) emailPut(e *email, in map[*mailbox]bool, keywords map[string]bool) {
	if len(in) == 0 {
		a.emailDestroy(e)
		return
	}
	a.emailPlace(e, in, keywords)
	a.note(typeEmail, e.id, updated)
}

func (a *account) emailDestroy(e *email) {
	m := &a.emails
	a.emailPlace(e, nil, nil)
	if at, ok := m.place(e); ok {
		m.order = slices.Delete(m.order, at, at+1)
	}
	delete(m.byID, e.id)
	maps.DeleteFunc(m.byOldID, func(_ string, old oldID) bool { return old.email == e })
	for _, id := range e.head.messageID {
		m.byMsgID.drop(id, e)
	}
	m.used -= e.size()
	a.release(e.blob.hash)
	a.note(typeEmail, e.id, destroyed)
	a.leaveThread(e)
	if a.s.p.ReuseIDs {
		m.docs.giveBack(e.doc)
	}
}

var emailProps = []string{"id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt",
	"messageId", "inReplyTo", "references", "sender", "from", "to", "cc", "bcc", "replyTo", "subject", "sentAt",
	"hasAttachment", "preview"}

type emailGetArgs struct {
	getArgs
	BodyProperties      []string `json:"bodyProperties"` // bodies are not answered
	FetchTextBodyValues bool     `json:"fetchTextBodyValues"`
	FetchHTMLBodyValues bool     `json:"fetchHTMLBodyValues"`
	FetchAllBodyValues  bool     `json:"fetchAllBodyValues"`
	MaxBodyValueBytes   int64    `json:"maxBodyValueBytes"`
}

func (c *call) emailGet() (any, error) {
	var g emailGetArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	return c.get(g.getArgs, reader{
		state: c.a.state(typeEmail),
		props: emailProps,
		all: func() []string {
			var ids []string
			for _, e := range c.a.emails.order {
				ids = append(ids, e.id)
			}
			return ids
		},
		get: func(id string, want func(string) bool) object {
			e := c.a.emails.byID[id]
			if old, ok := c.a.emails.byOldID[id]; ok && e == nil && c.s.p.StaleIDsFound {
				o := old.email.object(want)
				o["id"], o["threadId"] = id, old.thread
				return pick(o, want)
			}
			if e == nil {
				return nil
			}
			return e.object(want)
		},
	})
}

// object has the wanted properties of an email.
func (e *email) object(want func(string) bool) object {
	o := make(object, 16)
	put := func(name string, v any) {
		if want(name) {
			o[name] = v
		}
	}
	p := e.head
	put("id", e.id)
	put("blobId", e.blobID)
	put("threadId", e.thread.id)
	put("mailboxIds", e.inJSON)
	put("keywords", e.keywordsJSON)
	put("size", e.size())
	put("receivedAt", utcDate(e.received))
	put("messageId", p.messageID)
	put("inReplyTo", p.inReplyTo)
	put("references", p.references)
	put("sender", p.sender)
	put("from", p.from)
	put("to", p.to)
	put("cc", p.cc)
	put("bcc", p.bcc)
	put("replyTo", p.replyTo)
	put("subject", p.subject)
	put("sentAt", p.sentAt)
	put("hasAttachment", p.hasAttachment)
	if want("preview") {
		o["preview"] = preview(e.blob.data)
	}
	return o
}

// utcDate writes a UTCDate (RFC 8620 §1.4).
func utcDate(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func (c *call) emailSet() (any, error) {
	var g setArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	return c.set(g, writer{
		typ: typeEmail,
		create: func(fields) (object, *setError) {
			return nil, refused("forbidden", "This server takes messages by Email/import only.")
		},
		update: c.emailUpdate,
		destroy: func(id string) *setError {
			e := c.a.emails.byID[id]
			if e == nil {
				return refused("notFound", "")
			}
			c.a.emailDestroy(e)
			return nil
		},
	})
}

func (c *call) emailUpdate(id string, raw json.RawMessage, f fields) (any, *setError) {
	e := c.a.emails.byID[id]
	if e == nil {
		return nil, refused("notFound", "")
	}
	if c.s.p.RawKeywords {
		f = rawFields(raw)
	}
	in, keywords, bad := c.emailPatch(f, e.in, e.keywords)
	if bad != nil {
		return nil, bad
	}
	if !maps.Equal(in, e.in) || !maps.Equal(keywords, e.keywords) {
		c.a.emailPut(e, in, keywords)
	}
	return nil, nil
}
