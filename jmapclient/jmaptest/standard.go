package jmaptest

import (
	"encoding/json"
	"maps"
	"slices"
)

// What get, changes and set have in common (RFC 8620 §5).

type getArgs struct {
	AccountID  string    `json:"accountId"`
	IDs        *[]string `json:"ids"`
	Properties *[]string `json:"properties"`
}

// reader is how objects of a type are read.
type reader struct {
	state string
	props []string                                            // when none are named
	more  []string                                            // further ones that may be named
	all   func() []string                                     // every id, in order; nil: ids must be named
	get   func(id string, want func(prop string) bool) object // nil: no such object

	checked bool // the ids are well formed
	open    bool // other properties may be named, too
}

// get answers Foo/get.
func (c *call) get(g getArgs, r reader) (object, error) {
	props := r.props
	if g.Properties != nil {
		props = *g.Properties
		for _, p := range props {
			if !r.open && !slices.Contains(r.props, p) && !slices.Contains(r.more, p) {
				return nil, failed("invalidArguments", "There is no property "+p+".")
			}
		}
	}
	wanted := make(map[string]bool, len(props)+1)
	for _, p := range props {
		wanted[p] = true
	}
	wanted["id"] = true
	var ids []string
	switch {
	case g.IDs != nil:
		ids = *g.IDs
	case r.all == nil:
		return nil, failed("invalidArguments", "ids must be given.")
	default:
		if ids = r.all(); c.s.p.CutAtMaxGet {
			ids = ids[:min(int64(len(ids)), c.s.p.Limits.MaxObjectsInGet)]
		}
	}
	if int64(len(ids)) > c.s.p.Limits.MaxObjectsInGet {
		return nil, failed("requestTooLarge", "There are more ids than maxObjectsInGet.")
	}
	if g.IDs != nil && !r.checked {
		if err := c.checkIDs(ids...); err != nil {
			return nil, err
		}
	}
	list, notFound := []object{}, []string{}
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		id = c.resolveID(id)
		if seen[id] {
			continue // RFC 8620 §5.1: an id that is there twice is answered once
		}
		seen[id] = true
		o := r.get(id, func(p string) bool { return wanted[p] })
		if o == nil {
			notFound = append(notFound, id)
			continue
		}
		list = append(list, o)
	}
	return object{"accountId": c.a.id, "state": r.state, "list": list, "notFound": notFound}, nil
}

// pick leaves only the wanted properties in an object.
func pick(o object, want func(string) bool) object {
	maps.DeleteFunc(o, func(k string, _ any) bool { return !want(k) })
	return o
}

type changesArgs struct {
	AccountID  string `json:"accountId"`
	SinceState string `json:"sinceState"`
	MaxChanges *int   `json:"maxChanges"`
}

// since reads a state that the client gives.
func (c *call) since(typ, state string) (int64, error) {
	n, ok := c.s.parseState(state)
	h := c.a.history(typ)
	switch {
	case !ok && (c.s.p.MalformedFailsCall || c.s.p.MalformedFailsItem):
		return 0, malformed(state)
	case !ok || n > h.last || n < h.from && !c.s.p.ForgetsSilently:
		return 0, failed("cannotCalculateChanges", "There is no history since the state "+state+".")
	}
	return n, nil
}

// changes answers Foo/changes.
func (c *call) changes(typ string) (object, delta, error) {
	var g changesArgs
	if err := c.read(&g); err != nil {
		return nil, delta{}, err
	}
	most := 0
	if g.MaxChanges != nil {
		if most = *g.MaxChanges; most <= 0 {
			return nil, delta{}, failed("invalidArguments", "maxChanges must be above 0.")
		}
	}
	n, err := c.since(typ, g.SinceState)
	if err != nil {
		return nil, delta{}, err
	}
	d := c.a.history(typ).since(n, most)
	return object{
		"accountId": c.a.id, "oldState": g.SinceState, "newState": c.s.state(d.to), "hasMoreChanges": d.more,
		"created": notNil(d.created), "updated": notNil(d.updated), "destroyed": notNil(d.destroyed),
	}, d, nil
}

func changesOf(typ string) func(*call) (any, error) {
	return func(c *call) (any, error) {
		o, _, err := c.changes(typ)
		return o, err
	}
}

func notNil(ids []string) []string {
	if ids == nil {
		return []string{}
	}
	return ids
}

type setArgs struct {
	AccountID string                     `json:"accountId"`
	IfInState *string                    `json:"ifInState"`
	Create    map[string]json.RawMessage `json:"create"`
	Update    map[string]json.RawMessage `json:"update"`
	Destroy   []string                   `json:"destroy"`
}

// fields are an object's properties, or a patch's pointers, as they came.
type fields map[string]json.RawMessage

