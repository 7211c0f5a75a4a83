package jmaptest_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/jmapclient/jmaptest"
)

// with is an object with more in it; nil takes away.
func with(o m, more m) m {
	o = maps.Clone(o)
	maps.Copy(o, more)
	maps.DeleteFunc(o, func(_ string, v any) bool { return v == nil })
	return o
}

// created makes one object and answers its id.
func (c *client) created(typ string, o m) string {
	c.t.Helper()
	r := c.call(typ+"/set", m{"create": m{"k": o}})
	if r.text("created", "k", "id") == "" {
		c.t.Fatalf("%s/set answered %v", typ, r)
	}
	return r.text("created", "k", "id")
}

// refusal makes an object that is refused, and answers how: "type property".
func (c *client) refusal(typ string, o m) string {
	c.t.Helper()
	r := c.call(typ+"/set", m{"create": m{"k": o}})
	return strings.TrimSpace(r.text("notCreated", "k", "type") + " " + r.text("notCreated", "k", "properties", 0))
}

// first is the id of the oldest object of a type.
func (c *client) first(typ string) string {
	c.t.Helper()
	return c.call(typ+"/get", m{"ids": nil}).text("list", 0, "id")
}

var (
	aCard = m{"@type": "Card", "version": "1.0", "uid": "c1", "kind": "individual", "name": m{"full": "Ann Grüße"},
		"emails": m{"e1": m{"address": "ann@example.org"}}}
	anEvent = m{"@type": "Event", "uid": "ev1", "title": "Stand-up", "start": "2030-01-07T09:00:00", "timeZone": "Europe/Berlin", "duration": "PT15M"}
)

func TestCardIsKeptAsItCame(t *testing.T) {
	c := start(t, jmaptest.Options{})
	book := c.first("AddressBook")
	photo := "\x89PNG\r\n\x1a\n"
	card := with(aCard, m{"addressBookIds": m{book: true}, "media": m{"m1": m{"kind": "photo", "blobId": c.upload(photo), "mediaType": "image/png"}},
		"vCardProps": []any{[]any{"x-club", m{}, "text", "chess"}}, "example.com:own": 1.0})
	id := c.created("ContactCard", card)
	got := c.call("ContactCard/get", m{"ids": []string{id}}).get("list", 0).(m)
	blobID := got["media"].(m)["m1"].(m)["blobId"].(string)
	if data, ok := c.s.Blob("alice", blobID); !ok || string(data) != photo {
		t.Errorf("the photo is %q", data)
	}
	want := with(card, m{"id": id,
		"media": m{"m1": m{"kind": "photo", "blobId": blobID, "mediaType": "image/png"}}})
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-made +got):\n%s", d)
	}
	if d := cmp.Diff([]map[string]any{want}, c.s.Objects("alice", "ContactCard")); d != "" {
		t.Errorf("what the server holds (-made +got):\n%s", d)
	}
}

// RFC 9610 §3: what came as a data: URI is answered as a blob.
func TestPhotoByDataURI(t *testing.T) {
	c := start(t, jmaptest.Options{})
	c.created("ContactCard", with(aCard, m{"addressBookIds": m{c.first("AddressBook"): true},
		"media": m{"m1": m{"kind": "photo", "uri": "data:image/png;base64,iVBORw0KGgo="}, "m2": m{"kind": "logo", "uri": "https://x.example/logo"}}}))
	media := c.s.Objects("alice", "ContactCard")[0]["media"].(m)
	photo := media["m1"].(m)
	data, _ := c.s.Blob("alice", photo["blobId"].(string))
	want := m{"m1": m{"kind": "photo", "blobId": photo["blobId"], "mediaType": "image/png"}, "m2": m{"kind": "logo", "uri": "https://x.example/logo"}}
	if d := cmp.Diff(want, media); d != "" || string(data) != "\x89PNG\r\n\x1a\n" {
		t.Errorf("%q (-want +got):\n%s", data, d)
	}
}

