package jsschema_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

func decode(t testing.TB, s string) map[string]any {
	t.Helper()
	o, err := account.ParseObject([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	m, err := js.Decode(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func paths(problems []js.Problem) []string {
	var all []string
	for _, p := range problems {
		if p.Reason == "" {
			all = append(all, "no reason for "+p.Property)
		}
		all = append(all, p.Property)
	}
	slices.Sort(all)
	return all
}

// A small world: a box of named things, with patches.
var (
	thing = &js.Type{Name: "Thing", Named: true, Props: map[string]js.Prop{"n": js.Need(js.Int(0, 9)), "note": js.May(js.Nullable(js.String))}}
	blob  = &js.Type{Name: "Blob", Named: true, Closed: true, Props: map[string]js.Prop{"id": js.Need(js.ID)}}
	box   = &js.Type{Name: "Box", Props: map[string]js.Prop{
		"things": js.May(js.Map(js.ID, js.Object(thing, blob))), "list": js.May(js.Array(js.Object(thing))),
		"kind": js.May(js.Enum("red", "blue")), "tags": js.May(js.Filled(js.Set(js.NonEmpty))), "owner": js.Need(js.NonEmpty),
		"patches": js.May(js.Map(js.NonEmpty, js.Patch)),
	}, AnyOf: []string{"things", "kind"}, Unpatchable: []string{"kind"}}
)

func TestRepairTakesOutWhatIsWrongAndOnlyThat(t *testing.T) {
	for _, tc := range []struct{ in, out, told string }{
		{`{"owner":"o","kind":"red"}`, `{"owner":"o","kind":"red"}`, ``},
		{`{"owner":"o","kind":"x.org:green"}`, `{"owner":"o","kind":"x.org:green"}`, ``},
		{`{"owner":"o","kind":"red","x.org:mine":[1],"mine":2,"gone":null}`, `{"owner":"o","kind":"red","x.org:mine":[1]}`, `["mine"]`},
		{`{"owner":"o","things":{"a":{"n":1},"b":{"n":10},"c c":{"n":1},"d":null,"e":{"@type":"Blob","id":"i","x.org:y":1},"f":{"@type":"Else"}}}`,
			`{"owner":"o","things":{"a":{"@type":"Thing","n":1},"e":{"@type":"Blob","id":"i"}}}`,
			`["things/b","things/b/n","things/c c","things/e/x.org:y","things/f/@type"]`},
		{`{"owner":"o","kind":"red","list":[{"n":1,"note":null},5,{"n":1.5},{"n":2,"note":3}]}`,
			`{"owner":"o","kind":"red","list":[{"@type":"Thing","n":1,"note":null},{"@type":"Thing","n":2}]}`,
			`["list/1","list/2","list/2/n","list/3/note"]`},
		{`{"owner":"o","kind":"red","tags":{"":true,"a":false}}`, `{"owner":"o","kind":"red"}`, `["tags","tags/","tags/a"]`},
		{`{"owner":"o","kind":"red","things":{"a":{}}}`, `{"owner":"o","kind":"red"}`, `["things/a"]`},
		{`{"owner":"o","kind":"red","things":{"a~/":{"n":1}}}`, `{"owner":"o","kind":"red"}`, `["things/a~0~1"]`},
		{`{"owner":"o","kind":"red","things":{"a":{"n":1}},"patches":{"p":{"things/a/n":2,"things/b":{"n":3},"things/c/n":1,"things/a/n/x":1,"list/0":1,"kind":"blue",
			"owner":null,"x.org:y":1,"things":{},"patches/q":{},"":1}}}`,
			`{"owner":"o","kind":"red","things":{"a":{"@type":"Thing","n":1}},"patches":{"p":{"x.org:y":1,"things":{}}}}`,
			`["patches/p/","patches/p/kind","patches/p/list~10","patches/p/owner","patches/p/patches~1q","patches/p/things~1a~1n","patches/p/things~1a~1n~1x","patches/p/things~1b","patches/p/things~1c~1n"]`},
		{`{"owner":"o","kind":"red","things":{"a":{"n":1}},"patches":{"p":{"things/a/n":2,"things/b":{"n":3},"things/a/note":null,"things/c/n":1}}}`,
			`{"owner":"o","kind":"red","things":{"a":{"@type":"Thing","n":1}},"patches":{"p":{"things/a/n":2,"things/b":{"@type":"Thing","n":3},"things/a/note":null}}}`,
			`["patches/p/things~1c~1n"]`},
		{`{"kind":"red"}`, ``, `[""]`},
		{`{"owner":"o"}`, ``, `[""]`},
		{`{"owner":"o","kind":"green"}`, ``, `["","kind"]`},
		{`{"@type":"Bag","owner":"o","kind":"red"}`, ``, `["@type"]`},
	} {
		m := decode(t, tc.in)
		told, ok := js.Repair(box, m)
		want := []string(nil)
		if tc.told != "" {
			if err := json.Unmarshal([]byte(tc.told), &want); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(want)
		if d := cmp.Diff(want, paths(told)); d != "" {
			t.Errorf("%s: %s", tc.in, d)
		}
		if ok != (tc.out != "") {
			t.Errorf("%s: ok is %v", tc.in, ok)
		} else if ok {
			if d := cmp.Diff(decode(t, tc.out), m); d != "" {
				t.Errorf("%s: %s", tc.in, d)
			}
			if problems := js.Check(box, m); problems != nil {
				t.Errorf("%s is not sound after it was repaired: %v", tc.in, problems)
			}
		}
	}
}

func TestCheckLeavesTheObjectAlone(t *testing.T) {
	const in = `{"owner":"o","things":{"a":{"n":1},"b":{"n":10}},"mine":1}`
	m := decode(t, in)
	if d := cmp.Diff([]string{"mine", "things/a/@type", "things/b/@type", "things/b/n"}, without(paths(js.Check(box, m)), "things/b")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"mine", "things/b/n"}, without(paths(js.CheckUnnamed(box, m)), "things/b")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(decode(t, in), m); d != "" {
		t.Error(d)
	}
}

func without(all []string, one string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == one })
}

func TestFormats(t *testing.T) {
	for _, tc := range []struct {
		name    string
		form    *js.Form
		yes, no []string
	}{
		{"ID", js.ID, []string{"a", "A-_9"}, []string{"", "a b", "a/b", "é", "a\n"}},
		{"URI", js.URI, []string{"mailto:a@b", "https://ä.example/?x#y", "urn:x:y"}, []string{"", "a", "//a/b", ":x", "http: //x", "https://a\nb", "1a:b"}},
		{"MediaType", js.MediaType, []string{"image/png", "text/plain; charset=utf-8", "image/svg+xml"}, []string{"", "png", "image/", "image/p ng"}},
		{"UTCDateTime", js.UTCDateTime, []string{"2020-02-29T23:59:59Z", "2020-01-01T00:00:00.003Z"},
			[]string{"", "2020-01-01", "2020-01-01T00:00:00", "2019-02-29T00:00:00Z", "2020-01-01T24:00:00Z", "2020-01-01T00:00:00.10Z", "2020-01-01T00:00:00.Z", "2020-01-01t00:00:00z", "2020-01-01T00:00:00+00:00"}},
		{"LocalDateTime", js.LocalDateTime, []string{"2020-02-29T23:59:59"}, []string{"2020-01-01T00:00:00Z", "20200101T000000", "2020-01-01T00:00"}},
		{"Duration", js.Duration, []string{"P1D", "P1W", "P1W2D", "PT1H", "P1DT2H3M4.5S", "PT0S", "PT5M", "P1WT1H"},
			[]string{"", "P", "PT", "1D", "P1Y", "P1M", "P1DT", "PT1H5S", "-PT1H", "+PT1H", "PT1.5H", "P1D2W", "PT1S5M"}},
		{"SignedDuration", js.SignedDuration, []string{"-PT1H", "+P1D", "PT0S"}, []string{"--PT1H", "PT1H5S"}},
		{"TimeZone", js.TimeZone, []string{"Europe/Berlin", "Etc/GMT+5", "/Own"}, []string{"", "Own Zone", "/", "a\x00"}},
		{"Language", js.Language, []string{"de", "de-AT", "zh-Hant-TW"}, []string{"", "german language", "de_AT", "-de"}},
		{"Geo", js.Geo, []string{"geo:1,2", "geo:-1.5,2.5,3;u=1"}, []string{"1,2", "geo:1", "geo:a,b"}},
		{"Enum", js.Enum("a"), []string{"a", "x.org:b"}, []string{"", "b", ":b", "x:", "a b:c"}},
		{"Exactly", js.Exactly("a"), []string{"a"}, []string{"x.org:b"}},
	} {
		for _, s := range tc.yes {
			if !js.Fits(tc.form, s) {
				t.Errorf("%q is no %s", s, tc.name)
			}
		}
		for _, s := range tc.no {
			if js.Fits(tc.form, s) {
				t.Errorf("%q is %s", s, tc.name)
			}
		}
	}
}

func TestRemoveFollowsWhatServersWrite(t *testing.T) {
	const in = `{"a":{"b":{"c":1},"x/y":2},"l":[{"p":1,"q":2},{"p":3}],"m.n":1}`
	for _, tc := range []struct{ name, way, out string }{
		{"a", "a", `{"l":[{"p":1,"q":2},{"p":3}],"m.n":1}`},
		{"a/b/c", "a/b/c", `{"a":{"b":{},"x/y":2},"l":[{"p":1,"q":2},{"p":3}],"m.n":1}`},
		{"a/x~1y", "a/x~1y", `{"a":{"b":{"c":1}},"l":[{"p":1,"q":2},{"p":3}],"m.n":1}`},
		{"a/b/c/d/e", "a/b/c", `{"a":{"b":{},"x/y":2},"l":[{"p":1,"q":2},{"p":3}],"m.n":1}`},
		{"l[0].q", "l/0/q", `{"a":{"b":{"c":1},"x/y":2},"l":[{"p":1},{"p":3}],"m.n":1}`},
		{"l[1].q", "l/1", `{"a":{"b":{"c":1},"x/y":2},"l":[{"p":1,"q":2}],"m.n":1}`},
		{"l/0", "l/0", `{"a":{"b":{"c":1},"x/y":2},"l":[{"p":3}],"m.n":1}`},
		{"l[7]", "l", `{"a":{"b":{"c":1},"x/y":2},"m.n":1}`},
		{"m.n", "m.n", `{"a":{"b":{"c":1},"x/y":2},"l":[{"p":1,"q":2},{"p":3}]}`},
		{"z", "", in}, {"", "", in}, {"[", "", in}, {"..", "", in},
	} {
		m := decode(t, in)
		if got := js.Remove(m, tc.name); got != tc.way {
			t.Errorf("Remove(%q) went %q, want %q", tc.name, got, tc.way)
		}
		if d := cmp.Diff(decode(t, tc.out), m); d != "" {
			t.Errorf("Remove(%q): %s", tc.name, d)
		}
	}
}

func TestLessTakesOutAllThatWasTold(t *testing.T) {
	m := decode(t, `{"a":{"b":1},"l":[1,2,3,{"x":1}],"k":"v","e":{},"d/e":{"f":1}}`)
	js.Less(m, []js.Problem{{Property: "a/b"}, {Property: "l/0"}, {Property: "l/2"}, {Property: "l/3/x"}, {Property: "no/such"}, {Property: "d~1e"}})
	if d := cmp.Diff(decode(t, `{"l":[2],"k":"v"}`), m); d != "" {
		t.Error(d)
	}
}

func TestDataURIsComeBack(t *testing.T) {
	for _, data := range []string{"", "x", "\x00\xff,;"} {
		mediaType, got, err := js.ReadData(js.DataURI("image/png", []byte(data)))
		if err != nil || mediaType != "image/png" || string(got) != data {
			t.Errorf("%q became %q of %q: %v", data, got, mediaType, err)
		}
	}
	if _, got, err := js.ReadData("data:,a%20b"); err != nil || string(got) != "a b" {
		t.Errorf("%q %v", got, err)
	}
}
