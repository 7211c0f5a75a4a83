package jmaptest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"mailhaul/jmapclient/jmaptest"
)

// client asks a server as one user.
type client struct {
	t               *testing.T
	s               *jmaptest.Server
	login, password string
	account         string
	using           []string
}

// start brings up a server with alice, whose account it answers a client for.
func start(t *testing.T, o jmaptest.Options) *client {
	t.Helper()
	s := jmaptest.New(o)
	t.Cleanup(s.Close)
	id := s.AddUser(jmaptest.User{Login: "alice", Password: "secret", Emails: []string{"alice@example.org"}})
	return &client{t, s, "alice", "secret", id, usingAll}
}

// answer is an HTTP answer.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// json is the body, read.
func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(a.body, &o); err != nil {
		t.Fatalf("the answer is no JSON object: %v: %q", err, a.body)
	}
	return o
}

func (c *client) do(method, path, contentType string, body []byte) answer {
	c.t.Helper()
	a, err := c.try(method, path, contentType, body)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func (c *client) try(method, path, contentType string, body []byte) (answer, error) {
	r, err := http.NewRequest(method, c.s.URL+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if c.login != "" {
		r.SetBasicAuth(c.login, c.password)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, data}, err
}

// usingAll is what the tests name in using.
var usingAll = []string{"core", "mail", "submission", "vacationresponse", "sieve", "blob", "quota", "principals",
	"mail:share", "contacts", "calendars", "filenode"}

// mailOnly is what every profile has.
var mailOnly = []string{"core", "mail"}

// request sends method calls, [name, args] each, and answers the responses.
func (c *client) request(calls ...[2]any) []response {
	c.t.Helper()
	var using []string
	for _, u := range c.using {
		if !strings.Contains(u, "://") {
			u = "urn:ietf:params:jmap:" + u
		}
		using = append(using, u)
	}
	var all [][]any
	for i, call := range calls {
		all = append(all, []any{call[0], call[1], string(rune('0' + i))})
	}
	body, err := json.Marshal(map[string]any{"using": using, "methodCalls": all})
	if err != nil {
		c.t.Fatal(err)
	}
	a := c.do("POST", "/jmap/", "application/json", body)
	if a.status != 200 {
		c.t.Fatalf("status %d: %s", a.status, a.body)
	}
	var r struct {
		MethodResponses [][]json.RawMessage `json:"methodResponses"`
	}
	if err := json.Unmarshal(a.body, &r); err != nil {
		c.t.Fatal(err)
	}
	var out []response
	for _, m := range r.MethodResponses {
		var one response
		_ = json.Unmarshal(m[0], &one.name)
		if err := json.Unmarshal(m[1], &one.args); err != nil {
			c.t.Fatal(err)
		}
		out = append(out, one)
	}
	return out
}

type response struct {
	name string
	args map[string]any
}

// call makes one method call in the client's account.
func (c *client) call(method string, args map[string]any) response {
	c.t.Helper()
	if args == nil {
		args = map[string]any{}
	}
	if _, ok := args["accountId"]; !ok {
		args["accountId"] = c.account
	}
	return c.request([2]any{method, args})[0]
}

// get walks members and indexes of an answer; nil where there is nothing.
func (r response) get(path ...any) any {
	var v any = r.args
	for _, step := range path {
		switch at := v.(type) {
		case map[string]any:
			v = at[step.(string)]
		case []any:
			i, ok := step.(int)
			if !ok || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

func (r response) text(path ...any) string {
	s, _ := r.get(path...).(string)
	return s
}

// upload sends a blob and answers its id.
func (c *client) upload(data string) string {
	c.t.Helper()
	a := c.do("POST", "/jmap/upload/"+c.account+"/", "message/rfc822", []byte(data))
	if a.status != 200 && a.status != 201 {
		c.t.Fatalf("upload: status %d: %s", a.status, a.body)
	}
	return a.json(c.t)["blobId"].(string)
}

// mailbox is the id of the mailbox at a path.
func (c *client) mailbox(path string) string {
	c.t.Helper()
	for _, m := range c.s.Mailboxes("alice") {
		if m.Path == path {
			return m.ID
		}
	}
	c.t.Fatalf("there is no mailbox %s", path)
	return ""
}

// imported imports a message into the inbox and answers what was created.
func (c *client) imported(raw string, item map[string]any) response {
	c.t.Helper()
	if item == nil {
		item = map[string]any{}
	}
	item["blobId"] = c.upload(raw)
	if item["mailboxIds"] == nil {
		item["mailboxIds"] = map[string]bool{c.mailbox("Inbox"): true}
	}
	return c.call("Email/import", map[string]any{"emails": map[string]any{"e": item}})
}

// message is a small one.
func message(subject string, more ...string) string {
	head := []string{"From: Ann <ann@example.org>", "To: alice@example.org", "Subject: " + subject,
		"Date: Mon, 01 Jan 2024 10:00:00 +0000"}
	return strings.Join(append(head, more...), "\r\n") + "\r\n\r\nHello.\r\n"
}
