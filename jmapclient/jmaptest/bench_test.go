package jmaptest_test

import (
	"fmt"
	"testing"
	"time"

	"mailhaul/jmapclient/jmaptest"
)

// BenchmarkPage is one page of 500 of an account of 20 000: Email/query behind
// an anchor and Email/get by reference, over HTTP.
func BenchmarkPage(b *testing.B) {
	s := jmaptest.New(jmaptest.Options{})
	defer s.Close()
	account := s.AddUser(jmaptest.User{Login: "alice", Password: "secret"})
	for i := range 20_000 {
		s.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Inbox"}, Keywords: []string{"$seen"}, ReceivedAt: time.Unix(int64(i), 0),
			Raw: []byte(message(fmt.Sprint("number ", i), fmt.Sprintf("Message-ID: <%d@x>", i)))})
	}
	c := &client{&testing.T{}, s, "alice", "secret", account, usingAll}
	anchor := s.EmailIDs("alice")[10_000]
	for b.Loop() {
		r := c.request(
			[2]any{"Email/query", m{"accountId": account, "sort": []m{{"property": "receivedAt", "isAscending": true}},
				"anchor": anchor, "anchorOffset": 1, "limit": 500, "calculateTotal": true}},
			[2]any{"Email/get", m{"accountId": account, "#ids": m{"resultOf": "0", "name": "Email/query", "path": "/ids"},
				"properties": []string{"id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt", "messageId",
					"inReplyTo", "references", "from", "subject", "sentAt", "hasAttachment"}}})
		if n := len(r[1].get("list").([]any)); n != 500 {
			b.Fatalf("%d messages", n)
		}
	}
}
