package importer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/internal/bubble"
	"mailhaul/jmapclient/jmaptest"
)

// deep are mailboxes of three levels, children first.
var deep = []folder{
	{id: "c", name: "ä ü 日本", parent: "b"}, {id: "b", name: "b", parent: "a"}, {id: "b2", name: "b2", parent: "a"}, {id: "a", name: "A", order: 4}, inbox,
}

func (s *target) lacksDeep() (missing []string) {
	for _, want := range []string{"A", "A/b", "A/b2", "A/b/ä ü 日本"} {
		if !slices.Contains(s.paths(), want) {
			missing = append(missing, want)
		}
	}
	return missing
}

func TestMailboxesOfAllLevelsAreMadeWithOneRequest(t *testing.T) {
	for _, p := range jmaptest.Profiles {
		t.Run(cmp.Or(p.Name, "strict"), func(t *testing.T) {
			s, ar := newTarget(t, p), newArchive(t)
			snapshot(t, ar, contents{folders: deep})
			s.imports(ar, Options{})
			same(t, "mailboxes that are missing", s.lacksDeep(), []string(nil))
			// What was made is read once; another Mailbox/set is for what was there.
			if n := s.Requests(); n["Mailbox/get"] != 2 || n["Mailbox/set"] > 2 {
				t.Errorf("%d Mailbox/get, %d Mailbox/set", n["Mailbox/get"], n["Mailbox/set"])
			}
		})
	}
}

// nestless is a way to a server that makes no mailbox in one that the same
// request makes.
type nestless struct {
	http.RoundTripper
	asked  int
	answer func(*http.Request) (*http.Response, error) // to a request that asks for it; nil: each that is nested is refused
}

func (n *nestless) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := bubble.Body(req)
	if err != nil {
		return nil, err
	}
	var refused map[string]json.RawMessage
	if bytes.Contains(body, []byte(`"parentId":"#`)) {
		if n.asked++; n.answer != nil {
			bubble.Connected(req)
			return n.answer(req)
		}
		body, refused = unnested(body)
	}
	if body != nil {
		req = req.Clone(req.Context())
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	resp, err := n.RoundTripper.RoundTrip(req)
	if err == nil && refused != nil {
		defer resp.Body.Close()
		said, _ := io.ReadAll(resp.Body)
		said = bytes.Replace(said, []byte(`"accountId"`), fmt.Appendf(nil, `"notCreated":%s,"accountId"`, account.Marshal(refused)), 1)
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(said)), -1
		resp.Header.Del("Content-Length")
	}
	return resp, err
}

// unnested takes out of a Mailbox/set what is nested in what it makes.
func unnested(body []byte) (rest []byte, refused map[string]json.RawMessage) {
	var req struct {
		Using       []string            `json:"using"`
		MethodCalls [][]json.RawMessage `json:"methodCalls"`
	}
	var set struct {
		AccountID string                    `json:"accountId"`
		Create    map[string]account.Object `json:"create"`
	}
	if json.Unmarshal(body, &req) != nil || json.Unmarshal(req.MethodCalls[0][1], &set) != nil {
		panic("no Mailbox/set")
	}
	refused = map[string]json.RawMessage{}
	for key, o := range set.Create {
		if strings.HasPrefix(o.Text("parentId"), "#") {
			refused[key] = json.RawMessage(`{"type":"invalidProperties","properties":["parentId"]}`)
			delete(set.Create, key)
		}
	}
	req.MethodCalls[0][1] = account.Marshal(set)
	return account.Marshal(req), refused
}

func TestMailboxesAreMadeWhereAParentOfTheSameRequestIsNotTaken(t *testing.T) {
	says := func(response string) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
				Body: io.NopCloser(strings.NewReader(`{"methodResponses":[` + response + `],"sessionState":"0"}`))}, nil
		}
	}
	for what, answer := range map[string]func(*http.Request) (*http.Response, error){
		"the call is refused":      says(`["error",{"type":"invalidArguments"},"0"]`),
		"the server fails over it": says(`["error",{"type":"serverFail"},"0"]`),
		"the server dies of it":    func(*http.Request) (*http.Response, error) { return nil, io.EOF },
		"each of them is refused":  nil,
	} {
		t.Run(what, func(t *testing.T) {
			s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
			way := &nestless{RoundTripper: http.DefaultTransport, answer: answer}
			s.over = way
			snapshot(t, ar, contents{folders: deep})
			res := s.imports(ar, Options{})
			same(t, "mailboxes that are missing", s.lacksDeep(), []string(nil))
			same(t, "failures", res.Failures, []Failure(nil))
			if way.asked == 0 {
				t.Error("they were not asked for with one request")
			}
		})
	}
	t.Run("a request takes few", func(t *testing.T) {
		p := jmaptest.Strict
		p.Limits.MaxObjectsInSet = 2
		s, ar := newTarget(t, p), newArchive(t)
		snapshot(t, ar, contents{folders: deep})
		s.imports(ar, Options{})
		same(t, "mailboxes that are missing", s.lacksDeep(), []string(nil))
	})
}
