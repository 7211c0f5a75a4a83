package importer

import (
	"testing"
	"time"

	"mailhaul/jmapclient/jmaptest"
)

// TestTheSameBytesReceivedLaterAreAnotherMessage: one goes from the source, and
// its bytes come again with another date, under a new id or under the same one
// (Stalwart 0.6 and 0.7 then give the same blobId too).
func TestTheSameBytesReceivedLaterAreAnotherMessage(t *testing.T) {
	for _, id := range []string{"new", mail(0).id} {
		t.Run(id, func(t *testing.T) {
			s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
			ls := mails(3)
			snapshot(t, ar, contents{folders: twoBoxes, letters: ls})
			s.imports(ar, Options{})
			again := ls[0]
			again.id, again.boxes, again.received = id, []string{"p"}, again.received.Add(2*time.Second)
			now := []letter{again, ls[1], ls[2]}
			snapshot(t, ar, contents{folders: twoBoxes, letters: now})
			s.imports(ar, Options{})
			same(t, "messages without --delete", s.holds(), wants([]letter{ls[0], again, ls[1], ls[2]}, twoPaths))

			s, ar = newTarget(t, jmaptest.Strict), newArchive(t)
			snapshot(t, ar, contents{folders: twoBoxes, letters: ls})
			s.imports(ar, Options{})
			snapshot(t, ar, contents{folders: twoBoxes, letters: now})
			s.imports(ar, Options{Delete: true})
			same(t, "messages with --delete", s.holds(), wants(now, twoPaths))
		})
	}
}

// TestARefusedKeywordDoesNotCostTheMove: what the server does take of a change
// is written, and the keyword is named.
func TestARefusedKeywordDoesNotCostTheMove(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	ls := mails(2)
	snapshot(t, ar, contents{folders: twoBoxes, letters: ls})
	s.imports(ar, Options{})
	ls[0].boxes, ls[0].keywords = []string{"p"}, []string{"$flagged", "$seen", "ä"}
	snapshot(t, ar, contents{folders: twoBoxes, letters: ls})
	res := s.imports(ar, Options{})
	ls[0].keywords = []string{"$flagged", "$seen"}
	same(t, "messages", s.holds(), wants(ls, twoPaths))
	same(t, "failures", res.Failures, []Failure(nil))
	if len(res.Warnings) != 1 {
		t.Errorf("warnings: %q", res.Warnings)
	}
	s.ResetCounts()
	s.imports(ar, Options{})
	if n := s.Requests()["Email/set"]; n != 0 {
		t.Errorf("a further import sends %d Email/set", n)
	}
}
