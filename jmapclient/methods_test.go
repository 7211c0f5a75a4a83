package jmapclient

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
)

func objectOf(t *testing.T, s string) account.Object {
	t.Helper()
	o, err := account.ParseObject([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// list is a server of one type with n objects, o0 … that stops `ids: null` at cut.
func list(n, cut int) func(http.ResponseWriter, *http.Request, int, []invocation) {
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprintf("o%d", i))
	}
	return func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
		var replies [][3]string
		var queried []string
		for _, k := range calls {
			switch _, verb, _ := strings.Cut(k.method, "/"); verb {
			case "query":
				from := 0
				if k.args.Has("anchor") {
					i := slices.Index(ids, k.args.Text("anchor"))
					if i < 0 {
						replies = append(replies, [3]string{"error", `{"type":"anchorNotFound"}`, k.id})
						continue
					}
					from = i + int(k.args.Int("anchorOffset"))
				}
				queried = ids[min(from, n):min(n, from+int(k.args.Int("limit")))]
				replies = append(replies, [3]string{k.method, string(account.Marshal(map[string]any{"ids": queried, "queryState": "q"})), k.id})
			case "get":
				asked := k.args.Strings("ids")
				switch {
				case k.args.Has("#ids"):
					asked = queried
				case string(k.args["ids"]) == "null":
					asked = ids[:min(n, cut)]
				}
				objects, missing := []any{}, []string{}
				for _, id := range asked {
					if slices.Contains(ids, id) {
						objects = append(objects, map[string]string{"id": id})
					} else {
						missing = append(missing, id)
					}
				}
				replies = append(replies, [3]string{k.method, string(account.Marshal(map[string]any{"state": fmt.Sprint("s", n), "list": objects, "notFound": missing})), k.id})
			}
		}
		answer(w, replies...)
	}
}

func idsOf(list []account.Object) (ids []string) {
	for _, o := range list {
		ids = append(ids, o.ID())
	}
	return ids
}

func TestAllReadsMoreThanTheServerGivesAtOnce(t *testing.T) {
	for _, n := range []int{0, 1, 499, 500, 501, 1234} {
		f := newFake(t)
		f.api = list(n, 500)
		a, _ := dial(t, f.URL)
		got, err := a.All(t.Context(), mailbox, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids := idsOf(got.List)
		slices.Sort(ids)
		if len(slices.Compact(ids)) != n || len(got.List) != n || got.State != fmt.Sprint("s", n) {
			t.Errorf("%d of %d, state %s", len(got.List), n, got.State)
		}
	}
}

// Where ids: null is refused (RFC 8620 §5.1) and where the type has no query.
func TestAllWhereTheWayIsNotOpen(t *testing.T) {
	f := newFake(t)
	full := list(700, 500)
	refuse := "null"
	f.api = func(w http.ResponseWriter, r *http.Request, n int, calls []invocation) {
		switch {
		case refuse == "null" && string(calls[0].args["ids"]) == "null":
			fmt.Fprint(w, methodError("requestTooLarge"))
		case refuse == "query" && strings.HasSuffix(calls[0].method, "/query"):
			fmt.Fprint(w, methodError("unknownMethod"))
		default:
			full(w, r, n, calls)
		}
	}
	a, _ := dial(t, f.URL)
	if got, err := a.All(t.Context(), mailbox, nil); err != nil || len(got.List) != 700 {
		t.Errorf("%v", err)
	}
	refuse = "query"
	if got, err := a.All(t.Context(), mailbox, nil); err != nil || len(got.List) != 500 {
		t.Errorf("%v", err)
	}
}

func TestGetSplitsByTheServersLimit(t *testing.T) {
	f := newFake(t)
	f.session = func(w http.ResponseWriter, _ *http.Request, _ int) {
		fmt.Fprint(w, sessionJSON("/", `"maxObjectsInGet":3`))
	}
	f.api = list(10, 10)
	a, _ := dial(t, f.URL)
	got, err := a.Get(t.Context(), mailbox, []string{"o1", "o2", "x", "o3", "o4", "y", "o5"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"o1", "o2", "o3", "o4", "o5"}, idsOf(got.List)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"x", "y"}, got.NotFound); d != "" || f.counted("api") != 3 {
		t.Errorf("%d requests\n%s", f.counted("api"), d)
	}
	// No ids are no ids: never the null that asks for all.
	if got, err := a.Get(t.Context(), mailbox, nil, nil); err != nil || len(got.List) != 0 || got.State != "s10" {
		t.Errorf("%+v, %v", got, err)
	}
	if p, err := a.Page(t.Context(), mailbox, PageArgs{Limit: 100}); err != nil || len(p.IDs) != 3 {
		t.Errorf("a page of %v, %v", p, err)
	}
	if p, err := a.Page(t.Context(), mailbox, PageArgs{After: "o9"}); err != nil || len(p.IDs) != 0 || p.Total != -1 {
		t.Errorf("the page after the end: %v, %v", p, err)
	}
	_, err = a.Page(t.Context(), mailbox, PageArgs{After: "gone"})
	wantKind(t, err, AnchorNotFound)
}

