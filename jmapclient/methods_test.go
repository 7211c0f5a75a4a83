package jmapclient

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// nullSafe gives a handler an empty create where there is none.

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
