package jscontact_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
	"mailhaul/internal/jscontact"
	js "mailhaul/internal/jsschema"
	"mailhaul/internal/jsschema/jstest"
)

// words are what people and other programs write into fields.
var words = rapid.OneOf(
	rapid.SampledFrom([]string{"Ada", "von der Höhe", "O'Neil, Jr.", "a;b", "x\ny", " spaced ", "www.example.org", "https://example.org/a?b",
		"xmpp:ada@example.org", "😀", "tel:+1-555-0100", "a\\nb", "ada@example.org", "0"}),
	rapid.StringMatching(`[a-zäé ,;:/@.-]{1,12}`),
)

func maybe(t *rapid.T, m map[string]any, property string, value func() any) {
	if rapid.Bool().Draw(t, "has "+property) {
		m[property] = value()
	}
}

func word(t *rapid.T) func() any { return func() any { return words.Draw(t, "word") } }

func entries(t *rapid.T, name string, types []string, more func(map[string]any)) func() any {
	return func() any {
		list := []any{}
		for range rapid.IntRange(0, 11).Draw(t, name) {
			e := map[string]any{"type": rapid.SampledFrom(types).Draw(t, "type")}
			more(e)
			list = append(list, e)
		}
		return list
	}
}

// cyrusContact is a Contact as Cyrus could answer one.
func cyrusContact(t *rapid.T) map[string]any {
	m := map[string]any{"uid": "u-" + rapid.StringMatching(`[a-z0-9]{1,8}`).Draw(t, "uid"), "addressbookId": "Default"}
	for _, p := range []string{"prefix", "firstName", "lastName", "suffix", "nickname", "company", "department", "jobTitle", "notes"} {
		maybe(t, m, p, word(t))
	}
	date := func() any {
		return fmt.Sprintf("%04d-%02d-%02d", rapid.SampledFrom([]int{0, 1605, 1980, 9999}).Draw(t, "y"),
			rapid.IntRange(0, 12).Draw(t, "m"), rapid.IntRange(0, 31).Draw(t, "d"))
	}
	maybe(t, m, "birthday", date)
	maybe(t, m, "anniversary", date)
	value := func(e map[string]any) {
		e["value"] = rapid.OneOf(words, rapid.Just("")).Draw(t, "value")
		maybe(t, e, "label", func() any { return rapid.OneOf(words, rapid.Just("")).Draw(t, "label") })
	}
	maybe(t, m, "emails", entries(t, "emails", []string{"personal", "work", "other"}, value))
	if list, _ := m["emails"].([]any); len(list) > 0 {
		list[rapid.IntRange(0, len(list)-1).Draw(t, "default")].(map[string]any)["isDefault"] = true
	}
	maybe(t, m, "phones", entries(t, "phones", []string{"home", "work", "mobile", "fax", "pager", "other"}, value))
	maybe(t, m, "online", entries(t, "online", []string{"uri", "username", "other"}, func(e map[string]any) {
		value(e)
		if label, has := e["label"].(string); has {
			e["label"] = strings.ReplaceAll(label, ",", "") // Cyrus cuts there
		}
	}))
	maybe(t, m, "addresses", entries(t, "addresses", []string{"home", "work", "billing", "postal", "other"}, func(e map[string]any) {
		for _, p := range []string{"street", "locality", "region", "postcode", "country"} {
			e[p] = rapid.OneOf(words, rapid.Just("")).Draw(t, p)
		}
		maybe(t, e, "label", word(t))
	}))
	maybe(t, m, "avatar", func() any {
		return map[string]any{"blobId": "G1", "type": rapid.SampledFrom([]string{"image/png", "", "photo", "image/jpeg; q=1"}).Draw(t, "type")}
	})
	maybe(t, m, "isFlagged", func() any { return rapid.Bool().Draw(t, "flag") })
	maybe(t, m, "importance", func() any { return json.Number(rapid.SampledFrom([]string{"0", "2.5", "-1"}).Draw(t, "importance")) })
	maybe(t, m, "x-unknown", word(t))
	return m
}

// unset takes out what says nothing: Cyrus answers defaults for it.
func unset(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if unset(e); e == nil || e == "" && k != "label" || e == false || e == json.Number("0") || e == json.Number("0.0") || e == "0000-00-00" {
				delete(v, k)
			}
		}
	case []any:
		for _, e := range v {
			unset(e)
		}
	}
}

// differ compares two objects of one form but for what was told.
func differ(t interface{ Fatal(...any) }, want, got account.Object, told ...[]js.Problem) string {
	a, err := js.Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	b, err := js.Decode(got)
	if err != nil {
		t.Fatal(err)
	}
	unset(a)
	unset(b)
	for _, problems := range told {
		js.Less(a, problems)
		js.Less(b, problems)
	}
	return cmp.Diff(a, b)
}

