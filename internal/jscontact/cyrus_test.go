package jscontact_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/internal/jscontact"
)

// anna is what Cyrus 3.6.1 answered, see TestWhatCyrusAnswers.
const anna = `{"lastName":"Müller","firstName":"Anna Maria","prefix":"Dr.","suffix":"PhD","company":"Acme GmbH","department":"Research","jobTitle":"Engineer",
"addresses":[{"type":"home","label":"X","street":"Hauptstr. 1\nHof","locality":"Berlin","region":"BE","postcode":"10115","country":"Germany"},
 {"type":"billing","label":null,"street":"s2","locality":"","region":"","postcode":"","country":""}],
"emails":[{"type":"work","isDefault":true,"value":"anna@acme.example"},{"type":"personal","isDefault":false,"label":"L","value":"anna@home.example"}],
"phones":[{"type":"mobile","value":"+49 170 1"},{"type":"fax","value":"+49 30 1"},{"type":"work","label":"Boat","value":"6"}],
"online":[{"type":"uri","value":"https://anna.example"},{"type":"uri","value":"acme.example/anna"},{"type":"username","label":"Twitter","value":"me"},
 {"type":"other","value":"o"},{"type":"username","value":"xmpp:anna@chat.example"}],
"nickname":"Annie","anniversary":"0000-06-12","birthday":"1980-00-00","notes":"First\nsecond","x-hasPhoto":true,
"avatar":{"blobId":"V1","size":8,"type":"image/png","name":"me"},"isFlagged":true,"importance":2.5,
"x-href":"/dav/addressbooks/user/alice/Default/rich.vcf","blobId":"V2","size":958,"id":"anna","uid":"anna","addressbookId":"Default"}`

func TestAContactAsACard(t *testing.T) {
	card, told, err := jscontact.FromCyrus(parse(t, anna))
	if err != nil {
		t.Fatal(err)
	}
	if problems := jscontact.Validate(card); problems != nil {
		t.Error(problems)
	}
	want := parse(t, `{"@type":"Card","version":"1.0","kind":"individual","uid":"anna","addressBookIds":{"Default":true},
"name":{"@type":"Name","isOrdered":true,"components":[{"@type":"NameComponent","kind":"title","value":"Dr."},{"@type":"NameComponent","kind":"given","value":"Anna Maria"},
 {"@type":"NameComponent","kind":"surname","value":"Müller"},{"@type":"NameComponent","kind":"credential","value":"PhD"}]},
"nicknames":{"n1":{"@type":"Nickname","name":"Annie"}},
"organizations":{"o1":{"@type":"Organization","name":"Acme GmbH","units":[{"@type":"OrgUnit","name":"Research"}]}},
"titles":{"t1":{"@type":"Title","kind":"title","name":"Engineer"}},
"anniversaries":{"birth":{"@type":"Anniversary","kind":"birth","date":{"@type":"PartialDate","year":1980}},
 "wedding":{"@type":"Anniversary","kind":"wedding","date":{"@type":"PartialDate","month":6,"day":12}}},
"emails":{"e1":{"@type":"EmailAddress","address":"anna@acme.example","contexts":{"work":true},"pref":1},
 "e2":{"@type":"EmailAddress","address":"anna@home.example","contexts":{"private":true},"label":"L"}},
"phones":{"p1":{"@type":"Phone","number":"+49 170 1","features":{"mobile":true}},"p2":{"@type":"Phone","number":"+49 30 1","features":{"fax":true}},
 "p3":{"@type":"Phone","number":"6","contexts":{"work":true},"label":"Boat"}},
"links":{"o1":{"@type":"Link","uri":"https://anna.example"},"o2":{"@type":"Link","uri":"https://acme.example/anna"}},
"onlineServices":{"o3":{"@type":"OnlineService","user":"me","label":"Twitter"},"o4":{"@type":"OnlineService","user":"o"},"o5":{"@type":"OnlineService","uri":"xmpp:anna@chat.example"}},
"addresses":{"a1":{"@type":"Address","contexts":{"private":true},"components":[{"@type":"AddressComponent","kind":"name","value":"Hauptstr. 1\nHof"},
 {"@type":"AddressComponent","kind":"locality","value":"Berlin"},{"@type":"AddressComponent","kind":"region","value":"BE"},
 {"@type":"AddressComponent","kind":"postcode","value":"10115"},{"@type":"AddressComponent","kind":"country","value":"Germany"}]},
 "a2":{"@type":"Address","contexts":{"billing":true},"components":[{"@type":"AddressComponent","kind":"name","value":"s2"}]}},
"media":{"avatar":{"@type":"Media","kind":"photo","blobId":"V1","mediaType":"image/png","label":"me"}},
"notes":{"n1":{"@type":"Note","note":"First\nsecond"}},"keywords":{"$flagged":true}}`)
	if d := cmp.Diff(string(want.Encode()), string(card.Encode())); d != "" {
		t.Error(d)
	}
	lost := []string{"addresses/0/label", "importance", "online/1/value", "online/3/type"}
	if d := cmp.Diff(lost, properties(told)); d != "" {
		t.Error(d)
	}
}

