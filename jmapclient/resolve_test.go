package jmapclient

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mailhaul/account"
)

// directory is a server that knows these principals and lets everybody ask,
// find them by name and email, and open the accounts named in open.
type directory struct {
	principals []string // JSON objects
	refuses    string   // method error that Principal calls get, "" for none
	everyone   bool     // a filter that finds nobody finds everybody
	alias      map[string][]string
	open       []string
}

func (d directory) serve(t *testing.T) func(http.ResponseWriter, *http.Request, int, []invocation) {
	return func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
		var replies [][3]string
		for _, k := range calls {
			name, args := d.answer(t, k)
			replies = append(replies, [3]string{name, args, k.id})
		}
		answer(w, replies...)
	}
}

func (d directory) answer(t *testing.T, k invocation) (string, string) {
	if k.method == "Mailbox/get" {
		if slices.Contains(d.open, k.args.Text("accountId")) {
			return k.method, `{"state":"1","list":[]}`
		}
		return "error", `{"type":"forbidden","description":"You do not have access to this account"}`
	}
	if d.refuses != "" {
		return "error", fmt.Sprintf(`{"type":%q}`, d.refuses)
	}
	var ids []string
	var list []account.Object
	filter := account.Object{}
	if k.args.Has("filter") {
		filter = objectOf(t, string(k.args["filter"]))
	}
	for _, s := range d.principals {
		p := objectOf(t, s)
		if k.method == "Principal/get" && slices.Contains(k.args.Strings("ids"), p.ID()) {
			list = append(list, p)
		}
		if filter.Has("name") && p.Text("name") == filter.Text("name") || filter.Has("email") && p.Text("email") == filter.Text("email") {
			ids = append(ids, p.ID())
		}
	}
	ids = append(ids, d.alias[filter.Text("email")]...)
	if len(ids) == 0 && d.everyone {
		for _, s := range d.principals {
			ids = append(ids, objectOf(t, s).ID())
		}
	}
	if k.method == "Principal/get" {
		return k.method, string(account.Marshal(map[string]any{"list": list}))
	}
	return k.method, string(account.Marshal(map[string]any{"ids": ids}))
}

func TestWhichAccountIsMeant(t *testing.T) {
	const bob = `{"id":"b2","type":"individual","name":"bob","email":"bob@example.org"}`
	const carol = `{"id":"c3","type":"individual","name":"carol","email":"carol@example.org"}`
	for name, test := range map[string]struct {
		dir  directory
		who  string
		id   string // "" is an error
		kind Kind
		says string
	}{
		"a login":                                {directory{principals: []string{bob, carol}, open: []string{"b2"}}, "bob", "b2", 0, ""},
		"an address":                             {directory{principals: []string{bob, carol}, open: []string{"b2"}}, "Bob@Example.org", "b2", 0, ""},
		"an alias":                               {directory{principals: []string{bob, carol}, open: []string{"b2"}, alias: map[string][]string{"b@x": {"b2"}}}, "b@x", "b2", 0, ""},
		"a list":                                 {directory{principals: []string{bob, carol}, alias: map[string][]string{"l@x": {"b2", "c3"}}}, "l@x", "", NoAccount, ""},
		"an unknown name":                        {directory{principals: []string{bob}}, "dave", "", NoAccount, "alice (id a1)"},
		"nobody, where the only one is found":    {directory{principals: []string{bob}, everyone: true}, "dave@example.org", "", NoAccount, ""},
		"somebody, where everyone is found":      {directory{principals: []string{bob, carol}, everyone: true, open: []string{"c3"}}, "carol", "c3", 0, ""},
		"two of one name":                        {directory{principals: []string{bob, `{"id":"b9","name":"bob"}`}}, "bob", "", NoAccount, "b2"},
		"a login that is also an account's id":   {directory{principals: []string{`{"id":"z9","name":"a1"}`}}, "a1", "", NoAccount, "z9"},
		"somebody who may not be read":           {directory{principals: []string{bob}}, "bob", "", Forbidden, "do not have access"},
		"a login that is one's own display name": {directory{refuses: "forbidden"}, "Alice Liddell", "", NoAccount, "alice (id a1)"},
		"a group by its name":                    {directory{refuses: "forbidden"}, "Staff", "g1", 0, ""},
		"one's own id":                           {directory{refuses: "unknownMethod"}, "a1", "a1", 0, ""},
		"one's address, and nobody to ask":       {directory{refuses: "unknownMethod"}, "alice@example.org", "a1", 0, ""},
		"one's address, which nobody has":        {directory{principals: []string{bob}}, "alice@example.org", "", NoAccount, ""},
		"an id that the directory confirms":      {directory{principals: []string{bob}, open: []string{"b2"}}, "b2", "b2", 0, ""},
		"an id that opens but is nobody's":       {directory{principals: []string{bob}, open: []string{"dave"}}, "dave", "", NoAccount, ""},
		"an id that opens, and nobody to ask":    {directory{refuses: "unknownMethod", open: []string{"q7"}}, "q7", "q7", 0, ""},
		"an id that does not, and nobody to ask": {directory{refuses: "unknownMethod"}, "q7", "", NoAccount, "administrator"},
		"a principal with its account": {directory{open: []string{"acc"}, principals: []string{
			`{"id":"p","name":"dave","accounts":{"other":{"accountCapabilities":{}},"acc":{"accountCapabilities":{"urn:ietf:params:jmap:mail":{}}}}}`}}, "dave", "acc", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.session = func(w http.ResponseWriter, _ *http.Request, _ int) {
				s := strings.Replace(sessionJSON("/", ""), `"accounts":{`, `"accounts":{"g1":{"name":"staff","isPersonal":false,"accountCapabilities":{}},`, 1)
				fmt.Fprint(w, strings.Replace(s, `"name":"Alice"`, `"name":"Alice Liddell"`, 1))
			}
			f.api = test.dir.serve(t)
			c, _, err := dialAs(t, Options{URL: f.URL})
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.Account(t.Context(), test.who)
			if test.id == "" {
				if e := wantKind(t, err, test.kind); !strings.Contains(e.Error(), test.says) {
					t.Errorf("%q is not in: %v", test.says, e)
				}
				return
			}
			if err != nil || a.ID != test.id || a.Own != (a.ID == "a1") || a.Group != (a.ID == "g1") {
				t.Errorf("%+v, %v, want id %s", a, err, test.id)
			}
		})
	}
}

