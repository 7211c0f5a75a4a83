package archive

import (
	"database/sql"
	"iter"
	"slices"

	"mailhaul/account"
)

// Listed is an Email that is known to be on the target. The listing is all of
// them, kept in the catalog so that memory stays bounded.
type Listed struct {
	ID, BlobID string
	Key        string // account.MatchKey
	MessageIDs string // account.MessageIDs
}

const listedColumns = `l.id, l.blob_id, l.match_key, l.message_ids`

func scanListed(rs *sql.Rows) (l Listed, err error) {
	return l, rs.Scan(&l.ID, &l.BlobID, &l.Key, &l.MessageIDs)
}

// ListReset empties the listing.
func (j *Journal) ListReset() error {
	return j.update("empty the listing", func(tx *sql.Tx) error {
		_, err := tx.Exec(`DELETE FROM listed WHERE journal = ?`, j.n)
		return err
	})
}

// ListPut adds rows to the listing, or replaces those with the same id. It is
// durable with what is written durably after it: the note of the state that the
// listing is for (SetNote).
func (j *Journal) ListPut(rows ...Listed) error {
	if len(rows) == 0 {
		return nil
	}
	return j.updateSoon("write the listing", func(tx *sql.Tx) error {
		s, err := tx.Prepare(`INSERT OR REPLACE INTO listed (journal, id, blob_id, match_key, message_ids) VALUES (?, ?, ?, ?, ?)`)
		if err != nil {
			return err
		}
		defer s.Close()
		for _, l := range rows {
			if _, err := s.Exec(j.n, l.ID, l.BlobID, l.Key, l.MessageIDs); err != nil {
				return err
			}
		}
		return nil
	})
}

// ListDelete takes ids out of the listing. It is durable as ListPut is.
func (j *Journal) ListDelete(ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	return j.updateSoon("write the listing", func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.Exec(`DELETE FROM listed WHERE journal = ? AND id = ?`, j.n, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// ListCount is how many Emails are listed.
func (j *Journal) ListCount() (int64, error) {
	var n int64
	_, err := j.a.cat.row(`SELECT count(*) FROM listed WHERE journal = ?`, []any{j.n}, &n)
	return n, j.a.catalogError("count the listing", err)
}

// Listed yields the listing by id. Its body may change it.
func (j *Journal) Listed() iter.Seq2[Listed, error] {
	return pages(func(last *Listed) ([]Listed, error) {
		after := ""
		if last != nil {
			after = last.ID
		}
		list, err := rows(j.a.cat, scanListed, `SELECT `+listedColumns+` FROM listed l WHERE l.journal = ? AND l.id > ? ORDER BY l.id LIMIT ?`, j.n, after, pageRows)
		return list, j.a.catalogError("read the listing", err)
	})
}

// ReleaseMissing forgets the done Email entries whose target is no longer in
// the listing under the same blob id (under any, where the entry names none),
// and returns them.
func (j *Journal) ReleaseMissing() ([]Entry, error) {
	var released []Entry
	err := j.change(j.update, "release what is missing on the target", func(tx *sql.Tx) (lost bool, err error) {
		ids, err := j.missing(tx)
		if err != nil || len(ids) == 0 {
			return false, err
		}
		get, err := tx.Prepare(getEntry)
		if err != nil {
			return false, err
		}
		defer get.Close()
		for _, id := range ids {
			e, err := scanEntry(get.QueryRow(j.n, account.Email.Name, id))
			if err != nil {
				return false, err
			}
			released = append(released, e)
		}
		return true, j.forget(tx, account.Email.Name, ids...)
	})
	return released, err
}

// missing are the source ids of the done entries that are not listed. The index
// has all that it takes and is in the order of the listing: so both are walked
// side by side, and nothing is looked up at random.
func (j *Journal) missing(tx *sql.Tx) (ids []string, err error) {
	rs, err := tx.Query(missingEntries, j.n)
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	for rs.Next() {
		var id string
		if err := rs.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, rs.Err()
}

const missingEntries = `SELECT e.source_id FROM entry e INDEXED BY entry_target
	WHERE e.journal = ?1 AND e.type = 'Email' AND e.state = 'done' AND NOT EXISTS (
		SELECT 1 FROM listed l WHERE l.journal = ?1 AND l.id = e.target_id AND (e.target_blob_id = '' OR l.blob_id = e.target_blob_id))`
