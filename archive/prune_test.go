package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
	"mailhaul/internal/failpoint"
)

func TestTheRulesOfWhatToKeep(t *testing.T) {
	at := func(text string) time.Time {
		d, err := time.Parse("2006-01-02 15:04", text)
		must(t, err)
		return d
	}
	var list []SnapshotRecord
	for i, text := range []string{"2023-12-31 10:00", "2024-01-01 10:00", "2024-12-29 10:00", "2024-12-30 09:00", "2024-12-30 20:00", "2025-01-31 23:59",
		"2025-02-01 00:00", "2025-02-01 12:00", "2025-02-01 13:00"} {
		list = append(list, SnapshotRecord{Snapshot: i + 1, Finished: at(text)})
	}
	for _, c := range []struct {
		keep Keep
		want []int
	}{
		{Keep{Last: 1}, []int{9}},
		{Keep{Last: 3}, []int{7, 8, 9}},
		{Keep{Last: 100}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{Keep{Daily: 3}, []int{5, 6, 9}},
		{Keep{Weekly: 3}, []int{3, 5, 9}}, // 2024-12-30 is a Monday
		{Keep{Monthly: 2}, []int{6, 9}},
		{Keep{Yearly: 9}, []int{1, 5, 9}},
		{Keep{Yearly: 1}, []int{9}},
		{Keep{Within: 13 * time.Hour}, []int{7, 8, 9}},
		{Keep{Last: 2, Monthly: 1, Yearly: 2}, []int{5, 8, 9}},
	} {
		kept, forgotten := c.keep.choose(list)
		if diff := cmp.Diff(c.want, kept); diff != "" || len(kept)+len(forgotten) != len(list) {
			t.Errorf("%+v: %s %v", c.keep, diff, forgotten)
		}
	}
	for _, bad := range []Keep{{}, {Last: -1}, {Last: 1, Within: -1}} {
		if bad.check() == nil {
			t.Errorf("%+v", bad)
		}
	}
}

// history makes an archive of some snapshots: each has ten messages, of which
// one is large, and seven are the next one's too. The flags of one change
// each time.
func history(t testing.TB, snapshots int) *Archive {
	dir, err := quickDir()
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	a, err := Create(filepath.Join(dir, "alice"), testOrigin)
	must(t, err)
	t.Cleanup(func() { _ = a.Close() })
	for n := 1; n <= snapshots; n++ {
		r := begin(t, a)
		a.packLimit = 20 << 10
		must(t, r.ClearSeen(account.Email))
		for i := 3 * n; i < 3*n+10; i++ {
			o := email(i)
			if i == 3*n+9 {
				o.Put("keywords", account.SetOf(fmt.Sprint("v", n)))
			}
			content := message(i)
			if i%3 == 0 {
				content = mailLike(8<<10, uint64(i))
			}
			h, _, err := r.PutBlob(strings.NewReader(string(content)), -1)
			must(t, err)
			_, err = r.PutObject(account.Email, o, h)
			must(t, err)
			must(t, r.Seen(account.Email, o.ID()))
		}
		for _, id := range collect(t, r.Unseen(account.Email)) {
			must(t, r.MarkGone(account.Email, id))
		}
		must(t, r.Finish(SnapshotRecord{Types: map[string]TypeRecord{account.Email.Name: {State: fmt.Sprint(n)}}}))
	}
	return a
}

func onDisk(t testing.TB, a *Archive) (size int64) {
	packs, err := a.packFiles()
	must(t, err)
	for _, n := range packs {
		info, err := os.Stat(a.packPath(n))
		must(t, err)
		size += info.Size()
	}
	return size
}

func TestPruneKeepsWhatItKeepsAndFreesTheRest(t *testing.T) {
	a := history(t, 12)
	j := journal(t, a)
	must(t, j.Put(Entry{Type: "Email", SourceID: "M40", Blob: sumOf(message(40)), State: Done}))
	want := map[int]map[string]string{}
	for n := 1; n <= 12; n++ {
		want[n] = contents(t, a, n)
	}
	first := sumOf(mailLike(8<<10, 3))
	readBlob(t, a, first)
	before := onDisk(t, a)
	var locked *LockedError
	if _, err := a.Prune(t.Context(), Keep{Last: 2}, false, nil); !errors.As(err, &locked) {
		t.Errorf("while an import is at work: %v", err)
	}
	must(t, j.Close())
	was := logical(t, a)
	plan, err := a.Prune(t.Context(), Keep{Last: 2}, true, nil)
	must(t, err)
	if diff := cmp.Diff(was, logical(t, a)); diff != "" || onDisk(t, a) != before {
		t.Errorf("a dry run changed something: %s", diff)
	}

	report, err := a.Prune(t.Context(), Keep{Last: 2}, false, nil)
	must(t, err)
	after := onDisk(t, a)
	if report.Before != before || report.After != after || after > before/2 || plan.After < after-5<<10 || plan.After > after+5<<10 || report.Blobs == 0 || report.Records == 0 {
		t.Errorf("from %d to %d bytes: %+v, planned %+v", before, after, report, plan)
	}
	if diff := cmp.Diff([]int{11, 12}, report.Kept); diff != "" || len(report.Forgotten) != 10 {
		t.Errorf("%+v", report)
	}
	if _, _, err := a.OpenBlob(first); !errors.Is(err, ErrNotFound) {
		t.Errorf("the first message's bytes: %v", err)
	}
	check := func(a *Archive) {
		t.Helper()
		verifyClean(t, a)
		for n := 1; n <= 10; n++ {
			if _, _, err := a.Count(n, account.Email); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "pruned") {
				t.Errorf("snapshot %d: %v", n, err)
			}
		}
		for n := 11; n <= 12; n++ {
			if diff := cmp.Diff(want[n], contents(t, a, n)); diff != "" {
				t.Errorf("snapshot %d: %s", n, diff)
			}
		}
	}
	check(a)
	if again, err := a.Prune(t.Context(), Keep{Last: 2}, false, nil); err != nil || len(again.Forgotten)+again.Removed+again.Rewritten > 0 || onDisk(t, a) != after {
		t.Errorf("pruned again: %+v %v", again, err)
	}

	// From the packs alone it comes out the same.
	was = logical(t, a)
	must(t, a.Close())
	must(t, os.Remove(a.path(catalogFile)))
	problems, err := Reindex(t.Context(), a.Dir(), nil)
	must(t, err)
	if len(problems.Problems) > 0 {
		t.Errorf("reindex: %+v", problems.Problems)
	}
	a = open(t, a.Dir())
	check(a)
	now := logical(t, a)
	delete(was, "blob") // some that are not needed may lie about, and be found
	delete(now, "blob")
	if diff := cmp.Diff(was, now); diff != "" {
		t.Errorf("after a reindex: %s", diff)
	}

	// An export that finds nothing new leaves no trace, and one that does goes on.
	must(t, begin(t, a).Discard())
	r := begin(t, a)
	if r.Snapshot() != 13 {
		t.Errorf("the next snapshot is %d", r.Snapshot())
	}
	o := email(40)
	o.Put("keywords", account.SetOf("changed"))
	_, err = r.PutObject(account.Email, o, sumOf(message(40)))
	must(t, err)
	must(t, r.Finish(SnapshotRecord{}))
	j = journal(t, a)
	must(t, j.Put(Entry{Type: "Email", SourceID: "M40", Blob: sumOf(message(40)), State: Done}))
	for since, want := range map[int]int{12: 1, 11: 1, 5: 1, 13: 0} {
		if got := collect(t, j.Changed(0, since, account.Email)); len(got) != want {
			t.Errorf("%d changed since snapshot %d", len(got), since)
		}
	}
	must(t, j.Close())
	report, err = a.Prune(t.Context(), Keep{Last: 1}, false, nil)
	must(t, err)
	if diff := cmp.Diff([]int{11, 12}, report.Forgotten); diff != "" {
		t.Error(diff)
	}
	verifyClean(t, a)
}

