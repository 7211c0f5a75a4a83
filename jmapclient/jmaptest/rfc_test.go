package jmaptest_test

import (
	"fmt"
	"strings"
	"testing"

	"mailhaul/jmapclient/jmaptest"
)

type m = map[string]any

// What a request as a whole is refused with (RFC 8620 §3.6.1).
func TestRequestLevelErrors(t *testing.T) {
	c := start(t, jmaptest.Options{Profile: jmaptest.Profile{Limits: jmaptest.Limits{MaxCallsInRequest: 2, MaxSizeRequest: 400}}})
	core := `"using":["urn:ietf:params:jmap:core"]`
	echo := `["Core/echo",{},"0"]`
	for name, x := range map[string]struct{ contentType, body, typ, limit string }{
		"broken JSON":        {"application/json", `{`, "notJSON", ""},
		"other content type": {"text/plain", `{` + core + `,"methodCalls":[]}`, "notJSON", ""},
		"no using":           {"application/json", `{"methodCalls":[]}`, "notRequest", ""},
		"half a call":        {"application/json", `{` + core + `,"methodCalls":[["Core/echo",{}]]}`, "notRequest", ""},
		"arguments a list":   {"application/json", `{` + core + `,"methodCalls":[["Core/echo",[],"0"]]}`, "notRequest", ""},
		"unknown capability": {"application/json", `{"using":["urn:x"],"methodCalls":[]}`, "unknownCapability", ""},
		"too many calls":     {"application/json", `{` + core + `,"methodCalls":[` + echo + `,` + echo + `,` + echo + `]}`, "limit", "maxCallsInRequest"},
		"too large":          {"application/json", `{` + core + `,"methodCalls":[]` + strings.Repeat(" ", 400) + `}`, "limit", "maxSizeRequest"},
	} {
		t.Run(name, func(t *testing.T) {
			a := c.do("POST", "/jmap/", x.contentType, []byte(x.body))
			o := a.json(t)
			limit, _ := o["limit"].(string)
			if a.status != 400 || o["type"] != "urn:ietf:params:jmap:error:"+x.typ || limit != x.limit {
				t.Errorf("got %d %s", a.status, a.body)
			}
			if typ := a.header.Get("Content-Type"); typ != "application/problem+json" {
				t.Errorf("content type %q", typ)
			}
		})
	}
}

// What one call is refused with (RFC 8620 §3.6.2, and each method's own).
func TestMethodLevelErrors(t *testing.T) {
	c := start(t, jmaptest.Options{Profile: jmaptest.Profile{Limits: jmaptest.Limits{MaxObjectsInGet: 2, MaxObjectsInSet: 2}}})
	c.s.AddUser(jmaptest.User{Login: "bob", Password: "x"})
	other := c.s.AddUser(jmaptest.User{Login: "eve", Password: "x"})
	for _, x := range []struct {
		method string
		args   m
		typ    string
	}{
		{"Nothing/get", m{}, "unknownMethod"},
		{"Email/get", m{"accountId": other, "ids": []string{}}, "accountNotFound"},
		{"Email/get", m{"accountId": "nobody", "ids": []string{}}, "accountNotFound"},
		{"Email/get", m{"ids": []string{}, "nonsense": 1}, "invalidArguments"},
		{"Email/get", m{"ids": []string{}, "properties": []string{"nonsense"}}, "invalidArguments"},
		{"Email/get", m{"ids": []string{"a", "b", "c"}}, "requestTooLarge"},
		{"Mailbox/get", m{"ids": nil}, "requestTooLarge"},
		{"Email/set", m{"destroy": []string{"a", "b", "c"}}, "requestTooLarge"},
		{"Email/set", m{"ifInState": "another", "destroy": []string{"a"}}, "stateMismatch"},
		{"Email/import", m{"ifInState": "another", "emails": m{}}, "stateMismatch"},
		{"Email/changes", m{"sinceState": "nonsense"}, "cannotCalculateChanges"},
		{"Email/changes", m{"sinceState": "99"}, "cannotCalculateChanges"},
		{"Email/changes", m{"sinceState": "0", "maxChanges": 0}, "invalidArguments"},
		{"Email/query", m{"anchor": "gone"}, "anchorNotFound"},
		{"Email/query", m{"sort": []m{{"property": "colour"}}}, "unsupportedSort"},
		{"Email/query", m{"filter": m{"colour": "red"}}, "unsupportedFilter"},
		{"Email/query", m{"limit": -1}, "invalidArguments"},
		{"Email/get", m{"#ids": m{"resultOf": "9", "name": "Email/query", "path": "/ids"}}, "invalidResultReference"},
		{"Email/get", m{"ids": []string{}, "#ids": m{"resultOf": "9", "name": "Email/query", "path": "/ids"}}, "invalidArguments"},
	} {
		r := c.call(x.method, x.args)
		if r.name != "error" || r.text("type") != x.typ {
			t.Errorf("%s %v: got %s %v, want the error %s", x.method, x.args, r.name, r.args, x.typ)
		}
	}
	c.s.SetReadOnly("alice", true)
	if r := c.call("Mailbox/set", m{"destroy": []string{"a"}}); r.text("type") != "accountReadOnly" {
		t.Errorf("a read-only account answered %v", r)
	}
}

