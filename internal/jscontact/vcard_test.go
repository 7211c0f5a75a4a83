package jscontact_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/internal/jscontact"
	"mailhaul/internal/jsschema/jstest"
)

const bare = "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:firm\r\nFN:Pla\r\n in \\, Company\r\nKIND:ORG\r\nitem1.CATEGORIES:one\\,two, three\r\n" +
	"GEO;X=\"a:b\":geo:1,2\r\nX-A:1\r\nX-A:2\r\nno line\r\nTEL:1\r\nEND:VCARD\r\n"

func TestAVCardSuppliesWhatCyrusDoesNotShow(t *testing.T) {
	card, told := jscontact.Supplement(parse(t, `{"@type":"Card","version":"1.0","uid":"firm","kind":"individual","keywords":{"$flagged":true}}`), []byte(bare))
	want := parse(t, `{"@type":"Card","version":"1.0","uid":"firm","kind":"org","name":{"@type":"Name","full":"Plain , Company"},
		"keywords":{"$flagged":true,"one,two":true,"three":true}}`)
	if d := cmp.Diff(string(want.Encode()), string(card.Encode())); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"vCard/GEO", "vCard/X-A"}, properties(told)); d != "" {
		t.Error(d)
	}
	named := parse(t, `{"@type":"Card","version":"1.0","uid":"firm","name":{"full":"Own"}}`)
	if card, _ := jscontact.Supplement(named, []byte(bare)); string(card["name"]) != `{"full":"Own"}` {
		t.Errorf("the name became %s", card["name"])
	}
	if card, told := jscontact.Supplement(named, nil); !card.Equal(named) || told != nil {
		t.Errorf("nothing made %s of it: %v", card.Encode(), told)
	}
}

// A contact that has no name but FN loses it in Cyrus's answer, and gets it back
// from the vCard that Cyrus hands out.
func TestANameThatCyrusDoesNotShow(t *testing.T) {
	a, _ := jstest.Start(t)
	a.Put(t, "addressbooks", "firm.vcf", "BEGIN:VCARD\nVERSION:3.0\nUID:firm\nN:;;;;\nFN:Plain Company\nCATEGORIES:a,b\nX-ROLE:x\nEND:VCARD\n")
	contact := a.All(t, "Contact")["firm"]
	card, _, err := jscontact.FromCyrus(contact)
	if err != nil || card.Has("name") {
		t.Fatalf("%v: Cyrus shows a name: %s", err, contact.Encode())
	}
	vcard := a.Get(t, "/jmap/download/alice/"+contact.Text("blobId")+"/x.vcf")
	card, told := jscontact.Supplement(card, []byte(vcard))
	if got := parse(t, string(card["name"])).Text("full"); got != "Plain Company" {
		t.Errorf("the name is %q after %s", got, vcard)
	}
	if d := cmp.Diff([]string{"a", "b"}, card.Set("keywords")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"vCard/X-ROLE"}, properties(told)); d != "" {
		t.Error(d)
	}
	if problems := jscontact.Validate(card); problems != nil {
		t.Error(problems)
	}
}

func FuzzSupplement(f *testing.F) {
	for _, seed := range []string{bare, cards, "FN:\\", "FN:\xff", ":", ";:", "\"", "a.b.c:d", "CATEGORIES:\\", "KIND:group", "\n FN:x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		card := parse(t, `{"@type":"Card","version":"1.0","uid":"u"}`)
		out, _ := jscontact.Supplement(card, data)
		if problems := jscontact.Validate(out); problems != nil {
			t.Errorf("%s: %v", out.Encode(), problems)
		}
	})
}
