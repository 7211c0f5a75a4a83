package jmaptest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mailhaul/jmapclient/jmaptest"
)

func onlyImport(r jmaptest.Request) bool {
	return len(r.Methods) > 0 && r.Methods[0] == "Email/import"
}

// importRequest is an Email/import as an HTTP body.
func (c *client) importRequest(blob string) []byte {
	b, err := json.Marshal(m{"using": []string{"urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"},
		"methodCalls": []any{[]any{"Email/import", m{"accountId": c.account, "emails": m{
			"e": m{"blobId": blob, "mailboxIds": m{c.mailbox("Inbox"): true}}}}, "0"}}})
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

func TestFaultsDoWhatTheySay(t *testing.T) {
	for _, x := range []struct {
		fault    jmaptest.Fault
		broken   bool // the client sees no whole answer
		status   int
		messages int // that are there afterwards
	}{
		{jmaptest.Fault{Do: jmaptest.DropBefore}, true, 0, 0},
		{jmaptest.Fault{Do: jmaptest.DropAfter}, true, 0, 1},
		{jmaptest.Fault{Do: jmaptest.CutBody, Bytes: 10}, true, 0, 1},
		{jmaptest.Fault{Do: jmaptest.Stall, Bytes: 10, Wait: time.Millisecond}, true, 0, 1},
		{jmaptest.Fault{Do: jmaptest.Slow, Wait: time.Millisecond}, false, 200, 1},
		{jmaptest.Fault{Do: jmaptest.Status429, RetryAfter: "7"}, false, 429, 0},
		{jmaptest.Fault{Do: jmaptest.Status503}, false, 503, 0},
		{jmaptest.Fault{Do: jmaptest.Status500}, false, 500, 0},
		{jmaptest.Fault{Do: jmaptest.WrongSize}, false, 200, 1},
	} {
		t.Run(string(x.fault.Do), func(t *testing.T) {
			c := start(t, jmaptest.Options{})
			blob := c.upload(message("x"))
			x.fault.Match, x.fault.Times = onlyImport, 1
			c.s.Inject(x.fault)
			a, err := c.try("POST", "/jmap/", "application/json", c.importRequest(blob))
			if (err != nil) != x.broken || err == nil && a.status != x.status {
				t.Errorf("got %d %s, %v", a.status, a.body, err)
			}
			if n := len(c.s.Messages("alice")); n != x.messages {
				t.Errorf("%d messages are there, want %d", n, x.messages)
			}
			if x.fault.RetryAfter != "" && a.header.Get("Retry-After") != x.fault.RetryAfter {
				t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
			}
			if size := len(message("x")); x.fault.Do == jmaptest.WrongSize && bytes.Contains(a.body, fmtSize(size)) {
				t.Errorf("it tells the right size: %s", a.body)
			}
			again := c.imported(message("after"), nil)
			if again.text("created", "e", "id") == "" {
				t.Errorf("the fault goes on: %v", again)
			}
		})
	}
}

func fmtSize(n int) []byte { b, _ := json.Marshal(n); return append([]byte(`"size":`), b...) }

func TestFaultsReachUploadsAndDownloads(t *testing.T) {
	c := start(t, jmaptest.Options{})
	blob := c.upload(message("x"))
	c.s.Inject(jmaptest.Fault{Match: func(r jmaptest.Request) bool { return r.Kind == "download" && r.BlobID == blob }, Do: jmaptest.CutBody, Bytes: 5, Times: 2})
	c.s.Inject(jmaptest.Fault{Match: func(r jmaptest.Request) bool { return r.Kind == "upload" }, Do: jmaptest.WrongSize, Times: 1})
	for range 2 {
		if a, err := c.try("GET", "/jmap/download/"+c.account+"/"+blob+"/x", "", nil); err == nil {
			t.Errorf("the body is whole: %q", a.body)
		}
	}
	if a := c.do("GET", "/jmap/download/"+c.account+"/"+blob+"/x", "", nil); string(a.body) != message("x") {
		t.Errorf("the third time: %q", a.body)
	}
	up := c.do("POST", "/jmap/upload/"+c.account+"/", "", []byte("12345")).json(t)
	if up["size"] == 5.0 {
		t.Errorf("the upload tells the right size: %v", up)
	}
	if n := c.s.Requests(); n["download"] != 3 || n["upload"] != 2 || c.s.BlobFetches()[blob] != 3 {
		t.Errorf("counted %v, fetches %v", n, c.s.BlobFetches())
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	c := start(t, jmaptest.Options{Profile: jmaptest.Profile{Limits: jmaptest.Limits{MaxConcurrentUpload: 1}}})
	r, w := io.Pipe()
	first := make(chan int)
	go func() {
		req, _ := http.NewRequest("POST", c.s.URL+"/jmap/upload/"+c.account+"/", r)
		req.SetBasicAuth("alice", "secret")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			first <- 0
			return
		}
		resp.Body.Close()
		first <- resp.StatusCode
	}()
	_, _ = w.Write([]byte("begun"))
	for c.s.Requests()["upload"] == 0 { // until the server has it
		time.Sleep(time.Millisecond)
	}
	var second answer
	for range 1000 { // it is counted a little before it takes its place
		if second = c.do("POST", "/jmap/upload/"+c.account+"/", "text/plain", []byte("x")); second.status != 200 {
			break
		}
	}
	if second.status != 400 || !strings.Contains(string(second.body), "maxConcurrentUpload") {
		t.Errorf("a second upload at once: %d %s", second.status, second.body)
	}
	_ = w.Close()
	if status := <-first; status != 200 {
		t.Errorf("the first upload: %d", status)
	}
}
