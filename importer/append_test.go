package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"mailhaul/internal/bubble"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// imapDoor is an IMAP server as a second door into a jmaptest server: as much
// of one as it takes to append.
type imapDoor struct {
	s        *jmaptest.Server
	empty    bool // shows no mailboxes: another account
	mu       sync.Mutex
	appended int
	arrived  func(n int)    // told of each message, nil: nobody is
	breaks   map[int]string // after the nth message, from 1: "stored", "not stored", "refused"
	refuses  string         // messages with this text, always
}

type imapSession struct {
	imapserver.Session // what is not needed
	door               *imapDoor
	conn               *imapserver.Conn
	login              string
}

func newIMAPServer(d *imapDoor) *imapserver.Server {
	return imapserver.New(&imapserver.Options{
		NewSession: func(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return &imapSession{door: d, conn: c}, &imapserver.GreetingData{}, nil
		},
		InsecureAuth: true,
		Logger:       log.New(io.Discard, "", 0),
	})
}

// openIMAP listens for alice.
func openIMAP(t *testing.T, d *imapDoor) *IMAP {
	t.Helper()
	srv := newIMAPServer(d)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return &IMAP{Addr: l.Addr().String(), Auth: jmapclient.Auth{Username: "alice", Password: "pw"}}
}

func (s *imapSession) Close() error { return nil }

func (s *imapSession) Login(user, password string) error {
	if user != "alice" || password != "pw" {
		return imapserver.ErrAuthFailed
	}
	s.login = user
	return nil
}

