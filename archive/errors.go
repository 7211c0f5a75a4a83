package archive

import (
	"errors"
	"fmt"
	"io/fs"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrNotArchive says that a directory is no archive.
var ErrNotArchive = errors.New("not a mailhaul archive")

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

// FullError says that there is no room left to write to. What was committed
// before is whole.
type FullError struct {
	Path string // the file that could not grow
	Err  error
}

func (e *FullError) Error() string {
	return fmt.Sprintf("no space left to write %s: %v; what was stored before is whole: make room and run the same command again", e.Path, e.Err)
}

// Unwrap is the system's error.
func (e *FullError) Unwrap() error { return e.Err }

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
		return &FullError{Path: path, Err: err}
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
	if isFull(err) {
		return &FullError{Path: path, Err: err}
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff { // the extended codes keep the basic one in the low byte
		case sqlite3.SQLITE_FULL:
			return &FullError{Path: path, Err: err}
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return &DamagedError{Member: path, Reason: fmt.Sprintf("%v; `mailhaul archive reindex %s` builds it again from the packs", err, a.dir)}
		case sqlite3.SQLITE_BUSY:
			return fmt.Errorf("%s: another process keeps %s busy; try again: %w", doing, path, err)
		case sqlite3.SQLITE_IOERR:
			// The shared-memory file could not grow: what a full disk looks like there.
			if e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE {
				return &FullError{Path: path, Err: err}
			}
		}
	}
	return fmt.Errorf("%s (%s): %w", doing, path, err)
}
