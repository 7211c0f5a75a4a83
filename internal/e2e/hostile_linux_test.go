package e2e

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/internal/mailgen"
)

// mostMemory is what mailhaul may hold whatever a server sends, in octets. An
// answer is at most 64 MB, and twice that while it is decoded.
const mostMemory = 400 << 20

// endless answers 10 GB, or as much of it as the client takes.
func endless(w http.ResponseWriter, status int, start, unit string) (sent int64) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := io.WriteString(w, start); err != nil {
		return 0
	}
	piece := bytes.Repeat([]byte(unit), max(1, 64<<10/len(unit)))
	for sent < 10<<30 {
		n, err := w.Write(piece)
		sent += int64(n)
		if err != nil {
			break
		}
	}
	return sent
}

// hostile is a server that answers some requests as it should not.
type hostile struct {
	*proxy
	url string

	mu     sync.Mutex
	answer answer
}

// answer answers a request, or says false: it is to be answered as it should.
type answer func(w http.ResponseWriter, r *http.Request, kind string, calls []call) bool

func (h *hostile) set(a answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = a
}

func (h *hostile) URL() string { return h.url }

func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, calls := classify(r)
	h.mu.Lock()
	answer := h.answer
	h.mu.Unlock()
	if !answer(w, r, kind, calls) {
		h.proxy.ServeHTTP(w, r)
	}
}

func newHostile(t *testing.T, answer answer) *hostile {
	t.Helper()
	s := startMemory(t)
	s.AddUser(alice)
	s.Put(alice, slices.Collect(mailgen.Sized(95, 12, 2000))...)
	h := &hostile{proxy: newProxy(t, s), answer: answer}
	listen := httptest.NewServer(h)
	t.Cleanup(listen.Close)
	h.url = listen.URL
	return h
}

func calls(calls []call, method string) bool { return calling(method)("", calls) }

func TestHugeAnswersAreCutOff(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var sent int64
	note := func(n int64) bool {
		mu.Lock()
		defer mu.Unlock()
		sent += n
		return true
	}
	for _, c := range []struct {
		name   string
		answer answer
		code   int
		says   string
	}{
		{"a session of 10 GB", func(w http.ResponseWriter, _ *http.Request, kind string, _ []call) bool {
			return kind == "session" && note(endless(w, 200, `{"username":"`, "x"))
		}, 1, "answers with more than"},
		{"10 GB of spaces for a session", func(w http.ResponseWriter, _ *http.Request, kind string, _ []call) bool {
			return kind == "session" && note(endless(w, 200, ``, " "))
		}, 1, "answers with more than"},
		{"mailboxes of 10 GB", func(w http.ResponseWriter, _ *http.Request, _ string, asked []call) bool {
			return calls(asked, "Mailbox/get") && note(endless(w, 200, `{"methodResponses":[["Mailbox/get",{"list":[{"id":"`, "x"))
		}, 3, "beyond all bounds"},
		{"deep JSON for mailboxes", func(w http.ResponseWriter, _ *http.Request, _ string, asked []call) bool {
			return calls(asked, "Mailbox/get") && note(endless(w, 200, `{"methodResponses":`, "["))
		}, 3, "beyond all bounds"},
		{"deep JSON that fits", func(w http.ResponseWriter, _ *http.Request, _ string, asked []call) bool {
			if !calls(asked, "Mailbox/get") {
				return false
			}
			const depth = 5 << 20
			fmt.Fprint(w, `{"methodResponses":[["Mailbox/get",{"list":`, strings.Repeat("[", depth), strings.Repeat("]", depth), `},"0"]]}`)
			return true
		}, 3, "Mailbox as a whole"},
		{"an error of 10 GB", func(w http.ResponseWriter, _ *http.Request, _ string, asked []call) bool {
			return calls(asked, "Mailbox/get") && note(endless(w, 500, `{"type":"about:blank","detail":"`, "x"))
		}, 3, "Mailbox as a whole"},
		{"a million mailboxes in one answer", func(w http.ResponseWriter, _ *http.Request, _ string, asked []call) bool {
			if !calls(asked, "Mailbox/get") {
				return false
			}
			fmt.Fprint(w, `{"methodResponses":[["Mailbox/get",{"accountId":"A0","state":"1","notFound":[],"list":[`)
			for n := range 1_000_000 {
				if n > 0 {
					fmt.Fprint(w, ",")
				}
				if _, err := fmt.Fprintf(w, `{"id":"P%d","name":"box %[1]d","parentId":null,"role":null,"sortOrder":0,"totalEmails":0,"isSubscribed":true}`, n); err != nil {
					return true
				}
			}
			fmt.Fprint(w, `]},"0"]]}`)
			return true
		}, 3, "beyond all bounds"},
	} {
		t.Run(c.name, func(t *testing.T) {
			mu.Lock()
			sent = 0
			mu.Unlock()
			h := newHostile(t, c.answer)
			r, peak := peakOf(t, append(signIn(h.URL(), alice), "--give-up-after", "2s", "export", "account", alice, t.TempDir())...)
			mu.Lock()
			defer mu.Unlock()
			t.Logf("%d MB were sent, the peak is %d MB; exit %d\n%s", sent>>20, peak>>20, r.code, r.output())
			r.expect(t, c.code).says(t, c.says)
			if peak > mostMemory {
				t.Errorf("%d MB of memory, want at most %d", peak>>20, mostMemory>>20)
			}
			if sent > 2<<30 {
				t.Errorf("it read %d MB of it", sent>>20)
			}
		})
	}
}

