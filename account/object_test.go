package account_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
)

func parse(t *testing.T, s string) account.Object {
	t.Helper()
	o, err := account.ParseObject([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestPropertiesReadAsTheyAreOrAsNothing(t *testing.T) {
	o := parse(t, `{"id":"a","n":12,"b":true,"s":{"x":true,"y":false,"w":true},"l":["p","q"],"t":"2024-01-01T12:00:00+02:00","nil":null}`)
	if got := o.ID(); got != "a" {
		t.Errorf("ID = %q", got)
	}
	if got := o.Int("n"); got != 12 {
		t.Errorf("Int = %d", got)
	}
	if !o.Bool("b") {
		t.Error("Bool = false")
	}
	if d := cmp.Diff([]string{"w", "x"}, o.Set("s")); d != "" {
		t.Errorf("Set: %s", d)
	}
	if d := cmp.Diff([]string{"p", "q"}, o.Strings("l")); d != "" {
		t.Errorf("Strings: %s", d)
	}
	if got, want := o.Time("t"), time.Date(2024, 1, 1, 10, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("Time = %v, want %v", got, want)
	}
	for _, prop := range []string{"nil", "missing", "s"} {
		if o.Text(prop) != "" || o.Int(prop) != 0 || o.Bool(prop) || o.Strings(prop) != nil || !o.Time(prop).IsZero() {
			t.Errorf("%s does not read as nothing", prop)
		}
	}
	if o.Has("nil") || o.Has("missing") || !o.Has("n") {
		t.Error("Has is wrong about null, missing or present properties")
	}
}

func TestParseObjectRefusesWhatIsNone(t *testing.T) {
	for _, s := range []string{"", "null", "[]", `"a"`, "{", `{"a":1}x`} {
		if o, err := account.ParseObject([]byte(s)); err == nil {
			t.Errorf("ParseObject(%q) = %v, want an error", s, o)
		}
	}
}

func TestEncodingIsCanonicalAndKeepsEverything(t *testing.T) {
	a := parse(t, `{"b": {"y":1.50, "x":12345678901234567890}, "a":"<&>é"}`)
	b := parse(t, `{"a":"\u003c\u0026\u003e\u00e9","b":{"x":12345678901234567890,"y":1.50}}`)
	if !a.Equal(b) {
		t.Errorf("the same object in two writings differs:\n%s\n%s", a.Encode(), b.Encode())
	}
	const want = `{"a":"<&>é","b":{"x":12345678901234567890,"y":1.50}}`
	if got := string(a.Encode()); got != want {
		t.Errorf("Encode = %s, want %s", got, want)
	}
	if c := parse(t, `{"a":"<&>é"}`); a.Equal(c) {
		t.Error("an object equals one that has less")
	}
}

// Whatever properties an object has, encoding neither loses nor changes them,
// and their order does not matter.
func TestEncodeProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.String())).Draw(t, "properties")
		o := account.Object{}
		for k, v := range m {
			o.Put(k, v)
		}
		again, err := account.ParseObject(o.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !o.Equal(again) || !bytes.Equal(o.Encode(), again.Encode()) {
			t.Fatalf("%s became %s", o.Encode(), again.Encode())
		}
		var back map[string][]string
		if err := json.Unmarshal(o.Encode(), &back); err != nil {
			t.Fatal(err)
		}
		if len(m) > 0 && !maps.EqualFunc(m, back, func(a, b []string) bool { return cmp.Equal(a, b) }) {
			t.Fatalf("%v became %v", m, back)
		}
	})
}

func TestOnlyAndWithoutLeaveTheObjectAlone(t *testing.T) {
	o := parse(t, `{"id":"a","x":1,"y":2}`)
	if d := cmp.Diff(`{"id":"a","x":1}`, string(o.Only("id", "x", "z").Encode())); d != "" {
		t.Errorf("Only: %s", d)
	}
	if d := cmp.Diff(`{"y":2}`, string(o.Without("id", "x").Encode())); d != "" {
		t.Errorf("Without: %s", d)
	}
	if len(o) != 3 {
		t.Errorf("the object itself became %s", o.Encode())
	}
}
