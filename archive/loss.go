package archive

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// oldCatalog is what the packs do not tell, or not when they are damaged, and
// the catalog does that a Reindex replaces.
type oldCatalog struct {
	committed map[int]int64 // bytes of each pack
	finished  int           // the last snapshot that ever was
	damage    error         // what kept the journals from being read
}

// readOld reads the old catalog, and copies its journals. It is no failure when
// there is none, or a damaged one. Any other error ends the reindex, and the old
// catalog keeps the journals.
func (b *rebuild) readOld() error {
	b.old.committed = map[int]int64{}
	path := b.a.path(catalogFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	c, err := openCatalog(path, false)
	if err == nil {
		old := &Archive{dir: b.a.dir, cat: c}
		if packs, err := old.packRows(); err == nil {
			for _, p := range packs {
				b.old.committed[p.n] = p.length
			}
		}
		if _, err := c.row(`SELECT coalesce(max(n), 0) FROM snapshot WHERE record IS NOT NULL`, nil, &b.old.finished); err != nil {
			b.old.finished = 0 // it is damaged there, and the journals may be whole
		}
		err = errors.Join(copyJournals(b.a.cat, path), c.close())
	}
	if isDamage(err) {
		b.old.damage = err
		return nil
	}
	if err != nil {
		return b.a.catalogError("take over the journals of imports", err)
	}
	lost, err := b.a.lastLossy() // it came with the journals
	b.old.finished = max(b.old.finished, lost)
	return err
}

// copyJournals copies the journal tables of the catalog at path.
func copyJournals(to *catalog, path string) error {
	if _, err := to.write.Exec(`ATTACH ? AS old`, dsn(path, "mode=rw")); err != nil {
		return err
	}
	err := to.update("copy the journals", func(tx *sql.Tx) error {
		for _, table := range journalTables {
			if _, err := tx.Exec(fmt.Sprintf(`INSERT INTO main.%[1]s SELECT * FROM old.%[1]s`, table)); err != nil {
				return err
			}
		}
		return nil
	})
	_, detach := to.write.Exec(`DETACH old`)
	return errors.Join(err, detach)
}

// missingPacks reports packs that the old catalog knows, or that must have been
// between others.
func (b *rebuild) missingPacks(packs []int, removed map[int]bool) {
	last := 0
	if len(packs) > 0 {
		last = packs[len(packs)-1]
	}
	for n, length := range b.old.committed {
		if length > 0 {
			last = max(last, n)
		}
	}
	for n := 1; n <= last; n++ {
		if _, found := slices.BinarySearch(packs, n); !found && !removed[n] {
			b.report.Problems = append(b.report.Problems, Problem{Pack: n, Reason: "the pack is missing"})
		}
	}
}

// lossNote is the note, of no journal, that tells the last of the snapshots of
// which something was lost.
const lossNote = "lost"

// markLoss notes that something was lost of the snapshots there were: see
// Snapshots, and lastLossy.
func (b *rebuild) markLoss() error {
	return b.a.cat.update("mark the snapshots", func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT OR REPLACE INTO note (journal, key, value)
			SELECT 0, ?, CAST(max(coalesce(max(n), 0), ?) AS TEXT) FROM snapshot WHERE record IS NOT NULL`, lossNote, b.old.finished)
		return err
	})
}

// lastLossy is the last snapshot that was finished when a reindex found that
// something was lost, 0 when none ever did. The numbers up to it are taken, even
// if that snapshot is lost as a whole: journals know it.
func (a *Archive) lastLossy() (n int, err error) {
	_, err = a.cat.row(`SELECT CAST(value AS INTEGER) FROM note WHERE journal = 0 AND key = ?`, []any{lossNote}, &n)
	return n, a.catalogError("look for a loss", err)
}
