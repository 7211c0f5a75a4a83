package jmaptest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
)

// ---- asking

// recordedBlob finds blob ids: those that hold a hash, and 0.4.2's that are numbers.
var recordedBlob = regexp.MustCompile(`\b([ec][a-z0-9]{50,}|i[a-z0-9]{15,}|e[ab][a-z0-9]{3}|cea[a-z0-9]{6,9})\b`)

func (r *replay) ask(x exchange) *httptest.ResponseRecorder {
	as := ""
	if x.As != nil {
		as = *x.As
	}
	if x.Name == "session with a wrong password" {
		as = "wrong"
	}
	body := []byte(x.Body)
	var text string
	if string(body) != "null" && json.Unmarshal(x.Body, &text) == nil {
		body = []byte(text)
		if x.Name == "request over maxSizeRequest" { // kept short in the recording
			body = []byte(`{"x": "` + strings.Repeat("y", 10_000_080) + `"}`)
		}
		if x.Name == "upload a photo" { // its one octet above 127 is spelled out in the recording
			body = bytes.Replace(body, []byte(`\x89`), []byte{0x89}, 1)
		}
		return r.send(as, x.Method, x.Path, body)
	}
	if string(body) == "null" {
		body = nil
	}
	if r.rec.ids != nil {
		return r.send(as, x.Method, r.ourIDs(x.Path), r.callsIn([]byte(r.ourIDs(string(body)))))
	}
	translate := func(b []byte) []byte { return []byte(r.blobsIn(string(b), x, as)) }
	body = r.callsIn(translate(body))
	got := r.send(as, x.Method, string(translate([]byte(x.Path))), body)
	if got.Code == http.StatusTemporaryRedirect { // who recorded went there, too
		got = r.send(as, x.Method, got.Header().Get("Location"), body)
	}
	return got
}

// blobsIn puts our blob ids for the recorded ones, uploading what the
// recording does not have.
func (r *replay) blobsIn(text string, x exchange, as string) string {
	return recordedBlob.ReplaceAllStringFunc(text, func(id string) string {
		if ours, ok := r.blobs[id]; ok {
			return ours
		}
		for prefix, content := range supplement {
			if !strings.HasPrefix(id, prefix) {
				continue
			}
			var up struct{ BlobID string }
			account := regexp.MustCompile(`"accountId": ?"([^"]+)"`).FindSubmatch(x.Body)
			got := r.send(as, "POST", "/jmap/upload/"+string(account[1])+"/", []byte(content))
			if err := json.Unmarshal(got.Body.Bytes(), &up); err != nil || got.Code != 200 {
				r.t.Fatalf("%s: uploading a supplement: %d %s", x.Name, got.Code, got.Body)
			}
			r.blobs[id] = up.BlobID
			return up.BlobID
		}
		return "e" + strings.Repeat("z", 51) + "aup" // well formed, of nothing
	})
}

// callsIn puts our states and mailbox ids for the recorded ones in a request.
func (r *replay) callsIn(body []byte) []byte {
	var req struct {
		Using       []string `json:"using"`
		MethodCalls [][]any  `json:"methodCalls"`
	}
	if json.Unmarshal(body, &req) != nil || req.MethodCalls == nil {
		return body
	}
	for _, call := range req.MethodCalls {
		typ, _, _ := strings.Cut(call[0].(string), "/")
		args := call[1].(map[string]any)
		for _, name := range []string{"sinceState", "sinceQueryState"} {
			key := fmt.Sprint(args["accountId"], " ", typ, " ", args[name])
			if r.states[key] != "" {
				args[name] = r.states[key]
			}
		}
		call[1] = r.mailboxesIn(args, typ)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(req); err != nil {
		r.t.Fatal(err)
	}
	return b.Bytes()
}

// mailboxesIn puts our mailbox ids for the recorded ones in a call's arguments or in an answer's.
func (r *replay) mailboxesIn(v any, typ string) any {
	ours := func(id string) string {
		if our, ok := r.mailboxes[id]; ok {
			return our
		}
		return id
	}
	switch at := v.(type) {
	case []any:
		list := make([]any, len(at))
		for i, e := range at {
			list[i] = r.mailboxesIn(e, typ)
		}
		return list
	case map[string]any:
		o := map[string]any{}
		for k, e := range at {
			e = r.mailboxesIn(e, typ)
			keys, isSet := e.(map[string]any)
			ids, isList := e.([]any)
			id, isID := e.(string)
			switch {
			case k == "mailboxIds" && isSet, typ == "Mailbox" && k == "update" && isSet, typ == "Mailbox" && k == "updated" && isSet:
				set := map[string]any{}
				for id, v := range keys {
					set[ours(id)] = v
				}
				e = set
			case typ == "Mailbox" && slices.Contains([]string{"ids", "destroy", "destroyed", "created", "updated"}, k) && isList:
				list := make([]any, len(ids))
				for i, id := range ids {
					list[i] = ours(id.(string))
				}
				e = list
			case typ == "Mailbox" && (k == "id" || k == "parentId") && isID:
				e = ours(id)
			}
			o[k] = e
		}
		return o
	}
	return v
}
