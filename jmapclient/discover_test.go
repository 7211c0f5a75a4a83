package jmapclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatTheUserTypesBecomesPlacesToLook(t *testing.T) {
	srv := func(_ context.Context, domain string) ([]string, error) {
		if domain == "example.org" {
			return []string{"jmap.example.org:443", "evil.example.net:443", "b.example.org:8443"}, nil
		}
		return nil, errors.New("no such record")
	}
	for given, want := range map[string][]string{
		"mail.example.org":                     {"https://mail.example.org/.well-known/jmap"},
		" mail.example.org:8443 ":              {"https://mail.example.org:8443/.well-known/jmap"},
		"http://mail.example.org":              {"http://mail.example.org/.well-known/jmap"},
		"https://mail.example.org/":            {"https://mail.example.org/.well-known/jmap"},
		"HTTPS://mail.example.org/jmap/s?x=1#": {"https://mail.example.org/jmap/s?x=1", "https://mail.example.org/.well-known/jmap"},
		"mail.example.org/jmap":                {"https://mail.example.org/jmap", "https://mail.example.org/.well-known/jmap"},
		"https://h/.well-known/jmap":           {"https://h/.well-known/jmap"},
		"localhost":                            {"https://localhost/.well-known/jmap"},
		"::1":                                  {"https://[::1]/.well-known/jmap"},
		"[::1]:8080":                           {"https://[::1]:8080/.well-known/jmap"},
		"bob@example.org":                      {"https://jmap.example.org:443/.well-known/jmap", "https://b.example.org:8443/.well-known/jmap", "https://example.org/.well-known/jmap"},
		"bob@other.org":                        {"https://other.org/.well-known/jmap"},
	} {
		c, err := newClient(Options{})
		if err != nil {
			t.Fatal(err)
		}
		places, _, err := c.places(t.Context(), Options{URL: given, LookupSRV: srv})
		var got []string
		for _, p := range places {
			got = append(got, p.String())
		}
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%q: %v\n%s", given, err, d)
		}
	}
}

func TestURLsThatMakeNoSense(t *testing.T) {
	for _, given := range []string{
		"", "ftp://h", "https://", "http://alice:" + secret + "@h", "alice:" + secret + "@h", "https://" + secret + "@h/",
		"h:99999", "h:0", "http://[::1", "@example.org", "bob@",
	} {
		_, _, err := dialAs(t, Options{URL: given, LookupSRV: func(context.Context, string) ([]string, error) { return nil, nil }})
		wantKind(t, err, Invalid)
	}
}

// hostile is another origin, which must never hear of anything.
func hostile(t *testing.T) (*httptest.Server, *atomic.Int64) {
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, sessionJSON("/", ""))
	}))
	t.Cleanup(s.Close)
	return s, &asked
}

func TestARedirectToAnotherOriginIsNotFollowed(t *testing.T) {
	bad, asked := hostile(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		f := newFake(t)
		f.session = func(w http.ResponseWriter, r *http.Request, _ int) {
			http.Redirect(w, r, bad.URL+"/jmap/session", status)
		}
		_, _, err := dialAs(t, Options{URL: f.URL})
		e := wantKind(t, err, NotJMAP)
		if !strings.Contains(e.Error(), bad.URL) {
			t.Errorf("the error does not name the other origin: %v", e)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the other origin was asked %d times", n)
	}
}

func TestRedirectsOnTheSameOriginAreFollowed(t *testing.T) {
	for _, to := range []string{"/jmap/session", "%s/jmap/session", "../jmap/session#x"} {
		var signed atomic.Bool
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/jmap/session" {
				http.Redirect(w, r, strings.Replace(to, "%s", "http://"+r.Host, 1), http.StatusTemporaryRedirect)
				return
			}
			user, pass, _ := r.BasicAuth()
			signed.Store(user == "alice" && pass == secret)
			fmt.Fprint(w, sessionJSON("", ""))
		}))
		defer s.Close()
		c, _, err := dialAs(t, Options{URL: s.URL})
		if err != nil {
			t.Fatal(err)
		}
		if !signed.Load() {
			t.Error("the redirected request was not signed")
		}
		if want := s.URL + "/jmap/api"; c.apiURL != want { // relative to the session's own URL
			t.Errorf("API URL %s, want %s", c.apiURL, want)
		}
	}
}

