package exporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/mailgen"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// world is a JMAP server with alice's account.
type world struct {
	*jmaptest.Server
	giveUp time.Duration // see jmapclient.Options
	// before is called with the methods of an API request before it is served.
	mu     sync.Mutex
	before func(body string)
}

func (w *world) hook(f func(body string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before = f
}

func newWorld(t *testing.T, p jmaptest.Profile) *world {
	t.Helper()
	w := &world{}
	w.Server = jmaptest.New(jmaptest.Options{Profile: p, Admin: [2]string{"admin", "root"}, Transport: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && !strings.Contains(r.URL.Path, "upload") {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				w.mu.Lock()
				f := w.before
				w.mu.Unlock()
				if f != nil {
					f(string(body))
				}
			}
			next.ServeHTTP(rw, r)
		})
	}})
	t.Cleanup(w.Close)
	w.AddUser(jmaptest.User{Login: "alice", Password: "secret", Emails: []string{"alice@example.org"}})
	return w
}

// as is alice's account as the one signed in sees it.
func (w *world) as(t *testing.T, login, password string) Source {
	t.Helper()
	c, err := jmapclient.Dial(t.Context(), jmapclient.Options{URL: w.URL, GiveUpAfter: w.giveUp,
		Auth: jmapclient.Auth{Username: login, Password: password}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	a, err := c.Account(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	return JMAP(a)
}

func (w *world) alice(t *testing.T) Source { return w.as(t, "alice", "secret") }

func (w *world) deliver(n int, boxes ...string) string {
	if len(boxes) == 0 {
		boxes = []string{"Inbox"}
	}
	return w.Deliver("alice", jmaptest.Message{Mailboxes: boxes, ReceivedAt: time.Unix(1700000000+int64(n)*60, 0),
		Raw: fmt.Appendf(nil, "From: a@example.org\r\nMessage-ID: <%d@x>\r\nSubject: %d\r\n\r\nhello %d\r\n", n, n, n)})
}

// tell writes a message with all that must be kept of it as one line.
func tell(boxes, keywords []string, received time.Time, raw string) string {
	return fmt.Sprintf("%q %q %s %q", boxes, keywords, received.UTC().Format(time.RFC3339), raw)
}

// has demands that the newest snapshot is what the account is now.
func (w *world) has(t fataler, ar *archive.Archive) {
	t.Helper()
	var want []string
	for _, m := range w.Messages("alice") {
		want = append(want, tell(m.Mailboxes, m.Keywords, m.ReceivedAt, string(m.Raw)))
	}
	boxes := map[string]account.Object{}
	for rec, err := range ar.Objects(0, account.Mailbox) {
		if err != nil {
			t.Fatalf("read the archive: %v", err)
		}
		boxes[rec.Object.ID()] = rec.Object
	}
	var path func(id string) string
	path = func(id string) string {
		o, ok := boxes[id]
		if !ok {
			return "?" + id
		}
		if p := o.Text("parentId"); p != "" {
			return path(p) + "/" + o.Text("name")
		}
		return o.Text("name")
	}
	var got []string
	for rec, err := range ar.Objects(0, account.Email) {
		if err != nil {
			t.Fatalf("read the archive: %v", err)
		}
		in := rec.Object.Set("mailboxIds")
		for i, id := range in {
			in[i] = path(id)
		}
		slices.Sort(in)
		got = append(got, tell(in, rec.Object.Set("keywords"), rec.Object.Time("receivedAt"), blobText(t, ar, rec.Blob)))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("the snapshot is not what the account is (-account +snapshot):\n%s", diff)
	}
}

var profiles = map[string]jmaptest.Profile{
	"strict": jmaptest.Strict, "Stalwart 0.6": jmaptest.Stalwart06, "Stalwart 0.7": jmaptest.Stalwart07,
}

// narrow is a profile with pages of a few messages.
func narrow(p jmaptest.Profile, page int64) jmaptest.Profile {
	p.Limits.MaxObjectsInGet = page
	return p
}

// One path for every server there is a profile of, as the user and as the
// administrator.
func TestJMAPExportAndAgain(t *testing.T) {
	for i, p := range jmaptest.Profiles {
		logins := []string{"alice"}
		if p.MasterSignIn || i%4 == 0 { // administrators differ less than servers
			logins = append(logins, "admin")
		}
		for _, login := range logins {
			t.Run(p.Name+"/"+login, func(t *testing.T) {
				w := newWorld(t, narrow(p, 16))
				if p.VacationCloses {
					w.giveUp = 100 * time.Millisecond
				}
				sign := func() Source { return w.signIn(t, p, login) }
				exportAndAgain(t, w, p, sign)
			})
		}
	}
}

// signIn signs in as the user, or as the administrator where that is a way to
// the user's account: on some as the user with the administrator's password.
func (w *world) signIn(t *testing.T, p jmaptest.Profile, login string) Source {
	switch {
	case login == "alice":
		return w.alice(t)
	case p.MasterSignIn:
		return w.as(t, "alice%admin", "root")
	}
	return w.as(t, "admin", "root")
}

func exportAndAgain(t *testing.T, w *world, p jmaptest.Profile, sign func() Source) {
	for i := range 20 {
		w.deliver(i, "Inbox", "Projects/2024")
	}
	w.AddScript("alice", "filters", "keep;", true)
	w.AddIdentity("alice", jmaptest.Identity{Name: "Alice", Email: "alice@example.org"})
	src := sign()
	ar := newArchive(t, src)
	res := mustExport(t, src, ar)
	for name, r := range res.Snapshot.Types {
		broken := name == "VacationResponse" && p.VacationCloses
		if len(r.Failed) > 0 || (r.Error != "") != broken {
			t.Fatalf("%s failed: %+v", name, r)
		}
	}
	w.has(t, ar)
	for blob, n := range w.BlobFetches() {
		if n > 1 {
			t.Errorf("%s was fetched %d times", blob, n)
		}
	}
	if !src.Own() && !slices.Contains(res.Snapshot.Unknown, "Mailbox.isSubscribed") {
		t.Errorf("what is not known: %q", res.Snapshot.Unknown)
	}
	w.ResetCounts()
	src = sign()
	if res := mustExport(t, src, ar); !res.Unchanged {
		t.Errorf("the second time: %+v", res)
	}
	n := w.Requests()
	if all := n["session"] + n["api"] + n["download"]; all > 10 && !p.VacationCloses {
		t.Errorf("an unchanged account took %d requests: %v", all, n)
	}
	id := w.deliver(99)
	w.Modify("alice", id, []string{"Projects"}, []string{"$seen"})
	w.Destroy("alice", w.EmailIDs("alice")[3])
	mustExport(t, src, ar)
	w.has(t, ar)
}

// Where no download comes any more the run ends; messages are not failed one
// after the other.
func TestJMAPDeadDownloads(t *testing.T) {
	w := newWorld(t, jmaptest.Strict)
	const messages = 30
	for i := range messages {
		w.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Inbox"}, ReceivedAt: time.Unix(1700000000+int64(i), 0),
			Raw: fmt.Appendf(nil, "Subject: %d\r\n\r\n%s", i, strings.Repeat("large", batchBlob/4))})
	}
	dead := jmaptest.Fault{Match: func(r jmaptest.Request) bool { return r.Kind == "download" }, Do: jmaptest.DropBefore}
	w.Inject(dead)
	c, err := jmapclient.Dial(t.Context(), jmapclient.Options{URL: w.URL, GiveUpAfter: 50 * time.Millisecond,
		Auth: jmapclient.Auth{Username: "alice", Password: "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a, err := c.Account(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	src := JMAP(a)
	ar := newArchive(t, src)
	var failed atomic.Int64
	_, err = Export(t.Context(), src, ar, Options{Events: func(e progress.Event) {
		if e.Kind == progress.Failure {
			failed.Add(1)
		}
	}})
	if jmapclient.KindOf(err) != jmapclient.Unreachable || failed.Load() > messages/2 {
		t.Errorf("%d messages were failed, then: %v", failed.Load(), err)
	}
	w.ClearFaults()
	if res := mustExport(t, w.alice(t), ar); res.Failed != 0 {
		t.Errorf("afterwards: %+v", res.Snapshot.Types["Email"])
	}
	w.has(t, ar)
}

func TestJMAPFewRequestsForManySmallMessages(t *testing.T) {
	w := newWorld(t, jmaptest.Strict)
	for i := range 300 {
		w.deliver(i)
	}
	src := w.alice(t)
	ar := newArchive(t, src)
	w.ResetCounts()
	mustExport(t, src, ar)
	w.has(t, ar)
	if n := w.Requests(); n["download"] > 3 || n["Blob/get"] > 10 {
		t.Errorf("300 messages took %v", n)
	}
}

// Stalwart gives a user 1 000 requests a minute, so that requests are what time
// is made of. 50 000 messages may take 400.
func TestJMAPRequestsGrowSlowlyWithMessages(t *testing.T) {
	const fixed = 15 // signing in, the other types, the end of the listing, small first batches
	before := map[int]int{}
	for _, messages := range []int{200, manyMessages} {
		w := newWorld(t, jmaptest.Stalwart06)
		for m := range mailgen.Sized(7, messages, 4<<10) {
			w.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Inbox"}, ReceivedAt: m.ReceivedAt, Raw: m.Raw})
		}
		w.ResetCounts()
		src := w.alice(t)
		ar := newArchive(t, src)
		if res := mustExport(t, src, ar); res.Failed != 0 || res.Snapshot.Types["Email"].Objects != int64(messages) {
			t.Fatalf("%d messages: %+v", messages, res.Snapshot.Types)
		}
		n := w.Requests()
		all := n["session"] + n["api"] + n["download"]
		t.Logf("%d messages: %d requests, %v", messages, all, n)
		if most := messages*400/50_000 + fixed; all > most {
			t.Errorf("%d messages took %d requests, more than %d: %v", messages, all, most, n)
		}
		w.ResetCounts()
		if res := mustExport(t, w.alice(t), ar); !res.Unchanged {
			t.Errorf("the second time: %+v", res)
		}
		n = w.Requests()
		if before[messages] = n["session"] + n["api"] + n["download"]; before[messages] > 4 {
			t.Errorf("%d unchanged messages took %d requests: %v", messages, before[messages], n)
		}
	}
	if before[200] != before[manyMessages] {
		t.Errorf("an unchanged account takes more requests when it is larger: %v", before)
	}
}

func TestJMAPWithoutBatches(t *testing.T) {
	w := newWorld(t, jmaptest.Strict)
	w.giveUp = 100 * time.Millisecond
	for i := range 20 {
		w.deliver(i)
	}
	w.Inject(jmaptest.Fault{Match: func(r jmaptest.Request) bool { return slices.Contains(r.Methods, "Blob/get") }, Do: jmaptest.Status500})
	src := w.alice(t)
	ar := newArchive(t, src)
	if res := mustExport(t, src, ar); res.Failed != 0 {
		t.Errorf("failed: %+v", res.Snapshot.Types["Email"])
	}
	w.has(t, ar)
}

func TestJMAPTypeThatKillsTheConnection(t *testing.T) {
	w := newWorld(t, jmaptest.Strict)
	w.giveUp = 100 * time.Millisecond
	w.deliver(1)
	w.AddScript("alice", "filters", "keep;", true)
	w.Inject(jmaptest.Fault{Match: func(r jmaptest.Request) bool { return slices.Contains(r.Methods, "VacationResponse/get") }, Do: jmaptest.DropBefore})
	src := w.alice(t)
	ar := newArchive(t, src)
	res := mustExport(t, src, ar)
	w.has(t, ar)
	if r := res.Snapshot.Types["VacationResponse"]; res.Failed != 1 || r.Error == "" {
		t.Errorf("record %+v", r)
	}
	if r := res.Snapshot.Types["SieveScript"]; r.Error != "" || r.Objects != 1 {
		t.Errorf("record %+v", r)
	}
}

func TestJMAPChangesDuringTheListing(t *testing.T) {
	for name, p := range profiles {
		for what, do := range map[string]func(w *world, page int){
			"arrive": func(w *world, page int) { w.deliver(-page); w.deliver(1000 + page) },
			"go": func(w *world, page int) {
				ids := w.EmailIDs("alice")
				w.Destroy("alice", ids[(page*7)%len(ids)])
			},
			"go and come": func(w *world, page int) {
				ids := w.EmailIDs("alice")
				w.Destroy("alice", ids[(page*7)%len(ids)])
				w.deliver(page * 3)
			},
			"move": func(w *world, page int) {
				ids := w.EmailIDs("alice")
				w.Modify("alice", ids[(page*7)%len(ids)], []string{fmt.Sprint("Moved/", page)}, []string{"$flagged"})
			},
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				w := newWorld(t, narrow(p, 8))
				for i := range 40 {
					w.deliver(i)
				}
				pages := 0
				w.hook(func(body string) {
					byIDs := strings.Contains(body, `"Email/get"`) && strings.Contains(body, `"ids":["`)
					if (byIDs || strings.Contains(body, `"Email/query"`) && strings.Contains(body, `"anchor"`)) && pages < 5 {
						pages++
						do(w, pages)
					}
				})
				src := w.alice(t)
				ar := newArchive(t, src)
				if res := mustExport(t, src, ar); res.Failed != 0 {
					t.Errorf("failed: %+v", res.Snapshot.Types)
				}
				w.has(t, ar)
				if pages == 0 {
					t.Error("nothing was changed")
				}
			})
		}
	}
}

func TestJMAPForgottenHistory(t *testing.T) {
	w := newWorld(t, narrow(jmaptest.Strict, 8))
	for i := range 20 {
		w.deliver(i)
	}
	src := w.alice(t)
	ar := newArchive(t, src)
	mustExport(t, src, ar)
	w.Destroy("alice", w.EmailIDs("alice")[4])
	w.deliver(50)
	w.ForgetHistory("alice")
	w.ResetCounts()
	mustExport(t, src, ar)
	w.has(t, ar)
	if n := len(w.BlobFetches()); n != 1 {
		t.Errorf("%d blobs were fetched", n)
	}
}

func TestJMAPResumeAfterCancellation(t *testing.T) {
	w := newWorld(t, narrow(jmaptest.Strict, 8))
	for i := range 60 {
		w.deliver(i)
	}
	src := w.alice(t)
	ar := newArchive(t, src)
	for run := 1; ; run++ {
		ctx, cancel := context.WithCancel(t.Context())
		var requests atomic.Int64
		w.hook(func(string) {
			if requests.Add(1) == int64(3+2*run) {
				cancel()
			}
		})
		_, err := Export(ctx, src, ar, Options{})
		cancel()
		if err == nil {
			if run < 3 {
				t.Errorf("only %d runs", run)
			}
			break
		}
		if !errors.Is(err, context.Canceled) || run > 50 {
			t.Fatal(run, err)
		}
	}
	w.has(t, ar)
	for blob, n := range w.BlobFetches() {
		if n > 1 {
			t.Errorf("%s was fetched %d times", blob, n)
		}
	}
}

func TestJMAPBrokenTransfers(t *testing.T) {
	for _, kind := range []jmaptest.FaultKind{jmaptest.CutBody, jmaptest.DropBefore, jmaptest.Status503} {
		w := newWorld(t, jmaptest.Strict)
		for i := range 5 {
			w.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Inbox"}, ReceivedAt: time.Unix(1700000000+int64(i), 0),
				Raw: fmt.Appendf(nil, "Subject: %d\r\n\r\n%s", i, strings.Repeat("large", batchBlob/4))})
		}
		w.Inject(jmaptest.Fault{Match: func(r jmaptest.Request) bool { return r.Kind == "download" }, Times: 2, Do: kind, Bytes: 1000, RetryAfter: "0"})
		src := w.alice(t)
		ar := newArchive(t, src)
		if res := mustExport(t, src, ar); res.Failed != 0 {
			t.Errorf("%s: failed %+v", kind, res.Snapshot.Types["Email"])
		}
		w.has(t, ar)
	}
}
