package archive

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
)

func TestASnapshotOfWhichNothingWasPutIsGivenUp(t *testing.T) {
	a, hashes := small(t, 2)
	before := logical(t, a)
	r := begin(t, a)
	must(t, r.Seen(account.Email, "M0", "M1"))
	if changed, err := r.PutObject(account.Email, email(1), hashes[1]); changed || err != nil {
		t.Errorf("changed: %v %v", changed, err)
	}
	must(t, r.SetProgress("place", 7))
	must(t, r.Close()) // stopped, and gone on with
	r = begin(t, a)
	if !r.Resumed() {
		t.Error("not resumed")
	}
	must(t, r.SetProgress("place", 8))
	must(t, r.Discard())
	must(t, r.Close())
	if diff := cmp.Diff(before, logical(t, a)); diff != "" {
		t.Error(diff)
	}
	if err := r.SetProgress("place", 9); err == nil {
		t.Error("the run goes on")
	}
	r = begin(t, a) // the lock is free
	if r.Resumed() || r.Snapshot() != 2 {
		t.Errorf("snapshot %d, resumed: %v", r.Snapshot(), r.Resumed())
	}
	if ok, err := r.Progress("place", new(int)); ok || err != nil {
		t.Errorf("progress of what was given up: %v %v", ok, err)
	}
	if n := len(maps.Collect(r.Unseen(account.Email))); n != 2 {
		t.Errorf("%d of 2 not seen", n)
	}
	must(t, r.Discard())
	verifyClean(t, a)
}

func TestASnapshotThatHoldsSomethingIsNotGivenUp(t *testing.T) {
	for name, put := range map[string]func(r *Run) error{
		"a blob": func(r *Run) error { _, _, err := r.PutBlob(bytes.NewReader([]byte("x")), 1); return err },
		"an object": func(r *Run) error {
			_, err := r.PutObject(account.Mailbox, account.Object{"id": account.Marshal("a")}, "")
			return err
		},
		"an object's end": func(r *Run) error { return r.MarkGone(account.Email, "M1") },
	} {
		for _, state := range []string{"put", "committed", "put by an earlier run"} {
			t.Run(name+" "+state, func(t *testing.T) {
				a, _ := small(t, 2)
				r := begin(t, a)
				must(t, put(r))
				switch state {
				case "committed":
					must(t, r.Commit())
				case "put by an earlier run":
					must(t, r.Close())
					r = begin(t, a)
				}
				if err := r.Discard(); err == nil || !strings.Contains(err.Error(), "snapshot 2") {
					t.Errorf("Discard: %v", err)
				}
				must(t, r.Finish(SnapshotRecord{}))
				if report := verifyClean(t, a); report.Snapshots != 2 {
					t.Errorf("%d snapshots", report.Snapshots)
				}
			})
		}
	}
}
