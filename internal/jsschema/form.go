package jsschema

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

type kind int

const (
	scalar kind = iota
	anything
	array
	mapping
	object
	patch
)

// Form is what values a property may have.
type Form struct {
	kind     kind
	what     string         // for a person: "a string"
	check    func(any) bool // of a scalar
	key      *Form          // of a map's keys
	elem     *Form          // of a map's values, an array's elements
	types    []*Type        // of an object: told apart by @type, the first is meant without one
	nullable bool
	filled   bool // a map that must not be empty
}

// Type is the table of one kind of object.
type Type struct {
	// Name is the value of @type.
	Name string
	// Named says that @type must be there.
	Named bool
	Props map[string]Prop
	// AnyOf are properties of which one at least must be there.
	AnyOf []string
	// Unpatchable are properties that a patch of the object must not touch.
	Unpatchable []string
	// Verify finds what no property shows by itself: a property to blame ("" for
	// the whole object) and a reason, or no reason.
	Verify func(o map[string]any) (property, reason string)
	// Closed types have no vendors' properties.
	Closed bool
	// Unknown is the reason told for a property that is not in the table.
	Unknown string
}

// Prop is a row of the table.
type Prop struct {
	Form     *Form
	Required bool
}

// Need is a property that must be there.
func Need(f *Form) Prop { return Prop{f, true} }

// May is a property that may be there.
func May(f *Form) Prop { return Prop{f, false} }

// Text makes a form of strings; what tells a person which.
func Text(what string, ok func(string) bool) *Form {
	return &Form{what: what, check: func(v any) bool {
		s, isString := v.(string)
		return isString && ok(s)
	}}
}

// Forms that need no parameter.
var (
	String   = Text("a string", func(string) bool { return true })
	NonEmpty = Text("a string that is not empty", func(s string) bool { return s != "" })
	Bool     = &Form{what: "true or false", check: func(v any) bool { _, ok := v.(bool); return ok }}
	True     = &Form{what: "true", check: func(v any) bool { b, ok := v.(bool); return ok && b }}
	Any      = &Form{kind: anything}
	// Patch is a PatchObject (RFC 8984 §1.4.9) on the object it is in.
	Patch = &Form{kind: patch, what: "an object"}
)

// Int is a whole number in a range.
func Int(least, most int64) *Form {
	return &Form{what: "a whole number from " + strconv.FormatInt(least, 10) + " to " + strconv.FormatInt(most, 10),
		check: func(v any) bool {
			n, ok := v.(json.Number)
			if !ok {
				return false
			}
			i, err := n.Int64()
			return err == nil && i >= least && i <= most
		}}
}

// Bounds of Int and UnsignedInt, RFC 8620 §1.3.
const (
	MinInt = -(1<<53 - 1)
	MaxInt = 1<<53 - 1
)

// Enum is one of some words, or a vendor's own, which has a colon (RFC 9553
// §1.8.2, RFC 8984 §3.3).
func Enum(words ...string) *Form {
	return Text("one of "+strings.Join(words, ", "), func(s string) bool {
		return slices.Contains(words, s) || vendor(s)
	})
}

// Exactly is one of some words and nothing else.
func Exactly(words ...string) *Form {
	return Text("one of "+strings.Join(words, ", "), func(s string) bool { return slices.Contains(words, s) })
}

// Array is an array of such elements.
func Array(elem *Form) *Form { return &Form{kind: array, what: "an array", elem: elem} }

// Map is an object used as a map.
func Map(key, elem *Form) *Form { return &Form{kind: mapping, what: "an object", key: key, elem: elem} }

// Set is JMAP's set: a map whose values are true.
func Set(key *Form) *Form { return Map(key, True) }

// Filled is a map with at least one entry.
func Filled(f *Form) *Form { c := *f; c.filled = true; return &c }

// Nullable is the form, or null.
func Nullable(f *Form) *Form { c := *f; c.nullable = true; return &c }

// Object is an object of one of these types.
func Object(types ...*Type) *Form { return &Form{kind: object, what: "an object", types: types} }

// vendor says whether a name is a vendor's own: "example.com:customer".
func vendor(name string) bool {
	prefix, rest, ok := strings.Cut(name, ":")
	return ok && prefix != "" && rest != "" && !strings.ContainsAny(prefix, " /~")
}

// Fits says whether a string has a form.
func Fits(f *Form, s string) bool { return f.check(s) }

// But is a form with a further condition.
func (f *Form) But(what string, ok func(any) bool) *Form {
	c := *f
	c.what += ", " + what
	c.check = func(v any) bool { return f.check(v) && ok(v) }
	return &c
}

// Each visits a table and those of all objects that can be inside, each once.
func Each(t *Type, visit func(*Type)) {
	each(t, visit, map[*Type]bool{})
}

func each(t *Type, visit func(*Type), met map[*Type]bool) {
	if met[t] {
		return
	}
	met[t] = true
	for _, p := range t.Props {
		f := p.Form
		for f.elem != nil {
			f = f.elem
		}
		for _, inside := range f.types {
			each(inside, visit, met)
		}
	}
	visit(t)
}
