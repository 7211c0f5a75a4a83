package exporter

import (
	"context"
	"encoding/json"
	"fmt"

	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// exportFrom names the server from which the test's own program, started anew,
// exports: what that takes in memory is then the export's and not the server's.
const exportFrom = "MAILHAUL_TEST_EXPORT_FROM"

func TestMain(m *testing.M) {
	if url := os.Getenv(exportFrom); url != "" {
		if err := exportAlone(url, os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// exportAlone exports into dir and says how many messages it has and the most
// memory that the process held.
func exportAlone(url, dir string) error {
	c, err := jmapclient.Dial(context.Background(), jmapclient.Options{URL: url, Auth: jmapclient.Auth{Username: "alice", Password: "secret"}})
	if err != nil {
		return err
	}
	defer c.Close()
	a, err := c.Account(context.Background(), "")
	if err != nil {
		return err
	}
	src := JMAP(a)
	ar, err := archive.Create(dir, src.Origin())
	if err != nil {
		return err
	}
	res, err := Export(context.Background(), src, ar, Options{})
	if err != nil {
		return err
	}
	fmt.Println(res.Fetched, resident())
	return ar.Close()
}

// resident is the most memory that the process held, where the system tells; else
// all that it ever took.
func resident() uint64 {
	text, _ := os.ReadFile("/proc/self/status") // where there is none it is empty
	for line := range strings.Lines(string(text)) {
		var kilobytes uint64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.Sys
}

// largeServer has one mailbox and so many messages of 25 MB, each made as it is sent.
func largeServer(t *testing.T, messages int) *httptest.Server {
	const size = 25 << 20
	text := make([]byte, 1<<20)
	r := rand.NewChaCha8([32]byte{})
	_, _ = r.Read(text)
	for i := range text {
		text[i] = 'A' + text[i]&15 // half of it is what base64 is to a compressor
	}
	emails := func(from int) (ids []string, list []account.Object) {
		for i := from; i < min(from+10, messages); i++ {
			id := fmt.Sprintf("m%d", i)
			ids = append(ids, id)
			list = append(list, object("id", id, "blobId", strconv.Itoa(i), "size", size, "mailboxIds", account.SetOf("in"),
				"keywords", map[string]bool{}, "receivedAt", "2024-01-01T00:00:00Z"))
		}
		return ids, list
	}
	answers := map[string]func(args account.Object, last *[]account.Object) any{
		"Mailbox/get": func(account.Object, *[]account.Object) any {
			return map[string]any{"state": "s", "list": []account.Object{object("id", "in", "name", "Inbox", "role", "inbox")}}
		},
		"Email/query": func(args account.Object, last *[]account.Object) any {
			from := 0
			if n, err := fmt.Sscanf(args.Text("anchor"), "m%d", &from); n == 1 && err == nil {
				from++
			}
			ids, list := emails(from)
			*last = list
			return map[string]any{"queryState": "q", "ids": ids, "total": messages}
		},
		"Email/get": func(args account.Object, last *[]account.Object) any {
			if !args.Has("#ids") {
				*last = nil
			}
			return map[string]any{"state": "s", "list": *last}
		},
		"Email/changes": func(account.Object, *[]account.Object) any {
			return map[string]any{"oldState": "s", "newState": "s"}
		},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/jmap", func(w http.ResponseWriter, _ *http.Request) {
		const has = `{"urn:ietf:params:jmap:core":{"maxConcurrentRequests":8},"urn:ietf:params:jmap:mail":{},"urn:ietf:params:jmap:blob":{}}`
		fmt.Fprintf(w, `{"username":"alice","capabilities":%[1]s,"accounts":{"a":{"name":"alice","isPersonal":true,"accountCapabilities":%[1]s}},
			"primaryAccounts":{"urn:ietf:params:jmap:mail":"a"},"apiUrl":"/api","downloadUrl":"/down/{blobId}","uploadUrl":"/up","state":"s"}`, has)
	})
	mux.HandleFunc("/api", func(w http.ResponseWriter, r *http.Request) {
		var req struct{ MethodCalls [][3]json.RawMessage }
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		var said []any
		var last []account.Object
		for _, c := range req.MethodCalls {
			var name string
			_ = json.Unmarshal(c[0], &name)
			args, _ := account.ParseObject(c[1])
			if f, ok := answers[name]; ok {
				said = append(said, []any{name, f(args, &last), c[2]})
			} else {
				said = append(said, []any{"error", map[string]any{"type": "unknownMethod"}, c[2]})
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"methodResponses": said, "sessionState": "s"})
	})
	mux.HandleFunc("/down/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		n, _ := fmt.Fprintf(w, "Subject: %s\r\n\r\n", r.URL.Path) // no two are alike
		for n < size {
			some, err := w.Write(text[:min(len(text), size-n)])
			if n += some; err != nil {
				return
			}
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// However large messages are, they stream: as many as may be under way at once
// take no more memory than small ones.
func TestLargeMessagesAreNotHeldInMemory(t *testing.T) {
	s := largeServer(t, largeMessages)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, quickDir(t)+"/archive")
	cmd.Env = append(os.Environ(), exportFrom+"="+s.URL)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var fetched, most uint64
	if _, err := fmt.Sscan(string(out), &fetched, &most); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%d messages of 25 MB: %d MB resident at most", fetched, most>>20)
	if fetched != largeMessages || most > mostResident {
		t.Errorf("fetched %d of %d messages, %d MB resident at most", fetched, largeMessages, most>>20)
	}
}
