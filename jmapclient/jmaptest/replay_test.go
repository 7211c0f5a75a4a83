package jmaptest_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mailhaul/jmapclient/jmaptest"
)

// The profiles are measured by what real servers answered: each recorded
// exchange is asked again, in its order, and the answers are compared in shape
// and value. Blob ids, states, mailbox ids and URLs are translated; the words for a
// person are each server's own.

// difference is a part of an answer that may differ.
type difference struct {
	exchange string // its name, or a part of it
	path     string // regular expression over the path of the value
	reason   string
}

var knownDifferences = []difference{
	{"session", `/urn:ietf:params:jmap:websocket`, "push is left out"},
	{"and what it became", `/receivedAt$`, "the time of the import"},
	{"Quota/get", `/list/0/used$`, "it counts the script of the vacation response, which each server writes in its own way"},
}

// skippedExchanges are not asked.
var skippedExchanges = []struct{ path, reason string }{
	{"/admin/", "management is not the JMAP server's part; accounts are made by AddUser"},
	{"/api/", "the same"},
}

// supplement is what was uploaded without an exchange of its own being kept,
// by the beginning of the recorded blob id; sizes and Message-IDs are those the answers show.
var supplement = map[string]string{
	"edqlcry1ht":    message2("p2", "<pair@x>", "y"),
	"edicsnexgn":    message2("no2", "", "x"),
	"ebni0yzkw3":    strings.Replace(message2("thread a", "<t2@x>", "x"), "\r\n\r\n", "\r\nReferences: <t0@x>\r\n\r\n", 1),
	"edihrrpzp90lh": message2("good", "<good@x>", "xx"),
	"ebmbwc3tzl":    message2("reuse 1", "<r1@x>", "1"),
	"ea2tcg7biu":    message2("reuse 2", "<r2@x>", "22"),
	"eannmlnrwh":    message2("scratch 2", "<sc@x>", "second"),
	"ecyeef2vn3":    "bogus;\r\n",
}

func message2(subject, id, body string) string {
	head := "From: a@example.org\r\nTo: alice@example.org\r\nSubject: " + subject + "\r\nDate: Mon, 01 Jan 2024 10:00:00 +0000\r\n"
	if id != "" {
		head += "Message-ID: " + id + "\r\n"
	}
	return head + "\r\n" + body + "\r\n"
}

type exchange struct {
	Name     string            `json:"name"`
	As       *string           `json:"as"`
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Body     json.RawMessage   `json:"body"`
	Status   int               `json:"status"`
	Headers  map[string]string `json:"headers"`
	Response json.RawMessage   `json:"response"`
}

func TestProfilesAnswerAsTheRecordedServers(t *testing.T) {
	for _, v := range []struct {
		file    string
		profile jmaptest.Profile
	}{
		{"0.6.0.jsonl", jmaptest.Stalwart06},
		{"0.7.3.jsonl", jmaptest.Stalwart07},
	} {
		t.Run(v.file, func(t *testing.T) {
			r := newReplay(t, v.profile)
			for _, x := range readExchanges(t, v.file) {
				r.exchange(x)
			}
			if r.asked < 100 {
				t.Errorf("only %d exchanges were asked", r.asked)
			}
			for _, d := range knownDifferences {
				if !r.used[d.reason] {
					t.Errorf("the servers do not differ in this any more: %s (%s)", d.path, d.reason)
				}
			}
			t.Logf("%d exchanges asked, %d skipped, %d known differences", r.asked, r.skipped, r.differences)
		})
	}
}

func readExchanges(t *testing.T, file string) []exchange {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "stalwart", file))
	if err != nil {
		t.Fatal(err)
	}
	var list []exchange
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var x exchange
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		list = append(list, x)
	}
	return list
}

// replay asks a server what another was asked.
type replay struct {
	t         *testing.T
	s         *jmaptest.Server
	now       time.Time
	members   map[string][]string // lists by member
	blobs     map[string]string   // recorded to ours
	mailboxes map[string]string
	states    map[string]string // "Email sxyz" to ours

	used map[string]bool // known differences that were met, by reason

	asked, skipped, differences int
}

func newReplay(t *testing.T, p jmaptest.Profile) *replay {
	r := &replay{t: t, now: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC), members: map[string][]string{},
		blobs: map[string]string{}, mailboxes: map[string]string{}, states: map[string]string{}, used: map[string]bool{}}
	if p.ListsAreAccounts { // 0.7 takes a list's members; the list is made after them
		r.members = map[string][]string{"alice": {"team"}, "bob": {"team"}}
	}
	r.s = jmaptest.New(jmaptest.Options{Profile: p, Admin: [2]string{"admin", "admin-secret"}, Now: func() time.Time { return r.now }})
	t.Cleanup(r.s.Close)
	return r
}

func (r *replay) exchange(x exchange) {
	for _, s := range skippedExchanges {
		if strings.HasPrefix(x.Path, s.path) {
			r.skipped++
			r.principal(x)
			return
		}
	}
	r.prepare(x)
	var recorded any = string(x.Response)
	if err := json.Unmarshal(x.Response, &recorded); err != nil {
		r.t.Fatalf("%s: %v", x.Name, err)
	}
	got := r.ask(x)
	r.asked++
	if got.Code != x.Status {
		r.t.Errorf("%s: status %d, recorded %d: %s", x.Name, got.Code, x.Status, got.Body)
		return
	}
	if want, is := x.Headers["content-type"], got.Header().Get("Content-Type"); want != is {
		r.t.Errorf("%s: content type %q, recorded %q", x.Name, is, want)
	}
	var ours any
	if json.Unmarshal(got.Body.Bytes(), &ours) != nil {
		ours = got.Body.String()
	}
	r.compare(x, recorded, ours)
}

