package jstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// EachPart takes each part out of an object, at every depth, and fails the test
// where the object converts to the same without it though nothing was told of it,
// of what contains it or of what it contains: it was lost without a word. Parts that may be are
// named; @type and what says nothing (null, false, "", 0) are left out.
func EachPart(t *testing.T, o account.Object, convert func(account.Object) (account.Object, []js.Problem, error), silent ...string) {
	t.Helper()
	out, told, err := convert(o)
	if err != nil {
		t.Fatal(err)
	}
	whole := string(out.Encode())
	isTold := func(path string) bool {
		return slices.ContainsFunc(told, func(p js.Problem) bool {
			return path == p.Property || strings.HasPrefix(path, p.Property+"/") || strings.HasPrefix(p.Property, path+"/")
		})
	}
	m, err := js.Decode(o)
	if err != nil {
		t.Fatal(err)
	}
	parts, met := 0, map[string]bool{}
	walk(m, "", func(path string) {
		less := js.Clone(m).(map[string]any)
		if removed := js.Remove(less, path); removed != path {
			t.Fatalf("%s was to be taken out, %s was", path, removed)
		}
		parts++
		out, _, err := convert(js.Encode(less))
		lost := err == nil && string(out.Encode()) == whole && !isTold(path)
		if slices.Contains(silent, path) {
			met[path] = lost
		} else if lost {
			t.Errorf("%s is lost without a word", path)
		}
	})
	for _, path := range silent {
		if !met[path] {
			t.Errorf("%s is not lost without a word", path)
		}
	}
	if parts < 10 {
		t.Errorf("only %d parts", parts)
	}
}

func walk(v any, path string, visit func(string)) {
	inside := func(name string, e any) {
		if name == "@type" || e == nil || e == false || e == "" || e == json.Number("0") {
			return
		}
		at := js.Join(path, name)
		visit(at)
		walk(e, at, visit)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			inside(k, v[k])
		}
	case []any:
		for i, e := range v {
			inside(fmt.Sprint(i), e)
		}
	}
}
