package jmapclient

import (
	"encoding/json"
	"fmt"
	"net/url"

	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
)

var mailbox = account.Mailbox

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestResolve(t *testing.T) {
	home := origin{"https", "mail.example.org:8443"}
	for _, test := range []struct {
		given, base string
		trust       bool
		want        string // "" is refused
	}{
		{"/jmap/", "/jmap", false, "https://mail.example.org:8443/jmap/"},
		{"api", "/jmap/session", false, "https://mail.example.org:8443/jmap/api"},
		{"http://10.0.0.1/jmap/", "/", false, "https://mail.example.org:8443/jmap/"},
		{"http://10.0.0.1:80/d/{accountId}/{blobId}?accept={type}", "/", false, "https://mail.example.org:8443/d/{accountId}/{blobId}?accept={type}"},
		{"https://user:pw@evil/x", "/", false, "https://mail.example.org:8443/x"},
		{"//evil/x", "/", false, "https://mail.example.org:8443/x"},
		{"https://evil", "/", false, "https://mail.example.org:8443/"},
		{"", "/", false, ""},
		{"https://cdn.example.net/x", "/", true, "https://cdn.example.net/x"},
		{"https://user:pw@cdn/x", "/", true, ""},
		{"ftp://cdn/x", "/", true, ""},
		{"/jmap/", "/", true, "https://mail.example.org:8443/jmap/"},
	} {
		got, ok := resolve(test.given, home, test.base, test.trust)
		if !ok {
			got = ""
		}
		if got != test.want {
			t.Errorf("resolve(%q, trust %v) = %q, want %q", test.given, test.trust, got, test.want)
		}
	}
}

func TestExpandKeepsAnyIDInItsPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.String().Draw(t, "id")
		u, err := url.Parse(expand("http://h/d/{accountId}/{blobId}/x?accept={type}&n={none}", map[string]string{"accountId": id, "blobId": "b", "type": id}))
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(u.EscapedPath(), "/")
		if len(parts) != 5 {
			t.Fatalf("the id changed the path: %s", u)
		}
		if got, err := url.PathUnescape(parts[2]); err != nil || got != id {
			t.Fatalf("%q came out as %q (%v)", id, got, err)
		}
		if got := u.Query(); got.Get("accept") != id || got.Get("n") != "" || u.Host != "h" {
			t.Fatalf("%q: %s", id, u)
		}
	})
}

func TestExpandOfATemplateThatIsNotClosed(t *testing.T) {
	if got := expand("/x/{a}/{b", map[string]string{"a": "1"}); got != "/x/1/{b" {
		t.Errorf("got %q", got)
	}
}

func TestLimits(t *testing.T) {
	usual := Limits{50_000_000, 4, 10_000_000, 4, 16, 500, 500}
	all := usual
	all.MaxObjectsInGet, all.MaxConcurrentUpload, all.MaxSizeRequest = 4096, 5, 10485760
	huge := Limits{1 << 40, 8, 64 << 20, 8, 64, 5000, 5000}
	names := []string{"maxSizeUpload", "maxConcurrentUpload", "maxSizeRequest", "maxConcurrentRequests", "maxCallsInRequest", "maxObjectsInGet", "maxObjectsInSet"}
	each := func(v string) string {
		var s []string
		for _, n := range names {
			s = append(s, fmt.Sprintf("%q:%s", n, v))
		}
		return "{" + strings.Join(s, ",") + "}"
	}
	for said, want := range map[string]Limits{
		``: usual, `null`: usual, `[]`: usual, `{}`: usual,
		each("0"): usual, each("-1"): usual, each("null"): usual, each(`"500"`): usual, each("0.5"): usual,
		each("1e300"): huge, each("9223372036854775807"): huge, each("18446744073709551616"): huge,
		each("1"): {1, 1, 1, 1, 1, 1, 1},
		`{"maxObjectsInGet":4096,"maxConcurrentUpload":5,"maxSizeRequest":10485760}`: all,
	} {
		if d := cmp.Diff(want, readLimits(json.RawMessage(said))); d != "" {
			t.Errorf("%s: %s", said, d)
		}
	}
}

func FuzzSession(f *testing.F) {
	f.Add([]byte(sessionJSON("/", "")))
	f.Add([]byte(`{"apiUrl":"","capabilities":{}}`))
	f.Add([]byte(`{"apiUrl":"//x","downloadUrl":"{","uploadUrl":"}","capabilities":{"urn:ietf:params:jmap:core":{"maxObjectsInGet":1e400}},"accounts":{"":{}}}`))
	for _, v := range stalwarts {
		for _, r := range recorded(f, v) {
			if strings.HasPrefix(r.Name, "session") {
				f.Add([]byte(r.Response))
			}
		}
	}
	home := origin{"https", "h:1"}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, ok := parseSession(data)
		if !ok {
			return
		}
		l := readLimits(s.Capabilities[coreURN])
		for _, n := range []int64{l.MaxSizeUpload, l.MaxConcurrentUpload, l.MaxSizeRequest, l.MaxConcurrentRequests, l.MaxCallsInRequest, l.MaxObjectsInGet, l.MaxObjectsInSet} {
			if n < 1 {
				t.Fatalf("limits %+v", l)
			}
		}
		for _, given := range []string{s.APIURL, s.UploadURL, s.DownloadURL} {
			if got, ok := resolve(given, home, "/s", false); ok && !strings.HasPrefix(got, "https://h:1/") {
				t.Fatalf("%q leads to %q", given, got)
			}
		}
	})
}
