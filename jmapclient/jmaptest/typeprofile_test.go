package jmaptest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/jmapclient/jmaptest"
)

// Which types a profile has, and that it announces them.
func TestTypesOfEachProfile(t *testing.T) {
	standard := "AddressBook ContactCard Calendar CalendarEvent ParticipantIdentity FileNode EmailSubmission"
	want := map[string]string{"strict": standard, "stalwart-0.15": standard, "stalwart-0.16": standard,
		"cyrus-3.6": "Contact ContactGroup Calendar CalendarEvent EmailSubmission"}
	each(t, func(t *testing.T, c *client, _ *time.Time) {
		has := want[t.Name()[len("TestTypesOfEachProfile/"):]]
		if has == "" {
			has = "EmailSubmission"
		}
		session := c.do("GET", "/jmap/session", "", nil).json(t)
		capabilities := session["accounts"].(m)[c.account].(m)["accountCapabilities"].(m)
		var using []string
		for urn := range session["capabilities"].(m) {
			using = append(using, urn)
		}
		c.using = nil
		for _, typ := range strings.Fields(standard + " Contact ContactGroup") {
			a := c.do("POST", "/jmap/", "application/json", []byte(fmt.Sprintf(`{"using":["%s"],"methodCalls":[[%q,{"accountId":%q,"ids":null},"0"]]}`,
				strings.Join(using, `","`), typ+"/get", c.account)))
			if got := strings.Contains(string(a.body), `[["`+typ+`/get",`); got != slices.Contains(strings.Fields(has), typ) {
				t.Errorf("%s: %d %s", typ, a.status, a.body)
			}
		}
		for urn, typ := range map[string]string{"contacts": "Contact", "calendars": "Calendar", "filenode": "FileNode"} {
			announced := capabilities["urn:ietf:params:jmap:"+urn] != nil || capabilities["https://cyrusimap.org/ns/jmap/"+urn] != nil
			if announced != strings.Contains(has, typ) {
				t.Errorf("%s announced: %v", urn, announced)
			}
		}
	})
}

// A test's objects are there whatever the server refuses to clients, and are
// answered to clients as they are to the test.
func TestPlantedObjects(t *testing.T) {
	for _, p := range []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart015, jmaptest.Stalwart016} {
		t.Run(p.Name, func(t *testing.T) {
			c := start(t, jmaptest.Options{Profile: p})
			c.using = []string{"core", "contacts"}
			book := c.s.Objects("alice", "AddressBook")[0]["id"].(string)
			state := c.call("ContactCard/changes", m{"sinceState": firstState(p)}).text("newState")
			id := c.s.AddObject("alice", "ContactCard", with(aCard, m{"addressBookIds": m{book: true}, "vCardProps": []any{"x"},
				"media": m{"m": m{"blobId": c.s.AddBlob("alice", []byte("photo"))}}}))
			gone := c.s.AddObject("alice", "ContactCard", m{"uid": "gone", "addressBookIds": m{book: true}})
			c.s.ModifyObject("alice", "ContactCard", id, m{"name/full": "Ann", "kind": nil})
			c.s.DestroyObject("alice", "ContactCard", gone)
			held := c.s.Objects("alice", "ContactCard")
			data, _ := c.s.Blob("alice", held[0]["media"].(m)["m"].(m)["blobId"].(string))
			if len(held) != 1 || held[0]["name"].(m)["full"] != "Ann" || held[0]["vCardProps"] == nil || held[0]["kind"] != nil || string(data) != "photo" {
				t.Errorf("the server holds %v, and the photo %q", held, data)
			}
			if d := cmp.Diff([]any{held[0]}, c.call("ContactCard/get", m{"ids": nil}).get("list")); d != "" {
				t.Errorf("(-held +answered):\n%s", d)
			}
			r := c.call("ContactCard/changes", m{"sinceState": state})
			if d := cmp.Diff([]any{id}, r.get("created")); d != "" || len(r.get("destroyed").([]any)) > 0 {
				t.Errorf("changes: %v", r)
			}
			if d := cmp.Diff([]jmaptest.Sent{}, c.s.Sent("alice")); d != "" {
				t.Errorf("sent:\n%s", d)
			}
		})
	}
}

