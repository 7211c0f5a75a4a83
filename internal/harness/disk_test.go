package harness

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"mailhaul/archive"
	"mailhaul/internal/failpoint"
)

// blow is what happens at a write to the archive.
type blow string

const (
	aheadOf  blow = "killed ahead of a write"
	behind   blow = "killed after a write"
	within   blow = "killed in the middle of a write"
	fullDisk blow = "no space left for a write"
	badDisk  blow = "a write fails"
)

var blows = []blow{aheadOf, behind, within, fullDisk, badDisk}

func (b blow) kills() bool { return b == aheadOf || b == behind || b == within }

// disk is what a run writes to. One write at a time, so that what lies in the
// directory at one of them is what a kill there leaves.
type disk struct {
	mu   sync.Mutex
	n    int
	hit  bool
	what string // the write that was hit
	err  error  // of the harness
}

// watch counts the writes of a run and strikes at the one that is planned.
func (w *way) watch(l *line, d disturbance) *disk {
	disk := &disk{}
	failpoint.Set(func(doing, path string, write func() error) error {
		if rel, err := filepath.Rel(w.home, path); err != nil || strings.HasPrefix(rel, "..") {
			return write()
		}
		disk.mu.Lock()
		defer disk.mu.Unlock()
		if disk.n++; disk.hit || d.End != atWrite || disk.n != d.EndAt {
			return write() // after a kill too: into a directory that nobody reads
		}
		disk.hit, disk.what = true, doing+" "+filepath.Base(path)
		count(string(d.Blow))
		if d.Blow.kills() {
			l.Kill()
			disk.err = w.fall(d.Blow, doing, write)
			return errors.New("the process is dead")
		}
		if doing == "close the catalog" {
			_ = write() // what it holds is to be given up all the same
		}
		err := syscall.EIO
		if d.Blow == fullDisk {
			err = syscall.ENOSPC
		}
		return &fs.PathError{Op: doing, Path: path, Err: err}
	})
	return disk
}

// fall keeps what is on the disk when a run is killed at a write.
func (w *way) fall(b blow, doing string, write func() error) error {
	if b == aheadOf {
		err := w.bury()
		_ = write() // into a directory that nobody reads: all that is open gets closed
		return err
	}
	before, err := filesIn(w.home)
	_ = write()
	if err != nil || b == behind || doing == "rename" || doing == "remove" {
		return errors.Join(err, w.bury())
	}
	after, err := filesIn(w.home)
	if err != nil {
		return err
	}
	return w.lay(torn(before, after))
}

// torn is after, but of what is new in a file only the first half. Of a catalog
// and its log SQLite writes one and then the other: here it is the log.
func torn(before, after map[string]string) map[string]string {
	for _, name := range slices.Sorted(maps.Keys(after)) {
		old, is := before[name], after[name]
		if old == is || strings.HasSuffix(name, "/") || strings.HasSuffix(name, "catalog.db") {
			continue
		}
		same := 0
		for same < min(len(old), len(is)) && old[same] == is[same] {
			same++
		}
		cut := same + (len(is)-same)/2
		if cut == len(is) || cut == 0 { // a log is emptied at once
			continue
		}
		files := maps.Clone(before)
		files[name] = is[:cut] + old[min(cut, len(old)):]
		return files
	}
	return before
}

// filesIn are the files that a process leaves in a directory, and the
// directories, whose names end in a slash: not SQLite's index of its log, which
// is memory.
func filesIn(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || strings.HasSuffix(path, "-shm") {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || e.IsDir() {
			files[rel+"/"] = ""
			return err
		}
		data, err := os.ReadFile(path)
		files[rel] = string(data)
		return err
	})
	return files, err
}

// bury keeps what a killed run has on disk.
func (w *way) bury() error {
	files, err := filesIn(w.home)
	if err != nil {
		return err
	}
	return w.lay(files)
}

// lay makes the directory that the next run gets.
func (w *way) lay(files map[string]string) error {
	w.deaths++
	for name, data := range files {
		path := filepath.Join(w.heir(), name)
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o700); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (w *way) heir() string { return filepath.Join(w.dir, fmt.Sprint("archive-", w.deaths)) }

// leave ends a run's process. The next one goes on with what was kept of a
// killed one.
func (w *way) leave(l *line, d *disk) error {
	if !l.Dead() && !d.hit {
		return nil // a process more would show nothing
	}
	if w.ar != nil {
		_ = w.ar.Close()
		w.ar = nil
	}
	if l.Dead() {
		w.home = w.heir()
	}
	ar, err := archive.Open(w.home)
	if errors.Is(err, archive.ErrNotArchive) {
		return nil // the next run makes it
	} else if err != nil {
		return fmt.Errorf("open what a killed run left at %q: %w", d.what, err)
	}
	w.ar = ar
	return nil
}

// open opens the archive, or makes it.
func (w *way) open(o archive.Origin) (err error) {
	if w.ar != nil {
		return nil
	}
	w.ar, err = archive.Open(w.home)
	if errors.Is(err, archive.ErrNotArchive) {
		w.ar, err = archive.Create(w.home, o)
	}
	if err != nil {
		w.ar = nil
	}
	return err
}