func TestARedirectLoopEnds(t *testing.T) {
	f := newFake(t)
	f.session = func(w http.ResponseWriter, r *http.Request, _ int) { http.Redirect(w, r, wellKnown, http.StatusFound) }
	_, _, err := dialAs(t, Options{URL: f.URL})
	wantKind(t, err, NotJMAP)
}

// A server behind a proxy that speaks TLS for it redirects to http:// on its
// own name.
func TestTLSIsKeptWhereARedirectWouldLeaveIt(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == wellKnown {
			http.Redirect(w, r, "http://"+r.Host+"/jmap/", http.StatusMovedPermanently)
			return
		}
		fmt.Fprint(w, sessionJSON("/jmap/", ""))
	}))
	defer s.Close()
	c, _, err := dialAs(t, Options{URL: s.URL, Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := s.URL + "/jmap/api"; c.apiURL != want || c.Origin() != s.URL {
		t.Errorf("API URL %s at origin %s, want %s", c.apiURL, c.Origin(), want)
	}
}

func TestWhereARedirectMayLead(t *testing.T) {
	for _, test := range []struct {
		from, to, want string // want "" is refused
	}{
		{"http://h/x", "https://h/y", "https://h/y"},
		{"http://h:80/x", "https://h:443/y", "https://h:443/y"},
		{"http://h:8080/x", "https://h/y", ""},
		{"http://h/x", "https://h:8443/y", ""},
		{"http://[::1]/x", "https://[::1]/y", "https://[::1]/y"},
		{"https://h/x", "https://H:443/y", "https://H:443/y"},
		{"https://h/x", "http://h:8080/y", "https://h/y"},
		{"https://h/x", "https://h.evil/y", ""},
		{"https://h/x", "//evil/y", ""},
		{"https://h/x", "https://u:p@h/y", ""},
		{"https://h/x", "javascript:1", ""},
	} {
		c, _, _ := dialAs(t, Options{})
		from := mustParse(t, test.from)
		c.origin = originOf(from)
		to, err := c.follow(from, test.to)
		got := ""
		if err == nil {
			got = to.String()
			if originOf(to) != c.origin {
				t.Errorf("%s → %s leads to %s, and the origin is %s", test.from, test.to, to, c.origin)
			}
		}
		if got != test.want {
			t.Errorf("%s → %s: %q (%v), want %q", test.from, test.to, got, err, test.want)
		}
	}
}

func TestSessionURLsOfAnotherOriginAreBroughtHome(t *testing.T) {
	bad, asked := hostile(t)
	f := newFake(t)
	f.session = func(w http.ResponseWriter, _ *http.Request, _ int) { fmt.Fprint(w, sessionJSON(bad.URL+"/", "")) }
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
		answer(w, [3]string{calls[0].method, `{"state":"1","list":[]}`, "0"})
	}
	f.download = func(w http.ResponseWriter, r *http.Request, _ int) { fmt.Fprint(w, r.URL.Path) }
	a, _ := dial(t, f.URL)
	if _, err := a.State(t.Context(), mailbox); err != nil {
		t.Error(err)
	}
	if err := a.Download(t.Context(), "b", -1, func(r io.Reader) error { _, err := io.ReadAll(r); return err }); err != nil {
		t.Error(err)
	}
	if asked.Load() != 0 || f.counted("api") != 1 {
		t.Errorf("the other origin was asked %d times", asked.Load())
	}

	trusting, _ := dial(t, f.URL, func(o *Options) { o.TrustSessionURLs = true })
	_, _ = trusting.State(t.Context(), mailbox)
	if asked.Load() == 0 {
		t.Error("trusted session URLs were not used")
	}
}

