package jmaptest

import (
	"maps"
	"slices"
)

// thread is RFC 8621 §3.
type thread struct {
	n      uint32
	id     string
	emails map[*email]bool
}

type threads struct {
	byID    map[string]*thread
	numbers numbers
}

// joinThread puts an email into the thread of the messages that it answers or
// that answer it: they share a message id and the subject. One that joins
// several threads goes into the largest, and merges them where the profile does.
func (a *account) joinThread(e *email) {
	base := subjectBase(e.head.subject)
	var found []*thread
	for _, id := range slices.Concat(e.head.messageID, e.head.inReplyTo, e.head.references) {
		for _, other := range a.emails.mentions[id] {
			if subjectBase(other.head.subject) == base && !slices.Contains(found, other.thread) {
				found = append(found, other.thread)
			}
		}
	}
	slices.SortFunc(found, func(x, y *thread) int {
		if n := len(y.emails) - len(x.emails); n != 0 {
			return n
		}
		return int(x.n) - int(y.n)
	})
	if len(found) == 0 {
		t := &thread{n: e.doc, emails: map[*email]bool{}}
		if !a.s.p.ThreadFromEmail {
			t.n = a.emails.threads.numbers.take()
		}
		t.id = a.s.id('T', uint64(t.n))
		a.emails.threads.byID[t.id] = t
		a.note(typeThread, t.id, created)
		found = append(found, t)
	} else {
		a.note(typeThread, found[0].id, updated)
	}
	e.thread = found[0]
	e.thread.emails[e] = true
	for id := range mentioned(e) {
		a.emails.mentions[id] = append(a.emails.mentions[id], e)
	}
	if a.s.p.MergeThreads {
		for _, t := range found[1:] {
			a.mergeThread(t, found[0])
		}
	}
}

// mentioned are the message ids in an email's header.
func mentioned(e *email) map[string]bool {
	m := map[string]bool{}
	for _, id := range slices.Concat(e.head.messageID, e.head.inReplyTo, e.head.references) {
		m[id] = true
	}
	return m
}

// mergeThread moves all emails of one thread to another; where ids hold the
// thread's they become others.
func (a *account) mergeThread(from, into *thread) {
	for _, e := range slices.SortedFunc(maps.Keys(from.emails), compare) {
		delete(a.emails.byID, e.id)
		a.emails.byOldID[e.id] = oldID{e, from.id}
		a.note(typeEmail, e.id, destroyed)
		e.thread = into
		into.emails[e] = true
		e.id = a.s.emailID(into, e)
		a.emails.byID[e.id] = e
		a.note(typeEmail, e.id, created)
	}
	clear(from.emails)
	a.threadGone(from)
}

func (a *account) leaveThread(e *email) {
	for id := range mentioned(e) {
		a.emails.mentions.drop(id, e)
	}
	delete(e.thread.emails, e)
	if len(e.thread.emails) == 0 {
		a.threadGone(e.thread)
		return
	}
	a.note(typeThread, e.thread.id, updated)
}

func (a *account) threadGone(t *thread) {
	delete(a.emails.threads.byID, t.id)
	a.note(typeThread, t.id, destroyed)
	if a.s.p.ReuseIDs && !a.s.p.ThreadFromEmail {
		a.emails.threads.numbers.giveBack(t.n)
	}
}

// threadCounts counts a mailbox's threads, and those with an unread message.
func (a *account) threadCounts(m *mailbox) (total, unread int) {
	if m.emails == 0 {
		return 0, 0
	}
	for _, t := range a.emails.threads.byID {
		in, fresh := false, false
		for e := range t.emails {
			in = in || e.in[m]
			fresh = fresh || !e.keywords["$seen"] && !e.keywords["$draft"]
		}
		if in {
			total++
			if fresh {
				unread++
			}
		}
	}
	return total, unread
}

func (c *call) threadGet() (any, error) {
	var g getArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	return c.get(g, reader{
		state: c.a.state(typeThread),
		props: []string{"id", "emailIds"},
		get: func(id string, want func(string) bool) object {
			t := c.a.emails.threads.byID[id]
			if t == nil {
				return nil
			}
			ids := []string{}
			for _, e := range slices.SortedFunc(maps.Keys(t.emails), compare) {
				ids = append(ids, e.id)
			}
			return pick(object{"id": t.id, "emailIds": ids}, want)
		},
	})
}
