package archive

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// isFinished is the condition on rows of snapshot that the snapshot can be
// chosen: it was finished, and not forgotten.
const isFinished = `(record IS NOT NULL AND json_extract(record, '$.forgotten') IS NULL)`

// forgotten are the records of snapshots that a Prune gave up, by number.
func (a *Archive) forgotten() ([]SnapshotRecord, error) {
	list, err := rows(a.cat, func(rs *sql.Rows) (rec SnapshotRecord, err error) {
		var text string
		if err := rs.Scan(&text); err != nil {
			return rec, err
		}
		if err := json.Unmarshal([]byte(text), &rec); err != nil {
			return rec, a.damagedCatalog(fmt.Errorf("a snapshot's record is %w", err))
		}
		return rec, nil
	}, `SELECT record FROM snapshot WHERE record IS NOT NULL AND NOT `+isFinished+` ORDER BY n`)
	return list, a.catalogError("list forgotten snapshots", err)
}

// sameCatalog is an error when a reindex replaced the catalog since the archive
// was opened. The catalog's lock is held.
func (a *Archive) sameCatalog() error {
	now, err := os.Stat(a.path(catalogFile))
	if err != nil || !os.SameFile(now, a.catalogInfo) {
		return fmt.Errorf("the catalog of archive %s was built anew meanwhile: run the same command again", a.dir)
	}
	return nil
}

// removedPacks are the packs that a Prune has taken away or may have.
func removedPacks(forgotten []SnapshotRecord) map[int]bool {
	packs := map[int]bool{}
	for _, rec := range forgotten {
		for _, n := range rec.Removed {
			packs[n] = true
		}
	}
	return packs
}

// oblivion is which records nobody needs once some snapshots are forgotten.
type oblivion struct {
	marks []SnapshotRecord // what is to be written of the forgotten ones, by number
	with  string           // a WITH clause that has table f: each forgotten snapshot s, and the first k after it that is kept
}

// isDead is the condition that a record is seen by no snapshot that is kept, nor
// by later ones. What a kept snapshot wrote it sees.
const isDead = `(r.until IS NOT NULL AND EXISTS (SELECT 1 FROM f WHERE f.s = r.snapshot AND r.until <= f.k))`

// forgetting works out what it is to forget these snapshots, beside others that
// are forgotten already. One later than all of them is kept.
func forgetting(kept []int, before []SnapshotRecord, now []SnapshotRecord) oblivion {
	var o oblivion
	o.marks = append(o.marks, before...)
	at := time.Now().UTC().Truncate(time.Second)
	for _, rec := range now {
		o.marks = append(o.marks, SnapshotRecord{Snapshot: rec.Snapshot, Started: rec.Started, Finished: rec.Finished, Types: map[string]TypeRecord{}, Forgotten: &at})
	}
	slices.SortFunc(o.marks, func(a, b SnapshotRecord) int { return a.Snapshot - b.Snapshot })
	var values []string
	for _, rec := range o.marks {
		if i, _ := slices.BinarySearch(kept, rec.Snapshot); i < len(kept) {
			values = append(values, fmt.Sprintf("(%d, %d)", rec.Snapshot, kept[i]))
		}
	}
	if len(values) == 0 {
		values = []string{"(0, 0)"} // no snapshot has that number
	}
	o.with = `WITH f (s, k) AS MATERIALIZED (VALUES ` + strings.Join(values, ", ") + `) `
	return o
}

