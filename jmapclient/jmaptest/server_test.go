package jmaptest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailhaul/jmapclient/jmaptest"
)

func TestImportedMessageIsThereWithAllItCameWith(t *testing.T) {
	c := start(t, jmaptest.Options{})
	raw := message("one", "Message-ID: <one@x>")
	r := c.imported(raw, map[string]any{"keywords": map[string]bool{"$seen": true}, "receivedAt": "2020-02-03T04:05:06Z"})
	if r.name != "Email/import" || r.get("created", "e", "size") != float64(len(raw)) {
		t.Fatalf("import answered %v", r)
	}
	want := []jmaptest.Message{{Mailboxes: []string{"Inbox"}, Keywords: []string{"$seen"},
		ReceivedAt: time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC), Raw: []byte(raw)}}
	if d := cmp.Diff(want, c.s.Messages("alice")); d != "" {
		t.Fatalf("what the server holds (-want +got):\n%s", d)
	}
	got := c.call("Email/get", map[string]any{"ids": []string{r.text("created", "e", "id")},
		"properties": []string{"blobId", "mailboxIds", "keywords", "receivedAt", "messageId", "subject", "from"}})
	delete(got.get("list", 0).(map[string]any), "id")
	wantEmail := map[string]any{
		"blobId": r.get("created", "e", "blobId"), "mailboxIds": map[string]any{c.mailbox("Inbox"): true},
		"keywords": map[string]any{"$seen": true}, "receivedAt": "2020-02-03T04:05:06Z",
		"messageId": []any{"one@x"}, "subject": "one",
		"from": []any{map[string]any{"name": "Ann", "email": "ann@example.org"}},
	}
	if d := cmp.Diff(wantEmail, got.get("list", 0)); d != "" {
		t.Fatalf("Email/get (-want +got):\n%s", d)
	}
	down := c.do("GET", "/jmap/download/"+c.account+"/"+r.text("created", "e", "blobId")+"/m.eml?accept=message/rfc822", "", nil)
	if string(down.body) != raw || down.header.Get("Content-Type") != "message/rfc822" {
		t.Fatalf("download answered %q as %q", down.body, down.header.Get("Content-Type"))
	}
}
