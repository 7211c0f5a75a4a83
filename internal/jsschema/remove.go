package jsschema

import (
	"slices"
	"strconv"
	"strings"
)

// Remove takes out of an object what a server named in invalidProperties: a
// property ("media"), or the way to one as a pointer ("locations/l1/timeZone")
// or in brackets ("addresses[1].locality"). Where the way ends before it gets
// there, what it got to goes: with it goes what was refused. It gives the way to
// what was taken out, "" if nothing was.
func Remove(m map[string]any, name string) string {
	names := []string{name}
	if _, whole := m[name]; !whole {
		names = Split(name)
		if len(names) == 1 {
			names = strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
		}
	}
	path := ""
	_, way := cut(m, names)
	for _, n := range way {
		path = Join(path, n)
	}
	return path
}

// cut takes what the names lead to, as far as they lead, out of a value, and
// gives the value that is left and the way it went.
func cut(v any, names []string) (left any, way []string) {
	if len(names) == 0 {
		return v, nil
	}
	switch v := v.(type) {
	case map[string]any:
		inner, has := v[names[0]]
		if !has {
			return v, nil
		}
		if left, way := cut(inner, names[1:]); way != nil {
			v[names[0]] = left
			return v, append(names[:1:1], way...)
		}
		delete(v, names[0])
		return v, names[:1]
	case []any:
		i, err := strconv.Atoi(names[0])
		if err != nil || i < 0 || i >= len(v) {
			return v, nil
		}
		if left, way := cut(v[i], names[1:]); way != nil {
			v[i] = left
			return v, append(names[:1:1], way...)
		}
		return slices.Delete(v, i, i+1), names[:1]
	}
	return v, nil
}

// Less takes out of an object all that problems tell of, and what is empty then:
// two objects are the same but for what was told if they are equal after it.
func Less(m map[string]any, told []Problem) {
	for _, p := range told {
		mark(m, Split(p.Property))
	}
	sweep(m)
}

// gone marks what [Less] takes out, so that the places of an array's elements
// stay until all are marked.
type gone struct{}

func mark(v any, names []string) {
	switch v := v.(type) {
	case map[string]any:
		inner, has := v[names[0]]
		if has && len(names) == 1 {
			v[names[0]] = gone{}
		} else if has {
			mark(inner, names[1:])
		}
	case []any:
		i, err := strconv.Atoi(names[0])
		if err != nil || i < 0 || i >= len(v) {
			return
		}
		if len(names) == 1 {
			v[i] = gone{}
		} else {
			mark(v[i], names[1:])
		}
	}
}

// sweep takes out what is marked or empty, and says whether anything is left.
func sweep(v any) (left any, some bool) {
	switch v := v.(type) {
	case gone:
		return nil, false
	case map[string]any:
		for k, e := range v {
			if e, some := sweep(e); some {
				v[k] = e
			} else {
				delete(v, k)
			}
		}
		return v, len(v) > 0
	case []any:
		kept := v[:0]
		for _, e := range v {
			if e, some := sweep(e); some {
				kept = append(kept, e)
			}
		}
		return kept, len(kept) > 0
	}
	return v, true
}
