package archive

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
)

// Whatever the journal goes through, and whatever it was asked before, it says
// of each Email once whether that is to be sent.
func TestPendingIsWhatHasNoDoneEntry(t *testing.T) {
	const count = 12
	a, hashes := small(t, count-1)
	r := begin(t, a)
	_, err := r.PutObject(account.Email, email(count-1), "") // its content could not be had
	must(t, err)
	must(t, r.Finish(SnapshotRecord{}))
	hashes[count-1] = ""
	id := func(n int) string { return fmt.Sprintf("M%d", n) }
	targets := 0
	rapid.Check(t, func(t *rapid.T) {
		targets++
		j, err := a.Journal("https://new.example.org", fmt.Sprint(targets), "alice")
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		check := func(err error) {
			if err != nil {
				t.Helper()
				t.Fatal(err)
			}
		}
		entries := map[string]Entry{}
		listed := map[string]string{}
		numbers := rapid.IntRange(0, count-1)
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			n := numbers.Draw(t, "n")
			switch rapid.IntRange(0, 6).Draw(t, "step") {
			case 0, 1, 2:
				e := Entry{Type: "Email", SourceID: id(n), Blob: hashes[rapid.SampledFrom([]int{n, n, n, 0, count - 1}).Draw(t, "blob")],
					State: rapid.SampledFrom([]State{InFlight, Failed, Done, Done}).Draw(t, "state")}
				if e.State == Done {
					e.TargetID = fmt.Sprintf("T%d", numbers.Draw(t, "target"))
					e.TargetBlobID = rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "blob id")
				}
				check(j.Put(e))
				entries[e.SourceID] = e
			case 3:
				check(j.Delete("Email", id(n)))
				delete(entries, id(n))
			case 4:
				l := Listed{ID: fmt.Sprintf("T%d", n), BlobID: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "listed blob id")}
				check(j.ListPut(l))
				listed[l.ID] = l.BlobID
			case 5:
				released, err := j.ReleaseMissing()
				check(err)
				var want []Entry
				for id, e := range entries {
					if is, ok := listed[e.TargetID]; e.State == Done && (!ok || e.TargetBlobID != "" && e.TargetBlobID != is) {
						want = append(want, e)
						delete(entries, id)
					}
				}
				slices.SortFunc(want, func(a, b Entry) int { return strings.Compare(a.SourceID, b.SourceID) })
				if diff := cmp.Diff(want, released); diff != "" {
					t.Fatalf("released: %s", diff)
				}
			}
			want, removed := map[string]State{}, map[string]bool{}
			for n, h := range hashes {
				e, ok := entries[id(n)]
				same := e.Blob == "" || h == "" || e.Blob == h
				if !ok || !same {
					want[id(n)] = ""
				} else if e.State != Done {
					want[id(n)] = e.State
				}
				if ok && e.State == Done && e.Blob != "" && e.Blob != h {
					removed[id(n)] = true
				}
			}
			got := map[string]State{}
			for it, err := range j.Pending(0) {
				check(err)
				if _, twice := got[it.SourceID]; twice {
					t.Fatalf("%s comes twice", it.SourceID)
				}
				got[it.SourceID] = it.State
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("pending: %s", diff)
			}
			if n, _, err := j.PendingCount(0); err != nil || int(n) != len(want) {
				t.Fatalf("PendingCount: %d, not %d, %v", n, len(want), err)
			}
			gone := map[string]bool{}
			for e, err := range j.Removed(0, account.Email) {
				check(err)
				gone[e.SourceID] = true
			}
			if diff := cmp.Diff(removed, gone); diff != "" {
				t.Fatalf("removed: %s", diff)
			}
		}
	})
}
