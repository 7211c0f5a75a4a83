package jmapclient

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailhaul/account"
)

// stalwarts are the versions whose answers were recorded on running servers.
var stalwarts = []string{"0.4.2", "0.6.0", "0.7.3", "0.15.5", "0.16.18"}

// record is one recorded exchange.
type record struct {
	Name     string
	As       string
	Method   string
	Path     string
	Body     json.RawMessage
	Status   int
	Headers  map[string]string
	Response json.RawMessage
}

func recorded(t testing.TB, version string) []record {
	file, err := os.Open(filepath.Join("testdata", "stalwart", version+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var records []record
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	if err := lines.Err(); err != nil || len(records) == 0 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	return records
}

// replay is a server that answers as the recorded one did: each method call on
// its own, whoever's account it names, since the records have one call a request.
func replay(t *testing.T, version string) *httptest.Server {
	records := recorded(t, version)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		if r.Method == http.MethodGet {
			for _, rec := range records {
				if rec.Method == "GET" && rec.Path == r.URL.Path && rec.As == user && !strings.Contains(rec.Name, "wrong") {
					w.WriteHeader(rec.Status)
					_, _ = w.Write(rec.Response)
					return
				}
			}
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, _ := io.ReadAll(r.Body)
		if refused := find(records, "using principals"); refused.Status == 400 && strings.Contains(string(body), principalsURN) {
			problem(w, refused.Status, string(refused.Response))
			return
		}
		var replies [][3]string
		for _, k := range readCalls(t, body) {
			name, args := answerOf(t, records, user, k)
			replies = append(replies, [3]string{name, args, k.id})
		}
		answer(w, replies...)
	}))
	t.Cleanup(s.Close)
	return s
}

func find(records []record, name string) record {
	for _, r := range records {
		if r.Name == name {
			return r
		}
	}
	return record{}
}

// answerOf is what the server answered to this call, with the account's id put right.
func answerOf(t *testing.T, records []record, user string, k invocation) (method, args string) {
	var name string
	filter := objectOf(t, `{}`)
	if k.args.Has("filter") {
		filter = objectOf(t, string(k.args["filter"]))
	}
	switch {
	case k.method == "Principal/query" && user != "admin":
		return "error", `{"type":"forbidden"}`
	case k.method == "Principal/query" && filter.Has("name"):
		name = fmt.Sprintf(`Principal/query {"name": %q}`, filter.Text("name"))
		if find(records, name).Name == "" { // it was not asked for: as for anybody who is not there
			name = `Principal/query {"name": "nobody"}`
		}
	case k.method == "Principal/query":
		name = fmt.Sprintf(`Principal/query {"email": %q}`, filter.Text("email"))
		if find(records, name).Name == "" {
			name = `Principal/query {"email": "nobody@example.org"}`
		}
	case k.method == "Principal/get":
		rec := find(records, "Principal/get by id")
		got := firstAnswer(t, rec.Response)
		var list struct{ List []account.Object }
		_ = json.Unmarshal([]byte(got[1]), &list)
		var there []account.Object
		for _, id := range k.args.Strings("ids") {
			if id == list.List[0].ID() {
				there = append(there, list.List[0])
			} else if len(id) == 1 { // another one that a query has named
				there = append(there, objectOf(t, fmt.Sprintf(`{"id":%q,"type":"individual","name":"somebody-%[1]s","email":"somebody-%[1]s@example.org"}`, id)))
			}
		}
		return k.method, string(account.Marshal(map[string]any{"accountId": k.args.Text("accountId"), "list": there}))
	case k.method == "Mailbox/get" && user == "admin":
		name = "Mailbox/get of alice's account as admin"
	case k.method == "Mailbox/get":
		name = "Mailbox/get of alice's account as bob"
	case k.method == "Email/query":
		name = "Email/query by an unknown anchor"
	case k.method == "Email/changes":
		name = "Email/changes from nonsense"
	case k.method == "Blob/get":
		name = "Blob/get of a known blob"
	case k.method == "VacationResponse/get":
		name = "VacationResponse/get, none set"
	case k.method == "Email/set":
		name = "Email/set flags and moves"
	default:
		return "error", `{"type":"unknownMethod"}`
	}
	rec := find(records, name)
	if rec.Name == "" {
		t.Errorf("no record %q", name)
		return "error", `{"type":"serverFail"}`
	}
	got := firstAnswer(t, rec.Response)
	o := objectOf(t, got[1])
	if o.Has("accountId") {
		o["accountId"] = k.args["accountId"]
	}
	return got[0], string(o.Encode())
}