// Cyrus keeps each card and event as a file of its own, which a client may read.
func TestCyrusObjectsAreFiles(t *testing.T) {
	c := start(t, jmaptest.Options{Profile: jmaptest.Cyrus36})
	c.s.AddObject("alice", "Contact", m{"uid": "u1", "firstName": "Ann", "notes": "two\nlines"})
	c.s.AddObject("alice", "CalendarEvent", m{"uid": "e1", "title": "Stand-up", "start": "2030-01-07T09:00:00"})
	for typ, want := range map[string]string{
		"Contact":       "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u1\r\nN:;Ann;\r\nFN:Ann\r\nNOTE:two\\nlines\r\nEND:VCARD\r\n",
		"CalendarEvent": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:e1\r\nSUMMARY:Stand-up\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
	} {
		o := c.s.Objects("alice", typ)[0]
		data, _ := c.s.Blob("alice", o["blobId"].(string))
		if string(data) != want || o["id"] != o["uid"] {
			t.Errorf("%v: %q, want %q", o["id"], data, want)
		}
	}
}

func TestSubmissions(t *testing.T) {
	each(t, func(t *testing.T, c *client, _ *time.Time) {
		c.using = []string{"core", "submission"}
		email := c.s.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Drafts"}, Raw: []byte(message("later"))})
		id := c.s.AddObject("alice", "EmailSubmission", m{"emailId": email, "identityId": "i", "undoStatus": "pending", "sendAt": "2030-01-01T00:00:00Z"})
		r := c.call("EmailSubmission/query", m{"filter": m{"undoStatus": "pending"}})
		if !cmp.Equal(r.get("ids"), []any{id}) {
			t.Errorf("pending: %v", r)
		}
		got := c.call("EmailSubmission/get", m{"ids": []string{id}})
		if got.text("list", 0, "sendAt") != "2030-01-01T00:00:00Z" || got.text("list", 0, "emailId") != email {
			t.Errorf("answered %v", got)
		}
		if sent := c.s.Sent("alice"); len(sent) > 0 {
			t.Errorf("sent by a test: %v", sent)
		}
		r = c.call("EmailSubmission/set", m{"create": m{"k": m{"emailId": email, "identityId": "i", "envelope": m{"mailFrom": m{"email": "alice@example.org"},
			"rcptTo": []m{{"email": "bob@example.org"}}}}}})
		want := []jmaptest.Sent{{Type: "EmailSubmission", ID: r.text("created", "k", "id"), To: []string{"bob@example.org"}}}
		if d := cmp.Diff(want, c.s.Sent("alice")); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

// Who else may use a mailbox is in another property, by other names, in each server.
func TestMailboxShares(t *testing.T) {
	each(t, func(t *testing.T, c *client, _ *time.Time) {
		bob := c.s.AddUser(jmaptest.User{Login: "bob", Password: "x"})
		rights := []string{"mayReadItems"}
		prop, who := "shareWith", bob
		old := slices.Contains([]string{"stalwart-0.4", "stalwart-0.5", "stalwart-0.6", "stalwart-0.7", "stalwart-0.8.0", "stalwart-0.8.5",
			"stalwart-0.11", "stalwart-0.13"}, t.Name()[len("TestMailboxShares/"):])
		cyrus := strings.HasSuffix(t.Name(), "cyrus-3.6")
		ask := func(method string, args m) response { return c.call(method, args) }
		switch {
		case old:
			prop, who, rights = "acl", "bob", []string{"read", "readItems"}
		case cyrus:
			rights = []string{"mayRead"}
			if r := c.call("Mailbox/get", m{"ids": nil, "properties": []string{"shareWith"}}); r.text("type") != "invalidArguments" {
				t.Errorf("without its capability: %v", r)
			}
			ask = func(method string, args m) response {
				args["accountId"] = c.account
				body := encoded(m{"using": []string{"urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail", "https://cyrusimap.org/ns/jmap/mail"},
					"methodCalls": []any{[]any{method, args, "0"}}})
				return response{method, c.do("POST", "/jmap/", "application/json", body).json(t)["methodResponses"].([]any)[0].([]any)[1].(m)}
			}
		}
		c.s.ShareMailbox("alice", "Projects", map[string][]string{"bob": rights})
		id := c.mailbox("Projects")
		shares := ask("Mailbox/get", m{"ids": []string{id}, "properties": []string{prop}}).get("list", 0, prop)
		created := ask("Mailbox/set", m{"create": m{"k": m{"name": "Copy", prop: shares}, "x": m{"name": "Bad", "shareWith": m{"nobody": m{"mayRead": true}}}}})
		if created.text("created", "k", "id") == "" || (created.text("notCreated", "x", "type") == "") != cyrus {
			t.Fatalf("answered %v", created)
		}
		if d := cmp.Diff(map[string][]string{"bob": rights}, c.s.MailboxShares("alice", "Copy")); d != "" || shares.(m)[who] == nil {
			t.Errorf("%v (-want +got):\n%s", shares, d)
		}
	})
}

// Whatever happens to objects, who follows the changes has them.
func TestFollowingChangesOfObjects(t *testing.T) {
	s := jmaptest.New(jmaptest.Options{})
	t.Cleanup(s.Close)
	users := 0
	rapid.Check(t, func(rt *rapid.T) {
		users++
		login := fmt.Sprint("user", users)
		c := &client{t, s, login, "secret", s.AddUser(jmaptest.User{Login: login, Password: "secret"}), usingAll}
		has, state := map[string]any{}, firstState(jmaptest.Strict)
		n := 0
		ids := func() (list []string) {
			for _, o := range s.Objects(login, "FileNode") {
				list = append(list, o["id"].(string))
			}
			return list
		}
		follow := func(most int) bool {
			r := c.call("FileNode/changes", m{"sinceState": state, "maxChanges": most})
			for _, id := range r.get("destroyed").([]any) {
				delete(has, id.(string))
			}
			look := append(r.get("created").([]any), r.get("updated").([]any)...)
			got := c.call("FileNode/get", m{"ids": append([]any{}, look...)})
			for _, o := range got.get("list").([]any) {
				has[o.(m)["id"].(string)] = o
			}
			state = r.text("newState")
			return r.get("hasMoreChanges") == true
		}
		rt.Repeat(map[string]func(*rapid.T){
			"make": func(rt *rapid.T) {
				n++
				o := m{"name": fmt.Sprint("f", n)}
				if all := ids(); len(all) > 0 && rapid.Bool().Draw(rt, "inside") {
					o["parentId"] = rapid.SampledFrom(all).Draw(rt, "parent")
				}
				s.AddObject(login, "FileNode", o)
			},
			"rename": func(rt *rapid.T) {
				n++
				if all := ids(); len(all) > 0 {
					s.ModifyObject(login, "FileNode", rapid.SampledFrom(all).Draw(rt, "id"), m{"name": fmt.Sprint("g", n)})
				}
			},
			"destroy": func(rt *rapid.T) {
				if all := ids(); len(all) > 0 {
					s.DestroyObject(login, "FileNode", rapid.SampledFrom(all).Draw(rt, "id"))
				}
			},
			"follow": func(rt *rapid.T) { follow(rapid.IntRange(1, 3).Draw(rt, "most")) },
		})
		for follow(2) {
		}
		want := map[string]any{}
		for _, o := range s.Objects(login, "FileNode") {
			want[o["id"].(string)] = o
		}
		if d := cmp.Diff(want, has); d != "" {
			rt.Fatalf("the copy (-server +copy):\n%s", d)
		}
	})
}
