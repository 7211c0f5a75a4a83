package archive

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// recover brings packs and catalog together, whatever an earlier run came to.
func (r *Run) recover() error {
	for _, step := range []func() error{r.removeSpools, r.removeLeft, r.findPack, r.resume, r.adopt, r.sealPruned, r.beginFilter} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) removeSpools() error {
	spools, err := filepath.Glob(r.a.path(spoolPattern))
	if err != nil {
		return err
	}
	for _, path := range spools {
		if err := remove(path); err != nil {
			return writeError(path, err)
		}
	}
	return nil
}

// findPack opens the last pack if it goes on.
func (r *Run) findPack() error {
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
	lost, err := r.a.lastLossy()
	if err != nil {
		return err
	}
	r.n = max(r.n, lost) + 1
	// What an enumeration saw that came to nothing.
	err = r.a.cat.update("begin a snapshot", func(tx *sql.Tx) error {
		_, err := tx.Exec(`DELETE FROM seen; DELETE FROM progress`)
		return err
	})
	return r.a.catalogError("begin a snapshot", err)
}

// adopt commits what an earlier run appended to the last pack and did not live
// to commit: each member that follows the committed part, up to the first that
// is not whole or that this snapshot's run would not have put there. That one
// and all behind it are cut off. A snapshot's record is never adopted: whether
// the snapshot is finished, the run that resumes it says.
func (r *Run) adopt() error {
	if r.pack == nil {
		return nil
	}
	info, err := r.pack.f.Stat()
	if err != nil {
		return fmt.Errorf("look at %s: %w", r.pack.path, err)
	}
	file := &window{r: r.pack.f}
	for r.pack.length < info.Size() {
		f := readFrame(file, r.pack.n, r.pack.length, info.Size())
		if ok, err := r.adoptMember(f); err != nil {
			return err
		} else if !ok {
			break
		}
		if err := r.pack.adopt(file, f.length); err != nil {
			return err
		}
		r.resumed = true
		if r.pending.due(r.a) {
			if err := r.commit(); err != nil {
				return err
			}
		}
	}
	if err := r.pack.reset(); err != nil {
		return err
	}
	return r.commit()
}

// adoptMember makes a member's row pending, if it is one of this snapshot's.
func (r *Run) adoptMember(f frame) (ok bool, err error) {
	if f.err != nil || f.trailer {
		return false, nil
	}
	m, _ := parseName(f.name)
	switch m.kind {
	case kindBlob:
		if held, err := r.held(m.hash); err != nil || held != nil {
			return false, err // a Prune was copying it
		}
		r.pending.putBlob(m.hash, blobRow{size: f.size, place: f.place})
		return true, nil
	case kindObject:
		row := f.row
		if row == nil || row.snapshot != r.n {
			return false, nil
		}
		if row.blob != "" {
			if held, err := r.held(row.blob); err != nil || held == nil {
				return false, err // its content comes before it
			}
		}
		r.pending.putRow(row)
		return true, nil
	}
	return false, nil
}
