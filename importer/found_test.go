package importer

import (
	"fmt"
	"strings"
	"testing"

	"mailhaul/jmapclient/jmaptest"
)

func TestWhatIsThereIsNotSentAgain(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	ls := mails(10)
	ls[0].keywords = []string{"$seen", "work"}
	snapshot(t, ar, contents{folders: []folder{inbox, {id: "p", name: "Projects"}}, letters: ls})
	own := mail(0)
	own.keywords = []string{"$flagged"}
	s.put(own, "Projects")
	s.put(mail(1), "Inbox")
	foreign := mail(99)
	s.put(foreign, "Projects")
	res := s.imports(ar, Options{})
	// Folders and keywords are added, none is taken away.
	want := wants(ls[1:], inboxOnly)
	want = append(want, line([]string{"Inbox", "Projects"}, []string{"$flagged", "$seen", "work"}, own.received, own.raw),
		line([]string{"Projects"}, foreign.keywords, foreign.received, foreign.raw))
	same(t, "messages", s.holds(), sorted(want))
	emailCounts(t, res, Counts{Total: 10, Created: 8, Updated: 1, Present: 1})
}

func TestCopiesAreCounted(t *testing.T) {
	for there := range 4 {
		s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
		a, b := mail(1), mail(1)
		b.id = "twin"
		snapshot(t, ar, onlyInbox([]letter{a, b}))
		for range there {
			s.put(mail(1), "Inbox")
		}
		s.imports(ar, Options{})
		s.imports(ar, Options{})
		if got, want := len(s.holds()), max(2, there); got != want {
			t.Errorf("two copies over %d: %d are there, want %d", there, got, want)
		}
	}
}

func TestBytesDecideWhereMessageIDsLeaveADoubt(t *testing.T) {
	twin := func(id, raw string) letter {
		l := mail(1)
		l.id, l.raw = id, strings.Replace(mail(1).raw, "body", raw, 1)
		return l
	}
	for _, digests := range []bool{true, false} {
		for _, msgID := range []string{"m1@example.org", ""} {
			a, b, c := twin("a", "AAAA"), twin("b", "BBBB"), twin("c", "CCCC") // one key, one Message-ID
			for _, l := range []*letter{&a, &b, &c} {
				l.msgID = msgID
				if msgID == "" {
					l.raw = strings.Replace(l.raw, "Message-ID: <m1@example.org>", "X-Other-Head: <m1@example.org>", 1)
				}
			}
			s, ar := newTarget(t, withoutDigests(!digests)), newArchive(t)
			snapshot(t, ar, onlyInbox([]letter{a, b}))
			s.put(b, "Inbox")
			s.put(c, "Inbox")
			s.imports(ar, Options{})
			same(t, fmt.Sprintf("messages (digests %t, Message-ID %q)", digests, msgID), s.holds(), wants([]letter{a, b, c}, inboxOnly))
		}
	}
}

// withoutDigests is a server that lacks RFC 9404.
func withoutDigests(without bool) jmaptest.Profile {
	p := jmaptest.Strict
	if without {
		p.Capabilities = capabilitiesWithout("urn:ietf:params:jmap:blob")
	}
	return p
}
