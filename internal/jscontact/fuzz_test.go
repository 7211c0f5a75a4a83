package jscontact_test

import (
	"testing"

	"mailhaul/account"
	"mailhaul/internal/jscontact"
	js "mailhaul/internal/jsschema"
)

// Whatever a server answers for a contact: it becomes what validates, or is refused
// with an error.
func FuzzConversions(f *testing.F) {
	for _, seed := range []string{anna, whole, fitting, photos, `{}`, `null`, `[]`, `{"uid":1}`, `{"uid":"u","emails":[null,1,{"type":[]}]}`,
		`{"uid":"u","kind":"group","members":{"":true},"name":{"components":[{"kind":"separator","value":" "}],"isOrdered":true}}`,
		`{"uid":"u","contactIds":["a",1],"name":"x","localizations":{"de":{"a/b":1,"a":2,"":null}}}`} {
		f.Add([]byte(seed))
	}
	type conversion = func(account.Object) (account.Object, []js.Problem, error)
	fromGroup := func(o account.Object) (account.Object, []js.Problem, error) { return jscontact.GroupFromCyrus(o, nil) }
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := account.ParseObject(data)
		if err != nil {
			return
		}
		before := string(o.Encode())
		jscontact.Validate(o)
		for _, convert := range []conversion{jscontact.FromCyrus, fromGroup} {
			if card, _, err := convert(o); err == nil {
				if problems := jscontact.Validate(card); problems != nil {
					t.Errorf("%s: %v", card.Encode(), problems)
				}
			}
		}
		for _, convert := range []conversion{jscontact.ToCyrus, jscontact.GroupToCyrus} {
			contact, _, err := convert(o)
			if err != nil {
				continue
			}
			back := jscontact.FromCyrus
			if contact.Has("contactIds") {
				back = fromGroup
			}
			if _, _, err := back(contact); err != nil {
				t.Errorf("%s became %s, of which Cyrus could not be told: %v", o.Encode(), contact.Encode(), err)
			}
		}
		for _, id := range jscontact.Blobs(o) {
			jscontact.WithBlobs(o, map[string]string{id: "x"})
		}
		inline := jscontact.Inline(o, func(string) ([]byte, bool) { return []byte("x"), true })
		jscontact.Blobbed(inline, map[string]string{"a": "b"})
		jscontact.Uploads(inline)
		jscontact.Without(o, "media")
		for p := range o {
			jscontact.Without(o, p)
		}
		if string(o.Encode()) != before {
			t.Errorf("%s was changed to %s", before, o.Encode())
		}
	})
}
