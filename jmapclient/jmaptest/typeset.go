package jmaptest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// write is one object on its way into an account.
type write struct {
	c     *call
	t     *Type
	th    *thing // nil: a new one
	props object // what it will be
	asked fields
	given bool // by a test, past the server's rules
	holds []hash
	// blob finds what a client may refer to.
	blob func(id string) *blob
}

// thingSet is Foo/set of a type in the table.
func (c *call) thingSet(t *Type) (any, error) {
	f, err := c.arguments(t.setArguments()...)
	if err != nil {
		return nil, err
	}
	if given(f["onExists"]) {
		return nil, failed("invalidArguments", "onExists is null here.")
	}
	var g setArgs
	if err := json.Unmarshal(c.args, &g); err != nil {
		return nil, failed("invalidArguments", err.Error())
	}
	on := func(arg string) bool { return arg != "" && string(f[arg]) == "true" }
	all := c.a.of(t)
	tell := t.Schedules && (t.ScheduleArg == "" || on(t.ScheduleArg))
	o, err := c.set(g, writer{
		typ: t.Name, after: t.Parent,
		create: func(f fields) (object, *setError) { return c.thingCreate(t, f, tell) },
		update: func(id string, _ json.RawMessage, f fields) (any, *setError) {
			th := all.byID[id]
			if th == nil {
				return nil, refused("notFound", "")
			}
			return c.thingUpdate(t, th, f, tell)
		},
		destroy: func(id string) *setError {
			th := all.byID[id]
			if th == nil {
				return refused("notFound", "")
			}
			if bad := c.thingEmpty(t, th, on(t.DestroyArg)); bad != nil {
				return bad
			}
			if tell {
				c.tellParticipants(t, th, "CANCEL")
			}
			c.a.thingGone(t, th)
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	if id, ok := text(f["onSuccessSetIsDefault"]); ok && allDone(o) {
		c.makeDefault(t, all.byID[c.resolveID(id)])
		o["newState"] = c.a.state(t.Name)
	}
	if c.s.p.SetTellsLittle {
		if delete(o, "oldState"); o["created"] == nil && o["updated"] == nil && o["destroyed"] == nil {
			delete(o, "newState")
		}
	}
	return o, nil
}

// allDone says whether nothing of a set was refused.
func allDone(answer object) bool {
	for _, name := range []string{"notCreated", "notUpdated", "notDestroyed"} {
		if m, _ := answer[name].(map[string]*setError); len(m) > 0 {
			return false
		}
	}
	return true
}

// setArguments are those that the type's set knows.
func (t *Type) setArguments() []string {
	known := []string{"accountId", "ifInState", "create", "update", "destroy"}
	for _, arg := range []string{t.DestroyArg, t.ScheduleArg} {
		if arg != "" {
			known = append(known, arg)
		}
	}
	if t.Props["isDefault"] != nil {
		known = append(known, "onSuccessSetIsDefault")
	}
	if t.TakenAlreadyExists {
		known = append(known, "onExists") // draft-ietf-jmap-filenode §5.3
	}
	return known
}

func (c *call) thingCreate(t *Type, f fields, tell bool) (object, *setError) {
	w := &write{c: c, t: t, props: clone(t.Props), asked: f, blob: c.anyBlob}
	th, bad := w.store()
	if bad != nil {
		return nil, bad
	}
	if tell {
		c.tellParticipants(t, th, "REQUEST")
	}
	if t.Submits {
		c.submit(t, th)
	}
	o := c.thingObject(t, th)
	if c.s.p.BareCreated {
		return pick(o, func(p string) bool { return p == "id" || slices.Contains(t.Answers, p) && f[p] == nil }), nil
	}
	return pick(o, func(p string) bool { return f[p] == nil && !slices.Contains(t.Hidden, p) }), nil
}

func (c *call) thingUpdate(t *Type, th *thing, f fields, tell bool) (any, *setError) {
	w := &write{c: c, t: t, th: th, props: clone(th.props), asked: f, blob: c.anyBlob}
	if _, bad := w.store(); bad != nil {
		return nil, bad
	}
	if tell {
		c.tellParticipants(t, th, "REQUEST")
	}
	if t.Raw != nil {
		return pick(c.thingObject(t, th), func(p string) bool { return p == "blobId" || p == "size" }), nil
	}
	if t.Changed == "" || c.s.p.BareCreated {
		return nil, nil
	}
	return object{t.Changed: th.props[t.Changed]}, nil
}

// anyBlob is a blob that the call may refer to, by a creation id too.
func (c *call) anyBlob(id string) *blob {
	if !c.s.p.NoCreationIDsInBlobID {
		id = c.resolveID(id)
	}
	if b := c.req.blobs[id]; b != nil {
		return b
	}
	return c.a.blobByID(id)
}

// store checks what is asked and puts it into the account.
func (w *write) store() (*thing, *setError) {
	var bad *setError
	for _, p := range slices.Sorted(maps.Keys(w.asked)) {
		var v any
		_ = json.Unmarshal(w.asked[p], &v) // it came as JSON
		switch not := w.set(p, v); {
		case not == nil:
		case bad != nil && not.Type == bad.Type:
			bad.Properties = append(bad.Properties, not.Properties...)
		case bad == nil:
			bad = not
		}
	}
	if bad != nil {
		return nil, bad
	}
	for _, check := range []func() *setError{w.complete, w.wellShaped, w.placed, w.shared, w.unlike, w.inlined, w.withBlobs} {
		if bad := check(); bad != nil && !w.given {
			return nil, bad
		}
	}
	now := w.c.s.stamp()
	if w.t.Changed != "" && !(w.given && w.props[w.t.Changed] != nil) {
		w.props[w.t.Changed] = now
	}
	if w.t.Made != "" && w.th == nil && w.props[w.t.Made] == nil {
		w.props[w.t.Made] = now
	}
	what := updated
	if w.th == nil {
		what = created
		w.th = w.c.a.thingAdd(w.t, w.props)
	}
	a := w.c.a
	a.thingPut(w.t, w.th, w.props, w.holds)
	w.storedBlobIDs()
	a.settle(w.t, w.th, now)
	a.note(w.t.Name, w.th.id, what)
	return w.th, nil
}

// set puts one property, or with a pointer a part of it (RFC 8620 §5.3).
func (w *write) set(pointer string, v any) *setError {
	prop, rest, inside := strings.Cut(pointer, "/")
	def, known := w.t.Props[prop]
	words, is := w.t.Refused[prop]
	switch {
	case w.given:
	case is:
		return invalid(words, prop)
	case slices.Contains(w.t.Fixed, prop) || prop == "id" || prop == "myRights":
		if w.th == nil || inside || !equal(w.c.thingObject(w.t, w.th)[prop], v) {
			return invalid("The property is the server's.", prop)
		}
		return nil
	case !known && !w.t.Open || prop == "":
		return invalid("The property cannot be set.", prop)
	case known && !inside && v != nil && !sameKind(def, v):
		return invalid("It has the wrong type.", prop)
	}
	if inside {
		return w.setInside(prop, rest, v)
	}
	if v == nil {
		if delete(w.props, prop); known {
			w.props[prop] = clone(def)
		}
		return nil
	}
	w.props[prop] = v
	return nil
}

// sameKind says whether a value can stand where the other is the default.
func sameKind(def, v any) bool {
	switch def.(type) {
	case string:
		_, ok := v.(string)
		return ok
	case bool:
		_, ok := v.(bool)
		return ok
	case float64:
		_, ok := v.(float64)
		return ok
	case object:
		_, ok := v.(object)
		return ok
	case []any:
		_, ok := v.([]any)
		return ok
	}
	return true
}

func (w *write) setInside(prop, rest string, v any) *setError {
	at, ok := w.props[prop].(object)
	steps := strings.Split(rest, "/")
	for i, step := range steps {
		if !ok {
			return refused("invalidPatch", "There is no object for "+prop+"/"+rest+" to be in.")
		}
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		if i < len(steps)-1 {
			at, ok = at[step].(object)
			continue
		}
		if v == nil {
			delete(at, step)
		} else {
			at[step] = v
		}
	}
	return nil
}