func TestChanges(t *testing.T) {
	f := newFake(t)
	var reply [3]string
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) { answer(w, reply) }
	a, _ := dial(t, f.URL)
	reply = [3]string{"Email/changes", `{"oldState":"1","newState":"2","hasMoreChanges":true,"created":["a"],"updated":null,"destroyed":["a"]}`, "0"}
	got, err := a.Changes(t.Context(), account.Email, "1")
	want := &Changes{OldState: "1", NewState: "2", HasMore: true, Created: []string{"a"}, Destroyed: []string{"a"}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
	_, err = a.Changes(t.Context(), account.Email, "2") // more of them from the same state: for ever
	wantKind(t, err, ServerFault)
	for _, typ := range []string{"cannotCalculateChanges", "invalidArguments", "tooManyChanges"} {
		reply = [3]string{"error", `{"type":"` + typ + `"}`, "0"}
		_, err := a.Changes(t.Context(), account.Email, "1")
		wantKind(t, err, CannotCalculateChanges)
	}
}

func TestATypeTheAccountDoesNotHave(t *testing.T) {
	f := newFake(t)
	a, _ := dial(t, f.URL)
	sieve := &Account{Client: a.Client, ID: "a1", Capabilities: objectOf(t, `{"https://cyrusimap.org/ns/jmap/sieve":{}}`)}
	if using, ok := sieve.Using(account.SieveScript); !ok || !slices.Equal(using, []string{coreURN, "https://cyrusimap.org/ns/jmap/sieve"}) {
		t.Error(using, ok)
	}
	_, err := sieve.All(t.Context(), mailbox, nil)
	wantKind(t, err, Unsupported)
	_, err = sieve.Page(t.Context(), mailbox, PageArgs{})
	wantKind(t, err, Unsupported)
	_, err = sieve.Set(t.Context(), mailbox, SetArgs{})
	wantKind(t, err, Unsupported)
	_, err = sieve.Import(t.Context(), nil)
	wantKind(t, err, Unsupported)
	if f.counted("api") != 0 {
		t.Error("it was asked for")
	}
}

