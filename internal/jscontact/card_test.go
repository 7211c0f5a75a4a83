package jscontact_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
	"mailhaul/internal/jscontact"
	js "mailhaul/internal/jsschema"
)

func parse(t testing.TB, s string) account.Object {
	t.Helper()
	o, err := account.ParseObject([]byte(s))
	if err != nil {
		t.Fatalf("%v: %s", err, s)
	}
	return o
}

func properties(problems []js.Problem) []string {
	var all []string
	for _, p := range problems {
		all = append(all, p.Property)
	}
	slices.Sort(all)
	return all
}

// whole has every property of the RFC's tables.
const whole = `{"@type":"Card","version":"1.0","uid":"urn:uuid:1","id":"c1","addressBookIds":{"b":true},"kind":"individual",
"created":"2020-01-02T03:04:05Z","updated":"2020-01-02T03:04:05.25Z","language":"de-AT","prodId":"x",
"relatedTo":{"urn:uuid:2":{"relation":{"friend":true,"example.com:rival":true}},"urn:uuid:3":{"@type":"Relation"}},
"name":{"components":[{"kind":"title","value":"Dr."},{"kind":"separator","value":" "},{"kind":"given","value":"Ada","phonetic":"eida"},
 {"kind":"surname","value":"Braun"},{"kind":"generation","value":"III"}],"isOrdered":true,"defaultSeparator":" ","full":"Dr. Ada Braun III",
 "sortAs":{"surname":"braun"},"phoneticSystem":"ipa","phoneticScript":"Latn"},
"nicknames":{"n":{"name":"Addi","contexts":{"private":true},"pref":1}},
"organizations":{"o":{"name":"Works","units":[{"name":"Lab","sortAs":"lab"}],"sortAs":"works","contexts":{"work":true}}},
"speakToAs":{"grammaticalGender":"feminine","pronouns":{"p":{"pronouns":"she/her","pref":2}}},
"titles":{"t":{"name":"Chief","kind":"role","organizationId":"o"}},
"emails":{"e":{"@type":"EmailAddress","address":"ada@example.org","contexts":{"work":true},"pref":100,"label":"desk","vCardName":"email","vCardParams":{"x-a":"b"}}},
"onlineServices":{"s":{"service":"Chat","user":"ada","uri":"xmpp:ada@example.org"}},
"phones":{"p":{"number":"tel:+1-555-0100","features":{"mobile":true,"voice":true}}},
"preferredLanguages":{"l":{"language":"de","pref":1}},
"calendars":{"c":{"kind":"freeBusy","uri":"https://example.org/fb","mediaType":"text/calendar"}},
"schedulingAddresses":{"s":{"uri":"mailto:ada@example.org"}},
"addresses":{"a":{"components":[{"kind":"number","value":"5"},{"kind":"separator","value":" "},{"kind":"name","value":"Gasse"}],"isOrdered":true,
 "defaultSeparator":", ","countryCode":"AT","coordinates":"geo:48.2,16.37","timeZone":"Europe/Vienna","contexts":{"billing":true},"full":"at 5","pref":1}},
"cryptoKeys":{"k":{"uri":"https://example.org/k","label":"old"}},
"directories":{"d":{"kind":"entry","uri":"https://example.org/d","listAs":1}},
"links":{"l":{"kind":"contact","uri":"mailto:contact@example.org"}},
"media":{"m":{"kind":"photo","blobId":"B1","mediaType":"image/png"},"n":{"kind":"logo","uri":"data:image/png;base64,AA=="}},
"anniversaries":{"b":{"kind":"birth","date":{"year":1980,"month":4},"place":{"full":"Graz"}},"w":{"kind":"wedding","date":{"@type":"Timestamp","utc":"2010-01-01T12:00:00Z"}},
 "x":{"kind":"example.com:nameday","date":{"month":2,"day":29}}},
"keywords":{"friends":true},"notes":{"n":{"note":"a\nb","created":"2020-01-01T00:00:00Z","author":{"name":"me"}}},
"personalInfo":{"i":{"kind":"hobby","value":"chess","level":"high","listAs":1,"label":"x"}},
"localizations":{"en":{"name/full":"Dr. Ada Brown","titles/t/name":"Head"}},
"vCardProps":[["x-club",{},"text","chess"]],"example.com:number":5}`

func TestACardWithEveryPropertyValidates(t *testing.T) {
	if problems := jscontact.Validate(parse(t, whole)); problems != nil {
		t.Error(problems)
	}
	const group = `{"@type":"Card","version":"1.0","uid":"g","kind":"group","name":{"full":"Club"},"members":{"urn:uuid:1":true}}`
	if problems := jscontact.Validate(parse(t, group)); problems != nil {
		t.Error(problems)
	}
}

