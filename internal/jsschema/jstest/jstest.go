// Package jstest asks a real Cyrus for contacts and calendars in tests: what is
// put in over CardDAV and CalDAV comes out over JMAP.
package jstest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/internal/cyrustest"
)

// Account is a user's account on a server.
type Account struct {
	Server *cyrustest.Server
	User   cyrustest.User
}

// Start starts a server with two accounts.
func Start(t testing.TB) (a, b Account) {
	t.Helper()
	alice, bob := cyrustest.User{Login: "alice", Password: "one"}, cyrustest.User{Login: "bob", Password: "two"}
	s := cyrustest.Start(t, alice, bob)
	return Account{s, alice}, Account{s, bob}
}

func (a Account) do(t testing.TB, method, path, mediaType string, body []byte) []byte {
	t.Helper()
	req, err := http.NewRequest(method, a.Server.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(a.User.Login, a.User.Password)
	req.Header.Set("Content-Type", mediaType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode > 299 {
		t.Fatalf("%s %s: %s %v\n%s", method, path, resp.Status, err, answer)
	}
	return answer
}

// Put stores a vCard or an iCalendar object, given with bare line ends, at a
// path below the account's: "addressbooks/user/alice/Default/a.vcf".
func (a Account) Put(t testing.TB, collection, name, text string) {
	t.Helper()
	mediaType := "text/calendar; charset=utf-8"
	if collection == "addressbooks" {
		mediaType = "text/vcard; charset=utf-8"
	}
	text = strings.ReplaceAll(strings.TrimLeft(text, "\n"), "\n", "\r\n")
	a.do(t, http.MethodPut, "/dav/"+collection+"/user/"+a.User.Login+"/Default/"+name, mediaType, []byte(text))
}

// Get reads what lies at a path.
func (a Account) Get(t testing.TB, path string) string {
	t.Helper()
	return string(a.do(t, http.MethodGet, path, "text/plain", nil))
}

// List tells what is in a collection, as WebDAV answers (RFC 4918 §9.1).
func (a Account) List(t testing.TB, path string) string {
	t.Helper()
	return string(a.do(t, "PROPFIND", path, "application/xml", []byte(`<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>`)))
}

// Upload stores a blob.
func (a Account) Upload(t testing.TB, mediaType string, data []byte) (blobID string) {
	t.Helper()
	answer, err := account.ParseObject(a.do(t, http.MethodPost, "/jmap/upload/"+a.User.Login+"/", mediaType, data))
	if err != nil {
		t.Fatal(err)
	}
	return answer.Text("blobId")
}

// Call calls one method and gives its arguments back.
func (a Account) Call(t testing.TB, method string, args map[string]any) account.Object {
	t.Helper()
	args["accountId"] = a.User.Login
	body := account.Marshal(map[string]any{
		"using":       []string{"urn:ietf:params:jmap:core", "https://cyrusimap.org/ns/jmap/contacts", "https://cyrusimap.org/ns/jmap/calendars"},
		"methodCalls": []any{[]any{method, args, "0"}},
	})
	var answer struct{ MethodResponses [][]json.RawMessage }
	raw := a.do(t, http.MethodPost, "/jmap/", "application/json", body)
	if err := json.Unmarshal(raw, &answer); err != nil || len(answer.MethodResponses) != 1 {
		t.Fatalf("%s: %v: %s", method, err, raw)
	}
	o, err := account.ParseObject(answer.MethodResponses[0][1])
	if err != nil || string(answer.MethodResponses[0][0]) != `"`+method+`"` {
		t.Fatalf("%s: %v: %s", method, err, raw)
	}
	return o
}

// All are an account's objects of a type, by uid.
func (a Account) All(t testing.TB, typ string) map[string]account.Object {
	t.Helper()
	var list []account.Object
	if err := json.Unmarshal(a.Call(t, typ+"/get", map[string]any{"ids": nil})["list"], &list); err != nil {
		t.Fatal(err)
	}
	all := map[string]account.Object{}
	for _, o := range list {
		all[o.Text("uid")] = o
	}
	return all
}

// Create creates an object, and fails the test if the server refuses it.
func (a Account) Create(t testing.TB, typ string, o account.Object) {
	t.Helper()
	if refused := a.Try(t, typ, o); refused != "" {
		t.Fatalf("%s/set refuses %s: %s", typ, o.Encode(), refused)
	}
}

// Try creates an object and gives the server's refusal, "" if there was none.
func (a Account) Try(t testing.TB, typ string, o account.Object) string {
	t.Helper()
	answer := a.Call(t, typ+"/set", map[string]any{"create": map[string]any{"c": o}})
	if answer.Has("notCreated") {
		return string(answer["notCreated"])
	}
	return ""
}

// CreateAll creates objects, and gives the refusals of those that the server
// refuses.
func (a Account) CreateAll(t testing.TB, typ string, objects map[string]account.Object) account.Object {
	t.Helper()
	answer := a.Call(t, typ+"/set", map[string]any{"create": objects})
	refused := account.Object{}
	if answer.Has("notCreated") {
		if err := json.Unmarshal(answer["notCreated"], &refused); err != nil {
			t.Fatal(err)
		}
	}
	return refused
}
