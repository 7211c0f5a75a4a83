package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mailhaul/account"
	"mailhaul/internal/failpoint"
)

// putMany puts messages from several goroutines into a run of small groups,
// so that there is always one being committed. It answers what was promised.
func putMany(a *Archive, messages int) (promised int, err error) {
	a.groupBytes, a.groupTime, a.packLimit = 3<<10, time.Hour, 40<<10
	r, err := a.Begin()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for from := 0; from < messages; from += 50 {
		errs := make(chan error, 4)
		for worker := range 4 {
			go func() {
				var err error
				for n := from + worker; n < from+50 && err == nil; n += 4 {
					err = putOne(r, n)
				}
				errs <- err
			}()
		}
		for range 4 {
			err = errors.Join(err, <-errs)
		}
		if err = errors.Join(err, r.Commit()); err != nil {
			return promised, err
		}
		promised = from + 50
	}
	return promised, r.Finish(SnapshotRecord{})
}

// putOne puts a message, and finds it at once.
func putOne(r *Run, n int) error {
	data, o := message(n), email(n)
	h, _, err := r.PutBlob(bytes.NewReader(data), int64(len(data)))
	if err == nil {
		_, err = r.PutObject(account.Email, o, h)
	}
	if err == nil {
		err = r.Seen(account.Email, o.ID())
	}
	if err != nil {
		return err
	}
	if got, size, ok, err := r.BlobFor(o.Text("blobId")); err != nil || !ok || got != h || size != int64(len(data)) {
		return fmt.Errorf("the blob of %s is found as %.8s, %d bytes, %v: %w", o.ID(), got, size, ok, err)
	}
	if changed, err := r.PutObject(account.Email, o, h); err != nil || changed {
		return fmt.Errorf("%s put again: changed %v: %w", o.ID(), changed, err)
	}
	return nil
}

// While one group is being committed and others put more, any write may fail:
// that is told, what Commit promised is there, nothing is twice, and the next
// run ends what was begun.
func TestAFailureWhileMoreIsPutLosesNothing(t *testing.T) {
	const messages = 200
	dir, err := quickDir()
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	step := every(20, 70)
	for at := 1 + rand.IntN(step); ; at += step {
		path := filepath.Join(dir, fmt.Sprint(at))
		a, err := Create(path, testOrigin)
		must(t, err)
		cause := []error{syscall.EIO, syscall.ENOSPC}[at%2]
		var mu sync.Mutex
		n, what := 0, ""
		failpoint.Set(func(doing, p string, write func() error) error {
			if !strings.HasPrefix(p, path) {
				return write()
			}
			mu.Lock()
			n++
			mine := n == at
			if mine {
				what = doing + " " + filepath.Base(p)
			}
			mu.Unlock()
			if mine {
				return &fs.PathError{Op: doing, Path: p, Err: cause}
			}
			return write()
		})
		promised, err := putMany(a, messages)
		failpoint.Clear()
		if what == "" {
			must(t, errors.Join(err, a.Close()))
			break
		}
		// What need not be done: a large message's spool is removed by the next run,
		// and a lock holds without its holder's number when there is no room for that.
		needless := strings.HasPrefix(what, "remove") || cause == syscall.ENOSPC && strings.HasSuffix(what, ".pid")
		if !errors.Is(err, cause) && !(err == nil && needless) {
			t.Errorf("point %d, %s: %v", at, what, err)
		}
		must(t, a.Close())
		a = open(t, path)
		verifyClean(t, a)
		have, err := holds(a, -1)
		must(t, err)
		for i := range promised {
			if _, ok := have["Email/"+email(i).ID()]; !ok {
				t.Errorf("point %d, %s: message %d was promised and is lost", at, what, i)
			}
		}
		if _, err := putMany(a, messages); err != nil {
			t.Errorf("point %d, %s: the next run: %v", at, what, err)
		}
		if have, err = holds(a, 0); err != nil || len(have) != messages {
			t.Errorf("point %d, %s: %d messages in the end, %v", at, what, len(have), err)
		}
		verifyClean(t, a)
		must(t, a.Close())
		must(t, os.RemoveAll(path))
	}
}
