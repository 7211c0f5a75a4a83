package archive

import (
	"regexp"
	"strings"
	"testing"

	"mailhaul/account"
)

// A query may walk over a table once. What it looks up for each row has to be
// found by a whole key: else time grows with the square of what is kept.
func TestQueriesLookUpByWholeKeys(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	for n := range 3 {
		putEmail(t, r, n)
	}
	collect(t, r.Unseen(account.Email))
	must(t, r.Finish(SnapshotRecord{}))
	j, err := a.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	defer j.Close()
	must(t, j.Put(Entry{Type: "Email", SourceID: "M1", State: Done, TargetID: "N1"}, Entry{Type: "Email", SourceID: "M2", State: Failed}))
	must(t, j.ListPut(Listed{ID: "N2", Key: account.MatchKey(email(2))}))
	if len(collect(t, j.Candidates(0, nil)))+len(collect(t, j.Candidates(0, []string{"M2"}))) != 2 {
		t.Error("no candidates")
	}
	collect(t, j.Pending(0))
	collect(t, j.Entries("Email"))
	collect(t, j.Entries("Email", InFlight, Failed))
	collect(t, j.Changed(0, 1, account.Email))
	collect(t, j.Removed(0, account.Email))
	collect(t, j.Listed())
	_, _, err = j.PendingCount(0)
	must(t, err)
	_, err = j.Counts("Email")
	must(t, err)
	_, err = a.Journals()
	must(t, err)
	verifyClean(t, a)

	table := regexp.MustCompile(`^(SCAN|SEARCH) \w+`)
	part := regexp.MustCompile(`^SCAN|\((journal|type)=\?( AND type=\?)?\)`)
	small := regexp.MustCompile(`^SCAN (w|k|o|open|json_each|CONSTANT|snapshot|pack|journal)\b`)
	queries := 0
	for text := range a.cat.stmts {
		rs, err := a.cat.read.Query("EXPLAIN QUERY PLAN "+text, make([]any, strings.Count(text, "?"))...)
		must(t, err)
		var plan []string
		inner := map[int]bool{} // steps below which all is done for each row of something
		for rs.Next() {
			var id, parent, unused int
			var detail string
			must(t, rs.Scan(&id, &parent, &unused, &detail))
			plan = append(plan, detail)
			inner[id] = inner[parent] && parent != 0 || strings.HasPrefix(detail, "CORRELATED")
			if !table.MatchString(detail) {
				continue
			}
			queries++
			if inner[parent] && part.MatchString(detail) && !small.MatchString(detail) {
				t.Errorf("%s\n  %s", text, strings.Join(plan, "\n  "))
			}
			inner[parent] = true // of what is joined to it
		}
		must(t, rs.Err())
		must(t, rs.Close())
	}
	if queries < 20 {
		t.Errorf("%d plans looked at", queries)
	}
}