func TestWhatIsNoSession(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		kind   Kind
		says   string
	}{
		"a web page":           {200, "<!doctype html><title>hi</title>", NotJMAP, "a web page, not a JMAP session"},
		"other JSON":           {200, `{"hello":"world"}`, NotJMAP, "other JSON"},
		"deep JSON":            {200, strings.Repeat("[", 100_000), NotJMAP, "other JSON"},
		"nothing":              {200, "", NotJMAP, "something else"},
		"not there":            {404, "", NotJMAP, "has no JMAP session"},
		"wrong password":       {401, `{"type":"about:blank","detail":"You have to authenticate first."}`, Unauthorized, "authenticate first"},
		"nobody signed in":     {200, `{"capabilities":{},"accounts":{},"apiUrl":"/","username":""}`, Unauthorized, "nobody is signed in"},
		"refused":              {403, "", Forbidden, ""},
		"failing":              {500, "", ServerFault, "given up after 4 tries"},
		"no URL":               {200, strings.Replace(sessionJSON("/", ""), `"/up/{accountId}/"`, `""`, 1), NotJMAP, "uploadUrl"},
		"an echo of the login": {401, `{"title":"no","detail":"bad ` + secret + `"}`, Unauthorized, "[redacted]"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.session = func(w http.ResponseWriter, _ *http.Request, _ int) { problem(w, test.status, test.body) }
			_, _, err := dialAs(t, Options{URL: f.URL})
			if e := wantKind(t, err, test.kind); !strings.Contains(e.Error(), test.says) {
				t.Errorf("%q is not in: %v", test.says, e)
			}
		})
	}
}

func TestABaseURLWithAPathFallsBackToTheWellKnown(t *testing.T) {
	f := newFake(t)
	if _, _, err := dialAs(t, Options{URL: f.URL + "/webmail/"}); err != nil {
		t.Error(err)
	}
}

func TestAnAddressLeadsToTheFirstServerThatAnswers(t *testing.T) {
	f := newFake(t)
	s := httptest.NewTLSServer(f)
	defer s.Close()
	dead := localhost(deadAddress(t))
	c, _, err := dialAs(t, Options{URL: "alice@localhost", Insecure: true, LookupSRV: func(context.Context, string) ([]string, error) {
		return []string{dead, localhost(s.Listener.Addr().String())}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://" + localhost(s.Listener.Addr().String()); c.Origin() != want {
		t.Errorf("origin %s, want %s", c.Origin(), want)
	}
}

// localhost is a loopback address by name.
func localhost(addr string) string { return strings.Replace(addr, "127.0.0.1", "localhost", 1) }

// Credentials that one server of a domain refused go to no other.
func TestARefusedPasswordIsNotTriedElsewhere(t *testing.T) {
	f := newFake(t)
	f.session = func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusUnauthorized) }
	s := httptest.NewTLSServer(f)
	defer s.Close()
	bad, asked := hostile(t)
	_, _, err := dialAs(t, Options{URL: "alice@localhost", Insecure: true, LookupSRV: func(context.Context, string) ([]string, error) {
		return []string{localhost(s.Listener.Addr().String()), localhost(bad.Listener.Addr().String())}, nil
	}})
	wantKind(t, err, Unauthorized)
	if asked.Load() != 0 || f.counted("session") != 1 {
		t.Errorf("asked %d times, and another server %d times", f.counted("session"), asked.Load())
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	_, k, err := dialAs(t, Options{URL: "http://" + deadAddress(t)})
	wantKind(t, err, Unreachable)
	if len(k.waits) != againFor[faulty] {
		t.Errorf("%d further tries, want %d: somebody is waiting", len(k.waits), againFor[faulty])
	}
}

func TestACertificateThatIsNotTrusted(t *testing.T) {
	s := httptest.NewUnstartedServer(newFake(t))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	_, k, err := dialAs(t, Options{URL: s.URL})
	if e := wantKind(t, err, Unreachable); !strings.Contains(e.Error(), "certificate") || len(k.waits) != 0 {
		t.Errorf("%d further tries: %v", len(k.waits), e)
	}
}

func TestTLSToAServerWithout(t *testing.T) {
	f := newFake(t)
	_, _, err := dialAs(t, Options{URL: f.Listener.Addr().String()})
	if e := wantKind(t, err, Unreachable); !strings.Contains(e.Error(), "http://") {
		t.Errorf("no hint at http://: %v", e)
	}
}

// deadAddress is a loopback address where nothing listens.
func deadAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