func TestMethodsNeedTheirCapability(t *testing.T) {
	c := start(t, jmaptest.Options{})
	a := c.do("POST", "/jmap/", "application/json", fmt.Appendf(nil,
		`{"using":["urn:ietf:params:jmap:core"],"methodCalls":[["Mailbox/get",{"accountId":%q},"0"]]}`, c.account))
	if !strings.Contains(string(a.body), "unknownMethod") {
		t.Errorf("got %s", a.body)
	}
}

func TestSignIn(t *testing.T) {
	c := start(t, jmaptest.Options{})
	c.s.AddUser(jmaptest.User{Login: "bob", Password: "x", Token: "tok"})
	for _, x := range []struct {
		name, login, password string
		status                int
	}{
		{"right", "alice", "secret", 200},
		{"wrong password", "alice", "Secret", 401},
		{"unknown", "nobody", "secret", 401},
		{"none", "", "", 401},
		{"another case of the login", "ALICE", "secret", 401},
	} {
		d := *c
		d.login, d.password = x.login, x.password
		if a := d.do("GET", "/.well-known/jmap", "", nil); a.status != x.status {
			t.Errorf("%s: status %d, want %d", x.name, a.status, x.status)
		}
	}
}

func TestAdministratorGroupsAndStrangers(t *testing.T) {
	c := start(t, jmaptest.Options{Admin: [2]string{"root", "pw"}})
	staff := c.s.AddUser(jmaptest.User{Login: "staff", Group: true})
	c.s.AddUser(jmaptest.User{Login: "bob", Password: "pw", MemberOf: []string{"staff"}})
	for _, x := range []struct {
		login, account string
		ok             bool
	}{{"root", c.account, true}, {"root", staff, true}, {"bob", staff, true}, {"bob", c.account, false}} {
		d := *c
		d.login, d.password, d.account = x.login, "pw", x.account
		if r := d.call("Mailbox/get", nil); (r.name == "Mailbox/get") != x.ok {
			t.Errorf("%s in %s: %v", x.login, x.account, r)
		}
	}
	bob := *c
	bob.login, bob.password = "bob", "pw"
	session := response{"", bob.do("GET", "/.well-known/jmap", "", nil).json(t)}
	if session.get("accounts", staff, "isPersonal") != false || session.get("accounts", c.account) != nil {
		t.Errorf("bob's session lists %v", session.get("accounts"))
	}
}

func TestSubscriptionsAreEachCallersOwn(t *testing.T) {
	c := start(t, jmaptest.Options{Admin: [2]string{"root", "pw"}})
	c.s.Subscribe("alice", "Inbox", true)
	root := *c
	root.login, root.password = "root", "pw"
	inbox := c.mailbox("Inbox")
	if r := root.call("Mailbox/get", m{"ids": []string{inbox}}); r.get("list", 0, "isSubscribed") != false {
		t.Errorf("the administrator sees alice's subscription: %v", r)
	}
	root.call("Mailbox/set", m{"update": m{c.mailbox("Sent"): m{"isSubscribed": false}, inbox: m{"isSubscribed": false}}})
	if r := c.call("Mailbox/get", m{"ids": []string{inbox}}); r.get("list", 0, "isSubscribed") != true {
		t.Errorf("the administrator changed alice's subscription: %v", r)
	}
}

