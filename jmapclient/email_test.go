package jmapclient

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
)

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
