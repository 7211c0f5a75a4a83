package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// Names of lock files. A lock vanishes with the process that holds it; the file
// stays. Beside each lies a .pid file with the holder's number, since on
// Windows a locked file can not be read.
const (
	writerLock  = "lock"         // the one run
	catalogLock = "lock-catalog" // shared by whoever writes the catalog, exclusive for Reindex
	// journals have "lock-" and a hash of their target
)

// lock is a held lock.
type lock struct {
	f   *flock.Flock
	pid string // path of the .pid file, "" for a shared lock
}

// takeLock takes the lock with that name for this process alone.
func (a *Archive) takeLock(name string) (*lock, error) {
	path := a.path(name)
	l := &lock{f: flock.New(path, flock.SetPermissions(0o600)), pid: path + ".pid"}
	ok, err := l.f.TryLock()
	if err != nil {
		return nil, a.lockError(err)
	}
	if !ok {
		return nil, &LockedError{Path: a.dir, PID: readPID(l.pid)}
	}
	// Without room for the number the lock holds all the same.
	if err := writeSmall(l.pid, []byte(strconv.Itoa(os.Getpid())+"\n")); err != nil && !isFull(err) {
		return nil, errors.Join(writeError(l.pid, err), l.f.Unlock())
	}
	return l, nil
}

// shareCatalog keeps Reindex away, and makes sure that it did not replace the
// catalog since the archive was opened.
func (a *Archive) shareCatalog() (*lock, error) {
	l := &lock{f: flock.New(a.path(catalogLock), flock.SetPermissions(0o600))}
	ok, err := l.f.TryRLock()
	if err != nil {
		return nil, a.lockError(err)
	}
	if !ok {
		return nil, &LockedError{Path: a.dir, PID: readPID(a.path(catalogLock) + ".pid")}
	}
	if err := a.sameCatalog(); err != nil {
		return nil, errors.Join(err, l.f.Unlock())
	}
	return l, nil
}

func (a *Archive) lockError(err error) error {
	if isReadOnly(err) {
		return fmt.Errorf("archive %s can not be written: %w", a.dir, err)
	}
	return writeError(a.dir, err)
}

func (l *lock) release() error {
	if l == nil {
		return nil
	}
	if l.pid != "" {
		if err := remove(l.pid); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(writeError(l.pid, err), l.f.Unlock())
		}
	}
	return l.f.Unlock()
}

// readPID is 0 when the file says nothing.
func readPID(path string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0
	}
	return pid
}