func (s *imapSession) List(w *imapserver.ListWriter, _ string, patterns []string, _ *imap.ListOptions) error {
	for _, m := range s.door.s.Mailboxes(s.login) {
		if slices.Contains(patterns, m.Path) && !s.door.empty {
			if err := w.WriteList(&imap.ListData{Mailbox: m.Path, Delim: '/'}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *imapSession) Poll(*imapserver.UpdateWriter, bool) error { return nil }

func (s *imapSession) Append(box string, r imap.LiteralReader, o *imap.AppendOptions) (*imap.AppendData, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	d := s.door
	d.mu.Lock()
	d.appended++
	n := d.appended
	d.mu.Unlock()
	how := d.breaks[n]
	var keywords []string
	for _, f := range o.Flags {
		keywords = append(keywords, "$"+strings.ToLower(strings.TrimPrefix(string(f), `\`)))
	}
	if how == "refused" || d.refuses != "" && strings.Contains(string(raw), d.refuses) {
		return nil, &imap.Error{Type: imap.StatusResponseTypeNo, Text: "not today"}
	}
	if how != "not stored" {
		d.s.Deliver(s.login, jmaptest.Message{Mailboxes: []string{box}, Keywords: keywords, ReceivedAt: o.Time, Raw: raw})
	}
	if d.arrived != nil {
		d.arrived(n)
	}
	if how != "" {
		s.conn.NetConn().Close()
		return nil, errors.New("the connection is gone")
	}
	return &imap.AppendData{}, nil
}

func TestAUserBringsInOverIMAPWhatTheServerDrops(t *testing.T) {
	for name, breaks := range map[string]map[int]string{
		"all goes well":         nil,
		"answers lost":          {1: "stored", 20: "stored", 45: "stored"},
		"messages lost":         {1: "not stored", 2: "not stored", 40: "not stored"},
		"one refused at first":  {7: "refused"},
		"one refused then lost": {7: "refused", 46: "stored"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				s, ar := newQuietTarget(t, jmaptest.Stalwart07), newArchive(t)
				d := &imapDoor{s: s.Server, breaks: breaks}
				ls := repeated(detourMails, detourGroups)
				snapshot(t, ar, contents{folders: inboxAndProject, letters: ls})
				before := len(s.Mailboxes("alice"))
				res := s.imports(ar, Options{IMAP: openQuietIMAP(t, d)})
				same(t, "failures", res.Failures, []Failure(nil))
				same(t, "messages", s.holds(), wants(ls, inboxAndProjects))
				if n := len(s.Mailboxes("alice")); n != before+1 {
					t.Errorf("%d mailboxes, want %d: %+v", n, before+1, s.Mailboxes("alice"))
				}
				if !slices.ContainsFunc(res.Warnings, func(w string) bool {
					return strings.HasPrefix(w, fmt.Sprintf("%d messages share a Message-ID", detourGroups/5*(1+2+3+4+5)))
				}) {
					t.Errorf("the warnings do not count them: %q", res.Warnings)
				}
				emailCounts(t, s.imports(ar, Options{}), Counts{Total: detourMails, Present: detourMails})
			})
		})
	}
}

// TestAnAppendThatEndsTheRunIsFoundByTheNext interrupts or kills the import
// while it appends; the next one, with or without IMAP, doubles nothing, and
// knows the message for its own.
func TestAnAppendThatEndsTheRunIsFoundByTheNext(t *testing.T) {
	for n := 1; n <= 3; n++ {
		for _, what := range []fate{interrupted, killedAfter} {
			for _, again := range []bool{true, false} {
				t.Run(fmt.Sprintf("append %d, %s, IMAP again: %t", n, what, again), func(t *testing.T) {
					bubble.Test(t, func(t *testing.T) { endAnAppend(t, n, what, again) })
				})
			}
		}
	}
}

func endAnAppend(t *testing.T, n int, what fate, again bool) {
	s, ar := newQuietTarget(t, jmaptest.Stalwart07), newArchive(t)
	ls := fewRepeated()
	snapshot(t, ar, contents{folders: inboxAndProject, letters: ls})
	before := len(s.Mailboxes("alice"))
	w := newWire(s.Server)
	s.over = w
	d := &imapDoor{s: s.Server, arrived: func(i int) {
		switch {
		case i != n:
		case what == interrupted:
			w.cancel()
		default:
			_ = w.kill() // the answer never comes
		}
	}}
	o := openQuietIMAP(t, d)
	ar, died := w.remains(t, ar, func(ctx context.Context) {
		ctx, w.cancel = context.WithCancel(ctx)
		_, err := Import(ctx, ar, s.account(), Options{IMAP: o})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended: %v", err)
		}
	})
	if died != (what == killedAfter) {
		t.Errorf("killed: %t", died)
	}
	d.arrived, s.over = nil, newWire(s.Server)
	next := Options{}
	if again {
		next.IMAP = openQuietIMAP(t, &imapDoor{s: s.Server})
	}
	res := s.imports(ar, next)
	left := int64(3 - n)
	if again {
		left = 0
		same(t, "messages", s.holds(), wants(ls, inboxAndProjects))
	}
	same(t, "failed", res.Types["Email"].Failed, left)
	same(t, "messages there", int64(len(s.holds())), int64(len(ls))-left)
	if got := len(s.Mailboxes("alice")); got != before+1 {
		t.Errorf("%d mailboxes, want %d: %+v", got, before+1, s.Mailboxes("alice"))
	}
	// All of them are this archive's: what goes from the source goes from here.
	snapshot(t, ar, contents{folders: inboxAndProject, letters: ls[5:]})
	s.imports(ar, Options{Delete: true})
	same(t, "messages less those that went", s.holds(), wants(ls[5:], inboxAndProjects))
}

func TestIMAPThatCantBeUsedIsSaid(t *testing.T) {
	for name, tc := range map[string]struct {
		door   *imapDoor
		change func(*IMAP)
		says   string
	}{
		"another account":  {&imapDoor{empty: true}, func(*IMAP) {}, "another account"},
		"a wrong password": {&imapDoor{}, func(o *IMAP) { o.Auth.Password = "no" }, "refused the sign-in"},
		"nobody listens":   {&imapDoor{}, func(o *IMAP) { o.Addr = "127.0.0.1:1" }, "127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			s, ar := newTarget(t, jmaptest.Stalwart07), newArchive(t)
			snapshot(t, ar, contents{folders: inboxAndProject, letters: fewRepeated()})
			tc.door.s = s.Server
			o := openIMAP(t, tc.door)
			tc.change(o)
			before := len(s.Mailboxes("alice"))
			res := s.imports(ar, Options{IMAP: o})
			emailCounts(t, res, Counts{Total: 8, Created: 5, Failed: 3})
			for _, f := range res.Failures {
				if !strings.Contains(f.Reason, tc.says) || !strings.Contains(f.Item, "m0@example.org") || !strings.Contains(f.Advice, "--imap-url") {
					t.Errorf("%+v", f)
				}
			}
			if tc.door.appended != 0 || len(s.Mailboxes("alice")) != before+1 {
				t.Errorf("%d appended, mailboxes %+v", tc.door.appended, s.Mailboxes("alice"))
			}
		})
	}
}
