package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
)

// A model of an archive for one type: id → content.
type state map[string]string

func (s state) clone() state {
	c := make(state, len(s))
	for k, v := range s {
		c[k] = v
	}
	return c
}

func TestAnyHistoryOfRunsAndKillsReadsAsTheModelSays(t *testing.T) {
	base := t.TempDir()
	count := 0
	rapid.Check(t, func(t *rapid.T) {
		check := func(err error) {
			if err != nil {
				t.Helper()
				t.Fatal(err)
			}
		}
		newDir := func() string { count++; return filepath.Join(base, fmt.Sprint(count)) }
		a, err := Create(newDir(), testOrigin)
		check(err)
		r, err := a.Begin()
		check(err)
		tune := func() { a.packLimit, a.groupTime = 4<<10, time.Hour }
		tune()
		now := state{}
		since := []state{{}}    // the states since the last commit; a kill leaves the last one, a torn pack any
		finished := []state{{}} // by number
		ids := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})

		forgotten := map[int]bool{}
		read := func(at int) state {
			s := state{}
			for rec, err := range a.Objects(at, account.SieveScript) {
				check(err)
				data, err := readChecked(a, rec.Blob)
				check(err)
				s[rec.Object.ID()] = string(data) + rec.Object.Text("name")
			}
			return s
		}
		checkAll := func() {
			for n := 1; n < len(finished); n++ {
				if forgotten[n] {
					if _, _, err := a.Count(n, account.SieveScript); !errors.Is(err, ErrNotFound) {
						t.Fatalf("snapshot %d was pruned: %v", n, err)
					}
					continue
				}
				if diff := cmp.Diff(finished[n], read(n)); diff != "" {
					t.Fatalf("snapshot %d: %s", n, diff)
				}
			}
			for n := 1; n < len(finished); n++ {
				if forgotten[n] {
					continue
				}
				last := len(finished) - 1
				for from, to := range map[int]int{n: last, last: n} {
					want, got := map[string]DifferenceKind{}, map[string]DifferenceKind{}
					for id, text := range finished[from] {
						if now, ok := finished[to][id]; !ok {
							want[id] = Gone
						} else if now != text {
							want[id] = Changed
						}
					}
					for id := range finished[to] {
						if _, ok := finished[from][id]; !ok {
							want[id] = Arrived
						}
					}
					for d, err := range a.Diff(from, to) {
						check(err)
						got[d.ID] = d.Kind
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Fatalf("from %d to %d: %s", from, to, diff)
					}
				}
			}
			report, err := a.Verify(context.Background(), nil)
			check(err)
			if len(report.Problems) > 0 {
				t.Fatalf("verify: %+v", report.Problems)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				id, name := ids.Draw(t, "id"), rapid.StringN(0, 3, 5).Draw(t, "name")
				content := strings.Repeat(rapid.StringMatching(`[ab]`).Draw(t, "content"), rapid.IntRange(0, 3000).Draw(t, "size"))
				h, _, err := r.PutBlob(strings.NewReader(content), int64(len(content)))
				check(err)
				o := account.Object{"id": account.Marshal(id), "name": account.Marshal(name), "blobId": account.Marshal("B" + string(h[:8]))}
				_, err = r.PutObject(account.SieveScript, o, h)
				check(err)
				now = now.clone()
				now[id] = content + name
				since = append(since, now)
			},
			"gone": func(t *rapid.T) {
				id := ids.Draw(t, "id")
				check(r.MarkGone(account.SieveScript, id))
				now = now.clone()
				delete(now, id)
				since = append(since, now)
			},
			"get": func(t *rapid.T) {
				id := ids.Draw(t, "id")
				rec, err := r.Get(account.SieveScript, id)
				if _, ok := now[id]; !ok && !errors.Is(err, ErrNotFound) || ok && (err != nil || !strings.HasSuffix(now[id], rec.Object.Text("name"))) {
					t.Fatalf("Get %s: %v %v", id, rec, err)
				}
			},
			"count": func(t *rapid.T) {
				n, err := r.Count(account.SieveScript)
				check(err)
				if int(n) != len(now) {
					t.Fatalf("Count %d, not %d", n, len(now))
				}
				since = []state{now}
			},
			"commit": func(t *rapid.T) {
				check(r.Commit())
				since = []state{now}
				if diff := cmp.Diff(now, read(-1)); diff != "" {
					t.Fatal(diff)
				}
			},
			"finish": func(t *rapid.T) {
				check(r.Finish(SnapshotRecord{}))
				finished = append(finished, now)
				since = []state{now}
				checkAll()
				r, err = a.Begin()
				check(err)
				if r.Snapshot() != len(finished) {
					t.Fatalf("snapshot %d after %d finished", r.Snapshot(), len(finished)-1)
				}
			},
			"prune": func(t *rapid.T) {
				check(r.Close())
				since = []state{now}
				keep := Keep{Last: rapid.IntRange(1, 3).Draw(t, "last")}
				plan, err := a.Prune(context.Background(), keep, true, nil)
				if _, _, open, _ := a.Unfinished(); open {
					if err == nil {
						t.Fatal("a snapshot that is not finished is pruned")
					}
					_, err = a.Prune(context.Background(), keep, false, nil)
					if err == nil {
						t.Fatal("a snapshot that is not finished is pruned")
					}
				} else {
					check(err)
					report, err := a.Prune(context.Background(), keep, false, nil)
					check(err)
					if diff := cmp.Diff(plan.Forgotten, report.Forgotten); diff != "" || plan.Removed != report.Removed || plan.Rewritten != report.Rewritten {
						t.Fatalf("planned %+v, done %+v", plan, report)
					}
					for _, n := range report.Forgotten {
						forgotten[n] = true
					}
				}
				checkAll()
				r, err = a.Begin()
				check(err)
				if r.Snapshot() != len(finished) {
					t.Fatalf("snapshot %d after %d finished", r.Snapshot(), len(finished)-1)
				}
			},
			"kill": func(t *rapid.T) {
				dir := newDir()
				check(copyArchive(a.Dir(), dir))
				check(r.Close())
				check(a.Close())
				check(os.RemoveAll(a.Dir()))
				torn := rapid.Bool().Draw(t, "torn")
				if files, _ := filepath.Glob(filepath.Join(dir, packDir, "*")); len(files) > 0 && torn {
					tearTail(t, dir, files[len(files)-1])
				}
				a, err = Open(dir)
				check(err)
				tune()
				checkAll()
				committed := slices.IndexFunc(since, func(s state) bool { return cmp.Equal(s, read(-1)) })
				if committed < 0 {
					t.Fatalf("after the kill: %v, which was never there since the last commit: %v", read(-1), since)
				}
				r, err = a.Begin()
				check(err)
				now = read(-1)
				if !slices.ContainsFunc(since[committed:], func(s state) bool { return cmp.Equal(s, now) }) {
					t.Fatalf("taken up after the kill: %v of %v", now, since[committed:])
				} else if !torn && !cmp.Equal(now, since[len(since)-1]) {
					t.Fatalf("after the kill: %v, but what was put last led to %v", now, since[len(since)-1])
				}
				since = []state{now}
				checkAll()
			},
			"reindex": func(t *rapid.T) {
				check(r.Close())
				since = []state{now}
				check(a.Close())
				report, err := Reindex(context.Background(), a.Dir(), nil)
				check(err)
				if len(report.Problems) > 0 {
					t.Fatalf("reindex: %+v", report.Problems)
				}
				a, err = Open(a.Dir())
				check(err)
				tune()
				checkAll()
				r, err = a.Begin()
				check(err)
			},
		})
		check(r.Close())
		if diff := cmp.Diff(now, read(-1)); diff != "" {
			t.Fatal(diff)
		}
		checkAll()
		check(a.Close())
		check(os.RemoveAll(a.Dir()))
	})
}

// tearTail does to what was not committed of a pack what a kill may do: it is
// cut short, or holds rubbish.
func tearTail(t *rapid.T, dir, path string) {
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	packs, err := a.packRows()
	if err != nil || len(packs) == 0 || a.packPath(packs[len(packs)-1].n) != path || packs[len(packs)-1].sealed {
		return
	}
	committed := packs[len(packs)-1].length
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	keep := committed + rapid.Int64Range(0, int64(len(data))-committed).Draw(t, "keep")
	rubbish := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "rubbish")
	if err := os.WriteFile(path, append(data[:keep], rubbish...), 0o600); err != nil {
		t.Fatal(err)
	}
}
