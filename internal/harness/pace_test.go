package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"mailhaul/archive"
	"mailhaul/exporter"
	"mailhaul/importer"
	"mailhaul/internal/bubble"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// slow is a server that works on one request at a time: each takes a while, and
// each message in it some more.
type slow struct {
	server              *jmaptest.Server
	aRequest, aMessage  time.Duration
	working             chan struct{}
	requests, delivered int
}

func slowServer(aMessage time.Duration) *slow {
	s := newServer("strict")
	return &slow{server: s, aRequest: 10 * time.Millisecond, aMessage: aMessage, working: make(chan struct{}, 1)}
}

func (s *slow) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := bubble.Body(req)
	if err != nil {
		return nil, err
	}
	bubble.Connected(req)
	s.working <- struct{}{}
	defer func() { <-s.working }()
	n := messagesIn(body)
	s.requests, s.delivered = s.requests+1, s.delivered+n
	time.Sleep(s.aRequest + time.Duration(n)*s.aMessage)
	return bubble.Serve(s.server.Handler(), req, body)
}

// messagesIn is how many messages' contents a request carries or asks for.
func messagesIn(body []byte) (n int) {
	var req struct{ MethodCalls [][]json.RawMessage }
	if json.Unmarshal(body, &req) != nil {
		return 0
	}
	for _, c := range req.MethodCalls {
		var args struct {
			IDs    []string
			Emails map[string]any
		}
		_ = json.Unmarshal(c[1], &args) // what has others counts for nothing
		switch string(c[0]) {
		case `"Blob/get"`:
			n += len(args.IDs)
		case `"Email/import"`:
			n += len(args.Emails)
		}
	}
	return n
}

func (s *slow) account(t *testing.T) *jmapclient.Account {
	t.Helper()
	c, err := jmapclient.Dial(t.Context(), jmapclient.Options{URL: "http://slow.test", Auth: signIn(login), Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Account(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Time is virtual here, and only the servers take any: so it is known what is
// waited for. The servers' pace is that at which these messages take as long as 5 000
// do on a real Cyrus, and the other way round. (Where both halves take as long as each
// other a sync of 5 000 takes 1.14 times that: what it lags behind with is a batch.)
func TestSyncTakesHardlyLongerThanItsSlowerHalf(t *testing.T) {
	const messages = 500
	for _, pace := range []struct{ reading, writing time.Duration }{
		{10 * time.Millisecond, 50 * time.Millisecond},
		{50 * time.Millisecond, 10 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%v to read, %v to write", pace.reading, pace.writing), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				from := slowServer(pace.reading)
				for n := range messages {
					from.server.Deliver(login, jmaptest.Message{Mailboxes: []string{"Inbox"}, ReceivedAt: time.Unix(1_500_000_000+int64(n), 0),
						Raw: fmt.Appendf(nil, "Message-ID: <%d@x>\r\nSubject: %d\r\n\r\nhello\r\n", n, n)})
				}
				dir := t.TempDir()
				apart := filepath.Join(dir, "apart")
				exporting := took(func() { move(t, from, nil, apart) })
				to := slowServer(pace.writing)
				importing := took(func() { move(t, nil, to, apart) })
				there := slowServer(pace.writing)
				both := took(func() { move(t, from, there, filepath.Join(dir, "together")) })
				t.Logf("export %v, import %v, sync %v: %.2f of the slower one (requests %d and %d)",
					exporting, importing, both, both.Seconds()/max(exporting, importing).Seconds(), to.requests, there.requests)
				if float64(both) > 1.2*float64(max(exporting, importing)) {
					t.Errorf("sync took %v, export alone %v, import alone %v", both, exporting, importing)
				}
				if there.delivered != messages {
					t.Errorf("%d messages were sent, there are %d", there.delivered, messages)
				}
				if missing := less(lettersOf(from.server), lettersOf(there.server)); len(missing) > 0 {
					t.Errorf("missing: %s", lines(missing))
				}
			})
		})
	}
}

func took(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

// move exports, imports, or does both as a sync does.
func move(t *testing.T, from, to *slow, dir string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	ar, err := archive.Open(dir)
	if from != nil {
		ar, err = archive.Create(dir, exporter.JMAP(from.account(t)).Origin())
	}
	must(err)
	defer func() { must(ar.Close()) }()
	var target *jmapclient.Account
	mailboxes, ended, followed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	if to != nil {
		target = to.account(t)
	}
	if from != nil && to != nil {
		ar.CommitEvery(500 * time.Millisecond)
		go func() {
			defer close(followed)
			if _, err := importer.Follow(ctx, ar, target, importer.Options{}, importer.Export{Mailboxes: mailboxes, Ended: ended}); err != nil {
				t.Error(err)
			}
		}()
	} else {
		close(followed)
	}
	if from != nil {
		_, err := exporter.Export(ctx, exporter.JMAP(from.account(t)), ar, exporter.Options{Mailboxes: func() { close(mailboxes) }})
		must(err)
	}
	close(ended)
	<-followed
	if to != nil {
		_, err := importer.Import(ctx, ar, target, importer.Options{})
		must(err)
	}
}
