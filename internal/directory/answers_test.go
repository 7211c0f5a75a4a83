package directory_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"mailhaul/internal/directory"
	"mailhaul/jmapclient"
)

// answering is a server that answers whatever is asked with the same text, but
// for its session.
type answering struct {
	session, text string
	asked         int
}

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	text := a.text
	if r.URL.Path == "/.well-known/jmap" {
		text = a.session
	} else {
		a.asked++
	}
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

// session is one of a server with or without methods of its own for management.
func session(methods bool) string {
	capability := ""
	if methods {
		capability = `, "urn:stalwart:jmap": {}`
	}
	return `{"capabilities": {"urn:ietf:params:jmap:core": {}}, "accounts": {"a": {"name": "a", "accountCapabilities": {"urn:ietf:params:jmap:mail": {}` + capability +
		`}}}, "primaryAccounts": {}, "username": "admin", "apiUrl": "/jmap/", "uploadUrl": "/u/{accountId}", "downloadUrl": "/d/{accountId}/{blobId}/{name}/{type}", "state": "s"}`
}

// FuzzAnswers: whatever a server answers, reading its accounts ends, in a
// directory with which a plan can be made or in an error.
func FuzzAnswers(f *testing.F) {
	f.Add(`{"data": {"items": ["a"], "total": 1, "name": "a", "type": "individual", "emails": "a@b", "secrets": ["x"], "memberOf": 5, "quota": 7}}`, false)
	f.Add(`{"data": ["a", {"name": "b"}], "error": ""}`, false)
	f.Add(`{"error": "notFound", "value": {"x": 1}}`, false)
	f.Add(`{"methodResponses": [["x:Account/query", {"ids": ["a", "b"]}, "0"]]}`, true)
	f.Add(`{"methodResponses": [["x:Domain/query", {"ids": []}, "0"]]}`, true)
	f.Fuzz(func(t *testing.T, text string, methods bool) {
		s := &answering{session: session(methods), text: text}
		c, err := jmapclient.Dial(t.Context(), jmapclient.Options{URL: "http://mail.example", Auth: jmapclient.Auth{Username: "admin", Password: "x"}, Transport: s, GiveUpAfter: 1})
		if err != nil {
			t.Fatal(err)
		}
		d, err := directory.Read(t.Context(), c)
		if s.asked > 1000+len(text) {
			t.Errorf("%d requests", s.asked)
		}
		if err != nil {
			return
		}
		if _, err := directory.Compare(d, d, directory.V010); err != nil {
			t.Error(err)
		}
	})
}

// endless lists another account each time that it is asked, and has none of them.
type endless struct {
	answering
	n int
}

func (e *endless) RoundTrip(r *http.Request) (*http.Response, error) {
	e.n++
	e.text = `{"methodResponses": [["x:Domain/query", {"ids": ["` + strings.Repeat("x", e.n) + `"]}, "0"], ["x:Domain/get", {"list": []}, "0"]]}`
	return e.answering.RoundTrip(r)
}

func TestAnswersThatFitNothingAreNoDirectory(t *testing.T) {
	s := &endless{answering: answering{session: session(true)}}
	c, err := jmapclient.Dial(t.Context(), jmapclient.Options{URL: "http://mail.example", Auth: jmapclient.Auth{Username: "admin", Password: "x"}, Transport: s, GiveUpAfter: 1})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := directory.Read(t.Context(), c); err == nil {
		t.Errorf("read %v", d)
	}
}
