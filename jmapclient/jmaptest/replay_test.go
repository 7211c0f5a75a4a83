package jmaptest_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/jmapclient/jmaptest"
)

// The profiles are measured by what real servers answered: each recorded
// exchange is asked again, in its order, and the answers are compared in shape
// and value. Blob ids, states, mailbox ids and URLs are translated; the words for a
// person are each server's own.

func TestProfilesAnswerAsTheRecordedServers(t *testing.T) {
	for _, v := range recordings {
		t.Run(v.file, func(t *testing.T) {
			r := newReplay(t, v)
			for _, x := range readExchanges(t, v.file) {
				r.exchange(x)
			}
			if r.asked < 30 {
				t.Errorf("only %d exchanges were asked", r.asked)
			}
			for _, d := range knownDifferences {
				if strings.HasPrefix(v.file, d.file) && !r.used[d] {
					t.Errorf("the servers do not differ in this any more: %s: %s (%s)", d.exchange, d.path, d.reason)
				}
			}
			t.Logf("%d exchanges asked, %d known differences", r.asked, r.differences)
		})
	}
}

func readExchanges(t *testing.T, file string) []exchange {
	t.Helper()
	dir := filepath.Join("..", "..", "testdata", "stalwart")
	if strings.HasPrefix(file, "cyrus") {
		dir = "testdata"
	}
	data, err := os.ReadFile(filepath.Join(dir, file))
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
	handler   http.Handler
	rec       recording
	now       time.Time
	blobs     map[string]string // recorded to ours
	mailboxes map[string]string
	states    map[string]string // "Email sxyz" to ours

	used map[difference]bool // known differences that were met

	asked, differences int
}

func newReplay(t *testing.T, v recording) *replay {
	r := &replay{t: t, rec: v, now: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC),
		blobs: map[string]string{}, mailboxes: map[string]string{}, states: map[string]string{}, used: map[difference]bool{}}
	o := jmaptest.Options{Profile: v.profile, Now: func() time.Time { return r.now }}
	if !slices.ContainsFunc(v.accounts, func(u jmaptest.User) bool { return u.Admin }) {
		o.Admin = [2]string{"admin", "admin-secret"}
	}
	r.s = jmaptest.New(o)
	r.handler = r.s.Handler()
	t.Cleanup(r.s.Close)
	if v.domain != "" {
		r.s.AddDomain(v.domain)
	}
	for _, u := range v.accounts {
		r.s.AddUser(u)
	}
	return r
}

func (r *replay) exchange(x exchange) {
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
	if got.Code == 0 {
		return
	}
	if want, is := x.Headers["content-type"], got.Header().Get("Content-Type"); want != is && !r.known(x, "content-type") {
		r.t.Errorf("%s: content type %q, recorded %q", x.Name, is, want)
	}
	var ours any
	if json.Unmarshal(got.Body.Bytes(), &ours) != nil {
		ours = got.Body.String()
	}
	r.compare(x, recorded, ours)
}

// prepare brings about what happened between two exchanges.
func (r *replay) prepare(x exchange) {
	fill := func(kind string) {
		for range 3000 {
			var got *httptest.ResponseRecorder
			if kind == "upload" {
				got = r.send(*x.As, "POST", x.Path, []byte("filler"))
			} else {
				got = r.send(*x.As, "POST", "/jmap", []byte(`{"using":["urn:ietf:params:jmap:core"],"methodCalls":[]}`))
			}
			if got.Code == x.Status {
				return
			}
		}
		r.t.Fatalf("%s: no %d after 3000 requests", x.Name, x.Status)
	}
	switch x.Name {
	case "after IMAP APPEND of a third message with that Message-ID":
		inbox := "Inbox"
		if r.rec.file == "0.4.2.jsonl" { // whose IMAP appended to the second of that name
			inbox = "INBOX"
		}
		raw := message2("third", "<one@x>", strings.Repeat("z", 149-len(message2("third", "<one@x>", ""))))
		r.s.Deliver(*x.As, jmaptest.Message{Mailboxes: []string{inbox}, Keywords: []string{"$seen"},
			ReceivedAt: time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC), Raw: []byte(raw)})
	case "request past the rate limit":
		fill("request")
	case "upload past the quota":
		r.now = r.now.Add(time.Minute)
		fill("upload")
		r.now = r.now.Add(time.Minute)
	}
}

func (r *replay) send(as, method, path string, body []byte) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if strings.Contains(path, "/upload/") {
		req.Header.Set("Content-Type", "message/rfc822")
		if bytes.HasPrefix(body, []byte("\x89PNG")) {
			req.Header.Set("Content-Type", "image/png")
		}
	}
	switch as {
	case "":
	case "admin":
		req.SetBasicAuth(as, "admin-secret")
	case "wrong":
		req.SetBasicAuth("alice", "wrong")
	case "bob", "bob@example.org": // his account was made with a hash of it
		req.SetBasicAuth(as, "secret")
	default:
		req.SetBasicAuth(as, cmp.Or(r.rec.password, "secret"))
	}
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if p := recover(); p == http.ErrAbortHandler {
				w.Code = 0 // as the recordings have a connection that was closed
			} else if p != nil {
				panic(p)
			}
		}()
		r.handler.ServeHTTP(w, req)
	}()
	return w
}
