package archive

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// resume finds out which snapshot this run writes.
func (r *Run) resume() error {
	var started string
	var open bool
	ok, err := r.a.cat.row(`SELECT n, started, record IS NULL FROM snapshot ORDER BY n DESC LIMIT 1`, nil, &r.n, &started, &open)
	if err != nil {
		return r.a.catalogError("find the last snapshot", err)
	}
	r.started = time.Now().UTC().Truncate(time.Second)
	if ok && open {
		r.resumed = true
		if t, err := time.Parse(time.RFC3339, started); err == nil {
			r.started = t
		}
		return nil
	}
	r.n++
	// What an enumeration saw that came to nothing.
	err = r.a.cat.update(func(tx *sql.Tx) error {
		_, err := tx.Exec(`DELETE FROM seen; DELETE FROM progress`)
		return err
	})
	return r.a.catalogError("begin a snapshot", err)
}

// recover brings packs and catalog to the last commit, whatever happened since.
func (r *Run) recover() error {
	spools, err := filepath.Glob(r.a.path(spoolPattern))
	if err != nil {
		return err
	}
	for _, path := range spools {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove a leftover: %w", err)
		}
	}
	packs, err := r.a.packRows()
	if err != nil {
		return err
	}
	var last packRow
	if len(packs) > 0 {
		last = packs[len(packs)-1]
	}
	if err := r.a.checkUnknown(last.n); err != nil {
		return err
	}
	r.lastPack = last.n
	if last.n == 0 || last.sealed {
		return nil
	}
	if _, err := os.Stat(r.a.packPath(last.n)); err != nil {
		return &DamagedError{Pack: last.n, Reason: fmt.Sprintf("the pack can not be opened: %v", err)}
	}
	r.pack, err = r.a.openPack(last)
	return err
}

// checkUnknown sees whether there are packs after the last one that the catalog
// knows. A pack gets its row before its first byte: one that holds something
// was written with another catalog, and is left alone.
func (a *Archive) checkUnknown(last int) error {
	files, err := a.packFiles()
	if err != nil {
		return err
	}
	for _, n := range files {
		if n <= last {
			continue
		}
		if info, err := os.Stat(a.packPath(n)); err != nil {
			return fmt.Errorf("look at %s: %w", packName(n), err)
		} else if info.Size() > 0 {
			return &DamagedError{Member: a.path(catalogFile), Reason: fmt.Sprintf(
				"it is older than the packs (it knows nothing of %s); `mailhaul archive reindex %s` builds it again", packName(n), a.dir)}
		}
	}
	return nil
}
