package importer

import (
	"context"
	"slices"
	"testing"

	"mailhaul/account"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// ids are the target's messages by size, which the tests keep distinct.
func (s *target) ids() map[int64]string {
	p, err := s.account().Page(context.Background(), account.Email, jmapclient.PageArgs{Sort: byReceived, Props: listProps})
	must(s.t, err)
	ids := map[int64]string{}
	for _, o := range p.List {
		ids[o.Int("size")] = o.ID()
	}
	return ids
}

func (s *target) idOf(l letter) string { return s.ids()[int64(len(l.raw))] }

var twoBoxes = []folder{inbox, {id: "p", name: "Projects"}, {id: "q", name: "Quiet"}}

var twoPaths = map[string]string{"inbox": "Inbox", "p": "Projects", "q": "Quiet"}

func TestChangesOnTheSourceAreCarriedOverAndTheUsersOwnStay(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	ls := mails(5)
	snapshot(t, ar, contents{folders: twoBoxes, letters: ls})
	s.imports(ar, Options{})
	// The user flags 0 and moves 1; the source reads 0, moves 1 and 2, unflags 3.
	s.Modify("alice", s.idOf(ls[0]), []string{"Inbox"}, []string{"$seen", "$flagged"})
	s.Modify("alice", s.idOf(ls[1]), []string{"Quiet"}, []string{"$seen"})
	ls[0].keywords = []string{"$answered"}
	ls[1].boxes = []string{"p"}
	ls[2].boxes = []string{"p", "inbox"}
	ls[3].keywords = nil
	snapshot(t, ar, contents{folders: twoBoxes, letters: ls})
	res := s.imports(ar, Options{})
	want := slices.Clone(ls)
	want[0].keywords = []string{"$seen", "$flagged"} // both sides changed them: reported
	want[1].boxes = []string{"q"}
	same(t, "messages", s.holds(), wants(want, twoPaths))
	emailCounts(t, res, Counts{Total: 5, Present: 3, Updated: 2, Kept: 2})
	s.ResetCounts()
	s.imports(ar, Options{})
	if n := s.Requests()["Email/set"]; n != 0 {
		t.Errorf("%d Email/set with nothing new", n)
	}
}

func TestOnlyDeleteRemovesAndOnlyWhatAnImportCreated(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	ls := mails(4)
	s.put(ls[3], "Inbox") // was there before
	snapshot(t, ar, contents{folders: twoBoxes, letters: ls})
	s.imports(ar, Options{})
	snapshot(t, ar, contents{folders: twoBoxes[:2], letters: ls[:1]})
	s.imports(ar, Options{})
	same(t, "messages without --delete", s.holds(), wants(ls, twoPaths))
	res := s.imports(ar, Options{Delete: true})
	same(t, "messages with --delete", s.holds(), wants([]letter{ls[0], ls[3]}, twoPaths))
	emailCounts(t, res, Counts{Total: 1, Present: 1, Removed: 2})
	if slices.Contains(s.paths(), "Quiet") || !slices.Contains(s.paths(), "Projects") {
		t.Errorf("mailboxes: %q", s.paths())
	}
}

func TestAnIDThatNamesAnotherMessageByNowIsLeftAlone(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Profile{ReuseIDs: true}), newArchive(t)
	ls := mails(3)
	snapshot(t, ar, contents{folders: twoBoxes, letters: ls})
	s.imports(ar, Options{})
	id := s.idOf(ls[1])
	s.Destroy("alice", id)
	stranger := mail(60)
	if got := s.put(stranger, "Inbox"); got != id {
		t.Fatalf("the id was not used again: %s, not %s", got, id)
	}
	snapshot(t, ar, contents{folders: twoBoxes, letters: []letter{ls[0], ls[2]}})
	s.imports(ar, Options{Delete: true})
	same(t, "messages", s.holds(), wants([]letter{ls[0], ls[2], stranger}, twoPaths))
}

func TestAMessageUnderAnotherSourceIDIsNotSentAgain(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	ls := mails(3)
	snapshot(t, ar, contents{folders: twoBoxes, letters: ls})
	s.imports(ar, Options{})
	// Threads merged: one got a new id, and was moved. Two swapped their ids.
	ls[0].id, ls[0].boxes = "new", []string{"p"}
	ls[1].id, ls[2].id = ls[2].id, ls[1].id
	snapshot(t, ar, contents{folders: twoBoxes, letters: ls})
	s.ResetCounts()
	s.imports(ar, Options{})
	if n := s.Requests()["Email/import"]; n != 0 {
		t.Errorf("%d Email/import", n)
	}
	same(t, "messages", s.holds(), wants(ls, twoPaths))
	s.imports(ar, Options{Delete: true})
	same(t, "messages with --delete", s.holds(), wants(ls, twoPaths))
}

func TestASourceIDThatIsAnotherMessageByNowIsSent(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	ls := mails(2)
	snapshot(t, ar, contents{folders: twoBoxes, letters: ls})
	s.imports(ar, Options{})
	other := mail(9)
	other.id = ls[0].id
	snapshot(t, ar, contents{folders: twoBoxes, letters: []letter{other, ls[1]}})
	s.imports(ar, Options{Delete: true})
	same(t, "messages", s.holds(), wants([]letter{other, ls[1]}, twoPaths))
}

func TestAnOlderSnapshotCanBeRestored(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	first := mails(3)
	snapshot(t, ar, contents{folders: twoBoxes, letters: first})
	second := mails(4)
	second[0].keywords, second[1].boxes = nil, []string{"p"}
	snapshot(t, ar, contents{folders: twoBoxes, letters: second[:4]})
	s.imports(ar, Options{})
	same(t, "the newest", s.holds(), wants(second, twoPaths))
	s.imports(ar, Options{At: 1, Delete: true})
	same(t, "the first", s.holds(), wants(first, twoPaths))
}
