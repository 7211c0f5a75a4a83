package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailhaul/archive"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// repeated are 200 messages, among them 20 groups of two to six that share a
// Message-ID: some with the same bytes and date, some with the same bytes at
// another time, some with other bytes.
func repeated() []letter {
	ls := mails(200)
	n := 0
	for g := range 20 {
		first := ls[n]
		for i := range 2 + g%5 {
			l := &ls[n]
			n++
			if i == 0 {
				continue
			}
			l.raw, l.msgID = first.raw, first.msgID
			switch i % 3 {
			case 0:
				l.received = first.received
			case 1:
				l.raw += fmt.Sprintf("another text %d\r\n", i)
			}
			l.keywords = [][]string{nil, {"$flagged"}, {"$seen", "work"}}[i%3]
			l.boxes = [][]string{{"inbox"}, {"p"}, {"inbox", "p"}}[i%3]
		}
	}
	return ls
}

var (
	inboxAndProject  = []folder{inbox, {id: "p", name: "Projects"}}
	inboxAndProjects = map[string]string{"inbox": "Inbox", "p": "Projects"}
)

// asAdmin is alice's account as the administrator opens it.
func (s *target) asAdmin() *jmapclient.Account {
	s.t.Helper()
	a, err := dial(s.t, s.URL, "admin", "adminpw").Client.Account(context.Background(), "alice")
	must(s.t, err)
	return a
}

// adminsMail puts mail of the administrator's own into the administrator's
// account, and answers a check that it is all that is there.
func (s *target) adminsMail() (untouched func(testing.TB)) {
	own := mail(1000)
	s.Deliver("admin", jmaptest.Message{Mailboxes: []string{"Inbox"}, ReceivedAt: own.received, Raw: []byte(own.raw)})
	s.Deliver("admin", jmaptest.Message{Mailboxes: []string{"mailhaul scratch"}, ReceivedAt: own.received, Raw: []byte(mail(1001).raw)})
	mailBefore, boxesBefore := s.Messages("admin"), s.Mailboxes("admin")
	return func(t testing.TB) {
		t.Helper()
		same(t, "the administrator's messages", s.Messages("admin"), mailBefore)
		same(t, "the administrator's mailboxes", s.Mailboxes("admin"), boxesBefore)
	}
}

func TestAnAdministratorBringsInWhatTheServerDrops(t *testing.T) {
	rfc := jmaptest.Stalwart07
	rfc.Name, rfc.CopyKeyedBySource = "drops, and copies as RFC 8621 says", false
	for _, p := range []jmaptest.Profile{jmaptest.Stalwart06, jmaptest.Stalwart07, rfc} {
		t.Run(p.Name, func(t *testing.T) {
			s, ar := newTarget(t, p), newArchive(t)
			untouched := s.adminsMail()
			ls := repeated()
			snapshot(t, ar, contents{folders: inboxAndProject, letters: ls})
			res, err := Import(context.Background(), ar, s.asAdmin(), Options{})
			must(t, err)
			emailCounts(t, res, Counts{Total: 200, Created: 200})
			same(t, "messages", s.holds(), wants(ls, inboxAndProjects))
			untouched(t)
			if !slices.ContainsFunc(res.Warnings, func(w string) bool { return strings.HasPrefix(w, "60 messages share a Message-ID") }) {
				t.Errorf("the warnings do not count them: %q", res.Warnings)
			}
			rep, err := Verify(context.Background(), ar, s.asAdmin(), VerifyOptions{Full: true})
			must(t, err)
			same(t, "differences", rep.Differences, []Difference(nil))
			s.ResetCounts()
			res, err = Import(context.Background(), ar, s.asAdmin(), Options{})
			must(t, err)
			emailCounts(t, res, Counts{Total: 200, Present: 200})
			if n := s.Requests()["Email/import"] + s.Requests()["Email/copy"]; n > 0 {
				t.Errorf("a second import sends %d times", n)
			}
		})
	}
}

// fewRepeated are four messages of one Message-ID and some others.
func fewRepeated() []letter {
	ls := mails(8)
	for i := 1; i < 4; i++ {
		ls[i].raw, ls[i].msgID, ls[i].received = ls[0].raw, ls[0].msgID, ls[0].received
	}
	ls[3].raw += "another text\r\n"
	ls[2].boxes, ls[2].keywords = []string{"p"}, []string{"$flagged"}
	return ls
}

// detourRequests is which requests of an import of fewRepeated make the detour:
// those from the first behind the Email/import that the server drops from.
func detourRequests(t *testing.T) (first, last int) {
	s, ar := newTarget(t, jmaptest.Stalwart07), newArchive(t)
	snapshot(t, ar, contents{folders: inboxAndProject, letters: fewRepeated()})
	acc := s.asAdmin()
	s.Inject(jmaptest.Fault{Match: func(r jmaptest.Request) bool {
		if r.Kind == "api" || r.Kind == "upload" {
			last++
		}
		if first == 0 && slices.Contains(r.Methods, "Email/import") {
			first = last + 1
		}
		return false
	}})
	_, err := Import(context.Background(), ar, acc, Options{})
	must(t, err)
	return first, last
}

