package importer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient/jmaptest"
)

func (s *target) verifies(ar *archive.Archive, o VerifyOptions) *VerifyReport {
	s.t.Helper()
	rep, err := Verify(context.Background(), ar, s.account(), o)
	must(s.t, err)
	return rep
}

// differences are a report's, "what id", sorted.
func differences(rep *VerifyReport) (list []string) {
	for _, d := range rep.Differences {
		list = append(list, d.What+" "+d.ID)
	}
	return sorted(list)
}

var whole = contents{
	folders:    []folder{inbox, {id: "p", name: "a/b"}, {id: "y", name: "y", parent: "p"}},
	identities: []account.Object{identity("Alice", "alice@example.org", "-- A")},
	scripts:    []script{{"main", "keep;\r\n", true}},
	vacation:   vacationOf(false, "away"),
}

func TestVerifyFindsAnImportWhole(t *testing.T) {
	for _, digests := range []bool{true, false} {
		p := withoutDigests(!digests)
		p.NoSlash = true
		s, ar := newTarget(t, p), newArchive(t)
		c := whole
		c.letters = mails(120)
		c.letters[4].boxes = []string{"p", "y"}
		c.letters[5].boxes = []string{"nowhere"}
		twin := c.letters[6]
		twin.id = "twin"
		c.letters = append(c.letters, twin)
		snapshot(t, ar, c)
		s.imports(ar, Options{})
		// With the journal, and on another machine without.
		other := newArchive(t)
		snapshot(t, other, c)
		for _, ar := range []*archive.Archive{ar, other} {
			for _, full := range []bool{false, true} {
				before := s.Requests()["Email/set"] + s.Requests()["Mailbox/set"]
				rep := s.verifies(ar, VerifyOptions{Sample: 20, Full: full})
				same(t, "differences", rep.Differences, []Difference(nil))
				same(t, "extra", rep.Extra, int64(0))
				byDigest, byDownload, bySize := int64(121), int64(0), int64(0)
				if !digests {
					byDigest, byDownload, bySize = 0, 20, 101
				}
				if !digests && full {
					byDownload, bySize = 121, 0
				}
				same(t, "how", []int64{rep.ByDigest, rep.ByDownload, rep.BySize}, []int64{byDigest, byDownload, bySize})
				if n := s.Requests()["Email/set"] + s.Requests()["Mailbox/set"]; n != before {
					t.Errorf("verify wrote")
				}
			}
		}
	}
}

func TestVerifyFindsEveryKindOfDifference(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	c := whole
	c.letters = mails(10)
	snapshot(t, ar, c)
	s.imports(ar, Options{})
	ids := s.ids()
	id := func(n int) string { return ids[int64(len(c.letters[n].raw))] }
	s.Destroy("alice", id(1))
	s.Modify("alice", id(2), []string{"Inbox"}, []string{"$seen", "$flagged"})
	s.Modify("alice", id(3), []string{"Inbox"}, nil)
	s.Modify("alice", id(4), []string{"Trash"}, []string{"$seen"})
	s.Modify("alice", id(5), []string{"Inbox", "Trash"}, []string{"$seen"})
	s.put(mail(50), "Inbox")
	s.addScript("main", "discard;\r\n")
	rep := s.verifies(ar, VerifyOptions{})
	same(t, "differences", differences(rep), sorted([]string{"missing e1", "keywords e2", "keywords e3", "mailboxes e4", "mailboxes e5", "content s-main"}))
	same(t, "extra", rep.Extra, int64(1))
	same(t, "counts", rep.Types["Email"], Counts{Total: 10, Present: 5, Failed: 5})
	i := slices.IndexFunc(rep.Mailboxes, func(m MailboxTally) bool { return m.Path == "INBOX" })
	same(t, "the inbox's row", rep.Mailboxes[i], MailboxTally{Path: "INBOX", Target: "Inbox", Archive: 10, Server: 9, Matched: 9, Missing: 1, Differ: 4, Extra: 1})
}

func TestVerifyComparesBytesAndDates(t *testing.T) {
	for _, digests := range []bool{true, false} {
		s, ar := newTarget(t, withoutDigests(!digests)), newArchive(t)
		ls := mails(3)
		snapshot(t, ar, onlyInbox(ls))
		changed := ls[0]
		changed.raw = strings.Replace(changed.raw, "body", "BODY", 1)
		s.put(changed, "Inbox")
		later := ls[1]
		later.received = later.received.AddDate(1, 0, 0)
		s.put(later, "Inbox")
		s.put(ls[2], "Inbox")
		got := differences(s.verifies(ar, VerifyOptions{}))
		// The bytes tell the first apart where they are known; where not, the pair
		// is made by Message-ID and the download finds it. Another date is another message.
		want := []string{"bytes e0", "missing e1"}
		if digests {
			want = []string{"missing e0", "missing e1"}
		}
		same(t, fmt.Sprintf("differences (digests %t)", digests), got, want)
	}
}

func TestVerifyWantsTwoCopiesForTwo(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	a, b := mail(1), mail(1)
	b.id = "twin"
	snapshot(t, ar, onlyInbox([]letter{a, b}))
	s.put(mail(1), "Inbox")
	same(t, "differences", differences(s.verifies(ar, VerifyOptions{})), []string{"missing twin"})
	s.put(mail(1), "Inbox")
	same(t, "differences", differences(s.verifies(ar, VerifyOptions{})), []string(nil))
}

func TestVerifyOfAnEmptyAccountIsNoSuccess(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	snapshot(t, ar, onlyInbox(mails(7)))
	rep := s.verifies(ar, VerifyOptions{})
	if len(rep.Differences) != 7 {
		t.Errorf("%d differences", len(rep.Differences))
	}
	if js, err := ar.Journals(); err != nil || len(js) != 0 {
		t.Errorf("verify left a journal: %v %v", js, err)
	}
}
