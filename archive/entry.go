package archive

import (
	"database/sql"
	"fmt"
	"slices"

	"mailhaul/account"
)

// Put writes entries, replacing those of the same type and source id, in one
// transaction.
//
// When all are done Emails, a loss of power may undo it, with all that was
// written to the journal after it, until something durable is written. They are
// in flight then, or planned: what an import that goes on finds on the target by
// looking. The requests that it may not forget are marked durably before they
// leave, and with them whatever was done before.
func (j *Journal) Put(entries ...Entry) error {
	update := j.update
	if !slices.ContainsFunc(entries, func(e Entry) bool { return e.Type != account.Email.Name || e.State != Done }) {
		update = j.updateSoon
	}
	return j.change(update, "write the journal", func(tx *sql.Tx) (lost bool, err error) {
		s, err := tx.Prepare(putEntry)
		if err != nil {
			return false, err
		}
		defer s.Close()
		for _, e := range entries {
			if e.Blob != "" && !e.Blob.valid() {
				return lost, fmt.Errorf("%s %q: %.80q is no hash", e.Type, e.SourceID, e.Blob)
			}
			args := []any{j.n, e.Type, e.SourceID, e.Blob.bytes(), e.State, e.TargetID, e.TargetBlobID, e.Applied, e.Checked, e.Reason}
			res, err := s.Exec(args...)
			if err != nil {
				return lost, err
			}
			if n, err := res.RowsAffected(); err != nil || n > 0 {
				continue
			}
			lost = true // what is there is another message's
			if err := j.forget(tx, e.Type, e.SourceID); err != nil {
				return lost, err
			}
			if _, err := s.Exec(args...); err != nil {
				return lost, err
			}
		}
		_, err = tx.Exec(`UPDATE journal SET updated = ? WHERE n = ?`, now(), j.n)
		return lost, err
	})
}

// putEntry is an upsert: a REPLACE would take the row out of every index first.
// It leaves an entry for other content alone.
const putEntry = `INSERT INTO entry (journal, type, source_id, blob, state, target_id, target_blob_id, applied, checked, reason)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT DO UPDATE SET state = excluded.state, target_id = excluded.target_id, target_blob_id = excluded.target_blob_id,
		applied = excluded.applied, checked = excluded.checked, reason = excluded.reason
	WHERE blob IS excluded.blob`

// Delete forgets entries.
func (j *Journal) Delete(typ string, sourceIDs ...string) error {
	if len(sourceIDs) == 0 {
		return nil
	}
	return j.change(j.update, "write the journal", func(tx *sql.Tx) (bool, error) { return true, j.forget(tx, typ, sourceIDs...) })
}

// change is an update that changes entries. f says whether some were taken away.
func (j *Journal) change(update func(string, func(*sql.Tx) error) error, doing string, f func(tx *sql.Tx) (lost bool, err error)) error {
	lost := false
	err := update(doing, func(tx *sql.Tx) (err error) {
		lost, err = f(tx)
		return err
	})
	j.writes.Add(1) // a survey that was taken meanwhile does not hold
	if lost {
		j.losses.Add(1)
	}
	return err
}

// forget takes entries away.
func (j *Journal) forget(tx *sql.Tx, typ string, sourceIDs ...string) error {
	s, err := tx.Prepare(`DELETE FROM entry WHERE journal = ? AND type = ? AND source_id = ?`)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, id := range sourceIDs {
		if _, err := s.Exec(j.n, typ, id); err != nil {
			return err
		}
	}
	return nil
}
