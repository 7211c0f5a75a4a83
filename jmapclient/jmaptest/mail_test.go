package jmaptest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailhaul/jmapclient/jmaptest"
)

// Creation ids and result references work across calls of one request.
func TestReferences(t *testing.T) {
	c := start(t, jmaptest.Options{})
	for i := range 3 {
		c.s.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Inbox"}, ReceivedAt: time.Unix(int64(i), 0),
			Raw: []byte(message("t", fmt.Sprintf("Message-ID: <%d@x>", i)))})
	}
	r := c.request(
		[2]any{"Mailbox/set", m{"accountId": c.account, "create": m{"kid": m{"name": "kid", "parentId": "#top"}, "top": m{"name": "top"}}}},
		[2]any{"Blob/upload", m{"accountId": c.account, "create": m{"b": m{"data": []m{{"data:asText": message("by reference")}}}}}},
		[2]any{"Email/import", m{"accountId": c.account, "emails": m{"e": m{"blobId": "#b", "mailboxIds": m{"#kid": true}}}}},
		[2]any{"Email/query", m{"accountId": c.account, "sort": []m{{"property": "receivedAt"}}}},
		[2]any{"Email/get", m{"accountId": c.account, "#ids": m{"resultOf": "3", "name": "Email/query", "path": "/ids"}, "properties": []string{"threadId"}}},
		[2]any{"Thread/get", m{"accountId": c.account, "#ids": m{"resultOf": "4", "name": "Email/get", "path": "/list/*/threadId"}}},
		[2]any{"Email/get", m{"accountId": c.account, "#ids": m{"resultOf": "5", "name": "Thread/get", "path": "/list/*/emailIds"}}},
	)
	if r[2].get("created", "e") == nil {
		t.Fatalf("the import by creation ids answered %v", r[2])
	}
	if paths := c.s.Messages("alice")[3].Mailboxes; !cmp.Equal(paths, []string{"top/kid"}) {
		t.Errorf("it lies in %v", paths)
	}
	if n := len(r[6].get("list").([]any)); n != 4 {
		t.Errorf("the last reference found %d messages, want 4: %v", n, r[6])
	}
}

func TestQueryWindows(t *testing.T) {
	c := start(t, jmaptest.Options{})
	var ids []string
	for i := range 6 { // two and two have one date
		ids = append(ids, c.s.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Inbox"}, ReceivedAt: time.Unix(int64(i/2), 0),
			Raw: []byte(message(fmt.Sprintf("n%d", 5-i)) + strings.Repeat("x", i))}))
	}
	at := func(sort string, up bool) []m { return []m{{"property": sort, "isAscending": up}} }
	pick := func(n ...int) []any {
		list := []any{}
		for _, i := range n {
			list = append(list, ids[i])
		}
		return list
	}
	for name, x := range map[string]struct {
		args     m
		want     []any
		position float64
	}{
		"ascending":              {m{"sort": at("receivedAt", true)}, pick(0, 1, 2, 3, 4, 5), 0},
		"descending is stable":   {m{"sort": at("receivedAt", false)}, pick(4, 5, 2, 3, 0, 1), 0},
		"by subject":             {m{"sort": at("subject", true)}, pick(5, 4, 3, 2, 1, 0), 0},
		"by size, the other way": {m{"sort": at("size", false)}, pick(5, 4, 3, 2, 1, 0), 0},
		"position and limit":     {m{"sort": at("receivedAt", true), "position": 2, "limit": 2}, pick(2, 3), 2},
		"from the end":           {m{"sort": at("receivedAt", true), "position": -2}, pick(4, 5), 4},
		"past the end":           {m{"sort": at("receivedAt", true), "position": 9}, pick(), 9},
		"behind an anchor":       {m{"sort": at("receivedAt", true), "anchor": ids[1], "anchorOffset": 1, "limit": 2}, pick(2, 3), 2},
		"before an anchor":       {m{"sort": at("receivedAt", true), "anchor": ids[1], "anchorOffset": -4, "limit": 2}, pick(0, 1), 0},
		"no results asked":       {m{"sort": at("receivedAt", true), "limit": 0}, pick(), 0},
		"before":                 {m{"sort": at("receivedAt", true), "filter": m{"before": "1970-01-01T00:00:01Z"}}, pick(0, 1), 0},
		"after":                  {m{"sort": at("receivedAt", true), "filter": m{"after": "1970-01-01T00:00:02Z"}}, pick(4, 5), 0},
		"neither":                {m{"sort": at("receivedAt", true), "filter": m{"operator": "NOT", "conditions": []m{{"before": "1970-01-01T00:00:01Z"}, {"subject": "n0"}}}}, pick(2, 3, 4), 0},
		"in no such mailbox":     {m{"filter": m{"inMailbox": "nothing"}}, pick(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			x.args["calculateTotal"] = true
			r := c.call("Email/query", x.args)
			if d := cmp.Diff(x.want, r.get("ids")); d != "" || r.get("position") != x.position {
				t.Errorf("position %v, want %v; ids (-want +got):\n%s", r.get("position"), x.position, d)
			}
		})
	}
}

func TestUploadsExpireAndAreBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	c := start(t, jmaptest.Options{Now: func() time.Time { return now },
		Profile: jmaptest.Profile{Limits: jmaptest.Limits{MaxSizeUpload: 1000}, UploadFilesPerHour: 3, UploadKeep: 600}})
	blob := c.upload(message("x"))
	kept := c.imported(message("kept"), nil).text("created", "e", "blobId")
	fetch := func(id string) int { return c.do("GET", "/jmap/download/"+c.account+"/"+id+"/x", "", nil).status }
	if a := c.do("POST", "/jmap/upload/"+c.account+"/", "text/plain", make([]byte, 1001)); a.json(t)["limit"] != "maxSizeUpload" {
		t.Errorf("an upload too large: %d %s", a.status, a.body)
	}
	if fetch(blob) != 200 || fetch(kept) != 200 {
		t.Fatalf("uploads are not there")
	}
	c.upload(strings.Repeat("z", 600)) // pushes out the first
	if fetch(blob) != 404 || fetch(kept) != 200 {
		t.Errorf("the oldest unreferenced upload goes: %d; one that is in use stays: %d", fetch(blob), fetch(kept))
	}
	if a := c.do("POST", "/jmap/upload/"+c.account+"/", "text/plain", []byte("x")); a.status != 403 {
		t.Errorf("an upload past the quota: %d", a.status)
	}
	now = now.Add(time.Hour)
	if fetch(kept) != 200 {
		t.Error("a message's blob expired")
	}
	if again := c.upload("y"); fetch(again) != 200 {
		t.Error("an hour later there is no room")
	} else if now = now.Add(time.Hour); fetch(again) != 404 {
		t.Error("an upload did not expire")
	}
}

func TestStrictStoresTheSameBytesTwiceAndNeverUsesAnIDAgain(t *testing.T) {
	c := start(t, jmaptest.Options{})
	raw := message("twin", "Message-ID: <t@x>")
	one := c.imported(raw, nil).text("created", "e", "id")
	two := c.imported(raw, nil).text("created", "e", "id")
	c.s.Destroy("alice", two)
	three := c.imported(raw, nil).text("created", "e", "id")
	if one == "" || one == two || two == three || len(c.s.Messages("alice")) != 2 {
		t.Errorf("ids %q %q %q, %d messages", one, two, three, len(c.s.Messages("alice")))
	}
}

func TestAlreadyExistsNamesTheMessage(t *testing.T) {
	c := start(t, jmaptest.Options{Profile: jmaptest.Profile{DuplicateAlreadyExists: true}})
	one := c.imported(message("twin"), nil).text("created", "e", "id")
	r := c.imported(message("twin"), nil)
	if r.text("notCreated", "e", "type") != "alreadyExists" || r.text("notCreated", "e", "existingId") != one {
		t.Errorf("got %v", r)
	}
}

func TestMailboxChangesTellWhenOnlyCountsChanged(t *testing.T) {
	c := start(t, jmaptest.Options{})
	state := c.call("Mailbox/get", m{"ids": []string{}}).text("state")
	c.imported(message("x"), nil)
	r := c.call("Mailbox/changes", m{"sinceState": state})
	if !cmp.Equal(r.get("updated"), []any{c.mailbox("Inbox")}) || r.get("updatedProperties") == nil {
		t.Errorf("got %v", r)
	}
	c.s.Subscribe("alice", "Inbox", false)
	if r := c.call("Mailbox/changes", m{"sinceState": state}); r.get("updatedProperties") != nil {
		t.Errorf("more than counts changed: %v", r)
	}
	c.s.ForgetHistory("alice")
	if r := c.call("Mailbox/changes", m{"sinceState": state}); r.text("type") != "cannotCalculateChanges" {
		t.Errorf("forgotten history: %v", r)
	}
}

