package importer

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/jmapclient/jmaptest"
)

// trouble is what befalls an Email/import.
type trouble struct {
	refuse map[string]string // creation ids that are refused, with the type of error
	fail   string            // the whole call fails with this type of error …
	late   bool              // … after it was carried out
}

// troubled is a server on which meddle decides what befalls each Email/import.
func troubled(t *testing.T, meddle func(emails map[string]jmapEmail) trouble) *target {
	t.Helper()
	s := jmaptest.New(jmaptest.Options{Transport: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			rec := httptest.NewRecorder()
			pass := func(body []byte) []byte {
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
				next.ServeHTTP(rec, r)
				return rec.Body.Bytes()
			}
			var req map[string]any
			if bytes.Contains(body, []byte(`"Email/import"`)) && json.Unmarshal(body, &req) == nil {
				body = meddled(req, meddle, pass)
			} else {
				body = pass(body)
			}
			for k, v := range rec.Header() {
				if k != "Content-Length" {
					w.Header()[k] = v
				}
			}
			if rec.Code != http.StatusOK {
				w.WriteHeader(rec.Code)
			}
			_, _ = w.Write(body) // the client may have gone
		})
	}})
	t.Cleanup(s.Close)
	s.AddUser(jmaptest.User{Login: "alice", Password: "pw"})
	return &target{Server: s, t: t}
}

type jmapEmail struct{ ReceivedAt string }

func meddled(req map[string]any, meddle func(map[string]jmapEmail) trouble, pass func([]byte) []byte) []byte {
	calls := req["methodCalls"].([]any)
	n := len(calls) - 1 // the blobs go first, if they go along
	call := calls[n].([]any)
	emails := call[1].(map[string]any)["emails"].(map[string]any)
	dates := map[string]jmapEmail{}
	for key, e := range emails {
		dates[key] = jmapEmail{e.(map[string]any)["receivedAt"].(string)}
	}
	what := meddle(dates)
	for key := range what.refuse {
		delete(emails, key)
	}
	if what.fail != "" {
		if !what.late {
			clear(emails)
		}
		failed := map[string]string{"type": what.fail, "description": "out of luck"}
		var resp map[string]any
		if json.Unmarshal(pass(account.Marshal(req)), &resp) != nil {
			return []byte("{}")
		}
		resp["methodResponses"].([]any)[n] = []any{"error", failed, call[2]}
		return account.Marshal(resp)
	}
	var resp map[string]any
	if json.Unmarshal(pass(account.Marshal(req)), &resp) != nil {
		return []byte("{}")
	}
	notCreated := map[string]any{}
	for key, typ := range what.refuse {
		notCreated[key] = map[string]string{"type": typ, "description": "out of luck"}
	}
	resp["methodResponses"].([]any)[n].([]any)[1].(map[string]any)["notCreated"] = notCreated
	return account.Marshal(resp)
}

func TestTheMessageThatTheServerFailsOverIsFoundAndNamed(t *testing.T) {
	poison := mail(33).object().Text("receivedAt")
	for _, late := range []bool{false, true} {
		s := troubled(t, func(emails map[string]jmapEmail) trouble {
			for _, e := range emails {
				if e.ReceivedAt == poison {
					return trouble{fail: "serverFail", late: late}
				}
			}
			return trouble{}
		})
		ar := newArchive(t)
		snapshot(t, ar, onlyInbox(mails(100)))
		res := s.imports(ar, Options{})
		want := mails(100)
		if !late {
			want = slices.Delete(want, 33, 34)
			if len(res.Failures) != 1 || !strings.Contains(res.Failures[0].Item, "mail 33") || !strings.Contains(res.Failures[0].Reason, "out of luck") {
				t.Errorf("failures: %+v", res.Failures)
			}
		}
		same(t, "messages", s.holds(), wants(want, inboxOnly))
		emailCounts(t, res, Counts{Total: 100, Created: int64(len(want)), Failed: int64(100 - len(want))})
	}
}

func TestWhatIsRefusedForTheServersOwnReasonsIsTriedAgain(t *testing.T) {
	s := troubled(t, func(emails map[string]jmapEmail) trouble {
		refuse := map[string]string{}
		for key := range emails {
			if len(emails) > 1 && len(refuse) < 7 {
				refuse[key] = "serverFail"
			}
		}
		return trouble{refuse: refuse}
	})
	ar := newArchive(t)
	snapshot(t, ar, onlyInbox(mails(100)))
	res := s.imports(ar, Options{})
	same(t, "messages", s.holds(), wants(mails(100), inboxOnly))
	emailCounts(t, res, Counts{Total: 100, Created: 100})
}

func TestWhatIsRefusedForGoodIsNamedWithTheReason(t *testing.T) {
	for _, typ := range []string{"invalidEmail", "tooLarge", "invalidProperties", "forbidden", "serverFail", "blobNotFound", "somethingNew"} {
		s := troubled(t, func(emails map[string]jmapEmail) trouble {
			for key, e := range emails {
				if e.ReceivedAt == mail(3).object().Text("receivedAt") {
					return trouble{refuse: map[string]string{key: typ}}
				}
			}
			return trouble{}
		})
		ar := newArchive(t)
		snapshot(t, ar, onlyInbox(mails(10)))
		res := s.imports(ar, Options{})
		emailCounts(t, res, Counts{Total: 10, Created: 9, Failed: 1})
		if len(res.Failures) != 1 || !strings.Contains(res.Failures[0].Reason, typ+": out of luck") || res.Failures[0].Advice == "" || !strings.Contains(res.Failures[0].Item, "mail 3") {
			t.Errorf("%s: failures: %+v", typ, res.Failures)
		}
	}
}

func TestKeywordsThatTheServerRefusesDoNotCostTheMessage(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	ls := mails(3)
	ls[1].keywords = []string{"$seen", "good", strings.Repeat("k", 300), "a (b)"}
	snapshot(t, ar, onlyInbox(ls))
	res := s.imports(ar, Options{})
	ls[1].keywords = []string{"$seen", "good"}
	same(t, "messages", s.holds(), wants(ls, inboxOnly))
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "mail 1") {
		t.Errorf("warnings: %q", res.Warnings)
	}
	s.ResetCounts()
	s.imports(ar, Options{})
	if n := s.Requests()["Email/set"] + s.Requests()["Email/import"]; n != 0 {
		t.Errorf("%d writes in a further import", n)
	}
}
