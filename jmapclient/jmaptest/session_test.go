package jmaptest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailhaul/jmapclient/jmaptest"
)

func TestSessionURLs(t *testing.T) {
	for base, want := range map[string]string{
		"":                           "",
		"relative":                   "/jmap/",
		"https://wrong.example:8443": "https://wrong.example:8443/jmap/",
	} {
		c := start(t, jmaptest.Options{Profile: jmaptest.Profile{SessionBase: base}})
		if want == "" {
			want = c.s.URL + "/jmap/"
		}
		if got := c.do("GET", "/.well-known/jmap", "", nil).json(t)["apiUrl"]; got != want {
			t.Errorf("%q: apiUrl is %v, want %s", base, got, want)
		}
	}
}

func TestSessionRedirectAndAnonymousSession(t *testing.T) {
	s := jmaptest.New(jmaptest.Options{Profile: jmaptest.Profile{SessionRedirect: true, AnonymousSession: true}})
	defer s.Close()
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w
	}
	if w := get("/.well-known/jmap"); w.Code != http.StatusTemporaryRedirect || w.Header().Get("Location") != "/jmap/session" {
		t.Errorf("discovery: %d to %q", w.Code, w.Header().Get("Location"))
	}
	if w := get("/jmap/session"); w.Code != 200 || !strings.Contains(w.Body.String(), `"accounts":{}`) {
		t.Errorf("without credentials: %d %s", w.Code, w.Body)
	}
}

func TestBearerTokenSignsIn(t *testing.T) {
	s := jmaptest.New(jmaptest.Options{})
	defer s.Close()
	s.AddUser(jmaptest.User{Login: "alice", Password: "secret", Token: "tok"})
	for token, want := range map[string]int{"tok": 200, "secret": 401, "": 401} {
		r := httptest.NewRequest("GET", "/.well-known/jmap", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("token %q: %d, want %d", token, w.Code, want)
		}
	}
}

func TestTextIndexLagsBehind(t *testing.T) {
	now := time.Unix(1e9, 0)
	c := start(t, jmaptest.Options{Profile: jmaptest.Stalwart07, Now: func() time.Time { return now }})
	c.using = mailOnly
	id := c.s.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Inbox"}, Raw: []byte(message("needle", "Message-ID: <n@x>"))})
	for _, filter := range []m{{"subject": "needle"}, {"header": []string{"Message-ID", "n@x"}}, {"text": "needle"}} {
		if r := c.call("Email/query", m{"filter": filter}); !cmp.Equal(r.get("ids"), []any{}) {
			t.Errorf("%v found it at once: %v", filter, r)
		}
	}
	now = now.Add(time.Minute)
	if r := c.call("Email/query", m{"filter": m{"header": []string{"Message-ID", "n@x"}}}); !cmp.Equal(r.get("ids"), []any{id}) {
		t.Errorf("a minute later: %v", r)
	}
}

func TestDirectPathsKeepOddNames(t *testing.T) {
	c := start(t, jmaptest.Options{})
	r := c.call("Mailbox/set", m{"create": m{"a": m{"name": `a/b\c`}, "b": m{"name": "kid", "parentId": "#a"}}})
	if r.get("created", "b") == nil {
		t.Fatal(r)
	}
	c.s.Deliver("alice", jmaptest.Message{Mailboxes: []string{`a\/b\\c/kid`}, Raw: []byte(message("x"))})
	if got := c.s.Messages("alice")[0].Mailboxes; !cmp.Equal(got, []string{`a\/b\\c/kid`}) || len(c.s.Mailboxes("alice")) != 8 {
		t.Errorf("it lies in %v of %v", got, c.s.Mailboxes("alice"))
	}
}

// What a test puts in by the direct door is what a client reads, and back.
func TestDirectObjectsAreTheClients(t *testing.T) {
	c := start(t, jmaptest.Options{})
	c.s.AddIdentity("alice", jmaptest.Identity{Name: "A", Email: "alice@example.org", TextSignature: "--", Bcc: []jmaptest.Address{{Email: "b@x"}}})
	if r := c.call("Identity/get", m{"ids": nil}); r.text("list", 0, "textSignature") != "--" || r.text("list", 0, "bcc", 0, "email") != "b@x" {
		t.Errorf("identity: %v", r)
	}
	away := "away"
	c.s.SetVacation("alice", jmaptest.Vacation{IsEnabled: true, Subject: &away})
	if r := c.call("VacationResponse/get", m{"ids": nil}); r.get("list", 0, "isEnabled") != true || r.text("list", 0, "subject") != away {
		t.Errorf("vacation: %v", r)
	}
	c.call("VacationResponse/set", m{"update": m{"singleton": m{"isEnabled": false}}})
	if v := c.s.Vacation("alice"); v.IsEnabled || *v.Subject != away {
		t.Errorf("vacation after a set: %+v", v)
	}
	c.s.AddScript("alice", "one", "keep;", true)
	if r := c.call("SieveScript/get", m{"ids": nil}); r.get("list", 0, "isActive") != true || r.text("list", 0, "name") != "one" {
		t.Errorf("script: %v", r)
	}
}