// principal makes the account that a management request made.
func (r *replay) principal(x exchange) {
	var body struct {
		Type, Name, Description string
		Emails, MemberOf        []string
		Quota                   int64
	}
	if x.Method != "POST" || bytes.Contains(x.Response, []byte(`"error"`)) || json.Unmarshal(x.Body, &body) != nil || body.Name == "" {
		return
	}
	r.s.AddUser(jmaptest.User{Login: body.Name, Password: "secret", Description: body.Description, Emails: body.Emails,
		MemberOf: append(body.MemberOf, r.members[body.Name]...), Group: body.Type == "group", List: body.Type == "list", Quota: body.Quota})
}

// prepare brings about what happened between two exchanges.
func (r *replay) prepare(x exchange) {
	fill := func(kind string, until int) {
		for range 3000 {
			var got *httptest.ResponseRecorder
			if kind == "upload" {
				got = r.send("alice", "POST", x.Path, []byte("filler"))
			} else {
				got = r.send("alice", "POST", "/jmap", []byte(`{"using":["urn:ietf:params:jmap:core"],"methodCalls":[]}`))
			}
			if got.Code == until {
				return
			}
		}
		r.t.Fatalf("%s: no %d after 3000 requests", x.Name, until)
	}
	switch x.Name {
	case "after IMAP APPEND of a third message with that Message-ID":
		raw := message2("third", "<one@x>", strings.Repeat("z", 149-len(message2("third", "<one@x>", ""))))
		r.s.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Inbox"}, Keywords: []string{"$seen"},
			ReceivedAt: time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC), Raw: []byte(raw)})
	case "request past the rate limit":
		fill("request", http.StatusTooManyRequests)
	case "upload past the quota":
		r.now = r.now.Add(time.Minute)
		fill("upload", http.StatusForbidden)
		r.now = r.now.Add(time.Minute)
	}
}

func (r *replay) send(as, method, path string, body []byte) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if strings.Contains(path, "/upload/") {
		req.Header.Set("Content-Type", "message/rfc822")
	}
	switch as {
	case "":
	case "admin":
		req.SetBasicAuth(as, "admin-secret")
	case "wrong":
		req.SetBasicAuth("alice", "wrong")
	default:
		req.SetBasicAuth(as, "secret")
	}
	w := httptest.NewRecorder()
	r.s.Handler().ServeHTTP(w, req)
	return w
}

var recordedBlob = regexp.MustCompile(`\b[ec][a-z0-9]{50,}\b`)

func (r *replay) ask(x exchange) *httptest.ResponseRecorder {
	as := ""
	if x.As != nil {
		as = *x.As
	}
	if x.Name == "session with a wrong password" {
		as = "wrong"
	}
	body := []byte(x.Body)
	var text string
	if string(body) != "null" && json.Unmarshal(x.Body, &text) == nil {
		body = []byte(text)
		if x.Name == "request over maxSizeRequest" { // kept short in the recording
			body = []byte(`{"x": "` + strings.Repeat("y", 10_000_080) + `"}`)
		}
		return r.send(as, x.Method, x.Path, body)
	}
	if string(body) == "null" {
		body = nil
	}
	translate := func(b []byte) []byte { return []byte(r.blobsIn(string(b), x, as)) }
	body = r.statesIn(translate(body))
	return r.send(as, x.Method, string(translate([]byte(x.Path))), body)
}

// blobsIn puts our blob ids for the recorded ones, uploading what the
// recording does not have.
func (r *replay) blobsIn(text string, x exchange, as string) string {
	return recordedBlob.ReplaceAllStringFunc(text, func(id string) string {
		if ours, ok := r.blobs[id]; ok {
			return ours
		}
		for prefix, content := range supplement {
			if !strings.HasPrefix(id, prefix) {
				continue
			}
			var up struct{ BlobID string }
			account := regexp.MustCompile(`"accountId": ?"([^"]+)"`).FindSubmatch(x.Body)
			got := r.send(as, "POST", "/jmap/upload/"+string(account[1])+"/", []byte(content))
			if err := json.Unmarshal(got.Body.Bytes(), &up); err != nil || got.Code != 200 {
				r.t.Fatalf("%s: uploading a supplement: %d %s", x.Name, got.Code, got.Body)
			}
			r.blobs[id] = up.BlobID
			return up.BlobID
		}
		return "e" + strings.Repeat("z", 51) + "aup" // well formed, of nothing
	})
}

// statesIn puts our states for the recorded ones in a request.
func (r *replay) statesIn(body []byte) []byte {
	var req struct {
		Using       []string `json:"using"`
		MethodCalls [][]any  `json:"methodCalls"`
	}
	if json.Unmarshal(body, &req) != nil || req.MethodCalls == nil || !bytes.Contains(body, []byte("since")) {
		return body
	}
	for _, call := range req.MethodCalls {
		typ, _, _ := strings.Cut(call[0].(string), "/")
		args := call[1].(map[string]any)
		for _, name := range []string{"sinceState", "sinceQueryState"} {
			if st, ok := args[name].(string); ok && r.states[typ+" "+st] != "" {
				args[name] = r.states[typ+" "+st]
			}
		}
	}
	b, err := json.Marshal(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}