// collect takes out of the catalog what nobody needs.
func (o oblivion) collect(tx *sql.Tx) (records, blobs int64, err error) {
	exec := func(query string) (n int64) {
		if err != nil {
			return 0
		}
		var res sql.Result
		if res, err = tx.Exec(query); err == nil {
			n, err = res.RowsAffected()
		}
		return n
	}
	exec(`CREATE TEMP TABLE dead_blob (hash BLOB PRIMARY KEY) WITHOUT ROWID`)
	exec(o.with + `INSERT OR IGNORE INTO dead_blob SELECT r.blob FROM record r WHERE r.blob IS NOT NULL AND ` + isDead)
	records = exec(o.with + `DELETE FROM record AS r WHERE ` + isDead)
	// That an object is gone says nothing where no earlier record of it is left.
	for more := int64(1); more > 0 && err == nil; records += more {
		more = exec(o.with + `DELETE FROM record AS r WHERE r.gone AND EXISTS (SELECT 1 FROM f WHERE f.s = r.snapshot) AND NOT EXISTS (
			SELECT 1 FROM record e WHERE e.type = r.type AND e.id = r.id AND e.snapshot < r.snapshot)`)
	}
	exec(orderUntil + ` AND r.until IS NOT NULL AND NOT EXISTS (SELECT 1 FROM record n WHERE n.type = r.type AND n.id = r.id AND n.snapshot = r.until)`)
	// A blob that no record ever named stays: what an object says of it may be in its JSON.
	blobs = exec(`DELETE FROM blob WHERE hash IN (SELECT hash FROM dead_blob) AND hash NOT IN (SELECT blob FROM record WHERE blob IS NOT NULL)`)
	exec(`DROP TABLE dead_blob`)
	return records, blobs, err
}

// forget does to a new catalog what a Prune did to the old one: the packs may
// hold what nobody needs, and hold what is needed in any order.
func (b *rebuild) forget(forgotten []SnapshotRecord) error {
	if len(forgotten) == 0 {
		return nil
	}
	list, err := b.a.Snapshots()
	if err != nil {
		return err
	}
	var kept []int
	for _, rec := range list {
		kept = append(kept, rec.Snapshot)
	}
	p, err := b.sorted(kept)
	if err != nil {
		return err
	}
	return b.a.cat.update("forget snapshots", func(tx *sql.Tx) error {
		if _, err := tx.Exec(orderUntil); err != nil {
			return err
		}
		if _, _, err := forgetting(kept, forgotten, nil).collect(tx); err != nil {
			return err
		}
		return p.put(tx)
	})
}

// sorted is where the packs begin that are in the order of time: a run that is
// not finished made them.
func (b *rebuild) sorted(kept []int) (p pruned, err error) {
	if len(kept) > 0 {
		p.Snapshot = kept[len(kept)-1]
	}
	_, err = b.a.cat.row(`SELECT coalesce((SELECT min(pack) - 1 FROM record WHERE snapshot > ?), (SELECT max(n) FROM pack), 0)`, []any{p.Snapshot}, &p.Pack)
	return p, err
}

// orderUntil sets what took the place of records anew, whatever the order is in
// which they lie in the packs.
const orderUntil = `UPDATE record AS r SET until = (SELECT min(n.snapshot) FROM record n WHERE n.type = r.type AND n.id = r.id AND n.snapshot > r.snapshot)
	WHERE TRUE`

// prunedNote is the note, of no journal, that tells where a Prune came to.
const prunedNote = "pruned"

// pruned is what prunedNote holds. The packs up to Pack are in no order of time,
// those after it hold what was written after Snapshot.
type pruned struct {
	Pack     int `json:"pack"`
	Snapshot int `json:"snapshot"`
}

func (p pruned) put(tx *sql.Tx) error {
	text, err := json.Marshal(p)
	if err == nil {
		_, err = tx.Exec(`INSERT OR REPLACE INTO note (journal, key, value) VALUES (0, ?, ?)`, prunedNote, string(text))
	}
	return err
}

// lastPruned is zero where nothing was ever pruned.
func (a *Archive) lastPruned() (p pruned, err error) {
	var text string
	ok, err := a.cat.row(`SELECT value FROM note WHERE journal = 0 AND key = ?`, []any{prunedNote}, &text)
	if err == nil && ok {
		err = json.Unmarshal([]byte(text), &p)
	}
	return p, a.catalogError("look for what was pruned", err)
}
