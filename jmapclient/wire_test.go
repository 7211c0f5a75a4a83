package jmapclient

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
)

// Stalwart 0.4 to 0.11 keep keywords with their JSON escapes.
func TestRequestsAreRawUTF8(t *testing.T) {
	r, _ := encode(&request{using: []string{coreURN}, calls: []*call{
		{method: "Email/import", args: map[string]any{"emails": map[string]EmailImport{"k": {Keywords: account.SetOf("a<b>&c", "grün")}}}},
	}}).open()
	body, _ := io.ReadAll(r)
	for _, want := range []string{`"a<b>&c":true`, `"grün":true`, `["Email/import",`, `,"0"]`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
}

func TestAnswersGoToTheirCallsWhateverTheirOrder(t *testing.T) {
	f := newFake(t)
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) {
		answer(w, [3]string{"Vendor/push", `{}`, "0"}, [3]string{"Email/get", `{"state":"1","list":null,"notFound":null}`, "1"},
			[3]string{"Email/query", `{"queryState":"q","ids":["e1"],"total":7}`, "0"})
	}
	a, _ := dial(t, f.URL)
	p, err := a.Page(t.Context(), account.Email, PageArgs{Total: true})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&Page{QueryState: "q", IDs: []string{"e1"}, State: "1", Total: 7}, p); d != "" {
		t.Error(d)
	}
}

func TestAnswersThatMakeNoSense(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON":             `<html>`,
		"cut":                 `{"methodResponses":[["Email/get",{"state"`,
		"no answer":           `{"methodResponses":[],"sessionState":"s"}`,
		"another call's":      `{"methodResponses":[["Email/get",{},"7"]],"sessionState":"s"}`,
		"another method's":    `{"methodResponses":[["Email/set",{},"0"]],"sessionState":"s"}`,
		"arguments no object": `{"methodResponses":[["Email/get",[],"0"]],"sessionState":"s"}`,
		"too deep":            `{"methodResponses":[["Email/get",{"x":` + strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000) + `},"0"]]}`,
		"too many strangers":  `{"methodResponses":[["a",{},"0"],["b",{},"0"],["c",{},"0"],["d",{},"0"],["e",{},"0"],["f",{},"0"],["g",{},"0"],["h",{},"0"],["i",{},"0"]]}`,
		"no error type":       `{"methodResponses":[["error",{},"0"]],"sessionState":"s"}`,
		"wrong kinds":         `{"methodResponses":[["Email/get",{"state":1,"list":"x"},"0"]],"sessionState":"s"}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.api = func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) { fmt.Fprint(w, body) }
			a, _ := dial(t, f.URL)
			_, err := a.Get(t.Context(), account.Email, []string{"e"}, nil)
			e := wantKind(t, err, ServerFault)
			if e.Op != "Email/get" || e.Account != "alice, id a1" {
				t.Errorf("the error does not say which call of which account: %v", e)
			}
			// The same answer to what creates leaves the outcome open.
			_, err = a.Call(t.Context(), []string{coreURN}, "Email/get", nil, false)
			if name != "wrong kinds" { // which Call does not look into
				wantKind(t, err, Unknown)
			}
		})
	}
}

func TestAnAnswerAboutAnotherAccountIsRefused(t *testing.T) {
	f := newFake(t)
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
		answer(w, [3]string{calls[0].method, `{"accountId":"b2","state":"1","list":[]}`, "0"})
	}
	a, _ := dial(t, f.URL)
	_, err := a.State(t.Context(), mailbox)
	wantKind(t, err, ServerFault)
}

func TestCompressedAnswersAreRead(t *testing.T) {
	f := newFake(t)
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, `{"methodResponses":[["Mailbox/get",{"state":"z"},"0"]],"sessionState":"s"}`)
		_ = z.Close()
	}
	a, _ := dial(t, f.URL)
	if s, err := a.State(t.Context(), mailbox); err != nil || s != "z" {
		t.Errorf("state %q, %v", s, err)
	}
}

func TestARequestTheServerWouldNotTakeIsNotSent(t *testing.T) {
	f := newFake(t)
	f.session = func(w http.ResponseWriter, _ *http.Request, _ int) {
		fmt.Fprint(w, sessionJSON("/", `"maxSizeRequest":500`))
	}
	a, _ := dial(t, f.URL)
	_, err := a.Import(t.Context(), map[string]EmailImport{"k": {BlobID: strings.Repeat("b", 500)}})
	wantKind(t, err, Limit)
	if f.counted("api") != 0 {
		t.Error("it was sent")
	}
}

func TestDepth(t *testing.T) {
	for s, ok := range map[string]bool{
		"": true, `{"a":[{"b":"[[[["}]}`: true,
		`"` + strings.Repeat(`[`, 1000) + `"`:           true,
		`"\"` + strings.Repeat(`[`, 1000) + `"`:         true,
		`"\\"` + strings.Repeat(`[`, maxDepth+1):        false,
		strings.Repeat(`[`, maxDepth):                   true,
		strings.Repeat(`{"a":`, maxDepth+1):             false,
		strings.Repeat(`[]`, 10*maxDepth):               true,
		`"` + strings.Repeat(`\`, 1001) + `"` + `[[[["`: true,
	} {
		if err := checkShape([]byte(s)); (err == nil) != ok {
			t.Errorf("%.40q…: %v", s, err)
		}
	}
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte(`{"methodResponses":[["Email/get",{"list":[]},"0"],["error",{"type":"x"},"1"]],"sessionState":"s"}`))
	f.Add([]byte(`{"methodResponses":[["Email/get",null,"0"]],"createdIds":{"a":"b"}}`))
	f.Add([]byte(`{"methodResponses":[[[],{},{}]]}`))
	f.Add([]byte(`{"methodResponses":[["Email/get",{},"0"]],"methodresponses":null}`))
	for _, v := range stalwarts {
		for _, r := range recorded(f, v) {
			if r.Method == "POST" && len(r.Response) < 4096 {
				f.Add([]byte(r.Response))
			}
		}
	}
	c, err := newClient(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		agree(t, data)
		resp, err := decode(data, []string{"Email/get", "Email/set"})
		if err != nil {
			return
		}
		k := &call{method: "Email/get", args: map[string]any{"accountId": "a"}}
		fault := c.deliver(&exchange{op: "Email/get"}, &request{calls: []*call{k}}, resp)
		if (fault == nil) != (k.answer != nil) {
			t.Fatalf("fault %v with answer %s", fault, k.answer)
		}
		if fault == nil {
			agreeOnGet(t, k.answer)
			var set setAnswer
			_ = json.Unmarshal(k.answer, &set)
			newSetResult().add(&set, true)
		}
	})
}