// TestEveryStepOfTheDetourCanBreak interrupts, or loses the answer of, each
// request of the import in turn; a clean run at the end leaves each message
// there once and nothing in the administrator's account.
func TestEveryStepOfTheDetourCanBreak(t *testing.T) {
	first, last := detourRequests(t)
	breaks := []struct {
		name   string
		do     jmaptest.FaultKind
		cancel bool
	}{
		{"answer lost", jmaptest.DropAfter, false},
		{"answer lost and interrupted", jmaptest.DropAfter, true},
		{"interrupted", "", true},
	}
	for _, b := range breaks {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			for n := first; n <= last; n++ {
				s, ar := newTarget(t, jmaptest.Stalwart07), newArchive(t)
				untouched := s.adminsMail()
				ls := fewRepeated()
				snapshot(t, ar, contents{folders: inboxAndProject, letters: ls})
				acc := s.asAdmin()
				ctx, cancel := context.WithCancel(context.Background())
				var seen atomic.Int32
				s.Inject(jmaptest.Fault{Do: b.do, Times: 1, Match: func(r jmaptest.Request) bool {
					hit := (r.Kind == "api" || r.Kind == "upload") && seen.Add(1) == int32(n)
					if hit && b.cancel {
						cancel()
					}
					return hit && b.do != ""
				}})
				res, err := Import(ctx, ar, acc, Options{})
				cancel()
				if !b.cancel { // it gets over that by itself
					must(t, err)
					same(t, fmt.Sprintf("failures when the answer to request %d is lost", n), res.Failures, []Failure(nil))
				}
				s.ClearFaults()
				if err == nil || b.cancel && b.do == "" { // finished, or stopped in its own time
					untouched(t)
				}
				res, err = Import(context.Background(), ar, s.asAdmin(), Options{})
				must(t, err)
				same(t, fmt.Sprintf("failures after request %d", n), res.Failures, []Failure(nil))
				same(t, fmt.Sprintf("messages after request %d", n), s.holds(), wants(ls, inboxAndProjects))
				untouched(t)
				s.Close()
			}
		})
	}
}

// mortal is the transport of a process that is killed when the answer to one of
// its requests has arrived: nothing is sent after that, and nothing returns.
type mortal struct {
	at    int32 // the request it dies after; 0 lives
	n     atomic.Int32
	dead  chan struct{}
	burnt chan struct{} // closed when what the process left was secured
}

func (m *mortal) RoundTrip(r *http.Request) (*http.Response, error) {
	gone := errors.New("the process is dead")
	if m.at == 0 {
		return http.DefaultTransport.RoundTrip(r)
	}
	n := m.n.Add(1)
	if n <= m.at {
		resp, err := http.DefaultTransport.RoundTrip(r)
		if n < m.at || err != nil {
			return resp, err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		close(m.dead)
	}
	<-m.burnt
	return nil, gone
}

// TestAKilledDetourIsFinishedByTheNextImport kills the import after each of its
// requests in turn; the next one starts from what was on the disk then.
func TestAKilledDetourIsFinishedByTheNextImport(t *testing.T) {
	t.Parallel()
	first, last := detourRequests(t)
	for n := first; n <= last; n++ {
		s, ar := newTarget(t, jmaptest.Stalwart07), newArchive(t)
		untouched := s.adminsMail()
		ls := fewRepeated()
		snapshot(t, ar, contents{folders: inboxAndProject, letters: ls})
		m := &mortal{dead: make(chan struct{}), burnt: make(chan struct{})}
		c, err := jmapclient.Dial(context.Background(), jmapclient.Options{URL: s.URL, Auth: jmapclient.Auth{Username: "admin", Password: "adminpw"},
			GiveUpAfter: time.Millisecond, Transport: m})
		must(t, err)
		acc, err := c.Account(context.Background(), "alice")
		must(t, err)
		m.at = int32(n)
		ended := make(chan error, 1)
		go func() { _, err := Import(context.Background(), ar, acc, Options{}); ended <- err }()
		select {
		case <-m.dead:
		case err := <-ended:
			t.Fatalf("it ended before request %d: %v", n, err)
		}
		left := filepath.Join(t.TempDir(), "archive")
		must(t, os.CopyFS(left, os.DirFS(ar.Dir())))
		close(m.burnt)
		<-ended
		c.Close()
		again, err := archive.Open(left)
		must(t, err)
		res, err := Import(context.Background(), again, s.asAdmin(), Options{})
		must(t, err)
		same(t, fmt.Sprintf("failures after request %d", n), res.Failures, []Failure(nil))
		same(t, fmt.Sprintf("messages after request %d", n), s.holds(), wants(ls, inboxAndProjects))
		untouched(t)
		must(t, again.Close())
		s.Close()
	}
}
