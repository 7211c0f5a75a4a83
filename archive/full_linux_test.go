package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"mailhaul/account"
)

// smallDisk mounts a file system of that many bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	if os.Getuid() != 0 && os.Getenv("CI") == "" {
		t.Skip("mounting a small file system takes root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Fatal("mount: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error("unmount: ", err)
		}
	})
	return dir
}

func noise(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// fillUp leaves only so many bytes of the disk, and returns what gives the rest back.
func fillUp(t *testing.T, disk string, leave int64) (free func()) {
	t.Helper()
	path := filepath.Join(disk, "ballast")
	f, err := os.Create(path)
	must(t, err)
	_, err = io.Copy(f, neverEnding{})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	size, err := f.Seek(0, io.SeekCurrent)
	must(t, err)
	must(t, f.Truncate(size-leave))
	must(t, f.Close())
	return func() { must(t, os.Remove(path)) }
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAFullDiskStopsTheRunWithWhatWasCommittedWhole(t *testing.T) {
	for _, c := range []struct {
		name  string
		leave int64
		size  int // of each blob
	}{
		{"the pack does not fit", 600 << 10, 100 << 10},
		{"a large blob's spool file does not fit", 600 << 10, smallBlob + 100},
		{"hardly anything fits", 8 << 10, 1 << 10},
		{"the catalog does not fit", 64 << 10, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk := smallDisk(t, 8<<20)
			a, err := Create(filepath.Join(disk, "alice"), testOrigin)
			must(t, err)
			t.Cleanup(func() { _ = a.Close() })
			r := begin(t, a)
			var committed []Hash
			for n := range 10 {
				committed = append(committed, putEmail(t, r, n))
			}
			must(t, r.Commit())
			free := fillUp(t, disk, c.leave)

			var failure error
			for n := 100; failure == nil && n < 20000; n++ {
				h, _, err := r.PutBlob(bytes.NewReader(noise(uint64(n), c.size)), int64(c.size))
				if err == nil {
					_, err = r.PutObject(account.Email, email(n), h)
				}
				if err == nil && n%10 == 0 {
					err = r.Commit()
				}
				failure = err
			}
			var full *FullError
			if !errors.As(failure, &full) || full.Path == "" {
				t.Fatalf("on a full disk: %v", failure)
			}
			t.Log(full)
			if _, _, err := r.PutBlob(bytes.NewReader([]byte("more")), 4); !errors.As(err, &full) {
				t.Errorf("the next put: %v", err)
			}
			if err := r.Commit(); !errors.As(err, &full) {
				t.Errorf("the next commit: %v", err)
			}
			if err := r.Close(); err != nil && !errors.As(err, &full) {
				t.Errorf("Close: %v", err)
			}
			verifyClean(t, a)
			for n, h := range committed {
				if !bytes.Equal(readBlob(t, a, h), message(n)) {
					t.Errorf("message %d differs", n)
				}
			}
			if err := a.Close(); err != nil && !errors.As(err, &full) {
				t.Errorf("closing the archive: %v", err)
			}

			free()
			a = open(t, a.Dir())
			verifyClean(t, a)
			r = begin(t, a)
			if !r.Resumed() {
				t.Error("the snapshot is not resumed")
			}
			putEmail(t, r, 11)
			must(t, r.Finish(SnapshotRecord{}))
			verifyClean(t, a)
		})
	}
}

func TestAnArchiveIsReadFromReadOnlyMedia(t *testing.T) {
	disk := smallDisk(t, 4<<20)
	a, err := Create(filepath.Join(disk, "alice"), testOrigin)
	must(t, err)
	r := begin(t, a)
	h := putEmail(t, r, 1)
	must(t, r.Finish(SnapshotRecord{}))
	must(t, a.Close())
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	a = open(t, a.Dir())
	if !bytes.Equal(readBlob(t, a, h), message(1)) {
		t.Error("the message differs")
	}
	verifyClean(t, a)
	if _, err := a.Begin(); err == nil {
		t.Error("a run begins on read-only media")
	} else {
		t.Log(err)
	}
	if _, err := a.Journal("s", "b", "c"); err == nil {
		t.Error("a journal is opened on read-only media")
	} else {
		t.Log(err)
	}
	must(t, a.Close())
}

// Not even the number in the lock's .pid file has room: the lock holds all the
// same, and the first that can't be written says what is needed.
func TestOnAFullDiskTheLockHoldsWithoutItsNumber(t *testing.T) {
	disk := smallDisk(t, 1<<20)
	a, err := Create(filepath.Join(disk, "archive"), Origin{Name: "full"})
	must(t, err)
	t.Cleanup(func() { _ = a.Close() })
	must(t, begin(t, a).Close()) // the lock's own file is there
	fillUp(t, disk, 0)
	l, err := a.takeLock(writerLock)
	must(t, err)
	var locked *LockedError
	if _, err := a.takeLock(writerLock); !errors.As(err, &locked) || locked.PID != 0 {
		t.Errorf("taken twice: %v", err)
	}
	must(t, l.release())
	var full *FullError
	if _, err := a.Begin(); !errors.As(err, &full) || full.Need < leastRoom {
		t.Errorf("a run: %v", err)
	}
}
