package jmapclient

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
)

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
