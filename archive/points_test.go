//go:build unix

package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailhaul/internal/failpoint"
)

// A telling is a part of the story that is disturbed, in an archive that the
// parts before it have made.
var tellings = []struct {
	name   string
	before []func(*story) error
	tell   func(*story) error
}{
	{"export", nil, (*story).export},
	{"import", []func(*story) error{(*story).export}, (*story).journal},
	{"prune", []func(*story) error{(*story).export, (*story).journal}, (*story).prune},
	{"reindex", []func(*story) error{(*story).export, (*story).journal, (*story).begun}, (*story).reindex},
}

// begun leaves a snapshot that was begun and not finished, with a tail in its
// pack that was not committed.
func (s *story) begun() error {
	a, err := Open(s.dir)
	if err != nil {
		return err
	}
	defer a.Close()
	a.groupTime = time.Hour
	r, err := a.Begin()
	if err != nil {
		return err
	}
	defer r.Close()
	h, _, err := r.PutBlob(bytes.NewReader(message(1)), -1)
	if err != nil {
		return err
	}
	if _, err := r.PutObject(emailType, storyObject(1, 1), h); err != nil {
		return err
	}
	s.now["Email/M1"] = textOf(storyObject(1, 1), h)
	return r.Commit()
}

// TestAKillAtAnyWriteLosesNothing stops the world ahead of each write of a
// program, after it and in the middle of it: what lies on the disk then is
// whole, holds all that was promised, and the same program goes on from it to
// the same end.
func TestAKillAtAnyWriteLosesNothing(t *testing.T) {
	for _, c := range tellings {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.before)
			s := b.story()
			count := map[string]int{}
			points, disks, tried := 0, 0, some(t, 1, 17)
			b.hook(s.dir, func(doing, path string, write func() error) error {
				points++
				count[doing]++
				before := read(t, s.dir)
				err := write()
				after := read(t, s.dir)
				for _, disk := range between(doing, before, after, points) {
					disks++
					if !tried() {
						continue
					}
					if e := b.goesOn(s, disk, c.tell); e != nil {
						t.Errorf("point %d, %s %s, killed %s: %v", points, doing, filepath.Base(path), disk.how, e)
					}
				}
				return err
			})
			must(t, c.tell(s))
			failpoint.Clear()
			must(t, s.judgeEndOf(c.name))
			t.Logf("%d points, %d states of the disk: %v", points, disks, count)
			if points < 10 {
				t.Error("next to nothing was written")
			}
		})
	}
}

// TestAnErrorAtAnyWriteIsToldAndLosesNothing lets each write of a program fail.
func TestAnErrorAtAnyWriteIsToldAndLosesNothing(t *testing.T) {
	failures := []struct {
		name    string
		err     error
		instead bool // of the write; else after it, though it was done
	}{
		{"a bad disk", syscall.EIO, true},
		{"a full disk", syscall.ENOSPC, true},
		{"an error though it was done", syscall.EIO, false},
	}
	for _, c := range tellings {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.before)
			tried := some(t, 1, 29)
			for at := 1; ; at++ {
				reached := false
				for _, f := range failures {
					if !tried() {
						reached = true // it may be: the end is found by those that are tried
						continue
					}
					s := b.story()
					n, what := 0, ""
					b.hook(s.dir, func(doing, path string, write func() error) error {
						if n++; n != at {
							return write()
						}
						reached, what = true, fmt.Sprintf("point %d, %s %s, %s", at, doing, filepath.Base(path), f.name)
						if !f.instead {
							_ = write()
						}
						return &fs.PathError{Op: doing, Path: path, Err: f.err}
					})
					err := c.tell(s)
					failpoint.Clear()
					if what == "" {
						reached = false
						break
					}
					if err != nil {
						b.judgeError(t, what, err, f.err)
					}
					if err := s.judge(); err != nil {
						t.Errorf("%s: %v", what, err)
					}
					if err := c.tell(s); err != nil {
						t.Errorf("%s: the next run: %v", what, err)
					} else if err := s.judgeEndOf(c.name); err != nil {
						t.Errorf("%s: after the next run: %v", what, err)
					}
					must(t, os.RemoveAll(s.dir))
				}
				if !reached {
					t.Logf("%d points", at-1)
					return
				}
			}
		})
	}
}

