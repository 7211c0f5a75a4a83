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

	"mailhaul/jmapclient/jmaptest"
)

// troubled wraps a server: requests with Email/import go to meddle, which
// answers itself or lets the server.
func troubled(t *testing.T, meddle func(emails map[string]map[string]any, pass func() []byte) (answer any)) *target {
	t.Helper()
	s := jmaptest.New(jmaptest.Options{Transport: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			var req struct{ MethodCalls [][]json.RawMessage }
			var args struct {
				Emails map[string]map[string]any
			}
			if !bytes.Contains(body, []byte(`"Email/import"`)) || json.Unmarshal(body, &req) != nil || json.Unmarshal(req.MethodCalls[0][1], &args) != nil {
				next.ServeHTTP(w, r)
				return
			}
			passed := false
			rec := httptest.NewRecorder()
			answer := meddle(args.Emails, func() []byte {
				passed = true
				next.ServeHTTP(rec, r)
				return rec.Body.Bytes()
			})
			if answer == nil {
				if !passed {
					next.ServeHTTP(rec, r)
				}
				_, _ = w.Write(rec.Body.Bytes())
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"sessionState": "s", "methodResponses": []any{[]any{"error", answer, req.MethodCalls[0][2]}}})
		})
	}})
	t.Cleanup(s.Close)
	s.AddUser(jmaptest.User{Login: "alice", Password: "pw"})
	return &target{s, t}
}

func TestTheMessageThatTheServerFailsOverIsFoundAndNamed(t *testing.T) {
	poison := mail(33)
	for _, stores := range []bool{false, true} { // it may have stored some of the batch before it failed
		s := troubled(t, func(emails map[string]map[string]any, pass func() []byte) any {
			for _, e := range emails {
				if e["receivedAt"] == poison.received.Format("2006-01-02T15:04:05Z") {
					if stores && len(emails) > 1 {
						pass()
					}
					return map[string]string{"type": "serverFail", "description": "out of luck"}
				}
			}
			return nil
		})
		ar := newArchive(t)
		snapshot(t, ar, onlyInbox(mails(100)))
		res := s.imports(ar, Options{})
		want := mails(100)
		if !stores {
			want = slices.Delete(want, 33, 34)
			if len(res.Failures) != 1 || !strings.Contains(res.Failures[0].Item, "mail 33") || !strings.Contains(res.Failures[0].Reason, "out of luck") {
				t.Errorf("failures: %+v", res.Failures)
			}
		}
		same(t, "messages", s.holds(), wants(want, inboxOnly))
	}
}

func TestWhatIsRefusedForTheServersOwnReasonsIsTriedAgain(t *testing.T) {
	n := 0
	s := troubled(t, func(emails map[string]map[string]any, pass func() []byte) any {
		if n++; len(emails) > 1 && n%2 == 1 { // refuses every seventh of a batch, and says why not
			i := 0
			for key, e := range emails {
				if i++; i%7 == 0 {
					e["mailboxIds"] = nil
					delete(emails, key)
				}
			}
			return refuseRest{emails}
		}
		return nil
	})
	ar := newArchive(t)
	snapshot(t, ar, onlyInbox(mails(100)))
	res := s.imports(ar, Options{})
	same(t, "messages", s.holds(), wants(mails(100), inboxOnly))
	emailCounts(t, res, Counts{Total: 100, Created: 100})
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
