package archive

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mailhaul/internal/failpoint"
)

// Reindex builds catalog.db again from the packs alone. What is damaged is left
// out and reported. A snapshot that was not finished stays open and is resumed
// by the next run, which has to enumerate again. The journals of imports are
// taken over from the old catalog when that can still be read.
func Reindex(ctx context.Context, dir string, progress func(done, total int64)) (*VerifyReport, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	a := &Archive{dir: dir, manifest: m}
	for _, name := range []string{writerLock, catalogLock} {
		l, err := a.takeLock(name)
		if err != nil {
			return nil, err
		}
		defer l.release()
	}
	b := &rebuild{a: a, path: a.path(catalogFile + ".new"), progress: progress}
	if err := b.begin(); err != nil {
		return nil, err
	}
	report, err := b.run(ctx)
	if err != nil {
		return nil, errors.Join(err, a.cat.close(), removeCatalog(b.path))
	}
	return report, b.replace()
}

// rebuild is a Reindex at work. The new catalog is the archive's, under
// another name until it is whole.
type rebuild struct {
	a        *Archive
	path     string
	old      oldCatalog
	report   VerifyReport
	progress func(done, total int64)
	total    int64
}

func (b *rebuild) begin() error {
	if err := removeCatalog(b.path); err != nil {
		return err
	}
	if err := createCatalog(b.path); err != nil {
		return b.a.catalogError("create the new catalog", err)
	}
	var err error
	if b.a.cat, err = openCatalog(b.path, false); err == nil {
		_, err = b.a.cat.write.Exec(`PRAGMA synchronous = OFF`) // replace syncs the whole
	}
	return b.a.catalogError("create the new catalog", err)
}

// removeCatalog removes a catalog and the files that SQLite keeps beside it.
func removeCatalog(path string) error {
	if err := removeLogs(path); err != nil {
		return err
	}
	return removeLeftover(path)
}

// removeLogs removes the files that SQLite keeps beside a catalog.
func removeLogs(path string) error {
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if err := removeLeftover(path + suffix); err != nil {
			return err
		}
	}
	return nil
}

func removeLeftover(path string) error {
	if err := remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return writeError(path, err)
	}
	return nil
}

func (b *rebuild) run(ctx context.Context) (*VerifyReport, error) {
	packs, err := b.a.packFiles()
	if err != nil {
		return nil, err
	}
	if err := b.readOld(); err != nil {
		return nil, err
	}
	for _, n := range packs {
		info, err := os.Stat(b.a.packPath(n))
		if err != nil {
			return nil, fmt.Errorf("reindex: %w", err)
		}
		b.total += info.Size()
	}
	for i, n := range packs {
		err := b.a.cat.update("reindex a pack", func(tx *sql.Tx) error { return b.pack(ctx, tx, n, i == len(packs)-1, b.old.committed[n]) })
		if err != nil {
			return nil, b.a.catalogError("reindex "+packName(n), err)
		}
	}
	forgotten, err := b.a.forgotten()
	if err != nil {
		return nil, err
	}
	b.missingPacks(packs, removedPacks(forgotten))
	if err := b.snapshots(); err != nil {
		return nil, err
	}
	if err := b.forget(forgotten); err != nil {
		return nil, b.a.catalogError("forget snapshots", err)
	}
	if len(b.report.Problems) > 0 {
		if err := b.markLoss(); err != nil {
			return nil, b.a.catalogError("mark the snapshots", err)
		}
	}
	if b.old.damage != nil {
		b.report.Problems = append(b.report.Problems, Problem{Member: catalogFile, Reason: fmt.Sprintf(
			"the journals of imports in the old catalog could not be read (%v): the next import looks at the target to find what is there already", b.old.damage)})
	}
	v := &verification{a: b.a, report: b.report, lost: map[Hash]int{}}
	if err := errors.Join(v.missingBlobs(), v.nameLost()); err != nil {
		return nil, err
	}
	return &v.report, nil
}

