package importer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailhaul/internal/bubble"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// repeated are messages, among them groups of two to six that share a
// Message-ID: some with the same bytes and date, some with the same bytes at
// another time, some with other bytes.
func repeated(messages, groups int) []letter {
	ls := mails(messages)
	n := 0
	for g := range groups {
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
	a, err := s.dial("admin", "adminpw").Client.Account(context.Background(), "alice")
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
			bubble.Test(t, func(t *testing.T) {
				s, ar := newQuietTarget(t, p), newArchive(t)
				untouched := s.adminsMail()
				ls := repeated(detourMails, detourGroups)
				snapshot(t, ar, contents{folders: inboxAndProject, letters: ls})
				res, err := Import(context.Background(), ar, s.asAdmin(), Options{})
				must(t, err)
				emailCounts(t, res, Counts{Total: detourMails, Created: detourMails})
				same(t, "messages", s.holds(), wants(ls, inboxAndProjects))
				untouched(t)
				if !slices.ContainsFunc(res.Warnings, func(w string) bool {
					return strings.HasPrefix(w, fmt.Sprintf("%d messages share a Message-ID", detourGroups/5*(1+2+3+4+5)))
				}) {
					t.Errorf("the warnings do not count them: %q", res.Warnings)
				}
				rep, err := Verify(context.Background(), ar, s.asAdmin(), VerifyOptions{Full: true})
				must(t, err)
				same(t, "differences", rep.Differences, []Difference(nil))
				s.ResetCounts()
				res, err = Import(context.Background(), ar, s.asAdmin(), Options{})
				must(t, err)
				emailCounts(t, res, Counts{Total: detourMails, Present: detourMails})
				if n := s.Requests()["Email/import"] + s.Requests()["Email/copy"]; n > 0 {
					t.Errorf("a second import sends %d times", n)
				}
			})
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

// theRoute is which requests of an import of fewRepeated bring in what the
// server drops: those from the first behind the Email/import that it drops from.
func theRoute(t *testing.T, o Options, open func(*target) *jmapclient.Account) (first, last int) {
	s, ar := newQuietTarget(t, jmaptest.Stalwart07), newArchive(t)
	snapshot(t, ar, contents{folders: inboxAndProject, letters: fewRepeated()})
	w := newWire(s.Server)
	s.over = w
	_, err := Import(context.Background(), ar, open(s), o)
	must(t, err)
	return slices.Index(w.log, "Email/import") + 2, len(w.log)
}

// TestEveryStepOfTheDetourCanBreak lets each request of the detour in turn not
// be sent, or its answer be lost, or the run be interrupted or killed at it. A
// clean run at the end leaves each message there once, and nothing in the
// administrator's account; and a later import knows all of them for its own.
func TestEveryStepOfTheDetourCanBreak(t *testing.T) {
	for i, what := range []fate{notSent, answerLost, interrupted, lostThen, killedAt, killedAfter, brokenLate, killedLate} {
		t.Run(string(what), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				first, last := theRoute(t, Options{}, (*target).asAdmin)
				if last-first < 8 {
					t.Fatalf("the detour takes %d requests", last-first+1)
				}
				for n := first + i%detourNth; n <= last; n += detourNth { // another one for each fate
					breakTheDetour(t, what, n)
				}
			})
		})
	}
}

func breakTheDetour(t *testing.T, what fate, at int) {
	s, ar := newQuietTarget(t, jmaptest.Stalwart07), newArchive(t)
	untouched := s.adminsMail()
	ls := fewRepeated()
	snapshot(t, ar, contents{folders: inboxAndProject, letters: ls})
	w := newWire(s.Server)
	var asked string
	w.fate = func(n int, methods string) fate {
		if n != at {
			return ""
		}
		asked = methods
		return what
	}
	s.over = w
	var res *Result
	var err error
	ar, died := w.remains(t, ar, func(ctx context.Context) {
		ctx, w.cancel = context.WithCancel(ctx)
		res, err = Import(ctx, ar, s.asAdmin(), Options{})
	})
	where := fmt.Sprintf("request %d (%s)", at, asked)
	switch what {
	case notSent, answerLost, brokenLate: // it gets over that by itself
		must(t, err)
		same(t, "failures at "+where, res.Failures, []Failure(nil))
		untouched(t)
	case interrupted:
		untouched(t)
	case killedAt, killedAfter, killedLate:
		if !died {
			t.Errorf("it was not killed at %s", where)
		}
	}
	s.over = newWire(s.Server)
	res, err = Import(context.Background(), ar, s.asAdmin(), Options{})
	must(t, err)
	w.late.Wait()
	same(t, "failures after "+where, res.Failures, []Failure(nil))
	same(t, "messages after "+where, s.holds(), wants(ls, inboxAndProjects))
	untouched(t)
	// All of them are this archive's: what goes from the source goes from here.
	snapshot(t, ar, contents{folders: inboxAndProject, letters: ls[5:]})
	_, err = Import(context.Background(), ar, s.asAdmin(), Options{Delete: true})
	must(t, err)
	same(t, "messages less those that went, after "+where, s.holds(), wants(ls[5:], inboxAndProjects))
	must(t, ar.Close())
	if t.Failed() {
		t.FailNow()
	}
}