// firstAnswer is the name and the arguments of a recorded answer.
func firstAnswer(t *testing.T, response json.RawMessage) [2]string {
	var r struct {
		MethodResponses [][3]json.RawMessage
	}
	if err := json.Unmarshal(response, &r); err != nil || len(r.MethodResponses) == 0 {
		t.Fatalf("no answer in %.100s", response)
	}
	var name string
	_ = json.Unmarshal(r.MethodResponses[0][0], &name)
	return [2]string{name, string(r.MethodResponses[0][1])}
}

// The account that each name gives an administrator, on every recorded version;
// "" is an error of kind NoAccount.
func TestRecordedAccountsByName(t *testing.T) {
	type names map[string]string
	for version, want := range map[string]names{
		"0.4.2":   {"": "c", "admin": "c", "alice": "a", "Alice": "a", "alice@example.org": "a", "a.alias@example.org": "a", "team@example.org": "", "nobody": "", "nobody@example.org": ""},
		"0.6.0":   {"": "a", "admin": "a", "alice": "c", "Alice": "c", "ALICE@example.org": "c", "a.alias@example.org": "c", "team@example.org": "", "nobody": "", "nobody@example.org": ""},
		"0.7.3":   {"": "d333333", "ADMIN": "d333333", "alice": "b", "Alice": "b", "alice@example.org": "b", "a.alias@example.org": "b", "team@example.org": "", "nobody": "", "Fallback Administrator": ""},
		"0.15.5":  {"": "d333333", "admin": "d333333", "alice": "d", "Alice": "d", "alice@example.org": "d", "team@example.org": "", "nobody": "", "nobody@example.org": ""},
		"0.16.18": {"": "d333333", "admin": "d333333", "alice@example.org": "c", "a.alias@example.org": "c", "nobody@example.org": "", "nobody": ""},
	} {
		c, _, err := dialAs(t, Options{URL: replay(t, version).URL, Auth: Auth{Username: "admin", Password: "x"}})
		if err != nil {
			t.Fatal(version, err)
		}
		for who, id := range want {
			a, err := c.Account(t.Context(), who)
			switch {
			case id == "":
				if KindOf(err) != NoAccount {
					t.Errorf("%s: %q gives %+v, %v", version, who, a, err)
				}
			case err != nil || a.ID != id:
				t.Errorf("%s: %q gives %+v, %v, want id %s", version, who, a, err, id)
			case a.Own != (id == want[""]):
				t.Errorf("%s: %q is own: %v", version, who, a.Own)
			}
		}
	}
}

// As a user: one's own account and one's groups, and nobody else's.
func TestRecordedAccountsOfAUser(t *testing.T) {
	for version, want := range map[string]map[string]string{
		"0.4.2":   {"": "a", "alice": "a", "ALICE": "a", "alice@example.org": "a", "staff": "b", "bob": "", "admin": ""},
		"0.6.0":   {"": "c", "alice": "c", "staff": "b", "bob": ""},
		"0.7.3":   {"": "b", "alice": "b", "staff": "a", "team": "d", "bob": ""},
		"0.15.5":  {"": "d", "alice": "d", "staff": "c", "bob": ""},
		"0.16.18": {"": "c", "alice@example.org": "c", "alice": "c", "staff@example.org": "b", "bob@example.org": ""},
	} {
		login := "alice"
		if version == "0.16.18" {
			login = "alice@example.org"
		}
		c, _, err := dialAs(t, Options{URL: replay(t, version).URL, Auth: Auth{Username: login, Password: "x"}})
		if err != nil {
			t.Fatal(version, err)
		}
		for who, id := range want {
			a, err := c.Account(t.Context(), who)
			switch {
			case id == "":
				if KindOf(err) != NoAccount {
					t.Errorf("%s: %q gives %+v, %v", version, who, a, err)
				}
			case err != nil || a.ID != id:
				t.Errorf("%s: %q gives %+v, %v, want id %s", version, who, a, err, id)
			case a.Group != strings.HasPrefix(who, "staff") && who != "team", a.Own == a.Group:
				t.Errorf("%s: %q: own %v, group %v", version, who, a.Own, a.Group)
			case a.Own && a.Name != login:
				t.Errorf("%s: the own account is called %q", version, a.Name)
			}
		}
	}
}