// pack puts rows for all that is whole in one pack.
func (b *rebuild) pack(ctx context.Context, tx *sql.Tx, n int, last bool, committed int64) error {
	b.report.Packs++
	file, err := os.Open(b.a.packPath(n))
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	ins, err := prepareInserts(tx)
	if err != nil {
		return err
	}
	var whole int64 // up to the end of the last whole frame
	var crc, wholeCRC uint32
	var bad []Problem
	sealed := false
	err = scanPack(ctx, file, n, info.Size(), func(f frame) error {
		b.report.Bytes, crc = b.report.Bytes+f.length, f.crc
		if b.progress != nil {
			b.progress(b.report.Bytes, b.total)
		}
		if f.err != nil {
			bad = append(bad, Problem{Pack: n, Offset: f.start, Member: f.name, Reason: f.err.Error()})
			return nil
		}
		whole, wholeCRC, sealed = f.start+f.length, f.crc, f.trailer
		problem, err := b.frame(tx, ins, f)
		if problem != "" {
			bad = append(bad, Problem{Pack: n, Offset: f.start, Member: f.name, Reason: problem})
		}
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case !sealed && !last:
		bad = append(bad, Problem{Pack: n, Offset: info.Size(), Reason: "the pack does not end with a tar file's trailer"})
		whole, wholeCRC, sealed = info.Size(), crc, true
	case !sealed && len(bad) > 0 && bad[len(bad)-1].Offset >= max(whole, committed):
		bad = bad[:len(bad)-1] // what a run was writing when it was killed
	case len(bad) == 0 && whole < committed:
		bad = append(bad, Problem{Pack: n, Offset: whole, Reason: fmt.Sprintf("the pack is cut short: it has %d bytes of %d", whole, committed)})
	}
	b.report.Problems = append(b.report.Problems, bad...)
	return putPack(tx, packRow{n: n, length: whole, crc: wholeCRC, sealed: sealed})
}

// frame puts the row of a whole member, and says what is wrong with it.
func (b *rebuild) frame(tx *sql.Tx, ins *inserts, f frame) (problem string, err error) {
	if f.trailer {
		return "", nil
	}
	m, _ := parseName(f.name)
	switch m.kind {
	case kindBlob:
		b.report.Blobs++
		return "", ins.putBlob(m.hash, blobRow{size: f.size, place: f.place})
	case kindObject:
		if f.rowErr != nil {
			return f.rowErr.Error(), nil
		}
		b.report.Objects++
		return "", ins.putRecord(f.row)
	}
	var rec SnapshotRecord
	if err := json.Unmarshal(f.data, &rec); err != nil || rec.Snapshot != m.snapshot {
		return "it is no record of that snapshot", nil
	}
	b.report.Snapshots++
	_, err = tx.Exec(`INSERT OR REPLACE INTO snapshot (n, started, record, pack, start, length) VALUES (?, ?, ?, ?, ?, ?)`,
		m.snapshot, formatTime(rec.Started), string(f.data), f.pack, f.start, f.length)
	return "", err
}

// snapshots opens the snapshot that was not finished, and reports finished ones
// whose record is lost.
func (b *rebuild) snapshots() error {
	list, err := rows(b.a.cat, func(rs *sql.Rows) (n int, err error) { return n, rs.Scan(&n) },
		`SELECT DISTINCT snapshot FROM record WHERE snapshot NOT IN (SELECT n FROM snapshot) ORDER BY snapshot`)
	if err != nil {
		return b.a.catalogError("look for unfinished snapshots", err)
	}
	finished := 0
	if _, err := b.a.cat.row(`SELECT coalesce(max(n), 0) FROM snapshot`, nil, &finished); err != nil {
		return b.a.catalogError("look for unfinished snapshots", err)
	}
	finished = max(finished, b.old.finished)
	for i, n := range list {
		if i == len(list)-1 && n > finished {
			err := b.a.cat.update("open the unfinished snapshot", func(tx *sql.Tx) error {
				_, err := tx.Exec(`INSERT INTO snapshot (n, started) VALUES (?, ?)`, n, now())
				return err
			})
			return b.a.catalogError("open the unfinished snapshot", err)
		}
		b.report.Problems = append(b.report.Problems, Problem{Member: snapshotName(n), Reason: "the record that closes the snapshot is lost: the snapshot can not be chosen any more, later ones hold what it held"})
	}
	return nil
}

// replace puts the new catalog in the old one's place.
func (b *rebuild) replace() error {
	if err := b.a.cat.close(); err != nil {
		return b.a.catalogError("close the new catalog", err)
	}
	if info, err := os.Stat(b.path + "-wal"); err == nil && info.Size() > 0 {
		return fmt.Errorf("reindex: the new catalog's log %s-wal could not be emptied: run it again", b.path)
	}
	f, err := os.OpenFile(b.path, os.O_RDWR, 0)
	if err == nil {
		err = errors.Join(failpoint.Do("sync the new catalog", b.path, f.Sync), f.Close())
	}
	if err != nil {
		return writeError(b.path, err)
	}
	// The old log would be taken for the new catalog's. The old catalog stays
	// until the new one takes its place: it has the journals too.
	path := b.a.path(catalogFile)
	if err := removeLogs(path); err != nil {
		return err
	}
	if err := rename(b.path, path); err != nil {
		return writeError(path, err)
	}
	return writeError(path, syncDir(b.a.dir))
}