func TestWhatIsWrongWithACardIsFound(t *testing.T) {
	for _, tc := range []struct{ with, at string }{
		{`"uid":""`, "uid "}, // and with it the card has none
		{`"version":"3.0"`, "version "},
		{`"@type":"Person"`, "@type"},
		{`"kind":"robot"`, "kind"},
		{`"created":"2020-02-30T00:00:00Z"`, "created"},
		{`"created":"2020-01-01T00:00:00+01:00"`, "created"},
		{`"created":"2020-01-01T00:00:00.10Z"`, "created"},
		{`"language":"german language"`, "language"},
		{`"members":{"urn:uuid:2":true}`, "members"},
		{`"keywords":{"a":false}`, "keywords/a"},
		{`"keywords":["a"]`, "keywords"},
		{`"keywords":null`, "keywords"},
		{`"title":"x"`, "title"},
		{`"name":{}`, "name"},
		{`"name":{"components":[{"kind":"first","value":"x"}],"full":"x"}`, "name/components/0/kind name/components/0"},
		{`"name":{"components":[{"kind":"given","value":"x"}],"defaultSeparator":" "}`, "name/defaultSeparator"},
		{`"name":{"components":[{"kind":"separator","value":"x"}],"isOrdered":true}`, "name"},
		{`"name":{"full":"x","sortAs":{"given":"x"}}`, "name/sortAs"},
		{`"emails":{"e/1":{"address":"x"}}`, "emails/e~11"},
		{`"emails":{"e":{"address":""}}`, "emails/e/address emails/e"},
		{`"emails":{"e":{"address":"x","pref":0}}`, "emails/e/pref"},
		{`"emails":{"e":{"address":"x","pref":1.5}}`, "emails/e/pref"},
		{`"emails":{"e":{"address":"x","contexts":{"home":true}}}`, "emails/e/contexts/home"},
		{`"emails":{"e":{"@type":"Phone","address":"x"}}`, "emails/e/@type"},
		{`"phones":{"p":{"number":"1","features":{"cell":true}}}`, "phones/p/features/cell"},
		{`"onlineServices":{"s":{"service":"x"}}`, "onlineServices/s"},
		{`"links":{"l":{"uri":"www.example.org"}}`, "links/l/uri links/l"},
		{`"media":{"m":{"kind":"photo"}}`, "media/m"},
		{`"media":{"m":{"uri":"https://x"}}`, "media/m"},
		{`"calendars":{"c":{"uri":"https://x"}}`, "calendars/c"},
		{`"addresses":{"a":{"contexts":{"work":true}}}`, "addresses/a"},
		{`"addresses":{"a":{"countryCode":"Austria"}}`, "addresses/a/countryCode addresses/a"},
		{`"addresses":{"a":{"full":"x","label":"y"}}`, "addresses/a/label"},
		{`"anniversaries":{"b":{"kind":"birth","date":{"day":3}}}`, "anniversaries/b/date anniversaries/b"},
		{`"anniversaries":{"b":{"kind":"birth","date":{"month":3}}}`, "anniversaries/b/date anniversaries/b"},
		{`"anniversaries":{"b":{"kind":"birth","date":"1980-01-01"}}`, "anniversaries/b/date anniversaries/b"},
		{`"notes":{"n":"x"}`, "notes/n"},
		{`"addressBookIds":{}`, "addressBookIds"},
		{`"localizations":{"en":{"titles/t/name":"x"}}`, "localizations/en/titles~1t~1name"},
		{`"localizations":{"en":{"nonsense":"x"}}`, "localizations/en/nonsense"},
		{`"localizations":{"en":{"uid":null}}`, "localizations/en/uid"},
		{`"nicknames":{"n":{"name":"a"}},"localizations":{"en":{"nicknames/n":{"name":"b"},"nicknames/n/name":"c"}}`, "localizations/en/nicknames~1n~1name"},
	} {
		base := map[string]string{"@type": `"Card"`, "version": `"1.0"`, "uid": `"u"`}
		o := account.Object{}
		for k, v := range base {
			o[k] = []byte(v)
		}
		for k, v := range parse(t, "{"+tc.with+"}") {
			o[k] = v
		}
		want := strings.Split(tc.at, " ")
		slices.Sort(want)
		if d := cmp.Diff(want, properties(jscontact.Validate(o))); d != "" {
			t.Errorf("%s: %s", tc.with, d)
		}
	}
	if problems := jscontact.Validate(nil); len(problems) == 0 {
		t.Error("nothing is a card")
	}
}
