package archive

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"

	"mailhaul/account"
)

// Seen notes ids that a full enumeration has come across, changed or not. They
// are kept in the catalog, so that memory stays bounded and a resumed run goes
// on. To have seen ids alone does not open a snapshot.
func (r *Run) Seen(t account.Type, ids ...string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if err := r.writable(); err != nil {
			return err
		}
		r.pending.seen[objectKey{t.Name, id}] = struct{}{}
		if err := r.commitIfDue(); err != nil {
			return err
		}
	}
	return nil
}

// Unseen yields the ids of the type's current objects that were not seen. It
// commits first.
func (r *Run) Unseen(t account.Type) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := r.Commit(); err != nil {
			yield("", err)
			return
		}
		for id, err := range r.unseen(t) {
			if !yield(id, err) {
				return
			}
		}
	}
}

func (r *Run) unseen(t account.Type) iter.Seq2[string, error] {
	return pages(func(last *string) ([]string, error) {
		var after string
		if last != nil {
			after = *last
		}
		list, err := rows(r.a.cat, func(rs *sql.Rows) (id string, err error) { return id, rs.Scan(&id) },
			`SELECT r.id FROM record r WHERE r.type = ? AND r.id > ? AND r.until IS NULL AND NOT r.gone
				AND NOT EXISTS (SELECT 1 FROM seen s WHERE s.type = r.type AND s.id = r.id) ORDER BY r.id LIMIT ?`, t.Name, after, pageRows)
		return list, r.a.catalogError("list what was not seen", err)
	})
}

// PutSince yields the ids of the type's live objects that were put after snapshot
// n was finished, in this run or in others. It commits first.
func (r *Run) PutSince(t account.Type, n int) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := r.Commit(); err != nil {
			yield("", err)
			return
		}
		for id, err := range pages(func(last *string) ([]string, error) {
			var after string
			if last != nil {
				after = *last
			}
			list, err := rows(r.a.cat, func(rs *sql.Rows) (id string, err error) { return id, rs.Scan(&id) },
				`SELECT r.id FROM record r WHERE r.type = ? AND r.id > ? AND r.snapshot > ? AND r.until IS NULL AND NOT r.gone
					ORDER BY r.id LIMIT ?`, t.Name, after, n, pageRows)
			return list, r.a.catalogError("list what was put since", err)
		}) {
			if !yield(id, err) {
				return
			}
		}
	}
}

// ClearSeen forgets what was seen of the type, for a fresh enumeration. It
// commits.
func (r *Run) ClearSeen(t account.Type) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.writable(); err != nil {
		return err
	}
	if err := r.commit(); err != nil {
		return err
	}
	err := r.a.cat.update("clear what was seen", func(tx *sql.Tx) error {
		_, err := tx.Exec(`DELETE FROM seen WHERE type = ?`, t.Name)
		return err
	})
	return r.fail(r.a.catalogError("clear what was seen", err))
}

// Count is how many objects of the type are live now, in this run's view. It
// commits first.
func (r *Run) Count(t account.Type) (int64, error) {
	if err := r.Commit(); err != nil {
		return 0, err
	}
	n, _, err := r.a.Count(-1, t)
	return n, err
}

// Current yields the type's live objects in this run's view, in the order of
// Archive.Objects. It commits first.
func (r *Run) Current(t account.Type) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if err := r.Commit(); err != nil {
			yield(Record{}, err)
			return
		}
		for rec, err := range r.a.Objects(-1, t) {
			if !yield(rec, err) {
				return
			}
		}
	}
}

// Get is a live object in this run's view, ErrNotFound if there is none.
func (r *Run) Get(t account.Type, id string) (Record, error) {
	r.mu.Lock()
	cur, err := r.current(t.Name, id)
	r.mu.Unlock()
	if err != nil {
		return Record{}, err
	}
	if cur == nil || cur.gone {
		return Record{}, fmt.Errorf("%s %q: %w", t.Name, id, ErrNotFound)
	}
	return r.a.readRecord(t.Name, found{id: id, snapshot: cur.snapshot, blob: cur.blob, place: cur.place})
}

// Progress reads what SetProgress kept under the key into value, and says
// whether there was anything.
func (r *Run) Progress(key string, value any) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, ok := r.pending.progress[key]
	if !ok && r.behind != nil {
		text, ok = r.behind.progress[key]
	}
	if !ok {
		var err error
		ok, err = r.a.cat.row(`SELECT value FROM progress WHERE key = ?`, []any{key}, &text)
		if err != nil || !ok {
			return false, r.a.catalogError("read progress", err)
		}
	}
	if err := json.Unmarshal([]byte(text), value); err != nil {
		return false, fmt.Errorf("progress %q: %w", key, err)
	}
	return true, nil
}

// SetProgress keeps a small JSON value by key as long as the snapshot is open:
// where an enumeration stands. It is durable with the next commit, together
// with everything put before it.
func (r *Run) SetProgress(key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("progress %q: %w", key, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.writable(); err != nil {
		return err
	}
	r.pending.progress[key] = string(text)
	return r.commitIfDue()
}
