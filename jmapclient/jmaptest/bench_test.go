package jmaptest_test

import (
	"fmt"
	"strings"
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

// BenchmarkArrival is 100 messages of 8 KB that arrive: as uploads of their own and one
// Email/import, and with Blob/upload in the import's request.
func BenchmarkArrival(b *testing.B) {
	const batch = 100
	for _, together := range []bool{false, true} {
		b.Run(map[bool]string{false: "uploads", true: "together"}[together], func(b *testing.B) {
			s := jmaptest.New(jmaptest.Options{})
			defer s.Close()
			account := s.AddUser(jmaptest.User{Login: "alice", Password: "secret"})
			c := &client{&testing.T{}, s, "alice", "secret", account, usingAll}
			in := m{c.mailbox("Inbox"): true}
			for n := 0; b.Loop(); n++ {
				blobs, emails := m{}, m{}
				for i := range batch {
					raw := message(fmt.Sprint(n, " ", i), fmt.Sprintf("Message-ID: <%d.%d@x>", n, i)) + body
					key := fmt.Sprint("b", i)
					blobID := "#" + key
					if together {
						blobs[key] = m{"data": []m{{"data:asBase64": []byte(raw)}}}
					} else {
						blobID = c.upload(raw)
					}
					emails[fmt.Sprint("e", i)] = m{"blobId": blobID, "mailboxIds": in}
				}
				calls := [][2]any{{"Blob/upload", m{"accountId": account, "create": blobs}}, {"Email/import", m{"accountId": account, "emails": emails}}}
				if !together {
					calls = calls[1:]
				}
				r := c.request(calls...)
				if made, _ := r[len(r)-1].get("created").(m); len(made) != batch {
					b.Fatalf("%d messages arrived", len(made))
				}
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

var body = strings.Repeat("Some words that stand for the text of a message, to and fro.\r\n", 128)
