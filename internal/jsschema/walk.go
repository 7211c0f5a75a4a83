package jsschema

import (
	"fmt"
	"maps"
	"slices"
)

// Check says what in an object is not as its table has it.
func Check(t *Type, o map[string]any) []Problem {
	w := walker{}
	w.object(t, "", Clone(o).(map[string]any))
	return w.problems
}

// CheckUnnamed is [Check], but @type may be left out wherever it can be only one.
func CheckUnnamed(t *Type, o map[string]any) []Problem {
	w := walker{unnamed: true}
	w.object(t, "", Clone(o).(map[string]any))
	return w.problems
}

// Repair takes out of an object what is not as its table has it, and tells each
// thing. What has to have a type gets it. What is null and may not be is left
// out without a word: it says nothing. The object itself is changed. It is not
// ok when what must be there is missing: then no repair helps.
func Repair(t *Type, o map[string]any) (problems []Problem, ok bool) {
	w := walker{repair: true, unnamed: true}
	ok = w.object(t, "", o)
	return w.problems, ok
}

type walker struct {
	problems []Problem
	unnamed  bool // @type may be missing
	repair   bool // and is then added; null is left out
}

func (w *walker) tell(path, format string, args ...any) {
	w.problems = append(w.problems, Problem{path, fmt.Sprintf(format, args...)})
}

// value walks over a value, taking out what is wrong inside. False says that
// the value itself has to go. The owner is what a patch is on.
func (w *walker) value(f *Form, path string, v any, owner *Type, on map[string]any) bool {
	if v == nil && f.nullable || f.kind == anything {
		return true
	}
	switch f.kind {
	case scalar:
		if !f.check(v) {
			w.tell(path, "%s is not %s", brief(v), f.what)
			return false
		}
		return true
	case mapping:
		if m, ok := v.(map[string]any); ok {
			return w.mapping(f, path, m, owner, on)
		}
	case object:
		if m, ok := v.(map[string]any); ok {
			if t := w.typeOf(f.types, path, m); t != nil {
				return w.object(t, path, m)
			}
			return false
		}
	case patch:
		if m, ok := v.(map[string]any); ok {
			w.patch(path, m, owner, on)
			return true
		}
	}
	w.tell(path, "%s is not %s", brief(v), f.what)
	return false
}

// array is the elements that may stay.
func (w *walker) array(f *Form, path string, list []any) []any {
	kept := list[:0]
	for i, e := range list {
		if w.value(f.elem, Join(path, fmt.Sprint(i)), e, nil, nil) {
			kept = append(kept, e)
		}
	}
	return kept
}

func (w *walker) mapping(f *Form, path string, m map[string]any, owner *Type, on map[string]any) bool {
	had := len(m) > 0
	for _, k := range slices.Sorted(maps.Keys(m)) {
		at := Join(path, k)
		switch {
		case w.repair && m[k] == nil && !f.elem.nullable:
			delete(m, k)
		case !f.key.check(k):
			w.tell(at, "the key is not %s", f.key.what)
			delete(m, k)
		case !w.member(f.elem, at, m, k, owner, on):
			delete(m, k)
		}
	}
	if f.filled && len(m) == 0 {
		w.tell(path, "it is empty")
	}
	return len(m) > 0 || !f.filled && !had // what lost all it had was told of
}

// member walks over the value that a map or an object has under a name.
func (w *walker) member(f *Form, path string, m map[string]any, name string, owner *Type, on map[string]any) bool {
	if f.kind != array || m[name] == nil {
		return w.value(f, path, m[name], owner, on)
	}
	list, ok := m[name].([]any)
	if !ok {
		w.tell(path, "%s is not %s", brief(m[name]), f.what)
		return false
	}
	kept := w.array(f, path, list)
	m[name] = kept
	return len(kept) > 0 || len(list) == 0 // what lost all it had was told of
}

// typeOf is the table that an object's @type names.
func (w *walker) typeOf(types []*Type, path string, m map[string]any) *Type {
	named, has := m["@type"]
	if !has || named == nil {
		return types[0]
	}
	for _, t := range types {
		if named == t.Name {
			return t
		}
	}
	w.tell(Join(path, "@type"), "%s is not %q", brief(named), types[0].Name)
	return nil
}

func (w *walker) object(t *Type, path string, m map[string]any) bool {
	if _, has := m["@type"]; t.Named && !has {
		if w.repair {
			m["@type"] = t.Name
		} else if !w.unnamed {
			w.tell(Join(path, "@type"), "it is missing: %s", t.Name)
		}
	} else if has && m["@type"] != t.Name {
		w.tell(Join(path, "@type"), "%s is not %q", brief(m["@type"]), t.Name)
		return false
	}
	for _, name := range t.order(m) {
		w.property(t, path, m, name)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Props)) {
		if _, has := m[name]; t.Props[name].Required && !has {
			w.tell(path, "it has no %s, or not a sound one", name)
			return false
		}
	}
	if len(t.AnyOf) > 0 && !slices.ContainsFunc(t.AnyOf, func(p string) bool { _, has := m[p]; return has }) {
		w.tell(path, "it has none of %v", t.AnyOf)
		return false
	}
	return t.Verify == nil || w.verify(t, path, m)
}

func (w *walker) property(t *Type, path string, m map[string]any, name string) {
	at, p := Join(path, name), t.Props[name]
	switch {
	case name == "@type":
	case w.repair && m[name] == nil && (p.Form == nil || !p.Form.nullable):
		delete(m, name)
	case p.Form == nil && vendor(name) && !t.Closed:
	case p.Form == nil:
		reason := t.Unknown
		if reason == "" {
			reason = "no property of a " + t.Name
		}
		w.tell(at, "%s", reason)
		delete(m, name)
	case !w.member(p.Form, at, m, name, t, m):
		delete(m, name)
	}
}

// verify asks the type about the whole object until nothing is found: each
// finding takes a property away, so there is an end.
func (w *walker) verify(t *Type, path string, m map[string]any) bool {
	for {
		name, reason := t.Verify(m)
		if reason == "" {
			return true
		}
		if name == "" {
			w.tell(path, "%s", reason)
			return false
		}
		w.tell(Join(path, name), "%s", reason)
		if t.Props[name].Required {
			return false
		}
		delete(m, name)
	}
}

// order is an object's properties, patches last: they are held to the rest.
func (t *Type) order(m map[string]any) []string {
	names := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(names, func(a, b string) int { return t.rank(a) - t.rank(b) })
	return names
}

func (t *Type) rank(name string) int {
	if f := t.Props[name].Form; f != nil && f.kind == mapping && f.elem.kind == patch {
		return 1
	}
	return 0
}

// brief shows a value in a reason, which must not grow with it.
func brief(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if r := []rune(v); len(r) > 40 {
			v = string(r[:39]) + "…"
		}
		return fmt.Sprintf("%q", v)
	case map[string]any:
		return "an object"
	case []any:
		return "an array"
	}
	return fmt.Sprint(v)
}