// Set errors by item (RFC 8620 §5.3, RFC 8621 §2.5, §4.6, §4.8).
func TestSetErrors(t *testing.T) {
	c := start(t, jmaptest.Options{})
	c.s.AddMailbox("alice", "A/B", "")
	full := c.s.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Full"}, Raw: []byte(message("one"))})
	inbox, a, b := c.mailbox("Inbox"), c.mailbox("A"), c.mailbox("A/B")
	blob, empty := c.upload(message("x")), c.upload("")
	in := m{inbox: true}
	create := func(o m) m { return m{"create": m{"k": o}} }
	update := func(id string, o m) m { return m{"update": m{id: o}} }
	imp := func(o m) m { return m{"emails": m{"k": o}} }
	for _, x := range []struct {
		method string
		args   m
		list   string
		typ    string
	}{
		{"Mailbox/set", create(m{"name": "Inbox"}), "notCreated", "invalidProperties"},
		{"Mailbox/set", create(m{"name": ""}), "notCreated", "invalidProperties"},
		{"Mailbox/set", create(m{"name": "S", "role": "sent"}), "notCreated", "invalidProperties"},
		{"Mailbox/set", create(m{"name": "S", "parentId": "#q"}), "notCreated", "invalidProperties"},
		{"Mailbox/set", create(m{"name": strings.Repeat("x", 491)}), "notCreated", "invalidProperties"},
		{"Mailbox/set", create(m{"name": "S", "totalEmails": 3}), "notCreated", "invalidProperties"},
		{"Mailbox/set", update(a, m{"parentId": b}), "notUpdated", "invalidProperties"},
		{"Mailbox/set", update("nothing", m{"name": "x"}), "notUpdated", "notFound"},
		{"Mailbox/set", m{"destroy": []string{a}}, "notDestroyed", "mailboxHasChild"},
		{"Mailbox/set", m{"destroy": []string{c.mailbox("Full")}}, "notDestroyed", "mailboxHasEmail"},
		{"Mailbox/set", m{"destroy": []string{inbox}}, "notDestroyed", "forbidden"},
		{"Mailbox/set", m{"destroy": []string{b}, "update": m{b: m{"name": "C"}}}, "notUpdated", "willDestroy"},
		{"Email/set", update(full, m{"mailboxIds": m{}}), "notUpdated", "invalidProperties"},
		{"Email/set", update(full, m{"mailboxIds/nothing": true}), "notUpdated", "invalidProperties"},
		{"Email/set", update(full, m{"keywords/no good": true}), "notUpdated", "invalidProperties"},
		{"Email/set", update(full, m{"subject": "x"}), "notUpdated", "invalidProperties"},
		{"Email/set", update("nothing", m{"keywords/x": true}), "notUpdated", "notFound"},
		{"Email/set", m{"destroy": []string{"nothing"}}, "notDestroyed", "notFound"},
		{"Email/import", imp(m{"blobId": "nothing", "mailboxIds": in}), "notCreated", "blobNotFound"},
		{"Email/import", imp(m{"blobId": empty, "mailboxIds": in}), "notCreated", "invalidEmail"},
		{"Email/import", imp(m{"blobId": blob, "mailboxIds": m{}}), "notCreated", "invalidProperties"},
		{"Email/import", imp(m{"blobId": blob, "mailboxIds": m{"nothing": true}}), "notCreated", "invalidProperties"},
		{"Email/import", imp(m{"blobId": blob, "mailboxIds": in, "receivedAt": "2020-01-01T00:00:00+02:00"}), "notCreated", "invalidProperties"},
		{"VacationResponse/set", create(m{"isEnabled": true}), "notCreated", "singleton"},
		{"VacationResponse/set", m{"destroy": []string{"singleton"}}, "notDestroyed", "singleton"},
		{"Identity/set", create(m{"name": "x", "email": "not@mine.org"}), "notCreated", "invalidProperties"},
		{"SieveScript/set", create(m{"name": "x", "blobId": blob}), "notCreated", "invalidSieve"},
		{"SieveScript/set", create(m{"name": "x", "blobId": "nothing"}), "notCreated", "blobNotFound"},
	} {
		r := c.call(x.method, x.args)
		errs, _ := r.get(x.list).(m)
		if len(errs) != 1 {
			t.Errorf("%s %v: %v", x.method, x.args, r)
		}
		for _, e := range errs {
			if e.(m)["type"] != x.typ {
				t.Errorf("%s %v: %v, want %s", x.method, x.args, e, x.typ)
			}
		}
	}
}

func TestQuotaBindsByItem(t *testing.T) {
	c := start(t, jmaptest.Options{})
	c.s.SetQuota("alice", int64(len(message("x"))))
	one, two := c.upload(message("x")), c.upload(message("y"))
	in := m{c.mailbox("Inbox"): true}
	r := c.call("Email/import", m{"emails": m{"a": m{"blobId": one, "mailboxIds": in}, "b": m{"blobId": two, "mailboxIds": in}}})
	if r.get("created", "a") == nil || r.text("notCreated", "b", "type") != "overQuota" {
		t.Errorf("got %v", r)
	}
}
