package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/internal/mailgen"
	"mailhaul/jmapclient/jmaptest"
)

// server is a mail server that a test fills and that judges what arrived, both
// by a way that mailhaul does not use.
type server interface {
	URL() string
	// Importer is the flags that sign in who imports into an account.
	Importer(login string) []string
	// Broken are the data types that it announces and that do not work.
	Broken() []string
	AddUser(login string) // with password
	// MakeMailbox answers false when the server refuses the name.
	MakeMailbox(login, path string) bool
	Put(login string, messages ...mailgen.Message)
	Subscribe(login, path string, on bool)
	// Change does to the inbox what a user does between two passes: flags some
	// messages, makes some unread, labels some, moves one to Archive. The first
	// ten messages of the inbox must be in no other mailbox.
	Change(login string)
	// Mail is every message in every mailbox; one in two mailboxes is there twice.
	Mail(login string) []item
	Mailboxes(login string) []mailbox
}

// label is a keyword that Change sets.
const label = "changed"

const (
	password      = "correct horse"
	adminPassword = "battery staple" // of the user admin, where there is one
)

// alice is the account that most tests move.
const alice = "alice@example.org"

// item is a message in a mailbox, as the judge sees it.
type item struct {
	Mailbox  string // path; [mailgen.Inbox] is the inbox
	SHA256   string // of the whole message
	Keywords string // sorted
	Received string // RFC 3339, UTC, whole seconds
	Subject  string // for the reader of a failure
}

func newItem(mailbox string, raw []byte, keywords []string, received time.Time) item {
	k := slices.Clone(keywords)
	for i := range k {
		k[i] = strings.ToLower(k[i]) // RFC 8621 §4.1.1: keywords do not differ by case
	}
	slices.Sort(k)
	_, subject, _ := bytes.Cut(raw, []byte("Subject: "))
	subject, _, _ = bytes.Cut(subject, []byte("\r\n"))
	return item{mailbox, fmt.Sprintf("%x", sha256.Sum256(raw)), strings.Join(k, " "), received.UTC().Format(time.RFC3339), string(subject)}
}

// mailbox is a mailbox, as the judge sees it.
type mailbox struct {
	Path       string
	Role       string
	Subscribed bool
}

// kind is a kind of server to test with.
type kind struct {
	name  string
	start func(t *testing.T) server
	small bool // one of many: a small account is enough
	kills int  // how often a test kills each half
}

// of is so many messages, few on a kind that is one of many.
func (k kind) of(n int) int {
	if k.small {
		return (n + 9) / 10
	}
	return n
}

// kinds are the servers that every test in this package runs on: the strict
// in-memory one and a real Cyrus.
var kinds = []kind{
	{name: "memory", start: startMemory, kills: 10},
	{name: "cyrus", start: startCyrus, kills: 30},
}

// profiled are the servers of jmaptest's profiles, all but the strict one.
func profiled() (list []kind) {
	for _, p := range jmaptest.Profiles {
		if p.Name != jmaptest.Strict.Name {
			list = append(list, kind{p.Name, func(t *testing.T) server {
				return startMemoryWith(t, jmaptest.Options{Profile: p, Admin: [2]string{"admin", adminPassword}})
			}, true, 2})
		}
	}
	return list
}

// onEachKind runs a test once for each kind of server.
func onEachKind(t *testing.T, test func(t *testing.T, k kind)) { on(t, kinds, test) }

// onEveryServer runs a test on the servers of all profiles too.
func onEveryServer(t *testing.T, test func(t *testing.T, k kind)) {
	on(t, append(profiled(), kinds...), test)
}

func on(t *testing.T, kinds []kind, test func(t *testing.T, k kind)) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			test(t, k)
		})
	}
}

// expectSameMail fails unless both accounts hold the same messages in the same
// mailboxes, as often, with the same keywords and dates.
func expectSameMail(t *testing.T, want, got []item) {
	t.Helper()
	if len(want) == 0 {
		t.Fatal("the source is empty: nothing was tested")
	}
	count := map[item]int{}
	for _, i := range want {
		count[i]++
	}
	for _, i := range got {
		count[i]--
	}
	var wrong []string
	for i, n := range count {
		if n != 0 {
			wrong = append(wrong, fmt.Sprintf("%q %q: %+d (%s, keywords %q, %.12s)", i.Mailbox, i.Subject, -n, i.Received, i.Keywords, i.SHA256))
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		t.Errorf("%d messages there, %d wanted; too many (+) or too few (-):\n%s", len(got), len(want), strings.Join(wrong[:min(len(wrong), 40)], "\n"))
	}
}

// jmap is one method call by hand, for what a server can be told no other way.
func jmap(t *testing.T, url, login, capability, method string, args map[string]any) map[string]any {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"using":       []string{"urn:ietf:params:jmap:core", capability},
		"methodCalls": []any{[]any{method, args, "0"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		MethodResponses [][]json.RawMessage
	}
	ask(t, http.MethodPost, url, login, body, &answer)
	if len(answer.MethodResponses) != 1 || len(answer.MethodResponses[0]) != 3 || string(answer.MethodResponses[0][0]) != fmt.Sprintf("%q", method) {
		t.Fatalf("%s: %s", method, answer.MethodResponses)
	}
	var values map[string]any
	if err := json.Unmarshal(answer.MethodResponses[0][1], &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// ask is one HTTP request whose answer is JSON.
func ask(t *testing.T, method, url, login string, body []byte, into any) {
	t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(login, password)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %v %.500s", method, url, resp.Status, err, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s %s: %v in %.500s", method, url, err, text)
	}
}