// A Contact becomes a card that validates, and becomes itself again but for
// what was told on the way there; the way back loses nothing more.
func TestAContactComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		contact := js.Encode(cyrusContact(t))
		before := string(contact.Encode())
		card, told, err := jscontact.FromCyrus(contact)
		if err != nil {
			t.Fatal(err)
		}
		if problems := jscontact.Validate(card); problems != nil {
			t.Fatalf("%s: %v", card.Encode(), problems)
		}
		back, more, err := jscontact.ToCyrus(card)
		if err != nil {
			t.Fatal(err)
		}
		if more != nil {
			t.Fatalf("the card %s loses on the way back: %v", card.Encode(), more)
		}
		// Entries that were lost on the way there moved those behind them up.
		if d := differ(t, compact(t, contact, told), back, nil); d != "" {
			t.Fatalf("%s\nbecame %s\nand %s\nbut for %v:\n%s", contact.Encode(), card.Encode(), back.Encode(), told, d)
		}
		if string(contact.Encode()) != before {
			t.Fatal("the conversion changed what it was given")
		}
	})
}

// compact is a Contact less what was told, with what the telling says came in
// the place of a changed value.
func compact(t *rapid.T, o account.Object, told []js.Problem) account.Object {
	m, err := js.Decode(o)
	if err != nil {
		t.Fatal(err)
	}
	changed := []js.Problem{}
	for _, p := range told {
		names := js.Split(p.Property)
		if len(names) == 3 && names[0] == "online" {
			var i int
			fmt.Sscan(names[1], &i)
			e := m["online"].([]any)[i].(map[string]any)
			if names[2] == "type" {
				e["type"] = "username"
			} else {
				e["value"] = "https://" + e["value"].(string)
			}
			continue
		}
		changed = append(changed, p)
	}
	js.Less(m, changed)
	return js.Encode(m)
}

// fitting has what Cyrus has a place for, written as [jscontact.FromCyrus] writes.
const fitting = `{"name":{"@type":"Name","isOrdered":true,"components":[{"@type":"NameComponent","kind":"given","value":"Ada"},{"@type":"NameComponent","kind":"credential","value":"PhD"}]},
"nicknames":{"n1":{"@type":"Nickname","name":"Addi"}},"organizations":{"o1":{"@type":"Organization","units":[{"@type":"OrgUnit","name":"Lab"}]}},
"titles":{"t1":{"@type":"Title","kind":"title","name":"Chief"}},
"emails":{"e1":{"@type":"EmailAddress","address":"a@x","contexts":{"work":true}},"e2":{"@type":"EmailAddress","address":"b@x","label":"l","pref":1}},
"phones":{"p1":{"@type":"Phone","number":"1","features":{"fax":true}},"p2":{"@type":"Phone","number":"2","contexts":{"private":true}}},
"links":{"o1":{"@type":"Link","uri":"https://x.example"}},
"addresses":{"a1":{"@type":"Address","components":[{"@type":"AddressComponent","kind":"name","value":"5 Gasse"}],"contexts":{"delivery":true}}},
"media":{"avatar":{"@type":"Media","kind":"photo","blobId":"B1","label":"me","mediaType":"image/png"}},
"anniversaries":{"birth":{"@type":"Anniversary","kind":"birth","date":{"@type":"PartialDate","month":2,"day":29}}},
"keywords":{"$flagged":true},"notes":{"n1":{"@type":"Note","note":"x"}}}`

func TestACardThatFitsComesBackAsItWas(t *testing.T) {
	fits, err := js.Decode(parse(t, fitting))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		m := map[string]any{"@type": "Card", "version": "1.0", "uid": "u", "kind": "individual", "addressBookIds": map[string]any{"b": true}}
		for _, p := range slices.Sorted(maps.Keys(fits)) {
			maybe(t, m, p, func() any { return js.Clone(fits[p]) })
		}
		contact, told, err := jscontact.ToCyrus(js.Encode(m))
		if err != nil || told != nil {
			t.Fatal(err, told)
		}
		back, told, err := jscontact.FromCyrus(contact)
		if err != nil || told != nil {
			t.Fatal(err, told)
		}
		if d := differ(t, js.Encode(m), back); d != "" {
			t.Fatal(d)
		}
	})
}

// Nothing is lost without a word: whatever is taken out of a card, the Contact
// that it becomes is another, or something else is told; and the other way round.
func TestNothingIsLostWithoutAWord(t *testing.T) {
	jstest.EachPart(t, parse(t, whole), jscontact.ToCyrus, "id", "version", "kind", "name/full",
		"name/components/1", "name/components/1/kind", "name/components/1/value",
		"addresses/a/components/1", "addresses/a/components/1/kind", "addresses/a/components/1/value")
	fits := parse(t, fitting)
	fits.Put("uid", "u")
	jstest.EachPart(t, fits, jscontact.ToCyrus, "titles/t1/kind", "name/isOrdered")
	jstest.EachPart(t, parse(t, anna), jscontact.FromCyrus, jscontactServerSet...)
}

var jscontactServerSet = []string{"blobId", "size", "x-href", "x-hasPhoto", "avatar/size", "id", "uid"}
