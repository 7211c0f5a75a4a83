package jmaptest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// thingGet is Foo/get of a type in the table.
func (c *call) thingGet(t *Type) (any, error) {
	f, err := c.arguments("accountId", "ids", "properties", "recurrenceOverridesBefore", "recurrenceOverridesAfter", "reduceParticipants", "timeZone")
	if err != nil {
		return nil, err
	}
	for name := range f { // draft-ietf-jmap-calendars §5.7
		if !slices.Contains([]string{"accountId", "ids", "properties"}, name) && t.Name != "CalendarEvent" {
			return nil, failed("invalidArguments", "There is no argument "+name+".")
		}
	}
	var g getArgs
	if err := json.Unmarshal(c.args, &g); err != nil {
		return nil, failed("invalidArguments", err.Error())
	}
	all := c.a.of(t)
	everything := g.Properties == nil && t.Open
	r := reader{
		state: c.a.state(t.Name), open: t.Open,
		all: func() []string {
			var ids []string
			for _, th := range all.sorted() {
				ids = append(ids, th.id)
			}
			return ids
		},
		get: func(id string, want func(string) bool) object {
			th := all.byID[id]
			if th == nil {
				return nil
			}
			o := c.thingObject(t, th)
			if everything {
				maps.DeleteFunc(o, func(p string, _ any) bool { return slices.Contains(t.Hidden, p) })
				return o
			}
			return pick(o, func(p string) bool { return want(p) || slices.Contains(t.Always, p) })
		},
	}
	for p := range t.withRights(t.Props, object{}) {
		if slices.Contains(t.Hidden, p) {
			r.more = append(r.more, p)
		} else {
			r.props = append(r.props, p)
		}
	}
	r.more = append(r.more, "id")
	o, err := c.get(g, r)
	if err == nil && t.Stateless {
		delete(o, "state")
	}
	return o, err
}

// thingObject is an object as it is answered.
func (c *call) thingObject(t *Type, th *thing) object {
	rights := object{}
	for _, right := range t.Rights {
		rights[right] = !c.a.user.ReadOnly || right == "mayRead" || right == "mayReadItems" || right == "mayReadFreeBusy"
	}
	o := t.withRights(th.props, rights)
	o["id"] = th.id
	return o
}

// withRights is a copy of an object with what the caller may do.
func (t *Type) withRights(props, rights object) object {
	o := maps.Clone(props)
	switch {
	case t.Rights == nil:
	case t.FlatRights:
		maps.Copy(o, rights)
		for _, right := range t.Rights {
			if _, ok := o[right]; !ok {
				o[right] = false
			}
		}
	default:
		o["myRights"] = rights
	}
	return o
}

func (c *call) thingChanges(t *Type) (any, error) {
	c.a.of(t)
	o, _, err := c.changes(t.Name)
	return o, err
}

// thingQuery is Foo/query of a type in the table: the objects in the order they were made.
func (c *call) thingQuery(t *Type) (any, error) {
	var g struct {
		queryArgs
		ExpandRecurrences bool    `json:"expandRecurrences"`
		TimeZone          *string `json:"timeZone"`
		Depth             *int    `json:"depth"`
	}
	if err := c.read(&g); err != nil {
		return nil, err
	}
	if g.ExpandRecurrences {
		return nil, failed("invalidArguments", "Recurrences are not expanded here.")
	}
	match, err := c.thingFilter(t, g.Filter)
	if err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(c.a.of(t).sorted(), func(th *thing) bool {
		return !match(th.props) || t.QueryHas != "" && th.props[t.QueryHas] == nil
	})
	for _, k := range slices.Backward(g.Sort) {
		if !slices.Contains([]string{t.Made, t.Changed, "start", "name"}, k.Property) || k.Property == "" {
			return nil, failed("unsupportedSort", "It cannot be sorted by "+k.Property+".")
		}
		by := func(a, b *thing) int {
			x, _ := a.props[k.Property].(string)
			y, _ := b.props[k.Property].(string)
			return strings.Compare(x, y)
		}
		slices.SortStableFunc(list, directed(by, k))
	}
	var ids []string
	for _, th := range list {
		ids = append(ids, th.id)
	}
	o, err := c.queryAnswer(g.queryArgs, c.a.state(t.Name), ids)
	if err == nil {
		o["canCalculateChanges"] = t.QueryChanges
	}
	return o, err
}

// thingFilter makes a test of a filter (RFC 8620 §5.5).
func (c *call) thingFilter(t *Type, raw json.RawMessage) (func(object) bool, error) {
	f, _ := members(raw)
	if op, ok := text(f["operator"]); ok {
		list, _ := elements(f["conditions"])
		var tests []func(object) bool
		for _, condition := range list {
			test, err := c.thingFilter(t, condition)
			if err != nil {
				return nil, err
			}
			tests = append(tests, test)
		}
		met := func(o object) func(func(object) bool) bool {
			return func(test func(object) bool) bool { return test(o) }
		}
		switch op {
		case "AND":
			return func(o object) bool {
				return !slices.ContainsFunc(tests, func(test func(object) bool) bool { return !test(o) })
			}, nil
		case "OR":
			return func(o object) bool { return slices.ContainsFunc(tests, met(o)) }, nil
		case "NOT":
			return func(o object) bool { return !slices.ContainsFunc(tests, met(o)) }, nil
		}
		return nil, failed("unsupportedFilter", "There is no operator "+op+".")
	}
	want := map[string]any{}
	for name, value := range f {
		prop, ok := t.Filters[name]
		if !ok {
			return nil, failed("unsupportedFilter", "There is no condition "+name+".")
		}
		var v any
		_ = json.Unmarshal(value, &v) // it came as JSON
		want[prop] = v
	}
	return func(o object) bool {
		for prop, v := range want {
			if !holds(o[prop], v) {
				return false
			}
		}
		return true
	}, nil
}

// holds says whether a property is the value or one of its elements, or has it as a member or an element.
func holds(prop, v any) bool {
	if list, ok := v.([]any); ok {
		return slices.ContainsFunc(list, func(e any) bool { return holds(prop, e) })
	}
	switch at := prop.(type) {
	case object:
		key, _ := v.(string)
		_, ok := at[key]
		return ok
	case []any:
		return slices.ContainsFunc(at, func(e any) bool { return equal(e, v) })
	}
	return equal(prop, v)
}

// equal compares two JSON values.
func equal(a, b any) bool {
	x, isText := a.(string)
	y, isText2 := b.(string)
	if isText && isText2 {
		return x == y
	}
	return string(encode(a)) == string(encode(b))
}
