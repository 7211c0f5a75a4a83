package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// wire is a bare connection to a JMAP server as one user: requests that were
// made ready before, answers that nobody looks at.
type wire struct {
	login     string
	http      *http.Client
	transport *http.Transport
	requests  atomic.Int64

	accountID                      string
	apiURL, uploadURL, downloadURL string
	core                           coreLimits
	capabilities                   map[string]json.RawMessage
	mailboxes                      map[string]string // ids by path, see makeMailboxes
}

type coreLimits struct {
	MaxSizeRequest        int64 `json:"maxSizeRequest"`
	MaxConcurrentRequests int   `json:"maxConcurrentRequests"`
	MaxConcurrentUpload   int   `json:"maxConcurrentUpload"`
	MaxObjectsInGet       int   `json:"maxObjectsInGet"`
	MaxObjectsInSet       int   `json:"maxObjectsInSet"`
}

const (
	coreURN  = "urn:ietf:params:jmap:core"
	mailURN  = "urn:ietf:params:jmap:mail"
	blobURN  = "urn:ietf:params:jmap:blob"
	cyrusURN = "https://cyrusimap.org/ns/jmap/blob"
)

// dial signs in at base, which is where all its requests go.
func dial(ctx context.Context, base, login string) (*wire, error) {
	w := &wire{login: login, transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	w.http = &http.Client{Transport: w.transport}
	body, err := w.do(ctx, http.MethodGet, base+"/.well-known/jmap", "", nil)
	if err != nil {
		return nil, err
	}
	var s struct {
		Capabilities    map[string]json.RawMessage
		PrimaryAccounts map[string]string
		Accounts        map[string]struct{ AccountCapabilities map[string]json.RawMessage }

		APIURL, UploadURL, DownloadURL string
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("the session of %s: %w", login, err)
	}
	w.accountID = s.PrimaryAccounts[mailURN]
	w.capabilities = s.Accounts[w.accountID].AccountCapabilities
	if err := json.Unmarshal(s.Capabilities[coreURN], &w.core); err != nil {
		return nil, fmt.Errorf("the limits in the session of %s: %w", login, err)
	}
	for _, u := range []struct {
		into *string
		said string
	}{{&w.apiURL, s.APIURL}, {&w.uploadURL, s.UploadURL}, {&w.downloadURL, s.DownloadURL}} {
		path := u.said
		if i := strings.Index(path, "://"); i >= 0 { // the way is through the proxy
			_, path, _ = strings.Cut(path[i+3:], "/")
			path = "/" + path
		}
		*u.into = base + strings.ReplaceAll(path, "{accountId}", url.PathEscape(w.accountID))
	}
	return w, nil
}

func (w *wire) close() { w.transport.CloseIdleConnections() }

// blob is the capability of Blob/get and whether Blob/upload has its RFC's name.
func (w *wire) blob() (urn string, standard bool) {
	if _, ok := w.capabilities[blobURN]; ok {
		return blobURN, true
	}
	if _, ok := w.capabilities[cyrusURN]; ok {
		return cyrusURN, false
	}
	return "", false
}

// send sends a request and answers its body's reader.
func (w *wire) send(ctx context.Context, method, to, contentType string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(w.login, password)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("Accept-Encoding", "identity")
	w.requests.Add(1)
	resp, err := w.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		resp.Body.Close()
		return nil, &refusal{status: resp.StatusCode, text: fmt.Sprintf("%s %s: %s: %s", method, to, resp.Status, text)}
	}
	return resp, nil
}

// refusal is an answer that is not a good one.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// do answers the body.
func (w *wire) do(ctx context.Context, method, to, contentType string, body []byte) ([]byte, error) {
	resp, err := w.send(ctx, method, to, contentType, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// discard reads the answer and throws it away. One that is shorter than least
// is no answer.
func (w *wire) discard(ctx context.Context, method, to string, body []byte, least int64) error {
	contentType := ""
	if body != nil {
		contentType = "application/json"
	}
	resp, err := w.send(ctx, method, to, contentType, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && n < least {
		err = fmt.Errorf("%s %s: %d octets came, at least %d should have", method, to, n, least)
	}
	return err
}

// call is one method call whose answer is decoded: for what is not measured.
func (w *wire) call(ctx context.Context, using []string, method string, args map[string]any, into any) error {
	args["accountId"] = w.accountID
	body, err := json.Marshal(map[string]any{"using": using, "methodCalls": []any{[]any{method, args, "0"}}})
	if err != nil {
		return err
	}
	answer, err := w.do(ctx, http.MethodPost, w.apiURL, "application/json", body)
	if err != nil {
		return err
	}
	return response(answer, method, into)
}

// response decodes the last answer of a method.
func response(answer []byte, method string, into any) error {
	var said struct{ MethodResponses [][]json.RawMessage }
	if err := json.Unmarshal(answer, &said); err != nil {
		return fmt.Errorf("%s: %w: %.200s", method, err, answer)
	}
	for i := len(said.MethodResponses) - 1; i >= 0; i-- {
		var name string
		if r := said.MethodResponses[i]; len(r) == 3 && json.Unmarshal(r[0], &name) == nil && name == method {
			return json.Unmarshal(r[1], into)
		}
	}
	return fmt.Errorf("%s: %.500s", method, answer)
}

var mailUsing = []string{coreURN, mailURN}

// remote is a message on the server.
type remote struct {
	ID     string `json:"id"`
	BlobID string `json:"blobId"`
	Size   int64  `json:"size"`
}

// list lists all messages, oldest first.
func (w *wire) list(ctx context.Context) ([]remote, error) {
	var all []remote
	for {
		args := map[string]any{"limit": 500, "sort": []any{map[string]any{"property": "receivedAt", "isAscending": true}}}
		if n := len(all); n > 0 {
			args["anchor"], args["anchorOffset"] = all[n-1].ID, 1
		}
		var page struct{ IDs []string }
		if err := w.call(ctx, mailUsing, "Email/query", args, &page); err != nil {
			return nil, err
		}
		if len(page.IDs) == 0 {
			return all, nil
		}
		var got struct{ List []remote }
		if err := w.call(ctx, mailUsing, "Email/get", map[string]any{"ids": page.IDs, "properties": []string{"blobId", "size"}}, &got); err != nil {
			return nil, err
		}
		if len(got.List) != len(page.IDs) {
			return nil, fmt.Errorf("of %d messages %d can be read", len(page.IDs), len(got.List))
		}
		byID := map[string]remote{}
		for _, m := range got.List {
			byID[m.ID] = m
		}
		for _, id := range page.IDs {
			all = append(all, byID[id])
		}
	}
}

// count is how many messages there are.
func (w *wire) count(ctx context.Context) (int, error) {
	var page struct{ Total int }
	err := w.call(ctx, mailUsing, "Email/query", map[string]any{"limit": 1, "calculateTotal": true}, &page)
	return page.Total, err
}

// figure is what one line of a table measured.
type figure struct {
	messages int
	octets   int64
	requests int64
	took     time.Duration
	toFirst  time.Duration // until the first message was sent
	peak     int64         // resident memory, octets; 0 not known
	cpu      time.Duration
}

// rate is in messages a second.
func (f figure) rate() float64 {
	if f.took <= 0 {
		return 0
	}
	return float64(f.messages) / f.took.Seconds()
}

// megabytes is in MB a second.
func (f figure) megabytes() float64 {
	if f.took <= 0 {
		return 0
	}
	return float64(f.octets) / 1e6 / f.took.Seconds()
}
