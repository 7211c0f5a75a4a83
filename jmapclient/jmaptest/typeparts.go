package jmaptest

import (
	"encoding/base64"
	"slices"
	"strings"
)

// Parts of writing an object: its blobs, what it contains, which one is the
// default, what is sent about it.

// withBlobs finds the blobs that the object names, which then are its own.
func (w *write) withBlobs() *setError {
	var bad *setError
	w.eachBlob(func(_ object, _, id string) {
		if words := w.t.BlobsRefused; words != "" && !w.given {
			prop, _, _ := strings.Cut(w.t.Blobs[0], "/")
			bad = invalid(words, prop)
			return
		}
		b := w.blob(id)
		if b == nil && w.given {
			panic("jmaptest: there is no blob " + id)
		}
		if b == nil {
			bad = refused("blobNotFound", "There is no blob "+id+".")
			return
		}
		w.holds = append(w.holds, b.hash)
	})
	return bad
}

// inlined makes blobs of data: URIs (RFC 9610 §3).
func (w *write) inlined() *setError {
	if !w.t.InlineBlobs {
		return nil
	}
	for _, path := range w.t.Blobs {
		steps := strings.Split(path, "/")
		eachAt(w.props, steps[:len(steps)-1], func(holder object, key string) {
			o, _ := holder[key].(object)
			uri, ok := strings.CutPrefix(textOf(o["uri"]), "data:")
			typ, data, isData := strings.Cut(uri, ",")
			typ, encoded := strings.CutSuffix(typ, ";base64")
			if !ok || !isData || !encoded {
				return
			}
			raw, err := base64.StdEncoding.DecodeString(data)
			if err != nil {
				return // it stays a URI
			}
			b := w.c.s.keep(raw)
			w.c.a.addUpload(b, typ)
			delete(o, "uri")
			o[steps[len(steps)-1]] = w.c.s.uploadBlobID(b.hash)
			if o["mediaType"] == nil {
				o["mediaType"] = typ
			}
		})
	}
	return nil
}

// storedBlobIDs puts the ids that the blobs have in the account for those that were given.
func (w *write) storedBlobIDs() {
	if len(w.holds) == 0 {
		return
	}
	n := 0
	w.eachBlob(func(holder object, key, _ string) {
		holder[key] = w.c.s.storedBlobID(w.holds[n], w.c.a, w.th.n)
		n++
	})
}

// eachBlob tells the ids of blobs in the object, always in the same order.
func (w *write) eachBlob(tell func(holder object, key, id string)) {
	for _, path := range w.t.Blobs {
		eachAt(w.props, strings.Split(path, "/"), func(holder object, key string) {
			if id, ok := holder[key].(string); ok {
				tell(holder, key, id)
			}
		})
	}
}

// eachAt tells where a path leads; "*" is each member.
func eachAt(o object, steps []string, tell func(holder object, key string)) {
	keys := steps[:1]
	if steps[0] == "*" {
		keys = nil
		for k := range o {
			keys = append(keys, k)
		}
		slices.Sort(keys)
	}
	for _, k := range keys {
		if len(steps) == 1 {
			tell(o, k)
		} else if inner, ok := o[k].(object); ok {
			eachAt(inner, steps[1:], tell)
		}
	}
}

// thingEmpty sees that nothing is left in an object that goes; with remove
// what is in nothing else goes with it.
func (c *call) thingEmpty(t *Type, th *thing, remove bool) *setError {
	inside := c.s.typeByName(t.Contents)
	if inside == nil {
		return nil
	}
	for _, in := range c.a.of(inside).sorted() {
		if t.Parent != "" && in.props[t.Parent] != th.id || t.Parent == "" && !slices.Contains(inside.containers(in.props), th.id) {
			continue
		}
		if !remove && t.NotEmpty != "" {
			return refused(t.NotEmpty, "There is something in it.")
		}
		if t.Parent != "" {
			if bad := c.thingEmpty(t, in, true); bad != nil {
				return bad
			}
		} else if set, ok := in.props[inside.In].(object); ok && len(set) > 1 {
			props := clone(in.props)
			delete(props[inside.In].(object), th.id)
			in.props = props
			c.a.note(inside.Name, in.id, updated)
			continue
		}
		c.a.thingGone(inside, in)
	}
	return nil
}

// makeDefault makes an object the default one of its type.
func (c *call) makeDefault(t *Type, chosen *thing) {
	if chosen == nil || t.Props["isDefault"] == nil {
		return
	}
	for _, th := range c.a.of(t).sorted() {
		if is := th == chosen; th.props["isDefault"] != is {
			th.props = clone(th.props)
			th.props["isDefault"] = is
			c.a.note(t.Name, th.id, updated)
		}
	}
}

// Sent is something that a server would have sent to people because of what a client wrote.
type Sent struct {
	Type   string   // of the object: "CalendarEvent", "EmailSubmission"
	ID     string   // of the object
	Method string   // iTIP's: "REQUEST", "CANCEL", "REPLY"; "" of a message
	To     []string // addresses
}

// submit notes the message that a submission sends (RFC 8621 §7.5).
func (c *call) submit(t *Type, th *thing) {
	var to []string
	envelope, _ := th.props["envelope"].(object)
	recipients, _ := envelope["rcptTo"].([]any)
	for _, r := range recipients {
		r, _ := r.(object)
		to = append(to, address1(r["email"]))
	}
	c.a.sent = append(c.a.sent, Sent{Type: t.Name, ID: th.id, To: to})
}

// tellParticipants notes the invitation that the account's owner sends as the
// organizer to the others, or the answer as one of them (RFC 5546), unless the
// event says that the client does that (RFC 8984 §4.4.6).
func (c *call) tellParticipants(t *Type, th *thing, method string) {
	o := th.props
	organizer := address1(o["organizerCalendarAddress"])
	if to, ok := o["replyTo"].(object); ok {
		organizer = address1(to["imip"])
	}
	if organizer == "" || o["isDraft"] == true || t.Untold != nil && t.Untold(c, o) {
		return
	}
	var to []string
	if !c.mayBe(organizer) {
		method, to = "REPLY", []string{organizer}
	} else {
		participants, _ := o["participants"].(object)
		for _, p := range participants {
			p, _ := p.(object)
			agent, _ := p["scheduleAgent"].(string)
			who := participantAddress(p)
			if who != "" && !c.mayBe(who) && (agent == "" || agent == "server") {
				to = append(to, who)
			}
		}
	}
	if len(to) == 0 {
		return
	}
	slices.Sort(to)
	c.a.sent = append(c.a.sent, Sent{t.Name, th.id, method, to})
}

func participantAddress(p object) string {
	if a := address1(p["calendarAddress"]); a != "" {
		return a
	}
	if to, ok := p["sendTo"].(object); ok && to["imip"] != nil {
		return address1(to["imip"])
	}
	return address1(p["email"])
}

// address1 is the address of a mailto: URI, or "".
func address1(v any) string {
	s, _ := v.(string)
	return strings.TrimPrefix(strings.ToLower(s), "mailto:")
}
