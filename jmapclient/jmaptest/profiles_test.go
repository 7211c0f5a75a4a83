package jmaptest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailhaul/jmapclient/jmaptest"
)

// each runs a test against every profile, with a clock that the test moves.
func each(t *testing.T, test func(*testing.T, *client, *time.Time)) {
	names := map[string]bool{}
	for _, p := range jmaptest.Profiles {
		if p.Name == "" || names[p.Name] {
			t.Errorf("a profile has no name of its own: %q", p.Name)
		}
		names[p.Name] = true
		t.Run(p.Name, func(t *testing.T) {
			now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			c := start(t, jmaptest.Options{Profile: p, Now: func() time.Time { return now }})
			c.using = mailOnly
			test(t, c, &now)
		})
	}
}

func TestEveryProfileKeepsAnImportedMessage(t *testing.T) {
	each(t, func(t *testing.T, c *client, _ *time.Time) {
		raw := message("one", "Message-ID: <one@x>")
		r := c.imported(raw, m{"keywords": m{"$seen": true}, "receivedAt": "2020-02-03T04:05:06Z"})
		if r.get("created", "e", "size") != float64(len(raw)) {
			t.Fatalf("import answered %v", r)
		}
		want := []jmaptest.Message{{Mailboxes: []string{"Inbox"}, Keywords: []string{"$seen"},
			ReceivedAt: time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC), Raw: []byte(raw)}}
		if d := cmp.Diff(want, c.s.Messages("alice")); d != "" {
			t.Errorf("what the server holds (-want +got):\n%s", d)
		}
		got := c.call("Email/get", m{"ids": []string{r.text("created", "e", "id")}, "properties": []string{"blobId"}})
		down := c.do("GET", "/jmap/download/"+c.account+"/"+got.text("list", 0, "blobId")+"/m.eml?accept=message/rfc822", "", nil)
		if string(down.body) != raw {
			t.Errorf("download answered %d %q", down.status, down.body)
		}
	})
}

// What becomes of the same bytes a second time is what a client must be ready for.
func TestSameBytesTwice(t *testing.T) {
	dropped := map[string]bool{"stalwart-0.5": true, "stalwart-0.6": true, "stalwart-0.7": true, "stalwart-0.8.0": true}
	each(t, func(t *testing.T, c *client, _ *time.Time) {
		raw := message("one", "Message-ID: <one@x>")
		c.imported(raw, nil)
		r := c.imported(raw, nil)
		held := len(c.s.Messages("alice"))
		switch name := t.Name(); {
		case name == "TestSameBytesTwice/cyrus-3.6":
			if r.text("notCreated", "e", "type") != "alreadyExists" || held != 1 {
				t.Errorf("answered %v, holds %d", r, held)
			}
		case dropped[name[len("TestSameBytesTwice/"):]]:
			if r.get("created", "e", "size") != 0.0 || held != 1 {
				t.Errorf("answered %v, holds %d", r, held)
			}
		default:
			if r.get("created", "e", "size") != float64(len(raw)) || held != 2 {
				t.Errorf("answered %v, holds %d", r, held)
			}
		}
	})
}

func TestHistoryOfAMonthAgo(t *testing.T) {
	silent := map[string]bool{"stalwart-0.8.5": true, "stalwart-0.11": true}
	told := map[string]bool{"stalwart-0.13": true, "stalwart-0.15": true, "stalwart-0.16": true}
	each(t, func(t *testing.T, c *client, now *time.Time) {
		name := t.Name()[len("TestHistoryOfAMonthAgo/"):]
		state := c.call("Email/get", m{"ids": []string{}}).text("state")
		c.imported(message("x", "Message-ID: <x@x>"), nil)
		*now = now.Add(31 * 24 * time.Hour)
		r := c.call("Email/changes", m{"sinceState": state})
		created, _ := r.get("created").([]any)
		switch {
		case told[name]:
			if r.text("type") != "cannotCalculateChanges" {
				t.Errorf("answered %v", r)
			}
		case r.name != "Email/changes" || (len(created) == 0) != silent[name]:
			t.Errorf("answered %v", r)
		}
		if now := c.call("Email/get", m{"ids": []string{}}).text("state"); !told[name] && r.text("newState") != now {
			t.Errorf("the new state is %s, and then %s", r.text("newState"), now)
		}
	})
}

func TestCyrusHasOneEmailOfTheSameBytes(t *testing.T) {
	c := start(t, jmaptest.Options{Profile: jmaptest.Cyrus36})
	raw := []byte(message("one"))
	one := c.s.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Inbox"}, ReceivedAt: time.Unix(1, 0), Raw: raw})
	two := c.s.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Archive"}, Keywords: []string{"$seen"}, ReceivedAt: time.Unix(2, 0), Raw: raw})
	want := []jmaptest.Message{{Mailboxes: []string{"Archive", "Inbox"}, Keywords: []string{"$seen"}, ReceivedAt: time.Unix(1, 0).UTC(), Raw: raw}}
	if d := cmp.Diff(want, c.s.Messages("alice")); one != two || d != "" {
		t.Errorf("%s and %s (-want +got):\n%s", one, two, d)
	}
}

func TestCyrusEndsTheConnectionOverTheVacation(t *testing.T) {
	c := start(t, jmaptest.Options{Profile: jmaptest.Cyrus36})
	body := fmt.Sprintf(`{"using":["urn:ietf:params:jmap:core","urn:ietf:params:jmap:vacationresponse"],
		"methodCalls":[["VacationResponse/get",{"accountId":%q,"ids":null},"0"]]}`, c.account)
	if a, err := c.try("POST", "/jmap/", "application/json", []byte(body)); err == nil {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	c.using = mailOnly
	if r := c.call("Mailbox/get", m{"ids": nil}); r.name != "Mailbox/get" {
		t.Errorf("afterwards: %v", r)
	}
}

func TestAdministratorSignsInAsAUser(t *testing.T) {
	s := jmaptest.New(jmaptest.Options{Profile: jmaptest.Stalwart016, Admin: [2]string{"admin", "admin-secret"}})
	defer s.Close()
	account := s.AddUser(jmaptest.User{Login: "alice@example.org", Password: "secret"})
	for _, test := range []struct {
		login, password string
		status          int
	}{
		{"alice@example.org%admin", "admin-secret", 200},
		{"alice@example.org%admin", "secret", 401},
		{"admin%alice@example.org", "secret", 401},
		{"nobody@example.org%admin", "admin-secret", 401},
	} {
		c := &client{t, s, test.login, test.password, account, mailOnly}
		a := c.do("GET", "/jmap/session", "", nil)
		if a.status != test.status || a.status == 200 && a.json(t)["username"] != "alice@example.org" {
			t.Errorf("%s: %d %s", test.login, a.status, a.body)
		}
	}
}

func TestVacationMadeByAnUpdate(t *testing.T) {
	makes := map[string]bool{"strict": true, "stalwart-0.13": true, "stalwart-0.15": true, "stalwart-0.16": true, "cyrus-3.6": true}
	each(t, func(t *testing.T, c *client, _ *time.Time) {
		c.using = []string{"core", "vacationresponse"}
		r := c.call("VacationResponse/set", m{"update": m{"singleton": m{"isEnabled": true, "textBody": "away"}}})
		v := c.s.Vacation("alice")
		if made := v != nil && v.IsEnabled; made != makes[t.Name()[len("TestVacationMadeByAnUpdate/"):]] {
			t.Errorf("answered %v, and there is %v", r, v)
		}
	})
}