// setError is RFC 8620 §5.3's.
type setError struct {
	Type        string   `json:"type"`
	Description string   `json:"description,omitempty"`
	Properties  []string `json:"properties,omitempty"`
	ExistingID  string   `json:"existingId,omitempty"`
}

func invalid(description string, props ...string) *setError {
	return &setError{Type: "invalidProperties", Description: description, Properties: props}
}

func refused(typ, description string) *setError {
	return &setError{Type: typ, Description: description}
}

// writer is how objects of a type are changed.
type writer struct {
	typ     string
	after   string                             // property by which one created object can need another, "" none
	create  func(f fields) (object, *setError) // what is answered; its "id" is the new one
	update  func(id string, raw json.RawMessage, patch fields) (any, *setError)
	destroy func(id string) *setError
}

// set answers Foo/set.
func (c *call) set(g setArgs, w writer) (object, error) {
	old := c.a.state(w.typ)
	if err := c.checkSet(g, old); err != nil {
		return nil, err
	}
	r := newSetResult()
	for _, key := range c.creationOrder(g.Create, w.after) {
		var f fields
		if err := json.Unmarshal(g.Create[key], &f); err != nil {
			r.notCreated[key] = invalid("It is no object.")
			continue
		}
		o, bad := w.create(f)
		if bad != nil {
			r.notCreated[key] = bad
			continue
		}
		c.req.created[key] = o["id"].(string)
		r.created[key] = o
	}
	for _, key := range slices.Sorted(maps.Keys(g.Update)) {
		var f fields
		if err := json.Unmarshal(g.Update[key], &f); err != nil {
			r.notUpdated[key] = refused("invalidPatch", "It is no object.")
			continue
		}
		id := c.resolveID(key)
		if slices.Contains(g.Destroy, id) {
			r.notUpdated[id] = refused("willDestroy", "")
			continue
		}
		o, bad := w.update(id, g.Update[key], f)
		if bad != nil {
			r.notUpdated[id] = bad
			continue
		}
		r.updated[id] = o
	}
	for _, id := range g.Destroy {
		id = c.resolveID(id)
		if bad := w.destroy(id); bad != nil {
			r.notDestroyed[id] = bad
			continue
		}
		r.destroyed = append(r.destroyed, id)
	}
	return c.setAnswer(r, old, c.a.state(w.typ)), nil
}

func (c *call) checkSet(g setArgs, state string) error {
	if g.IfInState != nil && *g.IfInState != state {
		return failed("stateMismatch", "The state is "+state+".")
	}
	if int64(len(g.Create)+len(g.Update)+len(g.Destroy)) > c.s.p.Limits.MaxObjectsInSet {
		return failed("requestTooLarge", "There are more objects than maxObjectsInSet.")
	}
	if err := c.checkIDs(slices.Collect(maps.Keys(g.Update))...); err != nil {
		return err
	}
	return c.checkIDs(g.Destroy...)
}

type setResult struct {
	created, updated                     map[string]any
	destroyed                            []string
	notCreated, notUpdated, notDestroyed map[string]*setError
}

func newSetResult() *setResult {
	return &setResult{
		created: map[string]any{}, updated: map[string]any{},
		notCreated: map[string]*setError{}, notUpdated: map[string]*setError{}, notDestroyed: map[string]*setError{},
	}
}

// setAnswer writes a result; what is empty is null, or left out where the profile says so.
func (c *call) setAnswer(r *setResult, old, now string) object {
	o := object{"accountId": c.a.id, "oldState": old, "newState": now}
	put := func(name string, v any, n int) {
		if n > 0 {
			o[name] = v
		} else if !c.s.p.OmitEmpty {
			o[name] = nil
		}
	}
	put("created", r.created, len(r.created))
	put("updated", r.updated, len(r.updated))
	put("destroyed", r.destroyed, len(r.destroyed))
	put("notCreated", r.notCreated, len(r.notCreated))
	put("notUpdated", r.notUpdated, len(r.notUpdated))
	put("notDestroyed", r.notDestroyed, len(r.notDestroyed))
	return o
}

// creationOrder puts what others refer to by "#key" in the property after before them.
func (c *call) creationOrder(create map[string]json.RawMessage, after string) []string {
	keys := slices.Sorted(maps.Keys(create))
	if after == "" {
		return keys
	}
	var order []string
	done := map[string]bool{}
	var place func(key string)
	place = func(key string) {
		if done[key] {
			return
		}
		done[key] = true
		var f fields
		var ref string
		if json.Unmarshal(create[key], &f) == nil && json.Unmarshal(f[after], &ref) == nil &&
			len(ref) > 1 && ref[0] == '#' && create[ref[1:]] != nil {
			place(ref[1:])
		}
		order = append(order, key)
	}
	for _, key := range keys {
		place(key)
	}
	return order
}