// climbing matches the ids of the in-memory server's objects.
var climbing = regexp.MustCompile(`"([MPA][0-9a-z]{1,2}|G[0-9a-f]{64})"`)

// What a server calls things never becomes a path: nothing is written but the
// archive.
func TestIdsThatClimbStayInTheArchive(t *testing.T) {
	t.Parallel()
	const up = "../../../../"
	h := newHostile(t, nil)
	h.set(func(w http.ResponseWriter, r *http.Request, _ string, _ []call) bool {
		if r.Method == http.MethodPost {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			body = bytes.ReplaceAll(body, []byte(up), nil)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
		r.URL.Path, r.URL.RawPath = strings.ReplaceAll(r.URL.Path, up, ""), ""
		rec := httptest.NewRecorder()
		h.proxy.ServeHTTP(rec, r)
		body := rec.Body.Bytes()
		if strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") {
			body = climbing.ReplaceAll(body, []byte(`"`+up+`$1"`))
		}
		w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
		w.WriteHeader(rec.Code)
		_, _ = w.Write(body)
		return true
	})
	root := t.TempDir()
	dir := filepath.Join(root, "a", "b", "c", "d", "exports")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	before := tree(t, root, dir)
	for _, who := range []string{alice, up + "A0"} {
		r := mailhaul(t, append(signIn(h.URL(), alice), "export", "account", who, dir)...)
		r.expect(t, 0)
	}
	if d := cmp.Diff(before, tree(t, root, dir)); d != "" {
		t.Errorf("what is outside of the archives has changed:\n%s", d)
	}
	if archives, err := os.ReadDir(dir); err != nil || len(archives) != 2 {
		t.Errorf("two exports have made %v (%v)", archives, err)
	}
	path := filepath.Join(dir, alice)
	mailhaul(t, "verify", path).expect(t, 0)
	expectSameMail(t, h.Mail(alice), archivedMail(t, path))
	to := startMemory(t)
	to.AddUser(alice)
	importAccount(t, to, alice, path)
	expectSameMail(t, h.Mail(alice), to.Mail(alice))
}

// tree is every file and directory below root but those in except, with sizes.
func tree(t *testing.T, root, except string) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == except {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			all[name] = info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// listener is another host: it notes who sends it credentials.
type listener struct {
	*httptest.Server
	mu    sync.Mutex
	heard []string
}

func newListener(t *testing.T, then http.Handler) *listener {
	l := &listener{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.heard = append(l.heard, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		l.mu.Unlock()
		then.ServeHTTP(w, r)
	}))
	t.Cleanup(l.Close)
	return l
}

// expectNoCredentials fails the test when one came.
func (l *listener) expectNoCredentials(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.heard {
		if !strings.HasSuffix(line, " ") {
			t.Errorf("credentials went to another host: %s", line)
		}
	}
}

// Whoever answers for the server that the user named can't have the
// credentials sent elsewhere.
func TestCredentialsGoNowhereElse(t *testing.T) {
	t.Parallel()
	redirect := func(of func(kind string, asked []call) bool, status int) func(*hostile, *listener) {
		return func(h *hostile, l *listener) {
			h.set(func(w http.ResponseWriter, r *http.Request, kind string, asked []call) bool {
				if !of(kind, asked) {
					return false
				}
				http.Redirect(w, r, l.URL+r.URL.Path, status)
				return true
			})
		}
	}
	session := func(kind string, _ []call) bool { return kind == "session" }
	elsewhere := func(property string) func(*hostile, *listener) {
		return func(h *hostile, l *listener) {
			h.set(func(w http.ResponseWriter, r *http.Request, kind string, _ []call) bool {
				if kind != "session" {
					return false
				}
				rec := httptest.NewRecorder()
				h.proxy.ServeHTTP(rec, r)
				own := regexp.MustCompile(`"` + property + `":"(https?://[^/"]*)?`)
				w.Header().Set("Content-Type", "application/json")
				if loc := rec.Header().Get("Location"); loc != "" {
					w.Header().Set("Location", loc)
				}
				w.WriteHeader(rec.Code)
				_, _ = w.Write(own.ReplaceAll(rec.Body.Bytes(), []byte(`"`+property+`":"`+l.URL)))
				return true
			})
		}
	}
	for _, c := range []struct {
		name string
		set  func(*hostile, *listener)
		code int // of the export
		says string
	}{
		{"the session redirects", redirect(session, http.StatusFound), 1, "it redirects to another server"},
		{"the session redirects for good", redirect(session, http.StatusPermanentRedirect), 1, "it redirects to another server"},
		{"the API redirects", redirect(calling("Mailbox/get"), http.StatusTemporaryRedirect), 3, "the server redirects to"},
		{"blobs redirect", redirect(content, http.StatusFound), 3, "the server redirects to"},
		{"the apiUrl is elsewhere", elsewhere("apiUrl"), 0, ""},
		{"the downloadUrl is elsewhere", elsewhere("downloadUrl"), 0, ""},
		{"the uploadUrl is elsewhere", elsewhere("uploadUrl"), 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHostile(t, nil)
			l := newListener(t, h.proxy)
			c.set(h, l)
			dir := t.TempDir()
			r := mailhaul(t, append(signIn(h.URL(), alice), "--give-up-after", "2s", "export", "account", alice, dir)...)
			t.Log(r.output())
			r.expect(t, c.code).says(t, c.says)
			l.expectNoCredentials(t)
			if c.code == 0 {
				mailhaul(t, append(signIn(h.URL(), alice), "import", "account", alice, filepath.Join(dir, alice))...).expect(t, 0)
				l.expectNoCredentials(t)
			}
		})
	}
}
