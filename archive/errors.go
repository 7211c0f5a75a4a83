package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrNotArchive says that a directory is no archive, or none that this mailhaul
// can read.
var ErrNotArchive = errors.New("not a mailhaul archive")

// errNewer ends the message that something has a version from the future.
var errNewer error = newerError{}

type newerError struct{}

func (newerError) Error() string        { return "use a newer mailhaul" }
func (newerError) Is(target error) bool { return target == ErrNotArchive }

// ErrNotFound says that there is no such blob, object or snapshot.
var ErrNotFound = errors.New("not in the archive")

// LockedError says that another process has the archive, or the journal of the
// same target, open for writing.
type LockedError struct {
	Path string // the archive
	PID  int    // of the holder, 0 when unknown
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("archive %s is in use by another process; wait for it or stop it", e.Path)
	}
	return fmt.Sprintf("archive %s is being written by process %d; wait for it or stop it", e.Path, e.PID)
}

// DamagedError says that bytes of the archive are not what they should be.
type DamagedError struct {
	Pack   int    // its number, 0 for a file that is no pack
	Offset int64  // of the frame in the pack
	Member string // the member's name, or the file's; "" when unknown
	Reason string
}

func (e *DamagedError) Error() string {
	switch {
	case e.Pack == 0:
		return fmt.Sprintf("%s is damaged: %s", e.Member, e.Reason)
	case e.Member == "":
		return fmt.Sprintf("%s is damaged at byte %d: %s", packName(e.Pack), e.Offset, e.Reason)
	}
	return fmt.Sprintf("%s is damaged at byte %d, in %s: %s", packName(e.Pack), e.Offset, e.Member, e.Reason)
}

// writeError says what was being written when err happened.
func writeError(path string, err error) error {
	if err == nil {
		return nil
	}
	var full *FullError
	if errors.As(err, &full) {
		return err
	}
	var named *fs.PathError
	if errors.As(err, &named) {
		path, err = named.Path, named.Err // don't say the path twice
	}
	if isFull(err) {
		return newFullError(path, err)
	}
	return fmt.Errorf("write %s: %w", path, err)
}

// catalogError turns what SQLite says about the catalog into an error that a
// caller can act on.
func (a *Archive) catalogError(doing string, err error) error {
	if err == nil {
		return nil
	}
	path := a.path(catalogFile)
	var damage *DamagedError
	if errors.As(err, &damage) {
		return err
	}
	if isFull(err) {
		return newFullError(path, err)
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff { // the extended codes keep the basic one in the low byte
		case sqlite3.SQLITE_FULL:
			return newFullError(path, err)
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR: // the last: a table or a column is missing
			return a.damagedCatalog(err)
		case sqlite3.SQLITE_BUSY:
			return fmt.Errorf("%s: another process keeps %s busy; try again: %w", doing, path, err)
		case sqlite3.SQLITE_IOERR:
			// The shared-memory file could not grow: what a full disk looks like there.
			if e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE {
				return newFullError(path, err)
			}
		}
	}
	if strings.HasPrefix(err.Error(), "sql: Scan error") { // a column holds what it never does
		return a.damagedCatalog(err)
	}
	return fmt.Errorf("%s (%s): %w", doing, path, err)
}

func (a *Archive) damagedCatalog(cause error) *DamagedError {
	return &DamagedError{Member: a.path(catalogFile), Reason: fmt.Sprintf("%v; `mailhaul archive reindex %s` builds it again from the packs", cause, a.dir)}
}

// isDamage says whether err means that a catalog does not hold what it should,
// as opposed to a failure to work on it.
func isDamage(err error) bool {
	var damage *DamagedError
	var e *sqlite.Error
	if errors.As(err, &damage) {
		return true
	}
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() {
	case sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS:
		return true
	}
	switch e.Code() & 0xff { // SQLITE_ERROR: a table or a column is missing
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH:
		return true
	}
	return false
}
