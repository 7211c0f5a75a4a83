package jsschema

import (
	"maps"
	"slices"
	"strings"
)

// patch walks over a PatchObject (RFC 8984 §1.4.9): a pointer must lead to a
// property that the table has, through what the object has, not into an array,
// and no pointer may lead through another.
func (w *walker) patch(path string, p map[string]any, t *Type, on map[string]any) {
	for _, pointer := range slices.Sorted(maps.Keys(p)) {
		at := Join(path, pointer)
		names := Split(pointer)
		f, required, reason := t.at(names)
		switch {
		case throughAnother(p, names):
			reason = "another patch changes what contains it"
		case slices.Contains(t.Unpatchable, names[0]):
			reason = "no patch may change it"
		case reason == "" && !hasParents(on, names[:len(names)-1]):
			reason = "what would contain it is not there"
		}
		if reason != "" {
			w.tell(at, "%s", reason)
			delete(p, pointer)
			continue
		}
		if p[pointer] == nil {
			if required && !f.nullable {
				w.tell(at, "it must not be removed")
				delete(p, pointer)
			}
			continue
		}
		if !w.member(f, at, p, pointer, nil, nil) {
			delete(p, pointer)
		}
	}
}

func throughAnother(p map[string]any, names []string) bool {
	for i := 1; i < len(names); i++ {
		escaped := make([]string, i)
		for j, n := range names[:i] {
			escaped[j] = escaper.Replace(n)
		}
		if _, has := p[strings.Join(escaped, "/")]; has {
			return true
		}
	}
	return false
}

// at is the form of what a pointer leads to, and whether it must be there.
func (t *Type) at(names []string) (f *Form, required bool, reason string) {
	f = Object(t)
	for _, name := range names {
		if f, required = f.member(name); f == nil {
			return nil, false, "there is no such property"
		}
	}
	if f.kind == patch {
		return nil, false, "a patch of patches"
	}
	return f, required, ""
}

// member is the form of what an object or a map has under a name.
func (f *Form) member(name string) (*Form, bool) {
	switch f.kind {
	case anything:
		return f, false
	case mapping:
		if f.key.check(name) {
			return f.elem, false
		}
	case object:
		for _, t := range f.types {
			if p := t.Props[name]; p.Form != nil {
				return p.Form, p.Required
			}
			if vendor(name) && !t.Closed {
				return Any, false
			}
		}
	}
	return nil, false
}

func hasParents(on map[string]any, names []string) bool {
	for _, name := range names {
		next, ok := on[name].(map[string]any)
		if !ok {
			return false
		}
		on = next
	}
	return true
}
