package main

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailhaul/account"
	"mailhaul/internal/mailgen"
	"mailhaul/jmapclient/jmaptest"
)

// demoUser has the same account on both of the demo's servers.
var demoUser = jmaptest.User{Login: "alice", Password: "demo", Description: "Alice", Emails: []string{"alice@example.org"}}

const (
	demoSeed     = 1
	demoMessages = 300
)

// settle fills the account as if somebody had lived in it.
func settle(s *jmaptest.Server) {
	deliver := func(m jmaptest.Message) {
		for i, path := range m.Mailboxes {
			if path == mailgen.Inbox {
				m.Mailboxes[i] = demoInbox(s)
			}
		}
		s.Deliver(demoUser.Login, m)
	}
	for m := range mailgen.Account(demoSeed, demoMessages) {
		deliver(jmaptest.Message(m))
	}
	for _, m := range oddMessages() {
		deliver(m)
	}
	s.Subscribe(demoUser.Login, "Lists", true)
	s.Subscribe(demoUser.Login, "Archive/2019", false)
	boss, away := "The office", "Away until Monday"
	s.AddIdentity(demoUser.Login, jmaptest.Identity{Name: "Alice at work", Email: demoUser.Emails[0], TextSignature: "-- \nAlice",
		HTMLSignature: "<p>Alice</p>", ReplyTo: []jmaptest.Address{{Name: &boss, Email: "office@example.org"}}})
	s.AddScript(demoUser.Login, "lists", "require \"fileinto\";\nif exists \"List-Id\" { fileinto \"Lists\"; }\n", true)
	s.AddScript(demoUser.Login, "holidays", "keep;\n", false)
	s.SetVacation(demoUser.Login, jmaptest.Vacation{Subject: &away, TextBody: &away})
	settleThings(s)
}

// demoInbox is what the server calls the inbox.
func demoInbox(s *jmaptest.Server) string {
	for _, m := range s.Mailboxes(demoUser.Login) {
		if m.Role == "inbox" {
			return m.Path
		}
	}
	return mailgen.Inbox
}

// oddMessages are some that migrations are known to lose: two of one
// Message-ID, two that are the same to the last byte, one with none, one with
// nothing in it, one with 8-bit headers, an old one, one in three folders.
func oddMessages() []jmaptest.Message {
	day := func(y int) time.Time { return time.Date(y, 3, 14, 15, 9, 26, 0, time.UTC) }
	raw := func(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }
	twin := raw("From: bob@example.org\nTo: alice@example.org\nSubject: Delivered twice\nMessage-ID: <twin@example.org>\n\nThe same, to the last byte.\n")
	return []jmaptest.Message{
		{Mailboxes: []string{mailgen.Inbox}, ReceivedAt: day(2020), Raw: twin},
		{Mailboxes: []string{mailgen.Inbox}, ReceivedAt: day(2020), Raw: twin, Keywords: []string{"$seen"}},
		{Mailboxes: []string{"Lists"}, ReceivedAt: day(2020), Raw: append(slices.Clone(twin), "-- \r\nsent through a list\r\n"...)},
		{Mailboxes: []string{mailgen.Inbox}, ReceivedAt: day(1995), Raw: raw("From: root\nSubject: From before Message-IDs were usual\n\nHello.\n")},
		{Mailboxes: []string{mailgen.Inbox}, ReceivedAt: day(2012), Raw: raw("From: bob@example.org\nSubject: gr\xfc\xdfe aus K\xf6ln\nMessage-ID: <latin@example.org>\n\n8 bit\n")},
		{Mailboxes: []string{mailgen.Inbox}, ReceivedAt: day(2021), Raw: raw("From: bob@example.org\nSubject: Nothing in it\nMessage-ID: <empty@example.org>\n\n")},
		{Mailboxes: []string{mailgen.Inbox, "Lists", "Projects/\u7530\u4e2d"}, ReceivedAt: day(2030), Keywords: []string{"$flagged", "$seen", "to-do"},
			Raw: raw("From: carol@example.org\nSubject: =?utf-8?B?8J+QmiBpbiB0aHJlZSBmb2xkZXJz?=\nMessage-ID: <three@example.org>\n\nOne message, three folders.\n")},
	}
}

// kind is all of one kind that a server holds: a line for each, sorted.
type kind struct {
	Name  string   `json:"name"`
	Count int      `json:"count"`
	lines []string // everything there is to know of it
}

// contentsOf is what an account holds on a server, read without JMAP.
func contentsOf(s *jmaptest.Server, login string) []kind {
	var mailboxes, messages, identities, scripts []string
	for _, m := range s.Mailboxes(login) {
		mailboxes = append(mailboxes, fmt.Sprintf("mailbox %s, role %q, subscribed %t", m.Path, m.Role, m.Subscribed))
	}
	for _, m := range s.Messages(login) {
		messages = append(messages, fmt.Sprintf("message of %s in %s with %s, SHA-256 %x", m.ReceivedAt.UTC().Format(time.RFC3339),
			strings.Join(m.Mailboxes, " and "), strings.Join(m.Keywords, " "), sha256.Sum256(m.Raw)))
	}
	for _, i := range s.Identities(login) {
		i.ID = ""
		identities = append(identities, fmt.Sprintf("identity %s", account.Marshal(i)))
	}
	for _, sc := range s.Scripts(login) {
		scripts = append(scripts, fmt.Sprintf("script %s, active %t: %s", sc.Name, sc.Active, sc.Content))
	}
	return append([]kind{newKind("mailboxes", mailboxes), newKind("messages", messages), newKind("identities", identities),
		newKind("Sieve scripts", scripts), newKind("vacation responses", vacations(s.Vacation(login)))}, thingsOf(s, login)...)
}

// vacations is the vacation response if there is one that says anything.
func vacations(v *jmaptest.Vacation) []string {
	if v == nil || *v == (jmaptest.Vacation{}) {
		return nil
	}
	return []string{fmt.Sprintf("vacation response %s", account.Marshal(v))}
}

func newKind(name string, lines []string) kind {
	slices.Sort(lines)
	return kind{name, len(lines), lines}
}

// unlike lists what one server has and the other has not.
func unlike(before, after []kind) []string {
	var found []string
	for i, k := range before {
		found = append(found, missing(k.lines, after[i].lines, "only on the old server: ")...)
		found = append(found, missing(after[i].lines, k.lines, "only on the new server: ")...)
	}
	return found
}

// missing is what a has more often than b.
func missing(a, b []string, prefix string) []string {
	n := map[string]int{}
	for _, line := range b {
		n[line]++
	}
	var out []string
	for _, line := range a {
		if n[line]--; n[line] < 0 {
			out = append(out, prefix+line)
		}
	}
	return out
}
