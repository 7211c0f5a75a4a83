package archive

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
)

// killedRun is an archive as a kill leaves it: message 1 is committed, and
// then message 2, the end of message 1, and message 3 were put.
type killedRun struct {
	dir     string
	pack    []byte
	members []frame // that were not committed
}

func killARun(t testing.TB) killedRun {
	t.Helper()
	a := create(t)
	a.groupTime = time.Hour
	r := begin(t, a)
	putEmail(t, r, 1)
	must(t, r.SetProgress("place", 1))
	must(t, r.Commit())
	putEmail(t, r, 2)
	must(t, r.MarkGone(account.Email, "M1"))
	must(t, r.SetProgress("place", 2))
	putEmail(t, r, 3)
	k := killedRun{dir: filepath.Join(t.TempDir(), "killed")}
	must(t, copyArchive(a.Dir(), k.dir))
	must(t, r.Close())
	var err error
	k.pack, err = os.ReadFile(filepath.Join(k.dir, packName(1)))
	must(t, err)
	b := open(t, k.dir)
	k.members = left(t, b)
	must(t, b.Close())
	if len(k.members) != 5 {
		t.Fatalf("%d members were put since the commit", len(k.members))
	}
	return k
}

// with opens the archive with other bytes for its pack.
func (k killedRun) with(t testing.TB, pack []byte) *Archive {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	must(t, err)
	must(t, copyArchive(k.dir, dir))
	must(t, os.WriteFile(filepath.Join(dir, packName(1)), pack, 0o600))
	a, err := Open(dir)
	must(t, err)
	return a
}

// expect begins a run and fails the test unless it took up just the first n
// members, and these read as they should.
func (k killedRun) expect(t testing.TB, a *Archive, n int) *Run {
	t.Helper()
	r := begin(t, a)
	expectHeld(t, a, k.members[:n])
	verifyClean(t, a)
	end := k.members[0].start
	if n > 0 {
		end = k.members[n-1].start + k.members[n-1].length
	}
	info, err := os.Stat(a.packPath(1))
	must(t, err)
	if info.Size() != end {
		t.Errorf("the pack has %d bytes, %d members end at %d", info.Size(), n, end)
	}
	for _, f := range k.members[n:] {
		if m, _ := parseName(f.name); m.kind == kindBlob {
			if held, err := r.held(m.hash); err != nil || held != nil {
				t.Errorf("%s is held: %v %v", f.name, held, err)
			}
		}
	}
	for i := range 3 {
		h := sumOf(message(i + 1))
		if held, err := r.held(h); err != nil {
			t.Error(err)
		} else if held != nil && !bytes.Equal(readBlob(t, a, h), message(i+1)) {
			t.Errorf("message %d differs", i+1)
		}
	}
	return r
}

func TestWhatAKilledRunHadWrittenIsTakenUp(t *testing.T) {
	k := killARun(t)
	a := open(t, k.dir)
	if n, _, err := a.Count(-1, account.Email); n != 1 || err != nil {
		t.Errorf("a reader finds %d messages, %v: only what was committed is there", n, err)
	}
	r := k.expect(t, a, len(k.members))
	if !r.Resumed() || r.Snapshot() != 1 {
		t.Errorf("snapshot %d, resumed: %v", r.Snapshot(), r.Resumed())
	}
	for n := 2; n <= 3; n++ {
		if h, _, ok, err := r.BlobFor(fmt.Sprintf("B%d", n)); h != sumOf(message(n)) || !ok || err != nil {
			t.Errorf("BlobFor message %d: %s %v %v", n, h, ok, err)
		}
		if changed, err := r.PutObject(account.Email, email(n), sumOf(message(n))); changed || err != nil {
			t.Errorf("message %d is put again: %v %v", n, changed, err)
		}
	}
	if _, err := r.Get(account.Email, "M1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the message that went: %v", err)
	}
	var place int
	if ok, err := r.Progress("place", &place); !ok || place != 1 || err != nil {
		t.Errorf("progress %d, %v %v: it is as old as the last commit", place, ok, err)
	}
	must(t, r.Finish(SnapshotRecord{}))
	verifyClean(t, a)
	want := logical(t, a)
	must(t, a.Close())
	_, err := Reindex(t.Context(), k.dir, nil)
	must(t, err)
	if diff := cmp.Diff(want, logical(t, open(t, k.dir))); diff != "" {
		t.Error(diff)
	}
}

func TestARunThatWasKilledBeforeItsFirstCommitIsTakenUp(t *testing.T) {
	a := create(t)
	must(t, begin(t, a).Finish(SnapshotRecord{}))
	a.groupTime = time.Hour
	r := begin(t, a)
	must(t, r.Seen(account.Email, "M1"))
	putEmail(t, r, 1)
	dir := filepath.Join(t.TempDir(), "killed")
	must(t, copyArchive(a.Dir(), dir))
	must(t, r.Close())
	b := open(t, dir)
	if _, _, ok, err := b.Unfinished(); ok || err != nil {
		t.Errorf("before the next run: %v %v", ok, err)
	}
	r = begin(t, b)
	if !r.Resumed() || r.Snapshot() != 2 {
		t.Errorf("snapshot %d, resumed: %v", r.Snapshot(), r.Resumed())
	}
	if n, err := r.Count(account.Email); n != 1 || err != nil {
		t.Errorf("%d messages, %v", n, err)
	}
	verifyClean(t, b)
}

func TestARunThatWasKilledWhileItFinishedFinishesAgain(t *testing.T) {
	a := create(t)
	a.groupTime = time.Hour
	r := begin(t, a)
	putEmail(t, r, 1)
	must(t, r.Commit())
	// The catalog from before Finish, the pack from after.
	dir := filepath.Join(t.TempDir(), "killed")
	must(t, copyArchive(a.Dir(), dir))
	must(t, r.Finish(SnapshotRecord{}))
	pack, err := os.ReadFile(a.packPath(1))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, packName(1)), pack, 0o600))

	b := open(t, dir)
	r = begin(t, b)
	if !r.Resumed() || r.Snapshot() != 1 {
		t.Errorf("snapshot %d, resumed: %v", r.Snapshot(), r.Resumed())
	}
	must(t, r.Finish(SnapshotRecord{}))
	verifyClean(t, b)
	if got := contents(t, b, 1); len(got) != 1 {
		t.Errorf("%d objects of 1", len(got))
	}
}

func TestWhatCouldNotBeSyncedIsNotTakenUp(t *testing.T) {
	a := create(t)
	a.groupTime = time.Hour
	r := begin(t, a)
	putEmail(t, r, 1)
	must(t, r.Commit())
	size := r.pack.length
	putEmail(t, r, 2)
	must(t, r.pack.f.Close()) // so that it can not be synced
	if err := r.Commit(); err == nil || !strings.Contains(err.Error(), packDir) {
		t.Fatalf("commit: %v", err)
	}
	if info, err := os.Stat(a.packPath(1)); err != nil || info.Size() != size {
		t.Errorf("the pack has %d bytes, %d were synced (%v)", info.Size(), size, err)
	}
	_ = r.Close() // it fails again to close the file
	r = begin(t, a)
	if n, err := r.Count(account.Email); n != 1 || err != nil {
		t.Errorf("%d messages, %v", n, err)
	}
	verifyClean(t, a)
}
