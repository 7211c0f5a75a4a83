package jmaptest

import (
	"strings"

	"github.com/google/uuid"
)

// What an object has to be before it is taken; each check also writes it as
// the server keeps it.

// complete fills in the uid and asks for what is required.
func (w *write) complete() *setError {
	t := w.t
	_, has := t.Props["uid"]
	if has && (w.props["uid"] == nil || w.props["uid"] == "") {
		w.props["uid"] = "urn:uuid:" + uuid.NewString()
		if t.IDIsUID {
			w.props["uid"] = strings.TrimPrefix(w.props["uid"].(string), "urn:uuid:")
		}
	}
	if w.th != nil && has && !equal(w.props["uid"], w.th.props["uid"]) {
		return invalid("The uid stays.", "uid")
	}
	if name, ok := w.props["name"].(string); ok && len(name) > 255 {
		return invalid("The name is too long.", "name")
	}
	for _, p := range t.Required {
		if v := w.props[p]; v == nil || v == "" {
			return invalid("It needs the property "+p+".", p)
		}
	}
	if t.Submits && w.c.a.emails.byID[w.c.resolveID(textOf(w.props["emailId"]))] == nil {
		return invalid("There is no such message.", "emailId")
	}
	return nil
}

// placed resolves the ids of what the object is in.
func (w *write) placed() *setError {
	t, a := w.t, w.c.a
	if t.Parent != "" {
		if bad := w.parented(); bad != nil {
			return bad
		}
	}
	for _, p := range t.Refers {
		list, _ := w.props[p].([]any)
		for i, id := range list {
			if id, ok := id.(string); ok {
				list[i] = w.c.resolveID(id)
			}
		}
	}
	if t.In == "" {
		return nil
	}
	if t.InOne {
		id := textOf(w.props[t.In])
		if id == "" {
			id = t.DefaultIn
		}
		id = w.c.resolveID(id)
		w.props[t.In] = id
		if id != t.DefaultIn && (t.InType == "" || a.of(a.s.typeByName(t.InType)).byID[id] == nil) {
			return invalid("There is nothing "+id+" for it to be in.", t.In)
		}
		return nil
	}
	there := a.of(a.s.typeByName(t.InType)).byID
	set, _ := w.props[t.In].(object)
	in := object{}
	for id, on := range set {
		if id = w.c.resolveID(id); there[id] == nil || on != true {
			return invalid("There is no "+t.InType+" "+id+".", t.In)
		}
		in[id] = true
	}
	if len(in) == 0 {
		return invalid("It is in one "+t.InType+" at least.", t.In)
	}
	w.props[t.In] = in
	return nil
}

// parented resolves the parent and sees that nothing is inside itself.
func (w *write) parented() *setError {
	id, _ := w.props[w.t.Parent].(string)
	if id == "" {
		return nil
	}
	id = w.c.resolveID(id)
	w.props[w.t.Parent] = id
	all := w.c.a.of(w.t).byID
	if all[id] == nil || all[id].props["blobId"] != nil { // a file holds none
		return invalid("The parent "+id+" is none.", w.t.Parent)
	}
	for at := all[id]; at != nil; {
		if at == w.th {
			return invalid("It cannot be inside itself.", w.t.Parent)
		}
		up, _ := at.props[w.t.Parent].(string)
		at = all[up]
	}
	return nil
}

// unlike refuses what is there already.
func (w *write) unlike() *setError {
	if w.t.Unique == nil {
		return nil
	}
	other := w.c.a.of(w.t).byKey[w.t.key(w.props)]
	switch {
	case other == nil || other == w.th:
		return nil
	case w.t.TakenAlreadyExists:
		return &setError{Type: "alreadyExists", Description: "It is there already.", ExistingID: other.id}
	}
	return invalid("It is there already, with the id "+other.id+".", w.t.Unique...)
}

// shared spells out whom the object is shared with (RFC 9670 §4).
func (w *write) shared() *setError {
	set, ok := w.props["shareWith"].(object)
	if !ok {
		return nil
	}
	all := object{}
	for who, given := range set {
		rights, ok := given.(object)
		p := w.c.s.byID[who]
		if !ok || w.c.s.p.ShareNeeds == "" && (p == nil || p.hidden || p == w.c.a) {
			return invalid("It cannot be shared with "+who+".", "shareWith")
		}
		full := object{}
		told := w.t.SharedRights
		if told == nil {
			told = w.t.Rights
		}
		for _, right := range told {
			full[right] = rights[right] == true
		}
		all[who] = full
	}
	w.props["shareWith"] = all
	return nil
}