// What a server that keeps to the standards does not take, and which property it blames.
func TestWhatIsRefused(t *testing.T) {
	c := start(t, jmaptest.Options{})
	book, cal := c.first("AddressBook"), c.first("Calendar")
	card, event := with(aCard, m{"addressBookIds": m{book: true}}), with(anEvent, m{"calendarIds": m{cal: true}})
	c.created("ContactCard", card)
	c.created("CalendarEvent", event)
	folder := c.created("FileNode", m{"name": "docs"})
	card["uid"], event["uid"] = "c2", "ev2"
	for _, x := range []struct {
		typ  string
		o    m
		want string
	}{
		{"AddressBook", m{"description": "no name"}, "invalidProperties name"},
		{"AddressBook", m{"name": "x", "isDefault": true}, "invalidProperties isDefault"},
		{"AddressBook", m{"name": "x", "nonsense": 1}, "invalidProperties nonsense"},
		{"AddressBook", m{"name": "x", "sortOrder": "first"}, "invalidProperties sortOrder"},
		{"AddressBook", m{"name": "x", "shareWith": m{"nobody": m{"mayRead": true}}}, "invalidProperties shareWith"},
		{"ContactCard", with(card, m{"uid": "c1"}), "invalidProperties uid"},
		{"ContactCard", with(card, m{"addressBookIds": nil}), "invalidProperties addressBookIds"},
		{"ContactCard", with(card, m{"addressBookIds": m{"nope": true}}), "invalidProperties addressBookIds"},
		{"ContactCard", with(card, m{"@type": nil}), "invalidProperties @type"},
		{"ContactCard", with(card, m{"version": nil}), "invalidProperties version"},
		{"ContactCard", with(card, m{"emails": []any{m{"value": "a@b"}}}), "invalidProperties emails"},
		{"ContactCard", with(card, m{"emails": m{"e": m{"value": "a@b"}}}), "invalidProperties emails"},
		{"ContactCard", with(card, m{"keywords": m{"x": false}}), "invalidProperties keywords"},
		{"ContactCard", with(card, m{"media": m{"m": m{"kind": "photo", "blobId": "G00"}}}), "blobNotFound"},
		{"CalendarEvent", with(event, m{"uid": "ev1"}), "invalidProperties uid"},
		{"AddressBook", m{"name": strings.Repeat("x", 256)}, "invalidProperties name"},
		{"CalendarEvent", with(event, m{"method": "request"}), "invalidProperties method"},
		{"CalendarEvent", with(event, m{"@type": "jsevent"}), "invalidProperties @type"},
		{"CalendarEvent", with(event, m{"start": "2030-01-07T09:00:00Z"}), "invalidProperties start"},
		{"CalendarEvent", with(event, m{"start": nil}), "invalidProperties start"},
		{"CalendarEvent", with(event, m{"duration": "15 minutes"}), "invalidProperties duration"},
		{"CalendarEvent", with(event, m{"duration": "PT"}), "invalidProperties duration"},
		{"CalendarEvent", with(event, m{"recurrenceRules": m{"frequency": "weekly"}}), "invalidProperties recurrenceRules"},
		{"CalendarEvent", with(event, m{"alerts": m{"a": m{"action": "display"}}}), "invalidProperties alerts"},
		{"CalendarEvent", with(event, m{"participants": m{"p": m{"email": "a@b"}}}), "invalidProperties participants"},
		{"FileNode", m{"name": "docs"}, "alreadyExists"},
		{"FileNode", m{"name": "x", "parentId": "nope"}, "invalidProperties parentId"},
		{"FileNode", m{"name": "x", "blobId": "G00"}, "blobNotFound"},
		{"FileNode", m{"name": "a/b"}, "invalidProperties name"},
		{"EmailSubmission", m{"identityId": "I0", "emailId": "nope"}, "invalidProperties emailId"},
		{"FileNode", m{"name": "x", "size": 3}, "invalidProperties size"},
		{"FileNode", m{"parentId": folder}, "invalidProperties name"},
		{"EmailSubmission", m{"identityId": "I0"}, "invalidProperties emailId"},
	} {
		if got := c.refusal(x.typ, x.o); got != x.want {
			t.Errorf("%s %v: %q, want %q", x.typ, x.o, got, x.want)
		}
	}
	for typ, n := range map[string]int{"AddressBook": 1, "ContactCard": 1, "CalendarEvent": 1, "FileNode": 1, "EmailSubmission": 0} {
		if got := len(c.s.Objects("alice", typ)); got != n {
			t.Errorf("there are %d of %s, want %d", got, typ, n)
		}
	}
}

func TestPatchOfAnObject(t *testing.T) {
	c := start(t, jmaptest.Options{})
	id := c.created("ContactCard", with(aCard, m{"addressBookIds": m{c.first("AddressBook"): true}, "notes": m{"n/1": m{"note": "old"}}}))
	state := c.call("ContactCard/get", m{"ids": []string{}}).text("state")
	r := c.call("ContactCard/set", m{"update": m{id: m{"emails/e1/address": "new@example.org", "notes/n~11/note": "new", "kind": nil}}})
	if updated, _ := r.get("updated").(m); len(updated) != 1 {
		t.Fatalf("answered %v", r)
	}
	got := c.s.Objects("alice", "ContactCard")[0]
	if d := cmp.Diff([]any{m{"e1": m{"address": "new@example.org"}}, m{"n/1": m{"note": "new"}}, nil},
		[]any{got["emails"], got["notes"], got["kind"]}); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	changes := c.call("ContactCard/changes", m{"sinceState": state})
	if d := cmp.Diff([]any{id}, changes.get("updated")); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
	for patch, want := range map[string]string{"phones/p1/number": "invalidPatch", "uid": "invalidProperties", "id": "invalidProperties"} {
		r := c.call("ContactCard/set", m{"update": m{id: m{patch: "x"}}})
		if got := r.text("notUpdated", id, "type"); got != want {
			t.Errorf("%s: %s, want %s", patch, got, want)
		}
	}
	if r := c.call("AddressBook/set", m{"update": m{c.first("AddressBook"): m{"isDefault": true, "name": "Mine"}}}); r.get("notUpdated") != nil {
		t.Errorf("a fixed property as it is: %v", r)
	}
}