func TestRecordedAnswers(t *testing.T) {
	for _, version := range stalwarts {
		t.Run(version, func(t *testing.T) {
			s := replay(t, version)
			login := "alice"
			if version == "0.16.18" {
				login = "alice@example.org"
			}
			_, _, err := dialAs(t, Options{URL: s.URL, Auth: Auth{Username: "mallory", Password: secret}})
			wantKind(t, err, Unauthorized)
			c, _, err := dialAs(t, Options{URL: s.URL}) // what 0.12.5 and later answer to nobody is a session
			if c.session != nil && c.session.Username == "" {
				t.Error("signed in as nobody")
			}
			if err != nil && KindOf(err) != Unauthorized {
				t.Error(err)
			}
			c, _, err = dialAs(t, Options{URL: s.URL, Auth: Auth{Username: login, Password: "x"}})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := c.Limits(), (Limits{50_000_000, 4, 10_000_000, 4, 16, 500, 500}); got != want {
				t.Errorf("limits %+v", got)
			}
			if !strings.HasPrefix(c.apiURL, s.URL+"/jmap/") || !strings.HasPrefix(c.downloadURL, s.URL+"/jmap/download/{") {
				t.Errorf("URLs %s, %s", c.apiURL, c.downloadURL)
			}
			a, err := c.Account(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.Page(t.Context(), account.Email, PageArgs{After: "zzz"})
			wantKind(t, err, AnchorNotFound)
			_, err = a.Changes(t.Context(), account.Email, "!!nonsense")
			wantKind(t, err, CannotCalculateChanges)
			_, err = a.All(t.Context(), mailbox, nil) // the record is bob's, of alice's
			wantKind(t, err, Forbidden)
			v, err := a.All(t.Context(), account.VacationResponse, nil)
			if err != nil || len(v.List)+len(v.NotFound) != 1 {
				t.Errorf("vacation %+v, %v", v, err)
			}
			d, ok, err := a.Digests(t.Context(), []string{"b"})
			if err != nil || !ok || len(d) != 1 {
				t.Errorf("digests %v, %v, %v", d, ok, err)
			}
			for _, dg := range d {
				if len(dg.SHA256) != 64 || dg.Size != 123 {
					t.Errorf("digest %+v", dg)
				}
			}
			set, err := a.Set(t.Context(), account.Email, SetArgs{Update: map[string]map[string]any{"x": {"keywords/$flagged": true}}})
			if err != nil || len(set.Updated) != 2 {
				t.Errorf("set %+v, %v", set, err)
			}
		})
	}
}

// The statuses that were recorded mean what the table says.
func TestRecordedRefusals(t *testing.T) {
	for _, version := range stalwarts {
		for name, want := range map[string]Kind{
			"using principals": Unsupported, "seventeen calls": Limit, "request past the rate limit": Unreachable,
			"upload past the quota": OverQuota, "download an unknown blob": NotFound, "session with a wrong password": Unauthorized,
		} {
			rec := find(recorded(t, version), name)
			if rec.Name == "" || rec.Status == 200 {
				continue
			}
			c, _, _ := dialAs(t, Options{})
			x := &exchange{op: name, lane: reading}
			if strings.HasPrefix(name, "upload") {
				x.lane = uploading
			}
			resp := &http.Response{StatusCode: rec.Status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(rec.Response))}
			if f := c.refusal(x, resp); f.Kind != want || !f.refused || f.Detail == "" {
				t.Errorf("%s: %s is %v, want %v", version, name, f.Kind, want)
			}
		}
	}
}
