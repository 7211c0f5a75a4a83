package archive

import (
	"database/sql"
	"iter"
	"math"

	"mailhaul/account"
)

// PendingItem is a source Email that is not on the target as far as is known.
type PendingItem struct {
	SourceID string
	Blob     Hash // "" when the archive has no content for it
	Size     int64
	State    State // "" when it was never tried
	Reason   string
}

// survey is how the Emails of a snapshot stand against a journal.
type survey struct {
	pending, bytes int64 // what Pending yields, by the sizes that the server told
	// kept is how many done entries have their Email in the snapshot, as Removed
	// sees it.
	kept int64
	// fresh is the least receivedAt of those without an entry, in seconds since
	// 1970. Before it whatever is pending has an open entry.
	fresh int64
}

// surveyed is a survey that may still hold.
type surveyed struct {
	survey
	snapshot int
	writes   int64 // of the journal, when it was taken
	losses   int64
}

// survey walks over all Emails once, side by side with the entries, in the order
// in which both lie on the disk. Nothing else tells what is left of a large
// import in seconds: by receivedAt each Email and each entry is looked up at random.
func (j *Journal) survey(n int) (survey, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.surveyed.snapshot == n && n != newest && j.surveyed.writes == j.writes.Load() {
		return j.surveyed.survey, nil
	}
	s := surveyed{snapshot: n, writes: j.writes.Load(), losses: j.losses.Load()}
	_, err := j.a.cat.row(`SELECT coalesce(sum(e.state IS NULL OR e.state <> 'done'), 0),
			coalesce(sum(CASE WHEN e.state = 'done' THEN 0 ELSE r.size END), 0),
			coalesce(sum(e.state = 'done' AND (e.blob IS NULL OR e.blob = r.blob)), 0),
			coalesce(min(CASE WHEN e.state IS NULL THEN r.received END), ?3)
		FROM record r LEFT JOIN entry e ON e.journal = ?1 AND e.type = 'Email' AND e.source_id = r.id AND `+sameContent+`
		WHERE r.type = 'Email' AND r.snapshot <= ?2 AND (r.until IS NULL OR r.until > ?2) AND NOT r.gone`,
		[]any{j.n, n, int64(math.MaxInt64)}, &s.pending, &s.bytes, &s.kept, &s.fresh)
	if err != nil {
		return survey{}, j.a.catalogError("plan the import", err)
	}
	j.surveyed = s
	return s.survey, nil
}

// freshFrom is a time before which every Email of the snapshot has an entry.
// Entries that are added do not make it wrong, those that go do.
func (j *Journal) freshFrom(n int) (int64, error) {
	j.mu.Lock()
	s := j.surveyed
	j.mu.Unlock()
	if s.snapshot == n && n != newest && s.losses == j.losses.Load() {
		return s.fresh, nil
	}
	now, err := j.survey(n)
	return now.fresh, err
}

// PendingCount counts what Pending yields, and its bytes by what the server said
// of their sizes.
func (j *Journal) PendingCount(at int) (items, bytes int64, err error) {
	n, err := j.a.snapshotAt(at)
	if err != nil {
		return 0, 0, err
	}
	s, err := j.survey(n)
	return s.pending, s.bytes, err
}

// pendingRow is a PendingItem and its place in the order.
type pendingRow struct {
	received int64
	key      string
	PendingItem
}

const pendingColumns = `r.received, r.match_key, r.id, b.hash, coalesce(b.size, r.size), coalesce(e.state, ''), coalesce(e.reason, '')`

func scanPending(rs *sql.Rows) (it pendingRow, err error) {
	var blob []byte
	err = rs.Scan(&it.received, &it.key, &it.SourceID, &blob, &it.Size, &it.State, &it.Reason)
	it.Blob = hashOf(blob)
	return it, err
}

// Pending yields the source Emails of snapshot at that have no done entry, with
// the entry's state if there is one: first those that were tried before, as far
// as they are older than all that were not, then the others by receivedAt. Its
// body may change the journal. It takes as long as what it yields.
func (j *Journal) Pending(at int) iter.Seq2[PendingItem, error] {
	return func(yield func(PendingItem, error) bool) {
		n, err := j.a.snapshotAt(at)
		var from int64
		if err == nil {
			from, err = j.freshFrom(n)
		}
		if err != nil {
			yield(PendingItem{}, err)
			return
		}
		for _, part := range []iter.Seq2[pendingRow, error]{j.triedBefore(n, from), j.pendingFrom(n, from)} {
			for it, err := range part {
				if !yield(it.PendingItem, err) || err != nil {
					return
				}
			}
		}
	}
}

