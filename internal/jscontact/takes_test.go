package jscontact_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
	"mailhaul/internal/jscontact"
)

const photos = `{"@type":"Card","version":"1.0","uid":"u","media":{"a":{"kind":"photo","blobId":"B","mediaType":"image/png"},
"b":{"kind":"logo","uri":"data:image/gif;base64,R0lG"},"c":{"kind":"sound","uri":"https://example.org/a.ogg"}},"vCardProps":[["x-a",{},"text","b"]]}`

func TestARefusedPropertyNeverCostsTheCard(t *testing.T) {
	for _, tc := range []struct{ refused, left, told string }{
		{"vCardProps", `{"@type":"Card","version":"1.0","uid":"u","media":{"a":{"kind":"photo","blobId":"B","mediaType":"image/png"},
			"b":{"kind":"logo","uri":"data:image/gif;base64,R0lG"},"c":{"kind":"sound","uri":"https://example.org/a.ogg"}}}`, "vCardProps"},
		{"media", `{"@type":"Card","version":"1.0","uid":"u","media":{"b":{"kind":"logo","uri":"data:image/gif;base64,R0lG"},
			"c":{"kind":"sound","uri":"https://example.org/a.ogg"}},"vCardProps":[["x-a",{},"text","b"]]}`, "media/a"},
		{"media/c/uri/x", `{"@type":"Card","version":"1.0","uid":"u","media":{"a":{"kind":"photo","blobId":"B","mediaType":"image/png"},
			"b":{"kind":"logo","uri":"data:image/gif;base64,R0lG"},"c":{"kind":"sound"}},"vCardProps":[["x-a",{},"text","b"]]}`, "media/c/uri"},
	} {
		left, told, ok := jscontact.Without(parse(t, photos), tc.refused)
		if !ok {
			t.Errorf("%s costs the card", tc.refused)
			continue
		}
		if d := cmp.Diff(string(parse(t, tc.left).Encode()), string(left.Encode())); d != "" {
			t.Errorf("%s: %s", tc.refused, d)
		}
		if d := cmp.Diff([]string{tc.told}, properties(told)); d != "" {
			t.Errorf("%s: %s", tc.refused, d)
		}
	}
	for _, refused := range []string{"uid", "nothing", "", "@type"} {
		if left, _, ok := jscontact.Without(parse(t, photos), refused); ok {
			t.Errorf("refused for its %q, the card became %s", refused, left.Encode())
		}
	}
	// However often media are refused, there is an end to it.
	o := parse(t, photos)
	for n := 0; ; n++ {
		left, _, ok := jscontact.Without(o, "media")
		if !ok {
			break
		}
		if o = left; n > 2 {
			t.Fatalf("media are refused for ever: %s", o.Encode())
		}
	}
	const contact = `{"uid":"u","addresses":[{"type":"home","street":"a"},{"type":"home","street":"b"}]}`
	left, told, ok := jscontact.Without(parse(t, contact), "addresses[1].locality") // as Cyrus writes it
	if want := `{"addresses":[{"street":"a","type":"home"}],"uid":"u"}`; !ok || string(left.Encode()) != want || told[0].Property != "addresses/1" {
		t.Errorf("%s %v %v", left.Encode(), told, ok)
	}
}

func TestPhotosTravelAsTheTargetTakesThem(t *testing.T) {
	card := parse(t, photos)
	if d := cmp.Diff([]string{"B"}, jscontact.Blobs(card)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"V1"}, jscontact.Blobs(parse(t, anna))); d != "" {
		t.Error(d)
	}
	if got := parse(t, string(jscontact.WithBlobs(parse(t, anna), map[string]string{"V1": "new"})["avatar"])).Text("blobId"); got != "new" {
		t.Errorf("the avatar is %q", got)
	}
	inline := jscontact.Inline(card, func(id string) ([]byte, bool) { return []byte{0, 255, '<'}, id == "B" })
	if problems := jscontact.Validate(inline); problems != nil {
		t.Error(problems)
	}
	if len(jscontact.Blobs(inline)) != 0 {
		t.Errorf("%s still has blobs", inline.Encode())
	}
	want := []jscontact.Upload{{ID: "a", MediaType: "image/png", Data: []byte{0, 255, '<'}}, {ID: "b", MediaType: "image/gif", Data: []byte("GIF")}}
	if d := cmp.Diff(want, jscontact.Uploads(inline)); d != "" {
		t.Error(d)
	}
	back := jscontact.Blobbed(inline, map[string]string{"a": "B"})
	if d := cmp.Diff(string(card.Encode()), string(back.Encode())); d != "" {
		t.Error(d)
	}
	both := jscontact.Blobbed(inline, map[string]string{"a": "B", "b": "C"})
	if d := cmp.Diff([]string{"B", "C"}, jscontact.Blobs(both)); d != "" {
		t.Error(d)
	}
	if got := parse(t, string(both["media"])); got.Has("b") && parse(t, string(got["b"])).Text("mediaType") != "image/gif" {
		t.Errorf("the type of %s is lost", got["b"])
	}
	for _, uri := range []string{"", "data:", "data:image/png;base64,?", "https://example.org/,", "data:a/b,%zz"} {
		o := account.Object{}
		o.Put("media", map[string]any{"a": map[string]string{"uri": uri}})
		if ups := jscontact.Uploads(o); ups != nil {
			t.Errorf("%q became %v", uri, ups)
		}
	}
}