// Whatever is to be set is in exactly one batch, and no batch is over a limit
// unless a single object is.
func TestSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,6}`), 0, 60, rapid.ID)
		all := SetArgs{Create: map[string]account.Object{}, Update: map[string]map[string]any{}}
		for _, id := range ids.Draw(t, "ids") {
			switch n := rapid.IntRange(0, 2000).Draw(t, "size"); rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				all.Create[id] = account.Object{"x": account.Marshal(strings.Repeat("x", n))}
			case 1:
				all.Update[id] = map[string]any{"x": strings.Repeat("<", n)}
			case 2:
				all.Destroy = append(all.Destroy, id)
			}
		}
		l := Limits{MaxObjectsInSet: rapid.Int64Range(1, 9).Draw(t, "objects"), MaxSizeRequest: 1<<10 + rapid.Int64Range(1, 4000).Draw(t, "room")}
		back := SetArgs{Create: map[string]account.Object{}, Update: map[string]map[string]any{}}
		for _, b := range all.split(l) {
			n := len(b.Create) + len(b.Update) + len(b.Destroy)
			body := encode(&request{using: []string{coreURN, mailURN}, calls: []*call{{method: "Mailbox/set", args: map[string]any{
				"accountId": "a1", "create": b.Create, "update": b.Update, "destroy": b.Destroy}}}})
			if n == 0 || int64(n) > l.MaxObjectsInSet || n > 1 && int64(len(body)) > l.MaxSizeRequest {
				t.Fatalf("a batch of %d objects, %d bytes, for %+v", n, len(body), l)
			}
			for k, v := range b.Create {
				if _, twice := back.Create[k]; twice {
					t.Fatal("twice", k)
				}
				back.Create[k] = v
			}
			maps.Copy(back.Update, b.Update)
			back.Destroy = append(back.Destroy, b.Destroy...)
		}
		if d := cmp.Diff(all, back); d != "" {
			t.Fatal(d)
		}
	})
}

func TestSetInSeveralRequests(t *testing.T) {
	f := newFake(t)
	f.session = func(w http.ResponseWriter, _ *http.Request, _ int) {
		fmt.Fprint(w, sessionJSON("/", `"maxObjectsInSet":2`))
	}
	var extras []string
	f.api = func(w http.ResponseWriter, _ *http.Request, n int, calls []invocation) {
		args := calls[0].args
		extras = append(extras, string(args["onSuccessActivateScript"])+string(args["onDestroyRemoveEmails"]))
		created := map[string]any{}
		for k := range objectOf(t, string(args["create"])) {
			created[k] = nil // as bare as a server may answer
		}
		updated := map[string]any{}
		var patches account.Object
		_ = json.Unmarshal(args["update"], &patches)
		for k := range patches {
			updated[k] = nil
		}
		answer(w, [3]string{calls[0].method, string(account.Marshal(map[string]any{
			"oldState": fmt.Sprint(n), "newState": fmt.Sprint(n + 1), "created": created, "updated": updated, "destroyed": args.Strings("destroy"), "notCreated": nil})), "0"})
	}
	f.api = nullSafe(f.api)
	a, _ := dial(t, f.URL)
	got, err := a.Set(t.Context(), mailbox, SetArgs{
		Create: map[string]account.Object{"c1": {}, "c2": {}, "c3": {}}, Update: map[string]map[string]any{"u": {"name": "x"}}, Destroy: []string{"d"},
		Extra: map[string]any{"onDestroyRemoveEmails": true, "onSuccessActivateScript": "#c"},
	})
	want := newSetResult()
	want.OldState, want.NewState = "1", "4"
	want.Created = map[string]account.Object{"c1": {}, "c2": {}, "c3": {}}
	want.Updated["u"] = true
	want.Destroyed = []string{"d"}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
	if d := cmp.Diff([]string{"true", "true", `"#c"true`}, extras); d != "" {
		t.Error(d)
	}
}

// nullSafe gives a handler an empty create where there is none.
func nullSafe(h func(http.ResponseWriter, *http.Request, int, []invocation)) func(http.ResponseWriter, *http.Request, int, []invocation) {
	return func(w http.ResponseWriter, r *http.Request, n int, calls []invocation) {
		if !calls[0].args.Has("create") {
			calls[0].args["create"] = json.RawMessage(`{}`)
		}
		h(w, r, n, calls)
	}
}

func TestSetTellsWhatWasDoneBeforeItFailed(t *testing.T) {
	f := newFake(t)
	f.session = func(w http.ResponseWriter, _ *http.Request, _ int) {
		fmt.Fprint(w, sessionJSON("/", `"maxObjectsInSet":1`))
	}
	f.api = func(w http.ResponseWriter, _ *http.Request, n int, calls []invocation) {
		if n == 2 {
			w.WriteHeader(500)
			return
		}
		answer(w, [3]string{calls[0].method, `{"created":{"c1":{"id":"m1"}}}`, "0"})
	}
	a, _ := dial(t, f.URL)
	got, err := a.Set(t.Context(), mailbox, SetArgs{Create: map[string]account.Object{"c1": {}, "c2": {}}})
	wantKind(t, err, Unknown)
	if got.Created["c1"].ID() != "m1" || f.counted("api") != 2 {
		t.Errorf("%+v after %d requests", got, f.counted("api"))
	}
}

func TestADestroyThatWasCarriedOutUnseen(t *testing.T) {
	f := newFake(t)
	gone := map[string]bool{}
	f.api = func(w http.ResponseWriter, _ *http.Request, n int, calls []invocation) {
		destroyed, not := []string{}, map[string]any{}
		for _, id := range calls[0].args.Strings("destroy") {
			if gone[id] {
				not[id] = map[string]string{"type": "notFound"}
			} else {
				destroyed = append(destroyed, id)
			}
			gone[id] = true
		}
		if n == 1 {
			hangUp(t, w)
			return
		}
		answer(w, [3]string{calls[0].method, string(account.Marshal(map[string]any{"destroyed": destroyed, "notDestroyed": not})), "0"})
	}
	a, _ := dial(t, f.URL)
	got, err := a.Set(t.Context(), account.Email, SetArgs{Destroy: []string{"e1"}})
	if err != nil || !slices.Equal(got.Destroyed, []string{"e1"}) || len(got.NotDestroyed) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	// What was not there at the first try is not destroyed by this one.
	got, err = a.Set(t.Context(), account.Email, SetArgs{Destroy: []string{"e1"}})
	if err != nil || len(got.Destroyed) != 0 || got.NotDestroyed["e1"].Type != "notFound" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestImportReadsWhatServersLeaveOut(t *testing.T) {
	f := newFake(t)
	var reply string
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) {
		answer(w, [3]string{"Email/import", reply, "0"})
	}
	a, _ := dial(t, f.URL)
	for said, want := range map[string]*ImportResult{
		`{}`:                                 {Created: map[string]ImportedEmail{}, NotCreated: map[string]SetError{}},
		`{"created":null,"notCreated":null}`: {Created: map[string]ImportedEmail{}, NotCreated: map[string]SetError{}},
		`{"created":{"k":null}}`:             {Created: map[string]ImportedEmail{"k": {}}, NotCreated: map[string]SetError{}},
		`{"newState":"2","created":{"k":{"id":"p333333333333","size":0,"x":{}}},"notCreated":{"l":{"type":"alreadyExists","existingId":"e1","properties":null},"m":null}}`: {
			NewState: "2", Created: map[string]ImportedEmail{"k": {ID: "p333333333333"}},
			NotCreated: map[string]SetError{"l": {Type: "alreadyExists", ExistingID: "e1"}, "m": {}}},
	} {
		reply = said
		got, err := a.Import(t.Context(), nil)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Error(said, err, d)
		}
	}
}

func TestCopyEmailsInBothShapes(t *testing.T) {
	f := newFake(t)
	var sent string
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
		args := calls[0].args
		sent = string(args.Only("create", "fromAccountId", "onSuccessDestroyOriginal").Encode())
		keys := slices.Collect(maps.Keys(objectOf(t, string(args["create"]))))
		answer(w, [3]string{"Email/copy", fmt.Sprintf(`{"accountId":"a1","newState":"2","created":{%q:{"id":"new"}}}`, keys[0]), "0"},
			[3]string{"Email/set", `{"accountId":"z","newState":"7","destroyed":["src"]}`, "0"})
	}
	a, _ := dial(t, f.URL)
	object := func() account.Object { return objectOf(t, `{"id":"src","mailboxIds":{"m":true}}`) }
	for keyed, want := range map[bool]string{
		false: `{"create":{"k":{"id":"src","mailboxIds":{"m":true}}},"fromAccountId":"z","onSuccessDestroyOriginal":true}`,
		true:  `{"create":{"src":{"mailboxIds":{"m":true}}},"fromAccountId":"z","onSuccessDestroyOriginal":true}`,
	} {
		for key, o := range map[string]account.Object{"k": object(), "src": object().Without("id")} {
			got, err := a.CopyEmails(t.Context(), "z", map[string]account.Object{key: o}, true, keyed)
			if err != nil {
				t.Fatal(err)
			}
			if got.Created[key].ID() != "new" || !slices.Equal(got.Destroyed, []string{"src"}) || got.NewState != "2" {
				t.Errorf("%+v", got)
			}
			if w := strings.Replace(want, `"k"`, fmt.Sprintf("%q", key), 1); sent != w {
				t.Errorf("sent %s, want %s", sent, w)
			}
		}
	}
}

func TestNothingPrintsTheSecret(t *testing.T) {
	for _, auth := range []Auth{{Username: "alice", Password: secret}, {Token: secret}} {
		o := Options{URL: "http://h", Auth: auth}
		c, err := newClient(o)
		if err != nil {
			t.Fatal(err)
		}
		a := &Account{Client: c}
		for _, v := range []any{auth, &auth, o, &o, c, a, *a} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
				if s := fmt.Sprintf(verb, v); strings.Contains(s, secret) || strings.Contains(s, fmt.Sprintf("%x", secret)) {
					t.Errorf("%s of %T prints %s", verb, v, s)
				}
			}
		}
		if s := string(account.Marshal(auth)); s != `"[redacted]"` {
			t.Errorf("JSON %s", s)
		}
	}
}

func TestWhatAServerSaysIsMadeFitForALine(t *testing.T) {
	f := newFake(t)
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
		answer(w, [3]string{"error", string(account.Marshal(map[string]string{"type": "forbidden", "description": "a\n\tb\x1b[31m" + strings.Repeat("ü", 5000)})), "0"})
	}
	a, _ := dial(t, f.URL)
	_, err := a.State(t.Context(), mailbox)
	e := wantKind(t, err, Forbidden)
	if s := e.Error(); len([]rune(s)) > 2*maxSaid || strings.ContainsAny(s, "\n\t\x1b") || !strings.Contains(s, "a b[31mü") {
		t.Errorf("%q", s)
	}
	if got := (SetError{Type: "tooLarge", Description: "x\ny", Properties: []string{"size"}}).String(); got != "tooLarge: x y (size)" {
		t.Errorf("%q", got)
	}
}

func TestManyAtOnceKeepToTheServersLimit(t *testing.T) {
	f := newFake(t)
	f.session = func(w http.ResponseWriter, _ *http.Request, _ int) {
		fmt.Fprint(w, sessionJSON("/", `"maxConcurrentRequests":2,"maxConcurrentUpload":1`))
	}
	inside := make(chan struct{}, 2)
	f.download = func(w http.ResponseWriter, _ *http.Request, _ int) {
		select {
		case inside <- struct{}{}:
			defer func() { <-inside }()
		default:
			t.Error("more than two at once")
		}
		fmt.Fprint(w, "x")
	}
	a, _ := dial(t, f.URL)
	done := make(chan error)
	for range 16 {
		go func() {
			done <- a.Download(t.Context(), "b", 1, func(r io.Reader) error { _, err := io.ReadAll(r); return err })
		}()
	}
	for range 16 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
