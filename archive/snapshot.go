package archive

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// SnapshotRecord is snapshot/<n>.json: what one finished run found.
type SnapshotRecord struct {
	Snapshot int                   `json:"snapshot"`
	Started  time.Time             `json:"started"`
	Finished time.Time             `json:"finished"`
	Types    map[string]TypeRecord `json:"types"`
	// Scope is what the run was narrowed to, nil when it took the whole account.
	Scope *Scope `json:"scope,omitempty"`
	// Unknown lists properties that could not be learnt, "Mailbox.isSubscribed".
	Unknown []string `json:"unknown,omitempty"`
	// Forgotten is when a Prune gave the snapshot up, nil for those that there are.
	Forgotten *time.Time `json:"forgotten,omitempty"`
	// Removed are packs that a Prune then had no more need of.
	Removed []int `json:"removed,omitempty"`
}

// TypeRecord is what a snapshot says of one type.
type TypeRecord struct {
	// State is the server's, for /changes, of a narrowed snapshot for its scope
	// alone. There is none of a type that is Outside.
	State   string    `json:"state,omitempty"`
	Objects int64     `json:"objects"`          // live
	Bytes   int64     `json:"bytes,omitempty"`  // of their blobs
	Changed int64     `json:"changed"`          // records written in this snapshot
	Gone    int64     `json:"gone"`             // marked gone in it
	Error   string    `json:"error,omitempty"`  // the type as a whole failed
	Absent  bool      `json:"absent,omitempty"` // the server does not have the type
	Failed  []Failure `json:"failed,omitempty"` // items of it that failed
	// Outside: the run was narrowed to others. The objects, Error, Absent and Failed
	// are as the snapshot before has them.
	Outside bool `json:"outside,omitempty"`
}

// Failure is an item that could not be taken.
type Failure struct {
	ID     string `json:"id"`
	Item   string `json:"item"` // for a person
	Reason string `json:"reason"`
	// Untried: it failed in an earlier run, and lies outside the snapshot's scope.
	Untried bool `json:"untried,omitempty"`
}

// Snapshots are the finished ones, oldest first. Where a reindex found that
// something was lost, those up to then have no State: the changes since would not
// bring it back, all must be enumerated again.
func (a *Archive) Snapshots() ([]SnapshotRecord, error) {
	list, err := rows(a.cat, func(rs *sql.Rows) (SnapshotRecord, error) {
		var text string
		var rec SnapshotRecord
		if err := rs.Scan(&text); err != nil {
			return rec, err
		}
		if err := json.Unmarshal([]byte(text), &rec); err != nil {
			return rec, a.damagedCatalog(fmt.Errorf("a snapshot's record is %w", err))
		}
		return rec, nil
	}, `SELECT record FROM snapshot WHERE `+isFinished+` ORDER BY n`)
	if err != nil {
		return nil, a.catalogError("list snapshots", err)
	}
	lost, err := a.lastLossy()
	if err != nil {
		return nil, err
	}
	for _, rec := range list {
		for name, t := range rec.Types {
			if rec.Snapshot <= lost {
				t.State = ""
				rec.Types[name] = t
			}
		}
	}
	return list, nil
}

// Unfinished is the snapshot that a killed run left open, and how many objects
// of each type are live in it so far, those of earlier snapshots included.
func (a *Archive) Unfinished() (n int, counts map[string]int64, ok bool, err error) {
	ok, err = a.cat.row(`SELECT n FROM snapshot WHERE record IS NULL ORDER BY n DESC LIMIT 1`, nil, &n)
	if err != nil || !ok {
		return 0, nil, false, a.catalogError("look for an unfinished snapshot", err)
	}
	type count struct {
		typ string
		n   int64
	}
	list, err := rows(a.cat, func(rs *sql.Rows) (c count, err error) {
		return c, rs.Scan(&c.typ, &c.n)
	}, `SELECT type, count(*) FROM record WHERE until IS NULL AND NOT gone GROUP BY type`)
	if err != nil {
		return 0, nil, false, a.catalogError("count the objects of the unfinished snapshot", err)
	}
	counts = map[string]int64{}
	for _, c := range list {
		counts[c.typ] = c.n
	}
	return n, counts, true, nil
}

// newest stands for whatever is committed, finished or not.
const newest = 1<<31 - 1

// snapshotAt is the number that a caller's at means, see Objects.
func (a *Archive) snapshotAt(at int) (int, error) {
	if at < 0 {
		return newest, nil
	}
	var n int
	found, err := a.cat.row(`SELECT n FROM snapshot WHERE `+isFinished+` AND (n = ?1 OR ?1 = 0) ORDER BY n DESC LIMIT 1`, []any{at}, &n)
	switch {
	case err != nil:
		return 0, a.catalogError("find snapshot", err)
	case !found && at == 0:
		return 0, fmt.Errorf("archive %s has no finished snapshot: run its export again until it is done: %w", a.dir, ErrNotFound)
	case !found && a.isForgotten(at):
		return 0, fmt.Errorf("snapshot %d of archive %s was pruned: %w", at, a.dir, ErrNotFound)
	case !found:
		return 0, fmt.Errorf("archive %s has no finished snapshot %d: %w", a.dir, at, ErrNotFound)
	}
	return n, nil
}

// isForgotten says whether a Prune gave a snapshot up.
func (a *Archive) isForgotten(n int) bool {
	found, err := a.cat.row(`SELECT 1 FROM snapshot WHERE n = ? AND record IS NOT NULL AND NOT `+isFinished, []any{n}, new(int))
	return err == nil && found
}

// stillThere is an error when a snapshot was forgotten while it was read.
func (a *Archive) stillThere(n int) error {
	if n != newest && a.isForgotten(n) {
		return fmt.Errorf("snapshot %d of archive %s was pruned while it was being read: choose another: %w", n, a.dir, ErrNotFound)
	}
	return nil
}

// typeCounts are the numbers of a TypeRecord that the catalog knows.
func (a *Archive) typeCounts(typ string, n int) (TypeRecord, error) {
	var t TypeRecord
	_, err := a.cat.row(`SELECT count(*), coalesce(sum(b.size), 0) FROM record r LEFT JOIN blob b ON b.hash = r.blob
		WHERE r.type = ?1 AND r.snapshot <= ?2 AND (r.until IS NULL OR r.until > ?2) AND NOT r.gone`, []any{typ, n}, &t.Objects, &t.Bytes)
	if err == nil {
		_, err = a.cat.row(`SELECT coalesce(sum(NOT gone), 0), coalesce(sum(gone), 0) FROM record WHERE type = ?1 AND snapshot = ?2`, []any{typ, n}, &t.Changed, &t.Gone)
	}
	return t, a.catalogError("count "+typ+" objects", err)
}