func TestHistoryForgottenInSilence(t *testing.T) {
	c := start(t, jmaptest.Options{Profile: jmaptest.Profile{ForgetsSilently: true}})
	c.imported(message("x"), nil)
	c.s.ForgetHistory("alice")
	if r := c.call("Email/changes", m{"sinceState": "0"}); !cmp.Equal(r.get("created"), []any{}) || r.text("newState") == "0" {
		t.Errorf("got %v", r)
	}
}

func TestSieveActivation(t *testing.T) {
	c := start(t, jmaptest.Options{})
	blob := c.upload("require [\"fileinto\"];\r\nif header :contains \"subject\" \"x\" { fileinto \"X\"; }\r\n")
	r := c.call("SieveScript/set", m{"create": m{"s": m{"name": "one", "blobId": blob}}, "onSuccessActivateScript": "#s"})
	if r.get("created", "s", "isActive") != true {
		t.Fatalf("got %v", r)
	}
	one := r.text("created", "s", "id")
	if r := c.call("SieveScript/set", m{"destroy": []string{one}}); r.text("notDestroyed", one, "type") != "sieveIsActive" {
		t.Errorf("destroying the active script: %v", r)
	}
	r = c.call("SieveScript/set", m{"create": m{"s": m{"name": "one", "blobId": blob}, "t": m{"name": "two", "blobId": blob}},
		"onSuccessActivateScript": "#t"})
	if r.text("notCreated", "s", "existingId") != one || !c.s.Scripts("alice")[0].Active || c.s.Scripts("alice")[1].Active {
		t.Errorf("activation after a failure: %v, %v", r, c.s.Scripts("alice"))
	}
	c.call("SieveScript/set", m{"onSuccessDeactivateScript": true})
	if c.s.Scripts("alice")[0].Active {
		t.Error("it was not deactivated")
	}
}

func TestBlobGetAnswersDigestsAndData(t *testing.T) {
	c := start(t, jmaptest.Options{})
	id := c.upload("The quick brown fox jumped over the lazy dog.")
	r := c.call("Blob/get", m{"ids": []string{id, "nothing"}, "properties": []string{"data:asText", "digest:sha", "size"}, "offset": 4, "length": 5})
	want := m{"id": id, "data:asText": "quick", "size": 45.0, "digest:sha": r.text("list", 0, "digest:sha")}
	if d := cmp.Diff(want, r.get("list", 0)); d != "" || !cmp.Equal(r.get("notFound"), []any{"nothing"}) {
		t.Errorf("got %v", r)
	}
	whole := c.call("Blob/get", m{"ids": []string{id}, "properties": []string{"digest:sha"}})
	if whole.text("list", 0, "digest:sha") != "wIVPufsDxBzOOALLDSIFKebu+U4=" { // RFC 9404 §4.2.1.1
		t.Errorf("the digest is %v", whole)
	}
	if n := c.s.BlobFetches()[id]; n != 1 {
		t.Errorf("%d fetches are counted, want 1", n)
	}
}

func TestCopyMovesBetweenAccounts(t *testing.T) {
	c := start(t, jmaptest.Options{Admin: [2]string{"root", "pw"}})
	root := *c
	root.login, root.password = "root", "pw"
	var from string
	for id := range (response{"", root.do("GET", "/jmap/session", "", nil).json(t)}).get("accounts").(m) {
		from = id
	}
	id := c.s.Deliver("root", jmaptest.Message{Mailboxes: []string{"Inbox"}, Keywords: []string{"$seen"}, ReceivedAt: time.Unix(5, 0), Raw: []byte(message("x"))})
	r := root.request([2]any{"Email/copy", m{"fromAccountId": from, "accountId": c.account, "onSuccessDestroyOriginal": true,
		"create": m{"k": m{"id": id, "mailboxIds": m{c.mailbox("Sent"): true}}}}})
	if len(r) != 2 || !cmp.Equal(r[1].get("destroyed"), []any{id}) {
		t.Fatalf("got %v", r)
	}
	want := []jmaptest.Message{{Mailboxes: []string{"Sent"}, Keywords: []string{"$seen"}, ReceivedAt: time.Unix(5, 0).UTC(), Raw: []byte(message("x"))}}
	if d := cmp.Diff(want, c.s.Messages("alice")); d != "" || len(c.s.Messages("root")) != 0 {
		t.Errorf("%d left behind; arrived (-want +got):\n%s", len(c.s.Messages("root")), d)
	}
}
