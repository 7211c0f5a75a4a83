package archive

import (
	"database/sql"
	"maps"
	"regexp"
	"slices"
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
	end, err := a.End()
	must(t, err)
	collect(t, j.Ahead(Place{}, end))
	collect(t, j.Entries("Email"))
	collect(t, j.Entries("Email", InFlight, Failed))
	collect(t, j.Changed(0, 1, account.Email))
	collect(t, j.Removed(0, account.Email))
	collect(t, j.Removed(0, account.Mailbox))
	collect(t, j.PendingLarger(0, 1))
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
	_, err = a.cat.prepare(missingEntries) // it is run by the writer
	must(t, err)
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

// What an import asks ahead of its first message walks over a large account at
// most once, and then over two tables in the order of both.
func TestAnImportThatGoesOnLooksNothingUpAtRandom(t *testing.T) {
	a, _ := small(t, 3)
	j := journal(t, a)
	collect(t, j.Pending(0))
	collect(t, j.PendingLarger(0, 1))
	collect(t, j.Candidates(0, nil))
	_, err := a.cat.prepare(missingEntries)
	must(t, err)
	want := map[string][]string{
		"entry e INDEXED BY entry_open":      {"SEARCH e USING INDEX entry_open (journal=? AND type=? AND source_id>?)", "SEARCH r USING PRIMARY KEY (type=? AND id=? AND snapshot<?)"},
		"entry e INDEXED BY entry_target":    {"SEARCH e USING COVERING INDEX entry_target (journal=? AND type=?)", "SEARCH l USING PRIMARY KEY (journal=? AND id=?)"},
		"record r INDEXED BY record_order\n": {"SEARCH r USING INDEX record_order (type=? AND (received,match_key,id)>(?,?,?))"},
		"r.size > ?3":                        {"SEARCH r USING PRIMARY KEY (type=? AND id>?)"},
		"min(CASE":                           {"SEARCH r USING PRIMARY KEY (type=?)", "SEARCH e USING PRIMARY KEY (journal=? AND type=? AND source_id=?) LEFT-JOIN"},
		"ORDER BY l.journal, l.id":           {"SEARCH l USING PRIMARY KEY (journal=?)", "SEARCH d USING COVERING INDEX entry_target (journal=? AND type=? AND target_id=?)"},
	}
	texts := slices.Sorted(maps.Keys(a.cat.stmts))
	for part, steps := range want {
		found := false
		for _, text := range texts {
			if !strings.Contains(text, part) {
				continue
			}
			found = true
			plan, err := rows(a.cat, func(rs *sql.Rows) (s string, err error) { return s, rs.Scan(new(int), new(int), new(int), &s) },
				"EXPLAIN QUERY PLAN "+text, make([]any, strings.Count(text, "?"))...)
			must(t, err)
			all := strings.Join(plan, "\n")
			for _, step := range steps {
				if !slices.Contains(plan, step) {
					t.Errorf("%s\n%s\nnot %s", text, all, step)
				}
			}
			if strings.Contains(all, "TEMP B-TREE") {
				t.Errorf("%s\n%s", text, all)
			}
		}
		if !found {
			t.Errorf("no query with %q", part)
		}
	}
}

// An archive of an earlier mailhaul has other indexes.
func TestTheIndexesOfAnEarlierArchiveAreMadeAnew(t *testing.T) {
	a, hashes := small(t, 3)
	must(t, a.cat.update("age", func(tx *sql.Tx) error {
		_, err := tx.Exec(`DROP INDEX entry_target; DROP INDEX entry_open;
			CREATE INDEX entry_target ON entry (journal, type, target_id, state);
			CREATE INDEX entry_open ON entry (journal, type, state) WHERE state <> 'done'`)
		return err
	}))
	for range 2 {
		j := journal(t, a)
		must(t, j.Put(Entry{Type: "Email", SourceID: "M1", Blob: hashes[1], State: Done, TargetID: "N1"}))
		if got := collect(t, j.Pending(0)); len(got) != 2 {
			t.Errorf("pending: %+v", got)
		}
		must(t, j.Close())
		for name, want := range map[string]string{"entry_target": entryTarget, "entry_open": entryOpen} {
			var is string
			if _, err := a.cat.row(`SELECT sql FROM sqlite_schema WHERE name = ?`, []any{name}, &is); err != nil || is != want {
				t.Error(is, err)
			}
		}
	}
}
