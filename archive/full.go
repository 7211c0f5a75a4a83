package archive

import (
	"errors"
	"fmt"
	"path/filepath"
)

// FullError says that there is no room left to write to. What was committed
// before is whole.
type FullError struct {
	Path string // the file that could not grow
	Free int64  // bytes that are free there, -1 when unknown
	Need int64  // bytes that it takes to go on, by estimate
	Err  error
}

func (e *FullError) Error() string {
	free := ""
	if e.Free >= 0 {
		free = bytesText(e.Free) + " free, "
	}
	return fmt.Sprintf("no space left to write %s (%sabout %s needed): %v; what was stored before is whole: make room and run the same command again",
		e.Path, free, bytesText(e.Need), e.Err)
}

// Unwrap is the system's error.
func (e *FullError) Unwrap() error { return e.Err }

func newFullError(path string, err error) *FullError {
	return &FullError{Path: path, Free: FreeBytes(filepath.Dir(path)), Need: leastRoom, Err: err}
}

func bytesText(n int64) string {
	switch {
	case n < 10<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 10<<20:
		return fmt.Sprintf("%d KB", n>>10)
	}
	return fmt.Sprintf("%d MB", n>>20)
}

const (
	// leastRoom is what any command needs to begin: the catalog's log and its
	// index, a lock, the first frames of a pack.
	leastRoom = 256 << 10
	// rowBytes is about what an object and its blob take in the catalog, its log
	// and indexes included.
	rowBytes = 1 << 10
	// entryBytes is the same of a journal's entry, and of a listed message.
	entryBytes = 1 << 10
)

// Expect tells how many objects are still to be put, by estimate, and how many
// bytes their blobs have together: should the disk be full, that is needed, too.
func (r *Run) Expect(objects, bytes int64) { r.expected.Store(bytes + 2*objects*rowBytes) }

// need is about how many bytes it takes to go on: rows for what is pending, what
// is expected, and more, of which nothing is written yet.
func (r *Run) need(more int64) int64 {
	rows := r.pending.size() + 1
	if r.behind != nil {
		rows += r.behind.size()
	}
	return max(more, r.expected.Load()) + int64(rows)*rowBytes
}

// tellNeed adds to an error how much room is needed.
func (r *Run) tellNeed(err error, more int64) error {
	var full *FullError
	if errors.As(err, &full) {
		full.Need = max(full.Need, r.need(more))
	}
	return err
}

// tellNeed adds to an error how much room the rest of the import needs.
func (j *Journal) tellNeed(err error) error {
	var full *FullError
	if errors.As(err, &full) {
		if items, _, e := j.PendingCount(0); e == nil {
			full.Need = max(full.Need, (items+1)*2*entryBytes)
		}
	}
	return err
}