func TestTheOwnAccount(t *testing.T) {
	two := strings.Replace(sessionJSON("/", ""), `"accounts":{`, `"accounts":{"a2":{"name":"Second","isPersonal":true,"isReadOnly":true},`, 1)
	for name, test := range map[string]struct {
		session string
		auth    Auth
		who     string
		id      string
		called  string
	}{
		"by its login":       {sessionJSON("/", ""), Auth{Username: "alice", Password: "x"}, "ALICE", "a1", "alice"},
		"by a token":         {sessionJSON("/", ""), Auth{Token: "x"}, "", "a1", "Alice"},
		"as a master user":   {sessionJSON("/", ""), Auth{Username: "alice%master", Password: "x"}, "alice", "a1", "alice"},
		"the primary of two": {two, Auth{Username: "alice", Password: "x"}, "", "a1", "alice"},
		"none of two":        {strings.Replace(two, `"urn:ietf:params:jmap:mail":"a1"`, ``, 1), Auth{Username: "alice", Password: "x"}, "", "", ""},
		"the only personal":  {strings.Replace(sessionJSON("/", ""), `"urn:ietf:params:jmap:mail":"a1"`, `"x":"y"`, 1), Auth{Username: "alice", Password: "x"}, "", "a1", "alice"},
		"a primary account that is not listed": {strings.Replace(sessionJSON("/", ""), `"urn:ietf:params:jmap:mail":"a1"`, `"urn:ietf:params:jmap:mail":"gone"`, 1),
			Auth{Username: "alice", Password: "x"}, "", "a1", "alice"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.session = func(w http.ResponseWriter, _ *http.Request, _ int) { fmt.Fprint(w, test.session) }
			c, _, err := dialAs(t, Options{URL: f.URL, Auth: test.auth})
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.Account(t.Context(), test.who)
			if test.id == "" {
				if e := wantKind(t, err, NoAccount); !strings.Contains(e.Error(), "a1") || !strings.Contains(e.Error(), "a2") {
					t.Errorf("it does not list what there is: %v", e)
				}
				return
			}
			if err != nil || a.ID != test.id || a.Name != test.called || !a.Own {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

// A lookup that fails is not a lookup that finds nobody.
func TestALookupThatFailsIsAnError(t *testing.T) {
	f := newFake(t)
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	c, _, err := dialAs(t, Options{URL: f.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Account(t.Context(), "bob")
	wantKind(t, err, Unreachable)
}
