package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mailhaul/account"
)

// checkDigest compares the digest of JSON with that of account.Object.Encode.
func checkDigest(t rapid.TB, data []byte) {
	t.Helper()
	o, err := account.ParseObject(data)
	if err != nil {
		return
	}
	for _, name := range rowProps {
		if p, ok := pick(data); ok && !bytes.Equal(p[name], o[name]) {
			t.Fatalf("of %q %s is picked as %q, not %q", data, name, p[name], o[name])
		}
	}
	want := sha256.Sum256(o.Encode())
	for _, form := range [][]byte{data, account.Marshal(o), o.Encode()} {
		if !bytes.Equal(digest(form), want[:16]) {
			c := &canonical{}
			c.value(form, 0)
			t.Fatalf("the canonical form of %q is\n%q (odd: %v), not\n%q", form, c.out, c.odd, o.Encode())
		}
	}
}

var jsonTexts = []string{
	`{}`, ` { } `, `{"a":1}`, `{"b":1,"a":2}`, `{"a":1,"a":2}`, `{"b":{"z":[],"a":[{"y":1,"x":2}]},"a":null}`,
	`{"a":"\u003c\u0026é\u2028\u2029","\u0062":"\ud800x\\\"","A":"` + "\u2028" + `"}`,
	`{"` + "a\xff" + `":"` + "\xc3" + `"}`, `{"x": [ 1.50 , 12345678901234567890, -1e9, true , false , null ] }`,
	`{"a":{"b":1,"a":{"d":1,"c":2,"c":3},"a":{"f":0,"e":[[{"k":1,"j":2}]]}}}`, `{"":0," ":1}`, "{\"a\":\"\u007f\"}",
	strings.Repeat(`{"b":1,"a":`, 40) + "0" + strings.Repeat("}", 40), "null", "[]", "x", `{"a":1}x`, `{"a"`,
	`{"id":"\\","blobId":"a\"b","size": 7 ,"size":{"size":8,"id":"]}"},"messageId":["}\\\"",[{}]],"mailhaul:gone":true}`, `{"\u0069d":"x"}`, "{\"id\" : \"a\",\"i\xff\":1}",
}

func TestTheDigestIsOfTheCanonicalForm(t *testing.T) {
	for _, s := range jsonTexts {
		checkDigest(t, []byte(s))
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom(rowProps), rapid.SampledFrom([]string{"a", "b", "\\", "\"", "\u2028", "<", "\x00", "\xff"}))
		var value func(depth int) *rapid.Generator[any]
		value = func(depth int) *rapid.Generator[any] {
			kinds := []*rapid.Generator[any]{text.AsAny(), rapid.Int64().AsAny(), rapid.Bool().AsAny(), rapid.Just(any(nil))}
			if depth > 0 {
				kinds = append(kinds, rapid.SliceOfN(value(depth-1), 0, 3).AsAny(), rapid.MapOfN(text, value(depth-1), 0, 4).AsAny())
			}
			return rapid.OneOf(kinds...)
		}
		o := rapid.MapOfN(text, value(3), 0, 5).Draw(t, "object")
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		checkDigest(t, data)
		var indented bytes.Buffer
		if err := json.Indent(&indented, data, " ", "\t"); err != nil {
			t.Fatal(err)
		}
		checkDigest(t, indented.Bytes())
	})
}

func FuzzDigest(f *testing.F) {
	for _, s := range jsonTexts {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkDigest(t, data) })
}
