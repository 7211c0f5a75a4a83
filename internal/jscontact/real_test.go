package jscontact_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
	"mailhaul/internal/jscontact"
	js "mailhaul/internal/jsschema"
	"mailhaul/internal/jsschema/jstest"
)

// TestWhatCyrusAnswers puts vCards into a real Cyrus over CardDAV, reads them
// as Contacts, and gives them back, converted there and back, to another account.
func TestWhatCyrusAnswers(t *testing.T) {
	a, b := jstest.Start(t)
	for name, file := range vCards(t) {
		a.Put(t, "addressbooks", name, string(file.Data))
	}
	contacts, groups := a.All(t, "Contact"), a.All(t, "ContactGroup")
	if len(contacts) != 3 || len(groups) != 2 {
		t.Fatalf("Cyrus has %d contacts and %d groups of what was put in", len(contacts), len(groups))
	}
	uids := map[string]bool{}
	blob := b.Upload(t, "image/png", []byte("PNG"))
	for uid, contact := range contacts {
		uids[contact.ID()] = true
		card, told, err := jscontact.FromCyrus(contact)
		if err != nil {
			t.Fatal(err)
		}
		if problems := jscontact.Validate(card); problems != nil {
			t.Errorf("%s: %v", uid, problems)
		}
		if d := cmp.Diff(strings.Fields(lostOf[uid]), properties(told), cmpEmpty); d != "" {
			t.Errorf("%s, told as lost: %s", uid, d)
		}
		for _, id := range jscontact.Blobs(card) {
			card = jscontact.WithBlobs(card, map[string]string{id: blob})
		}
		back, more, err := jscontact.ToCyrus(card)
		if err != nil || more != nil {
			t.Fatal(err, more)
		}
		b.Create(t, "Contact", back)
	}
	for uid, got := range b.All(t, "Contact") {
		mine := contacts[uid]
		_, told, err := jscontact.FromCyrus(mine)
		if err != nil {
			t.Fatal(err)
		}
		ignore := []string{"id", "blobId", "size", "x-href", "x-hasPhoto"}
		if d := differ(t, withoutBlob(t, mine.Without(ignore...)), withoutBlob(t, got.Without(ignore...)), told); d != "" {
			t.Errorf("%s came back otherwise: %s", uid, d)
		}
	}
	for uid, group := range groups {
		card, told, err := jscontact.GroupFromCyrus(group, uids)
		if err != nil || told != nil {
			t.Fatal(uid, err, told)
		}
		back, _, err := jscontact.GroupToCyrus(card)
		if err != nil {
			t.Fatal(err)
		}
		b.Create(t, "ContactGroup", back)
	}
	for uid, group := range b.All(t, "ContactGroup") {
		for _, id := range group.Strings("contactIds") {
			if !uids[id] {
				t.Errorf("the member %q of %s is no contact", id, uid)
			}
		}
		if len(group.Strings("contactIds")) != len(groups[uid].Strings("contactIds")) {
			t.Errorf("%s has the members %v", uid, group.Strings("contactIds"))
		}
	}
}

// Whatever card there is, what it becomes for Cyrus is taken by a real one, and
// kept as it was sent.
func TestCyrusTakesEveryCard(t *testing.T) {
	a, _ := jstest.Start(t)
	blob := a.Upload(t, "image/png", []byte("PNG"))
	other, err := js.Decode(parse(t, whole))
	if err != nil {
		t.Fatal(err)
	}
	cards := rapid.Custom(func(t *rapid.T) map[string]any {
		contact := cyrusContact(t)
		delete(contact, "avatar")
		card, _, err := jscontact.FromCyrus(js.Encode(contact))
		if err != nil {
			t.Fatal(err)
		}
		m, err := js.Decode(card)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range slices.Sorted(maps.Keys(other)) {
			if rapid.IntRange(0, 3).Draw(t, p) == 0 && p != "uid" && p != "addressBookIds" {
				m[p] = js.Clone(other[p])
			}
		}
		return m
	})
	sent := map[string]account.Object{}
	for i := range 80 {
		card := jscontact.WithBlobs(js.Encode(cards.Example(i)), map[string]string{"B1": blob})
		contact, _, err := jscontact.ToCyrus(card)
		if err != nil {
			t.Fatal(err)
		}
		uid := fmt.Sprintf("u%d", i)
		contact.Put("uid", uid)
		sent[uid] = contact
	}
	if refused := a.CreateAll(t, "Contact", sent); len(refused) > 0 {
		for uid, why := range refused {
			t.Errorf("Cyrus refuses %s: %s", sent[uid].Encode(), why)
		}
	}
	preferred := []js.Problem{{Property: "emails/0/isDefault"}} // the first is, if none is said to be
	compared := 0
	for uid, got := range a.All(t, "Contact") {
		if quirks.Match(sent[uid].Encode()) {
			continue
		}
		compared++
		if d := differ(t, withoutBlob(t, sent[uid]), withoutBlob(t, got.Without("id", "blobId", "size", "x-href", "x-hasPhoto")), preferred); d != "" {
			t.Errorf("%s is kept otherwise: %s", sent[uid].Encode(), d)
		}
	}
	if compared < 20 {
		t.Errorf("only %d contacts were compared", compared)
	}
}