func TestADamagedArchiveIsNotPruned(t *testing.T) {
	a := history(t, 3)
	want := contents(t, a, 3)
	var b blobRow
	h := sumOf(message(13)) // snapshot 3 has it
	_, err := a.cat.row(`SELECT pack, start, length FROM blob WHERE hash = ?`, []any{h.bytes()}, &b.pack, &b.start, &b.length)
	must(t, err)
	data, err := os.ReadFile(a.packPath(b.pack))
	must(t, err)
	data[b.start+b.length/2] ^= 0x40
	must(t, os.WriteFile(a.packPath(b.pack), data, 0o600))
	var damage *DamagedError
	if _, err := a.Prune(t.Context(), Keep{Last: 1}, false, nil); !errors.As(err, &damage) || damage.Pack != b.pack {
		t.Fatalf("Prune: %v", err)
	}
	data[b.start+b.length/2] ^= 0x40
	must(t, os.WriteFile(a.packPath(b.pack), data, 0o600))
	if _, err := a.Prune(t.Context(), Keep{Last: 1}, false, nil); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, contents(t, a, 3)); diff != "" {
		t.Error(diff)
	}
	verifyClean(t, a)
}

// A kill at any write of a Prune that moves much leaves an archive from which a
// Prune, a reindex and an export go on.
func TestAKilledPruneOfManyPacksGoesOn(t *testing.T) {
	a := history(t, 5)
	a.packLimit = 9 << 10
	keep := Keep{Last: 2}
	want := map[int]map[string]string{}
	for n := 1; n <= 5; n++ {
		want[n] = contents(t, a, n)
	}
	good := func(dir, what string) {
		b, err := Open(dir)
		must(t, err)
		defer b.Close()
		verifyClean(t, b)
		list, err := b.Snapshots()
		must(t, err)
		if len(list) != 5 && len(list) != 2 || list[len(list)-1].Snapshot != 5 {
			t.Errorf("%s: %+v", what, list)
		}
		for _, rec := range list {
			if diff := cmp.Diff(want[rec.Snapshot], contents(t, b, rec.Snapshot)); diff != "" {
				t.Errorf("%s: snapshot %d: %s", what, rec.Snapshot, diff)
			}
		}
	}
	points, moved := 0, 0
	tried := some(t, 1, 9)
	base := filepath.Dir(a.Dir())
	t.Cleanup(failpoint.Clear)
	failpoint.Set(func(doing, path string, write func() error) error {
		if !strings.HasPrefix(path, a.Dir()) {
			return write()
		}
		if points++; doing == "move what a pack held" {
			moved++
		}
		if tried() {
			dir := filepath.Join(base, fmt.Sprint(points))
			what := fmt.Sprintf("ahead of point %d, %s %s", points, doing, filepath.Base(path))
			must(t, copyArchive(a.Dir(), dir))
			good(dir, what)
			b := open(t, dir)
			b.packLimit = 9 << 10
			switch points % 3 {
			case 0: // an export comes in between
				r := begin(t, b)
				must(t, r.Discard())
			case 1:
				must(t, b.Close())
				report, err := Reindex(t.Context(), dir, nil)
				must(t, err)
				if len(report.Problems) > 0 {
					t.Errorf("%s: reindex: %+v", what, report.Problems)
				}
				b = open(t, dir)
			case 2: // and one that finds something
				r := begin(t, b)
				o := email(24)
				o.Put("keywords", account.SetOf("changed"))
				_, err := r.PutObject(account.Email, o, sumOf(mailLike(8<<10, 24)))
				must(t, err)
				must(t, r.Finish(SnapshotRecord{}))
				j := journal(t, b)
				must(t, j.Put(Entry{Type: "Email", SourceID: "M24", State: Done}, Entry{Type: "Email", SourceID: "M23", State: Done}))
				if got := collect(t, j.Changed(0, 5, account.Email)); len(got) != 1 || got[0].Object.ID() != "M24" {
					t.Errorf("%s: changed since: %+v", what, got)
				}
				must(t, j.Close())
				verifyClean(t, b)
				must(t, b.Close())
				must(t, os.RemoveAll(dir))
				return write()
			}
			_, err := b.Prune(t.Context(), keep, false, nil)
			must(t, err)
			must(t, b.Close())
			good(dir, what+", and pruned")
			must(t, os.RemoveAll(dir))
		}
		return write()
	})
	_, err := a.Prune(t.Context(), keep, false, nil)
	failpoint.Clear()
	must(t, err)
	good(a.Dir(), "in the end")
	if t.Logf("%d points", points); moved < 2 {
		t.Errorf("only %d packs were emptied", moved)
	}
}

