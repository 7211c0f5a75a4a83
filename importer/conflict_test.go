package importer

import (
	"slices"
	"strings"
	"testing"

	"mailhaul/jmapclient/jmaptest"
)

func TestWhatBothSidesChangedIsDecidedByTheConflictPolicy(t *testing.T) {
	for _, policy := range append(Conflicts, "") {
		t.Run(string(policy), func(t *testing.T) {
			s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
			ls := mails(6)
			s.put(letter{boxes: []string{"inbox"}, keywords: []string{"work"}, received: ls[5].received, raw: ls[5].raw}, "Inbox") // there before
			snapshot(t, ar, contents{folders: twoBoxes, letters: ls})
			s.imports(ar, Options{})
			s.Modify("alice", s.idOf(ls[0]), []string{"Inbox"}, []string{"$flagged", "$seen"})
			s.Modify("alice", s.idOf(ls[1]), []string{"Quiet"}, []string{"$seen"})
			s.Modify("alice", s.idOf(ls[2]), []string{"Quiet"}, []string{"$seen"})
			s.Modify("alice", s.idOf(ls[3]), []string{"Projects"}, []string{"$seen"})
			s.Modify("alice", s.idOf(ls[4]), []string{"Inbox"}, []string{"$flagged", "$seen"})
			now := slices.Clone(ls[:4])                         // 4 goes
			now = append(now, ls[5])                            // only the source changes
			now[0].keywords = []string{"$answered"}             // both change the keywords
			now[1].boxes = []string{"p"}                        // both move it
			now[2].keywords = []string{"$answered"}             // each changes another thing
			now[3].boxes = []string{"p"}                        // both move it to the same
			now[4].keywords = []string{"$answered", "$flagged"} // nobody touched it on the target
			snapshot(t, ar, contents{folders: twoBoxes, letters: now})
			res := s.imports(ar, Options{Conflict: policy, Delete: true})

			want := slices.Clone(now)
			want[2].boxes, want[4].keywords = []string{"q"}, []string{"$answered", "$flagged", "work"}
			if policy != ConflictSource {
				want[0].keywords, want[1].boxes = []string{"$flagged", "$seen"}, []string{"q"}
				gone := ls[4]
				gone.keywords = []string{"$flagged", "$seen"}
				want = append(want, gone)
			}
			same(t, "messages", s.holds(), wants(want, twoPaths))
			var told []string
			for _, c := range res.Conflicts {
				told = append(told, c.What+" "+c.ID+" "+c.Source+" / "+c.Target)
			}
			slices.Sort(told)
			switch policy {
			case ConflictReport, "":
				same(t, "reported", told, []string{`keywords e0 "$answered" / "$flagged", "$seen"`, `mailboxes e1 "Projects" / "Quiet"`,
					`removal e4 gone / in "Inbox" with "$flagged", "$seen"`})
				if !strings.Contains(strings.Join(res.Warnings, "\n"), "3 things were changed on both sides") {
					t.Errorf("warnings: %q", res.Warnings)
				}
			default:
				same(t, "reported", told, []string(nil))
			}
			if kept := res.Types["Email"].Kept; (kept == 3) == (policy == ConflictSource) {
				t.Errorf("%d kept", kept)
			}

			// A second run asks again until one of the sides was chosen.
			res = s.imports(ar, Options{Delete: true})
			if n := len(res.Conflicts); (n == 3) != (policy == ConflictReport || policy == "") || n != 0 && n != 3 {
				t.Errorf("a second run reports %+v", res.Conflicts)
			}
			s.imports(ar, Options{Delete: true, Conflict: ConflictSource})
			if policy != ConflictTarget {
				want = slices.Clone(now)
				want[2].boxes, want[4].keywords = []string{"q"}, []string{"$answered", "$flagged", "work"}
			}
			same(t, "messages after the source's were chosen", s.holds(), wants(want, twoPaths))
		})
	}
}

func TestAnIdenticalCopyThatStandsForTwoIsNoConflict(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Cyrus36), newArchive(t)
	a, b := mail(1), mail(1)
	b.id, b.boxes = "twin", []string{"p"}
	snapshot(t, ar, contents{folders: twoBoxes, letters: []letter{a, b}})
	s.imports(ar, Options{})
	a.keywords = []string{"$seen", "$flagged"}
	b.boxes = []string{"q"}
	snapshot(t, ar, contents{folders: twoBoxes, letters: []letter{a, b}})
	res := s.imports(ar, Options{})
	same(t, "conflicts", res.Conflicts, []Clash(nil))
	one := a
	one.boxes = []string{"inbox", "q"}
	same(t, "messages", s.holds(), wants([]letter{one}, twoPaths))
}