// quirks are what Cyrus 3.6.1 does not keep to the letter: a backslash, space at
// the end of some fields, a colon at the beginning of a user name.
var quirks = regexp.MustCompile(`\\\\| "|":":`)

// withoutBlob is a Contact whose photo has no blobId: the target gave another.
func withoutBlob(t *testing.T, o account.Object) account.Object {
	if !o.Has("avatar") {
		return o
	}
	file := parse(t, string(o["avatar"]))
	o.Put("avatar", file.Only("type"))
	return o
}

func vCards(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, text := range strings.SplitAfter(cards, "END:VCARD\n") {
		_, uid, ok := strings.Cut(text, "UID:")
		if !ok {
			continue
		}
		name := strings.NewReplacer(":", "-").Replace(strings.SplitN(uid, "\n", 2)[0]) + ".vcf"
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

// lostOf is what of these contacts of Cyrus's no card says.
var lostOf = map[string]string{
	"anna":                      "addresses/1/label online/1/value online/3/type",
	"urn:uuid:6a0d0f3c-0000-01": "avatar",
	"o'neil":                    "",
}

const cards = `
BEGIN:VCARD
VERSION:3.0
UID:anna
N:Müller;Anna;Maria,Lena;Dr.;PhD
FN:Dr. Anna Maria Müller PhD
NICKNAME:Annie
ORG:Acme GmbH;Research
TITLE:Engineer
BDAY:1980-04-05
X-ANNIVERSARY:2010-06-13
EMAIL;TYPE=WORK;TYPE=PREF:anna@acme.example
EMAIL;TYPE=HOME:anna@home.example
item1.EMAIL:anna@other.example
item1.X-ABLabel:Club
TEL;TYPE=CELL:+49 170 1234
TEL;TYPE=WORK,FAX:+49 30 1
TEL;TYPE=HOME,VOICE:+49 30 2
TEL;TYPE=PAGER:+49 30 3
ADR;TYPE=HOME:;;Hauptstr. 1;Berlin;BE;10115;Germany
item2.ADR;TYPE=WORK:PO 12;Suite 5;Werk\nTor 2;Hamburg;HH;20095;Germany
item2.X-ABLabel:Gate
URL:https://anna.example
URL;TYPE=WORK:www.acme.example
IMPP:xmpp:anna@chat.example
X-FM-ONLINE-OTHER:somewhere
NOTE:First note\nsecond line
PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=
REV:2020-01-01T00:00:00Z
END:VCARD
BEGIN:VCARD
VERSION:4.0
UID:urn:uuid:6a0d0f3c-0000-01
FN:Plain Company
N:;;;;
KIND:org
ORG:Plain Company
TEL;VALUE=uri;TYPE="voice,home":tel:+33-01-23-45-67
PHOTO:https://example.org/photo.png
END:VCARD
BEGIN:VCARD
VERSION:3.0
UID:o'neil
N:O'Neil\, Jr.;Pat \; Sam;;;
FN:Pat
NOTE:\,\;\\ ü 😀
END:VCARD
BEGIN:VCARD
VERSION:3.0
UID:friends
N:Friends;;;;
FN:Friends
X-ADDRESSBOOKSERVER-KIND:group
X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:anna
X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:6a0d0f3c-0000-01
END:VCARD
BEGIN:VCARD
VERSION:3.0
UID:nobody
N:Nobody;;;;
FN:Nobody
X-ADDRESSBOOKSERVER-KIND:group
END:VCARD
`

// What Stalwart answered are sound cards, and go to Cyrus whole.
func TestCardsOfStalwart(t *testing.T) {
	a, _ := jstest.Start(t)
	for _, version := range []string{"0.15.5", "0.16.18"} {
		for _, card := range jstest.Load(t, "testdata/stalwart-"+version+".json") {
			if problems := jscontact.Validate(card); problems != nil {
				t.Errorf("%s of %s: %v", card.Text("uid"), version, problems)
			}
			card.Put("uid", version+card.Text("uid"))
			card.Put("addressBookIds", map[string]bool{"Default": true})
			typ, convert := "Contact", jscontact.ToCyrus
			if card.Text("kind") == "group" {
				typ, convert = "ContactGroup", jscontact.GroupToCyrus
			}
			blobs := map[string]string{}
			for _, up := range jscontact.Uploads(card) {
				blobs[up.ID] = a.Upload(t, up.MediaType, up.Data)
			}
			cyrus, told, err := convert(jscontact.Blobbed(card, blobs))
			if err != nil {
				t.Fatalf("%s: %v", card.Encode(), err)
			}
			for _, p := range told {
				if p.Property != "keywords" && p.Property != "updated" {
					t.Errorf("%s of %s loses %v", card.Text("uid"), version, p)
				}
			}
			a.Create(t, typ, cyrus)
		}
	}
	if contacts, groups := a.All(t, "Contact"), a.All(t, "ContactGroup"); len(contacts) != 4 || len(groups) != 2 {
		t.Errorf("Cyrus has %d contacts and %d groups", len(contacts), len(groups))
	}
	photos := 0
	for _, o := range a.All(t, "Contact") {
		if o.Has("avatar") {
			photos++
		}
	}
	if photos != 2 {
		t.Errorf("%d of 2 photos arrived", photos)
	}
}