// A reader that has begun when a Prune moves what it reads goes on.
func TestAReaderGoesOnWhileAPruneMovesThings(t *testing.T) {
	a := history(t, 6)
	want := contents(t, a, 6)
	reader := open(t, a.Dir())
	pruned := false
	got := map[string]string{}
	for rec, err := range reader.Objects(6, account.Email) {
		must(t, err)
		if !pruned {
			_, err := a.Prune(t.Context(), Keep{Last: 1}, false, nil)
			must(t, err)
			pruned = true
		}
		readBlob(t, reader, rec.Blob)
		got["Email/"+rec.Object.ID()] = string(rec.Object.Encode()) + string(rec.Blob)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	b := history(t, 2)
	reader = open(t, b.Dir())
	var last error
	for _, err := range reader.Objects(1, account.Email) {
		if last = err; err != nil {
			break
		}
		_, err := b.Prune(t.Context(), Keep{Last: 1}, false, nil)
		must(t, err)
	}
	if last == nil {
		t.Error("a snapshot is forgotten while it is read, and the reader is not told")
	}
}

func TestVerifyAndPruneAtTheSameTime(t *testing.T) {
	for at := range every(5, 2) {
		a := history(t, 6)
		b := open(t, a.Dir())
		calls := 0
		report, err := b.Verify(t.Context(), func(done, total int64) {
			if calls++; calls == 1+at*20 {
				_, err := a.Prune(t.Context(), Keep{Last: 2}, false, nil)
				must(t, err)
			}
		})
		must(t, err)
		if len(report.Problems) > 0 || calls < 1+at*20 {
			t.Errorf("pruned at frame %d of %d: %+v", 1+at*20, calls, report.Problems)
		}
	}
}

// A Prune that is interrupted anywhere goes on to the same end.
func TestAnInterruptedPruneGoesOn(t *testing.T) {
	whole, keep := history(t, 6), Keep{Last: 2}
	want := contents(t, whole, 5)
	for at, reached := 1, true; reached; at += every(2, 9) {
		a := open(t, copyOf(t, whole))
		ctx, cancel := context.WithCancel(t.Context())
		calls, last := 0, int64(0)
		_, err := a.Prune(ctx, keep, false, func(done, total int64) {
			if calls++; calls == at {
				cancel()
			}
			if done < last || done > total {
				t.Errorf("%d of %d bytes after %d", done, total, last)
			}
			last = done
		})
		cancel()
		if reached = calls >= at && err != nil; reached && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		verifyClean(t, a)
		report, err := a.Prune(t.Context(), keep, false, nil)
		must(t, err)
		if diff := cmp.Diff(want, contents(t, a, 5)); diff != "" || report.After != onDisk(t, a) || report.After > onDisk(t, whole)*2/3 {
			t.Errorf("interrupted at %d: %+v %s", at, report, diff)
		}
		verifyClean(t, a)
		must(t, a.Close())
	}
}

func copyOf(t testing.TB, a *Archive) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "alice")
	must(t, copyArchive(a.Dir(), dir))
	return dir
}
