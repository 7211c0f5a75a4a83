package archive

import (
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

const packDir = "packs"

func packName(n int) string { return fmt.Sprintf("%s/%06d.tar.zst", packDir, n) }

func (a *Archive) packPath(n int) string { return a.path(filepath.FromSlash(packName(n))) }

var packPattern = regexp.MustCompile(`^([0-9]{6,9})\.tar\.zst$`)

// packFiles lists the numbers of the packs that lie in the directory, ascending.
func (a *Archive) packFiles() ([]int, error) {
	entries, err := os.ReadDir(a.path(packDir))
	if err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	var list []int
	for _, e := range entries {
		if m := packPattern.FindStringSubmatch(e.Name()); m != nil {
			if n, err := strconv.Atoi(m[1]); err == nil && n > 0 && packName(n) == packDir+"/"+e.Name() {
				list = append(list, n)
			}
		}
	}
	slices.Sort(list)
	return list, nil
}

// place is where a frame lies.
type place struct {
	pack          int
	start, length int64
}

// packRow is a row of the table pack.
type packRow struct {
	n      int
	length int64  // whole frames only
	crc    uint32 // CRC-32 of that many bytes
	sealed bool
}

func (a *Archive) packRows() ([]packRow, error) {
	list, err := rows(a.cat, func(rs *sql.Rows) (p packRow, err error) {
		return p, rs.Scan(&p.n, &p.length, &p.crc, &p.sealed)
	}, `SELECT n, length, crc, sealed FROM pack ORDER BY n`)
	return list, a.catalogError("list packs", err)
}

func putPack(tx *sql.Tx, p packRow) error {
	_, err := tx.Exec(`INSERT OR REPLACE INTO pack (n, length, crc, sealed) VALUES (?, ?, ?, ?)`, p.n, p.length, p.crc, p.sealed)
	return err
}

// packWriter appends frames to one pack.
type packWriter struct {
	packRow // as it will be committed
	path    string
	f       *diskFile
	synced  int64 // how much of it is known to be on the disk
}

// openPack opens a pack for writing. One that is not there yet is made. What a
// pack holds past its row must be seen to before anything is appended.
func (a *Archive) openPack(row packRow) (*packWriter, error) {
	w := &packWriter{packRow: row, path: a.packPath(row.n), synced: row.length}
	var err error
	if w.f, err = createFile(w.path, os.O_RDWR|os.O_CREATE); err != nil {
		return nil, writeError(w.path, err)
	}
	if row.length == 0 {
		if err := syncDir(filepath.Dir(w.path)); err != nil {
			return nil, errors.Join(writeError(w.path, err), w.f.Close())
		}
	}
	return w, nil
}

// adopt takes the frame that follows for one that was appended.
func (w *packWriter) adopt(r io.ReaderAt, length int64) error {
	c := &countingWriter{w: io.Discard, crc: w.crc}
	if _, err := io.Copy(c, io.NewSectionReader(r, w.length, length)); err != nil {
		return fmt.Errorf("read %s: %w", w.path, err)
	}
	w.length, w.crc = w.length+length, c.crc
	return nil
}

// reset goes back to the end of the last whole frame.
func (w *packWriter) reset() error {
	info, err := w.f.Stat()
	if err == nil && info.Size() < w.length {
		return &DamagedError{Pack: w.n, Offset: info.Size(), Reason: fmt.Sprintf("it ends there, the catalog knows %d bytes of it", w.length)}
	}
	if err == nil && info.Size() > w.length {
		err = w.f.truncate(w.length)
	}
	if err == nil {
		_, err = w.f.Seek(w.length, io.SeekStart)
	}
	return writeError(w.path, err)
}

// append adds a frame that write produces: whole, or not at all.
func (w *packWriter) append(write func(io.Writer) error) (place, error) {
	c := &countingWriter{w: w.f, crc: w.crc}
	if err := write(c); err != nil {
		return place{}, errors.Join(writeError(w.path, err), w.reset())
	}
	p := place{pack: w.n, start: w.length, length: c.n}
	w.length, w.crc = w.length+c.n, c.crc
	return p, nil
}

// sync makes durable what was appended up to length. More may be appended
// meanwhile.
func (w *packWriter) sync(length int64) error {
	err := w.f.Sync()
	if err == nil {
		w.synced = length
	}
	return err
}

// takeBack cuts off what could not be synced: it may still read well from memory,
// and to sync it again would succeed and prove nothing, so that the next run
// must not come across it.
func (w *packWriter) takeBack(err error) error {
	return errors.Join(writeError(w.path, err), w.f.truncate(w.synced))
}

func (w *packWriter) close() error { return w.f.Close() }

type countingWriter struct {
	w   io.Writer
	n   int64
	crc uint32
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	c.crc = crc32.Update(c.crc, crc32.IEEETable, p[:n])
	return n, err
}