// triedBefore yields the pending Emails with an entry, received before a time.
func (j *Journal) triedBefore(n int, before int64) iter.Seq2[pendingRow, error] {
	return pages(func(last *pendingRow) ([]pendingRow, error) {
		after := ""
		if last != nil {
			after = last.SourceID
		}
		list, err := rows(j.a.cat, scanPending, `SELECT `+pendingColumns+` FROM entry e INDEXED BY entry_open
			CROSS JOIN record r ON r.type = 'Email' AND r.id = e.source_id AND `+sameContent+`
			LEFT JOIN blob b ON b.hash = r.blob
			WHERE e.journal = ?1 AND e.type = 'Email' AND e.state <> 'done' AND e.source_id > ?3
				AND r.snapshot <= ?2 AND (r.until IS NULL OR r.until > ?2) AND NOT r.gone AND r.received < ?4
			ORDER BY e.source_id LIMIT ?5`, j.n, n, after, before, pageRows)
		return list, j.a.catalogError("plan the import", err)
	})
}

// pendingFrom yields the pending Emails received from a time on.
func (j *Journal) pendingFrom(n int, from int64) iter.Seq2[pendingRow, error] {
	return pages(func(last *pendingRow) ([]pendingRow, error) {
		after := pendingRow{received: from}
		if last != nil {
			after = *last
		}
		list, err := rows(j.a.cat, scanPending, `SELECT `+pendingColumns+` FROM record r INDEXED BY record_order`+pendingJoins+
			` AND (r.received, r.match_key, r.id) > (?3, ?4, ?5) ORDER BY r.received, r.match_key, r.id LIMIT ?6`,
			j.n, n, after.received, after.key, after.SourceID, pageRows)
		return list, j.a.catalogError("plan the import", err)
	})
}

// PendingLarger yields what Pending does of the items that have more than so
// many bytes by what the server said of them, by source id.
func (j *Journal) PendingLarger(at int, size int64) iter.Seq2[PendingItem, error] {
	return func(yield func(PendingItem, error) bool) {
		n, err := j.a.snapshotAt(at)
		if err != nil {
			yield(PendingItem{}, err)
			return
		}
		for it, err := range pages(func(last *pendingRow) ([]pendingRow, error) {
			after := ""
			if last != nil {
				after = last.SourceID
			}
			list, err := rows(j.a.cat, scanPending, `SELECT `+pendingColumns+` FROM record r`+pendingJoins+
				` AND r.size > ?3 AND r.id > ?4 ORDER BY r.type, r.id LIMIT ?5`, j.n, n, size, after, pageRows)
			return list, j.a.catalogError("look for what is too large", err)
		}) {
			if !yield(it.PendingItem, err) || err != nil {
				return
			}
		}
	}
}

// Removed yields done entries of the type whose source object is gone at
// snapshot at: for an Email also when its id names other content by then. What a
// snapshot with a Scope never had is not gone: it may only not have been read.
func (j *Journal) Removed(at int, t account.Type) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		n, err := j.a.snapshotAt(at)
		none := false
		if err == nil && t.Name == account.Email.Name {
			none, err = j.noneRemoved(n)
		}
		if err != nil {
			yield(Entry{}, err)
			return
		}
		if none {
			return
		}
		for e, err := range j.entries(t.Name, ` AND e.state = 'done' AND NOT EXISTS (
				SELECT 1 FROM record r WHERE r.type = e.type AND r.id = e.source_id AND r.snapshot <= ? AND (r.until IS NULL OR r.until > ?) AND NOT r.gone
					AND (e.type <> 'Email' OR e.blob IS NULL OR e.blob = r.blob))
			AND (NOT EXISTS (SELECT 1 FROM snapshot s WHERE s.n = ? AND json_extract(s.record, '$.scope') IS NOT NULL)
				OR EXISTS (SELECT 1 FROM record r WHERE r.type = e.type AND r.id = e.source_id AND r.snapshot <= ?))`, []any{n, n, n, n}) {
			if !yield(e, err) {
				return
			}
		}
	}
}

// noneRemoved says whether the Emails of all done entries are in the snapshot.
func (j *Journal) noneRemoved(n int) (bool, error) {
	s, err := j.survey(n)
	if err != nil {
		return false, err
	}
	counts, err := j.Counts(account.Email.Name)
	return counts[Done] == s.kept, err
}