// What is in a container goes with it only when that is asked for, and then
// only what is in no other.
func TestContainerWithContents(t *testing.T) {
	for _, x := range []struct{ container, content, in, arg, err string }{
		{"AddressBook", "ContactCard", "addressBookIds", "onDestroyRemoveContents", "addressBookHasContents"},
		{"Calendar", "CalendarEvent", "calendarIds", "onDestroyRemoveEvents", "calendarHasEvent"},
	} {
		c := start(t, jmaptest.Options{})
		one, other := c.created(x.container, m{"name": "one"}), c.created(x.container, m{"name": "other"})
		object := map[string]m{"ContactCard": aCard, "CalendarEvent": anEvent}[x.content]
		c.created(x.content, with(object, m{x.in: m{one: true}}))
		both := c.created(x.content, with(object, m{"uid": "both", x.in: m{one: true, other: true}}))
		if r := c.call(x.container+"/set", m{"destroy": []string{one}}); r.text("notDestroyed", one, "type") != x.err {
			t.Errorf("answered %v", r)
		}
		if r := c.call(x.container+"/set", m{"destroy": []string{one}, x.arg: true}); r.text("destroyed", 0) != one {
			t.Errorf("answered %v", r)
		}
		left := c.s.Objects("alice", x.content)
		if len(left) != 1 || left[0]["id"] != both || !cmp.Equal(left[0][x.in], m{other: true}) {
			t.Errorf("what is left of %s: %v", x.content, left)
		}
	}
}

func TestDefaultContainer(t *testing.T) {
	c := start(t, jmaptest.Options{})
	old := c.first("Calendar")
	r := c.call("Calendar/set", m{"create": m{"k": m{"name": "Work", "color": "#ff0000", "timeZone": "Europe/Berlin"}}, "onSuccessSetIsDefault": "#k"})
	is := map[string]any{}
	for _, o := range c.s.Objects("alice", "Calendar") {
		is[o["id"].(string)] = o["isDefault"]
	}
	if d := cmp.Diff(map[string]any{old: false, r.text("created", "k", "id"): true}, is); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestTypeQueries(t *testing.T) {
	c := start(t, jmaptest.Options{})
	book, other := c.first("AddressBook"), c.created("AddressBook", m{"name": "other"})
	ids := map[string]string{}
	for name, o := range map[string]m{"a": {"uid": "a", "addressBookIds": m{book: true}}, "b": {"uid": "b", "addressBookIds": m{other: true}, "kind": "group", "members": m{"a": true}}} {
		ids[c.created("ContactCard", with(aCard, o))] = name
	}
	for _, x := range []struct {
		filter any
		want   string
	}{
		{nil, "a b"}, {m{}, "a b"}, {m{"inAddressBook": book}, "a"}, {m{"uid": "b"}, "b"}, {m{"hasMember": "a"}, "b"}, {m{"kind": "x"}, ""},
		{m{"operator": "NOT", "conditions": []m{{"uid": "b"}}}, "a"}, {m{"operator": "OR", "conditions": []m{{"uid": "b"}, {"uid": "a"}}}, "a b"},
		{m{"operator": "AND", "conditions": []m{{"uid": "b"}, {"kind": "individual"}}}, ""},
	} {
		found := map[string]bool{}
		r := c.call("ContactCard/query", m{"filter": x.filter})
		for _, id := range r.get("ids").([]any) {
			found[ids[id.(string)]] = true
		}
		if got := strings.Join(sortedKeys(found), " "); got != x.want {
			t.Errorf("%v finds %q, want %q", x.filter, got, x.want)
		}
	}
	for _, args := range []m{{"filter": m{"nonsense": 1}}, {"sort": []m{{"property": "nonsense"}}}} {
		if r := c.call("ContactCard/query", args); !strings.HasPrefix(r.text("type"), "unsupported") {
			t.Errorf("%v: %v", args, r)
		}
	}
}

func sortedKeys[V any](set map[string]V) []string { return slices.Sorted(maps.Keys(set)) }

func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
