package archive

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Finish closes the snapshot with its record, seals the pack, gives up the
// lock. The numbers that the archive knows itself (Snapshot, Started, and for
// each type Objects, Bytes, Changed and Gone) are filled in here; Finished is,
// when it is zero.
func (r *Run) Finish(rec SnapshotRecord) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.writable(); err != nil {
		return err
	}
	if err := r.commit(); err != nil {
		return err
	}
	if err := r.fillIn(&rec); err != nil {
		return err
	}
	data, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("close snapshot %d: %w", r.n, err)
	}
	frame, err := makeFrame(snapshotName(r.n), data)
	if err != nil {
		return fmt.Errorf("close snapshot %d: %w", r.n, err)
	}
	defer frame.release()
	p, err := r.append(frame.writeTo)
	if err != nil {
		return err
	}
	r.pending.finished = &finished{text: string(data), place: p}
	if err := r.seal(); err != nil {
		return err
	}
	return r.end()
}

func (r *Run) fillIn(rec *SnapshotRecord) error {
	names, err := rows(r.a.cat, func(rs *sql.Rows) (s string, err error) { return s, rs.Scan(&s) }, `SELECT DISTINCT type FROM record`)
	if err != nil {
		return r.a.catalogError("list types", err)
	}
	types := map[string]TypeRecord{}
	for name := range rec.Types {
		names = append(names, name)
	}
	for _, name := range names {
		c, err := r.a.typeCounts(name, r.n)
		if err != nil {
			return err
		}
		t := rec.Types[name]
		t.Objects, t.Bytes, t.Changed, t.Gone = c.Objects, c.Bytes, c.Changed, c.Gone
		types[name] = t
	}
	rec.Snapshot, rec.Started, rec.Types = r.n, r.started, types
	if rec.Finished.IsZero() {
		rec.Finished = time.Now().UTC().Truncate(time.Second)
	}
	return nil
}

// seal ends the pack with a tar file's trailer and commits; the pack is never
// written again. Nothing may be behind: the lock is held all the time.
func (r *Run) seal() error {
	if _, err := r.append(frameBytes(trailerFrame())); err != nil {
		return err
	}
	r.pending.sealed = true
	if err := r.commitNow(); err != nil {
		return err
	}
	err := r.pack.close()
	r.pack = nil
	return r.fail(err)
}

// Close gives up the lock and leaves the snapshot open for a later run; it
// commits what is whole. It is safe after Finish.
func (r *Run) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	told := r.broken != nil
	err := r.commit()
	if told {
		err = nil // the caller has been told why; what could be saved is
	}
	return errors.Join(err, r.end())
}

// Discard gives up a snapshot of which nothing was put, by this run or by one
// that it resumed, and then the lock: no trace of it is left, its progress
// included. When something was put that is an error, and nothing is given up:
// the run is to be finished, or closed. Close is safe after Discard.
func (r *Run) Discard() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.writable(); err != nil {
		return err
	}
	r.settle()
	if err := r.writable(); err != nil {
		return err
	}
	put := len(r.pending.blobs)+len(r.pending.rows) > 0
	lost, err := r.a.lastLossy()
	if err != nil {
		return err
	}
	pruned, err := r.a.lastPruned()
	if err != nil {
		return err
	}
	err = r.a.cat.update("give up the snapshot", func(tx *sql.Tx) error {
		if !put {
			// A snapshot begins with a pack of its own: Finish seals the last one. Not so
			// the one that follows a loss: there the pack may have what was lost last.
			// What a Prune copied lies behind all.
			since := fmt.Sprintf(` WHERE pack > max(%d, coalesce((SELECT pack FROM snapshot WHERE %s ORDER BY n DESC LIMIT 1), 0))`, pruned.Pack, isFinished)
			err := tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM record`+since+` AND snapshot = ?1) OR (?2 = 0 OR ?1 > ?2 + 1) AND EXISTS (SELECT 1 FROM blob`+since+`)`,
				r.n, lost).Scan(&put)
			if err != nil {
				return err
			}
		}
		if put {
			return nil
		}
		_, err := tx.Exec(`DELETE FROM snapshot WHERE n = ? AND record IS NULL; DELETE FROM seen; DELETE FROM progress`, r.n)
		return err
	})
	if err != nil {
		return r.fail(r.a.catalogError("give up the snapshot", err))
	}
	if put {
		return fmt.Errorf("archive %s: snapshot %d holds something, it can not be given up", r.a.dir, r.n)
	}
	r.pending = newPending()
	return r.end()
}

// end gives up what the run holds.
func (r *Run) end() error {
	r.closed = true
	r.settle()
	if r.timer != nil {
		r.timer.Stop()
	}
	var err error
	if r.pack != nil {
		err = r.pack.close()
		r.pack = nil
	}
	return errors.Join(err, r.unlock())
}

func (r *Run) unlock() error {
	var errs []error
	for _, l := range r.locks {
		errs = append(errs, l.release())
	}
	r.locks = nil
	if r.pack != nil {
		errs = append(errs, r.pack.close())
	}
	return errors.Join(errs...)
}