// judgeError sees whether an error is one that a person can act on.
func (b *bench) judgeError(t *testing.T, what string, err, cause error) {
	t.Helper()
	var full *FullError
	switch {
	case !errors.Is(err, cause):
		t.Errorf("%s: the error does not tell the cause: %v", what, err)
	case !strings.Contains(err.Error(), b.dir):
		t.Errorf("%s: the error does not tell where: %v", what, err)
	case cause == syscall.ENOSPC && !errors.As(err, &full):
		t.Errorf("%s: no FullError: %v", what, err)
	case strings.Count(err.Error(), cause.Error()) > 1:
		t.Errorf("%s: the error says it twice: %v", what, err)
	}
}

func (s *story) judgeEndOf(name string) error {
	if name == "reindex" { // one snapshot is open
		s.promised = map[string]string{}
		return s.judge()
	}
	return s.judgeEnd()
}

// bench is where a telling takes place.
type bench struct {
	t    *testing.T
	dir  string
	n    int
	base *story // what the parts before have left
	disk disk
}

func newBench(t *testing.T, before []func(*story) error) *bench {
	dir, err := quickDir()
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b := &bench{t: t, dir: dir, base: newStory(filepath.Join(dir, "base"))}
	for _, tell := range before {
		must(t, tell(b.base))
	}
	if len(before) > 0 {
		b.disk = read(t, b.base.dir)
	}
	return b
}

func (b *bench) newDir() string {
	b.n++
	return filepath.Join(b.dir, fmt.Sprint(b.n))
}

// story is the story in a copy of the archive.
func (b *bench) story() *story {
	s := b.base.at(b.newDir())
	must(b.t, b.disk.write(s.dir))
	return s
}

// hook takes hold of the writes in one directory.
func (b *bench) hook(dir string, h failpoint.Hook) {
	b.t.Cleanup(failpoint.Clear)
	failpoint.Set(func(doing, path string, write func() error) error {
		if rel, err := filepath.Rel(dir, path); err != nil || strings.HasPrefix(rel, "..") {
			return write()
		}
		return h(doing, path, write)
	})
}

// reindexed is nil when what a reindex makes of a disk is good.
func (b *bench) reindexed(s *story, d disk) error {
	next := s.at(b.newDir())
	next.pruned, next.entries, next.notes = true, nil, 0
	defer os.RemoveAll(next.dir)
	if err := d.write(next.dir); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal"} {
		if err := os.Remove(filepath.Join(next.dir, catalogFile+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := next.reindex(); err != nil {
		return err
	}
	if err := next.judge(); err != nil {
		return err
	}
	return next.prune()
}

// goesOn is nil when a disk is good and the program goes on from it.
func (b *bench) goesOn(s *story, d disk, tell func(*story) error) error {
	next := s.at(b.newDir())
	defer os.RemoveAll(next.dir)
	if err := d.write(next.dir); err != nil {
		return err
	}
	next.pruned = filepath.Base(b.t.Name()) == "prune"
	if err := next.judge(); err != nil {
		return err
	}
	if next.pruned { // from the packs alone, too
		if err := b.reindexed(s, d); err != nil {
			return fmt.Errorf("after a reindex: %w", err)
		}
	}
	if err := tell(next); err != nil {
		return fmt.Errorf("the next run: %w", err)
	}
	if err := next.judgeEndOf(filepath.Base(b.t.Name())); err != nil {
		return fmt.Errorf("after the next run: %w", err)
	}
	return nil
}