func TestWhatCyrusHasNoPlaceForIsTold(t *testing.T) {
	for _, tc := range []struct{ with, contact, told string }{
		{`"name":{"full":"Ada Braun"}`, `"lastName":"Ada Braun"`, "name/full"},
		{`"name":{"full":"Ada B","components":[{"kind":"given","value":"Ada"},{"kind":"surname","value":"B"}]}`, `"firstName":"Ada","lastName":"B"`, ""},
		{`"name":{"components":[{"kind":"surname","value":"B"},{"kind":"given","value":"Ada"},{"kind":"given2","value":"Eve"}],"isOrdered":true}`,
			`"firstName":"Ada Eve","lastName":"B"`, "name/components/1 name/components/2 name/components/2"},
		{`"kind":"org"`, "", "kind"},
		{`"addressBookIds":{"a":true,"b":true}`, `"addressbookId":"a"`, "addressBookIds/b"},
		{`"phones":{"p":{"number":"1","features":{"fax":true,"voice":true},"contexts":{"work":true}}}`, `"phones":[{"type":"fax","value":"1"}]`,
			"phones/p/contexts phones/p/features"},
		{`"emails":{"a":{"address":"a","pref":2},"b":{"address":"b","pref":1}}`, `"emails":[{"type":"other","value":"a"},{"isDefault":true,"type":"other","value":"b"}]`,
			"emails/a/pref"},
		{`"addresses":{"a":{"full":"Street 1\nTown","countryCode":"at"}}`,
			`"addresses":[{"country":"at","locality":"","postcode":"","region":"","street":"Street 1\nTown","type":"other"}]`, "addresses/a/countryCode addresses/a/full"},
		{`"anniversaries":{"b":{"kind":"birth","date":{"@type":"Timestamp","utc":"1980-01-02T10:00:00Z"}},"d":{"kind":"death","date":{"year":2000}}}`,
			`"birthday":"1980-01-02"`, "anniversaries/b/date anniversaries/d"},
		{`"anniversaries":{"b":{"kind":"birth","date":{"year":1604,"month":2}}}`, ``, "anniversaries/b"},
		{`"notes":{"a":{"note":"x"},"b":{"note":"y"}}`, `"notes":"x\n\ny"`, "notes/b"},
		{`"media":{"a":{"kind":"photo","uri":"https://example.org/a.png"},"b":{"kind":"photo","blobId":"B"}}`, `"avatar":{"blobId":"B"}`, "media/a"},
		{`"onlineServices":{"s":{"service":"Chat","user":"ada"}}`, `"online":[{"label":"Chat","type":"username","value":"ada"}]`, "onlineServices/s/service"},
		{`"emails":{"e":{"address":""}}`, "", "emails/e emails/e/address"}, // what is no sound card in the first place
	} {
		contact, told, err := jscontact.ToCyrus(parse(t, `{"uid":"u",`+tc.with+"}"))
		if err != nil {
			t.Errorf("%s: %v", tc.with, err)
			continue
		}
		want := `{"uid":"u",` + tc.contact + "}"
		if tc.contact == "" {
			want = `{"uid":"u"}`
		}
		if d := cmp.Diff(string(parse(t, want).Encode()), string(contact.Encode())); d != "" {
			t.Errorf("%s: %s", tc.with, d)
		}
		if d := cmp.Diff(strings.Fields(tc.told), properties(told), cmpEmpty); d != "" {
			t.Errorf("%s: %s", tc.with, d)
		}
	}
}

var cmpEmpty = cmp.Transformer("sameWhenEmpty", func(s []string) string { return strings.Join(s, "\n") })

func TestGroupsNameTheirMembersByUID(t *testing.T) {
	group := parse(t, `{"id":"g","uid":"g","name":"Friends","contactIds":["anna","6a0d0f3c","gone"],"otherAccountContactIds":{"bob":["x"]},
		"addressbookId":"Default","x-href":"/dav/g.vcf","blobId":"V","size":3}`)
	card, told, err := jscontact.GroupFromCyrus(group, map[string]bool{"anna": true, "urn:uuid:6a0d0f3c": true})
	if err != nil {
		t.Fatal(err)
	}
	want := parse(t, `{"@type":"Card","version":"1.0","kind":"group","uid":"g","name":{"@type":"Name","full":"Friends"},
		"members":{"anna":true,"urn:uuid:6a0d0f3c":true,"gone":true},"addressBookIds":{"Default":true}}`)
	if d := cmp.Diff(string(want.Encode()), string(card.Encode())); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"contactIds/2", "otherAccountContactIds/bob"}, properties(told)); d != "" {
		t.Error(d)
	}
	if problems := jscontact.Validate(card); problems != nil {
		t.Error(problems)
	}
	back, told, err := jscontact.GroupToCyrus(card)
	if err != nil || told != nil {
		t.Fatal(err, told)
	}
	const again = `{"addressbookId":"Default","contactIds":["anna","gone","urn:uuid:6a0d0f3c"],"name":"Friends","uid":"g"}`
	if d := cmp.Diff(again, string(back.Encode())); d != "" {
		t.Error(d)
	}
	if _, _, err := jscontact.ToCyrus(card); err == nil {
		t.Error("a group became a Contact")
	}
	if _, _, err := jscontact.GroupToCyrus(parse(t, `{"uid":"u","kind":"individual"}`)); err == nil {
		t.Error("a person became a group")
	}
}
