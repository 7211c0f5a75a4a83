package jmaptest_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/jmapclient/jmaptest"
)

// Nobody is told of an event unless the client says so, and then those whom it concerns.
func TestInvitations(t *testing.T) {
	c := start(t, jmaptest.Options{})
	cal := m{c.first("Calendar"): true}
	attendee := func(address string, more m) m {
		return with(m{"calendarAddress": "mailto:" + address, "roles": m{"attendee": true}}, more)
	}
	participants := m{"a": attendee("alice@example.org", nil), "b": attendee("bob@example.org", nil), "c": attendee("carol@example.org", m{"scheduleAgent": "client"})}
	n := 0
	set := func(o m, args m) string {
		n++
		r := c.call("CalendarEvent/set", with(m{"create": m{"k": with(anEvent, with(m{"uid": fmt.Sprint(n), "calendarIds": cal}, o))}}, args))
		if r.text("created", "k", "id") == "" {
			t.Fatalf("answered %v", r)
		}
		return r.text("created", "k", "id")
	}
	mine, tell := m{"participants": participants, "organizerCalendarAddress": "mailto:alice@example.org"}, m{"sendSchedulingMessages": true}
	set(mine, nil)
	set(mine, m{"sendSchedulingMessages": false})
	set(with(mine, m{"isDraft": true}), tell)
	set(m{"participants": participants}, nil)
	if got := c.s.Objects("alice", "CalendarEvent")[3]; got["organizerCalendarAddress"] != "mailto:alice@example.org" || got["isOrigin"] != true {
		t.Errorf("who organizes: %v", got)
	}
	if sent := c.s.Sent("alice"); len(sent) > 0 {
		t.Fatalf("sent unasked: %v", sent)
	}
	asked := set(mine, tell)
	before := set(with(mine, m{"participants": m{"b": m{"sendTo": m{"imip": "mailto:Bob@example.org"}, "roles": m{"attendee": true}}},
		"organizerCalendarAddress": nil, "replyTo": m{"imip": "mailto:alice@example.org"}}), tell)
	theirs := set(with(mine, m{"organizerCalendarAddress": "mailto:bob@example.org"}), tell)
	if got := c.s.Objects("alice", "CalendarEvent")[6]; got["id"] != theirs || got["isOrigin"] != false {
		t.Errorf("who organizes: %v", got)
	}
	c.call("CalendarEvent/set", m{"destroy": []string{asked}, "sendSchedulingMessages": true})
	want := []jmaptest.Sent{
		{Type: "CalendarEvent", ID: asked, Method: "REQUEST", To: []string{"bob@example.org"}},
		{Type: "CalendarEvent", ID: before, Method: "REQUEST", To: []string{"bob@example.org"}},
		{Type: "CalendarEvent", ID: theirs, Method: "REPLY", To: []string{"bob@example.org"}},
		{Type: "CalendarEvent", ID: asked, Method: "CANCEL", To: []string{"bob@example.org"}},
	}
	if d := cmp.Diff(want, c.s.Sent("alice")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestFileTree(t *testing.T) {
	c := start(t, jmaptest.Options{})
	r := c.call("FileNode/set", m{"create": m{
		"a": m{"name": "a.txt", "parentId": "#d", "blobId": c.upload("hello"), "type": "text/plain", "modified": "2020-01-02T03:04:05Z"},
		"d": m{"name": "deep", "parentId": "#e"}, "e": m{"name": "docs"}}})
	top, deep, file := r.text("created", "e", "id"), r.text("created", "d", "id"), r.text("created", "a", "id")
	got := c.call("FileNode/get", m{"ids": []string{file}}).get("list", 0).(m)
	data, _ := c.s.Blob("alice", got["blobId"].(string))
	if d := cmp.Diff([]any{deep, "file", 5.0, "2020-01-02T03:04:05Z", "hello"},
		[]any{got["parentId"], got["nodeType"], got["size"], got["modified"], string(data)}); d != "" {
		t.Errorf("the file (-want +got):\n%s", d)
	}
	if r := c.call("FileNode/query", m{"filter": m{"parentId": top}}); !cmp.Equal(r.get("ids"), []any{deep}) {
		t.Errorf("what is in docs: %v", r)
	}
	if r := c.call("FileNode/set", m{"update": m{top: m{"parentId": deep}}}); r.text("notUpdated", top, "type") != "invalidProperties" {
		t.Errorf("a directory inside itself: %v", r)
	}
	if got := c.refusal("FileNode", m{"name": "x", "parentId": file}); got != "invalidProperties parentId" {
		t.Errorf("a file in a file: %s", got)
	}
	if r := c.call("FileNode/set", m{"destroy": []string{top}}); r.text("notDestroyed", top, "type") != "nodeHasChildren" {
		t.Errorf("destroying a directory: %v", r)
	}
	c.call("FileNode/set", m{"destroy": []string{top}, "onDestroyRemoveChildren": true})
	if left := c.s.Objects("alice", "FileNode"); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

func TestContactCardCopy(t *testing.T) {
	c := start(t, jmaptest.Options{})
	team := c.s.AddUser(jmaptest.User{Login: "team", Group: true})
	admin := &client{t, c.s, "admin", "secret", c.account, usingAll}
	c.s.AddUser(jmaptest.User{Login: "admin", Password: "secret", Admin: true})
	photo := c.s.AddBlob("alice", []byte("photo"))
	id := c.created("ContactCard", with(aCard, m{"addressBookIds": m{c.first("AddressBook"): true}, "media": m{"m": m{"kind": "photo", "blobId": photo}}}))
	book := c.s.Objects("team", "AddressBook")[0]["id"].(string)
	r := admin.request([2]any{"ContactCard/copy", m{"fromAccountId": c.account, "accountId": team, "onSuccessDestroyOriginal": true,
		"create": m{"k": m{"id": id, "addressBookIds": m{book: true}}, "x": m{"id": "nope", "addressBookIds": m{book: true}}}}})
	copied := c.s.Objects("team", "ContactCard")
	if len(r) != 2 || r[0].text("notCreated", "x", "type") != "notFound" || r[1].text("destroyed", 0) != id || len(copied) != 1 {
		t.Fatalf("answered %v, and there are %v", r, copied)
	}
	data, _ := c.s.Blob("team", copied[0]["media"].(m)["m"].(m)["blobId"].(string))
	if copied[0]["uid"] != "c1" || string(data) != "photo" || len(c.s.Objects("alice", "ContactCard")) > 0 {
		t.Errorf("the copy is %v with %q", copied[0], data)
	}
}

// Cyrus tells people of what is written, unasked, as the real one was seen to
// (TestCyrusInvitesUnlessItIsKeptFromIt in internal/jscalendar).
func TestCyrusTellsPeopleUnasked(t *testing.T) {
	c := start(t, jmaptest.Options{Profile: jmaptest.Cyrus36})
	c.using = []string{"core", "https://cyrusimap.org/ns/jmap/calendars"}
	event := func(uid, start, organizer, status string) m {
		return m{"uid": uid, "start": start, "title": "T", "replyTo": m{"imip": "mailto:" + organizer},
			"participants": m{"a": m{"sendTo": m{"imip": "mailto:alice@example.org"}, "roles": m{"attendee": true}, "participationStatus": status},
				"b": m{"sendTo": m{"imip": "mailto:bob@example.org"}, "roles": m{"attendee": true}}}}
	}
	const later, over = "2999-01-07T09:00:00", "1999-01-07T09:00:00"
	for _, o := range []m{event("mine", later, "alice@example.org", "accepted"), event("mine-over", over, "alice@example.org", "accepted"),
		event("theirs", later, "bob@example.org", "accepted"), event("theirs-open", later, "bob@example.org", "needs-action"), event("theirs-over", over, "bob@example.org", "accepted")} {
		if r := c.call("CalendarEvent/set", m{"create": m{"k": o}}); r.get("created") == nil {
			t.Fatalf("answered %v", r)
		}
	}
	c.call("CalendarEvent/set", m{"update": m{"mine-over": m{"start": later}}})
	if r := c.call("CalendarEvent/set", m{"update": m{"mine": m{"sendSchedulingMessages": false}}}); r.get("notUpdated") == nil {
		t.Errorf("answered %v", r)
	}
	if r := c.call("CalendarEvent/get", m{"ids": nil, "properties": []string{"timeZones"}}); r.text("type") != "invalidArguments" {
		t.Errorf("timeZones are taken: %v", r)
	}
	want := []jmaptest.Sent{
		{Type: "CalendarEvent", ID: "mine", Method: "REQUEST", To: []string{"bob@example.org"}},
		{Type: "CalendarEvent", ID: "theirs", Method: "REPLY", To: []string{"bob@example.org"}},
		{Type: "CalendarEvent", ID: "mine-over", Method: "REQUEST", To: []string{"bob@example.org"}},
	}
	if d := cmp.Diff(want, c.s.Sent("alice")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
