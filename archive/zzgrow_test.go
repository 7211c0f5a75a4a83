package archive

import (
	"database/sql"
	"fmt"
	"mailhaul/account"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func zzGrow(t testing.TB, dir string, n int) *Archive {
	if _, err := os.Stat(filepath.Join(dir, "ok")); err == nil {
		a, err := Open(dir)
		must(t, err)
		return a
	}
	os.RemoveAll(dir)
	a, err := Create(dir, testOrigin)
	must(t, err)
	r, err := a.Begin()
	must(t, err)
	must(t, r.Finish(SnapshotRecord{}))
	must(t, a.cat.update("grow", func(tx *sql.Tx) error {
		for _, q := range []string{
			`PRAGMA cache_size=-200000`,
			`CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM c WHERE i < ` + strconv.Itoa(n-1) + `) SELECT i, (i*2654435761)%4294967296 AS h, 1000000000+i*300 AS received, 2000+i%30000 AS size FROM c`,
			`INSERT INTO blob SELECT unhex(printf('%08x%056x', h, i)), size, 1, i*1000, 400 FROM n ORDER BY h`,
			`INSERT INTO record SELECT 'Email', printf('M%08x', h), 1, NULL, 0, unhex(printf('%08x%056x', h, i)), printf('B%08x', h), size, received, received||'/'||size, printf('%d.%08x@example.org', i, h), unhex(printf('%032x', h)), 1, i*1000+400, 600 FROM n ORDER BY h`,
		} {
			t0 := time.Now()
			if _, err := tx.Exec(q); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
			fmt.Println(time.Since(t0), q[:20])
		}
		return nil
	}))
	j, err := a.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	must(t, a.cat.update("grow", func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO entry SELECT ?, 'Email', id, blob, 'done', 'T'||id, 'TB'||id, '["inbox"],["$seen"],1700000000', 1, '' FROM record WHERE received < (SELECT received FROM record ORDER BY received LIMIT 1 OFFSET ?)`, j.n, n/2)
		return err
	}))
	must(t, a.cat.update("grow", func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO listed SELECT ?, 'T'||id, 'TB'||id, match_key, message_ids FROM record WHERE received < (SELECT received FROM record ORDER BY received LIMIT 1 OFFSET ?) ORDER BY id`, j.n, n/2)
		return err
	}))
	must(t, j.Close())
	must(t, os.WriteFile(filepath.Join(dir, "ok"), nil, 0o600))
	return a
}

func rss() string {
	data, _ := os.ReadFile("/proc/self/status")
	s := string(data)
	var out string
	for _, k := range []string{"VmHWM", "VmRSS"} {
		if i := indexOf(s, k); i >= 0 {
			out += s[i:i+24] + " "
		}
	}
	return out
}

func indexOf(s, k string) int {
	for i := 0; i+len(k) <= len(s); i++ {
		if s[i:i+len(k)] == k {
			return i
		}
	}
	return -1
}

func TestZZGrow(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("ZZN"))
	a := zzGrow(t, fmt.Sprintf("/tmp/arch/g%d", n), n)
	fmt.Println("built", rss())
	j, err := a.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	defer j.Close()
	step := func(name string, f func() any) {
		c0, t0 := cpu(), time.Now()
		v := f()
		fmt.Printf("%-30s wall %8.1fms cpu %8.1fms  %v   %s\n", name, float64(time.Since(t0).Microseconds())/1000, float64((cpu()-c0).Microseconds())/1000, v, rss())
	}
	step("PendingCount", func() any { n, b, err := j.PendingCount(0); must(t, err); return fmt.Sprint(n, b) })
	step("Pending first", func() any {
		for _, err := range j.Pending(0) {
			must(t, err)
			break
		}
		return nil
	})
	var items []PendingItem
	step("Pending all", func() any {
		c := 0
		for p, err := range j.Pending(0) {
			must(t, err)
			c++
			if len(items) < 20000 {
				items = append(items, p)
			}
		}
		return c
	})
	step("Put 50 x 200", func() any {
		for b := range 200 {
			var e []Entry
			for _, p := range items[b*50 : b*50+50] {
				e = append(e, Entry{Type: "Email", SourceID: p.SourceID, Blob: p.Blob, State: InFlight})
			}
			must(t, j.Put(e...))
		}
		return nil
	})
	step("Put 50 x 200 done", func() any {
		for b := range 200 {
			var e []Entry
			for _, p := range items[b*50 : b*50+50] {
				e = append(e, Entry{Type: "Email", SourceID: p.SourceID, Blob: p.Blob, State: Done, TargetID: "T" + p.SourceID, TargetBlobID: "TB" + p.SourceID, Applied: `["inbox"],["$seen"],1700000000`})
			}
			must(t, j.Put(e...))
		}
		return nil
	})
	step("Delete again", func() any {
		var ids []string
		for _, p := range items[:10000] {
			ids = append(ids, p.SourceID)
		}
		must(t, j.Delete("Email", ids...))
		return nil
	})
	step("Counts", func() any { c, err := j.Counts("Email"); must(t, err); return c })
	step("Journals", func() any { c, err := a.Journals(); must(t, err); return len(c) })
	step("Entries InFlight", func() any {
		c := 0
		for _, err := range j.Entries("Email", InFlight) {
			must(t, err)
			c++
		}
		return c
	})
	step("Entries Done", func() any {
		c := 0
		for _, err := range j.Entries("Email", Done) {
			must(t, err)
			c++
		}
		return c
	})
	step("Changed since 1", func() any {
		c := 0
		for _, err := range j.Changed(0, 1, account.Email) {
			must(t, err)
			c++
		}
		return c
	})
	step("Removed", func() any {
		c := 0
		for _, err := range j.Removed(0, account.Email) {
			must(t, err)
			c++
		}
		return c
	})
	step("Candidates all", func() any {
		c := 0
		for _, err := range j.Candidates(0, nil) {
			must(t, err)
			c++
		}
		return c
	})
	step("Candidates 50 ids x20", func() any {
		c := 0
		for b := range 20 {
			var ids []string
			for _, p := range items[b*50 : b*50+50] {
				ids = append(ids, p.SourceID)
			}
			for _, err := range j.Candidates(0, ids) {
				must(t, err)
				c++
			}
		}
		return c
	})
	step("ReleaseMissing", func() any { c, err := j.ReleaseMissing(); must(t, err); return len(c) })
	step("ListCount", func() any { c, err := j.ListCount(); must(t, err); return c })
	step("Listed", func() any {
		c := 0
		for _, err := range j.Listed() {
			must(t, err)
			c++
		}
		return c
	})
	step("ListPut 500 x 20", func() any {
		for b := range 20 {
			var l []Listed
			for _, p := range items[b*500 : b*500+500] {
				l = append(l, Listed{ID: "T" + p.SourceID, BlobID: "x", Key: "1/2", MessageIDs: "a@b"})
			}
			must(t, j.ListPut(l...))
		}
		return nil
	})
	step("ListDelete 10000", func() any {
		var ids []string
		for _, p := range items[:10000] {
			ids = append(ids, "T"+p.SourceID)
		}
		must(t, j.ListDelete(ids...))
		return nil
	})
	step("Count", func() any { c, b, err := a.Count(0, account.Email); must(t, err); return fmt.Sprint(c, b) })
	step("Snapshots", func() any { c, err := a.Snapshots(); must(t, err); return len(c) })
	step("found all", func() any {
		c := 0
		for _, err := range a.found(1, account.Email) {
			must(t, err)
			c++
		}
		return c
	})
	step("Begin+empty Discard", func() any {
		r, err := a.Begin()
		must(t, err)
		must(t, r.Discard())
		return nil
	})
	step("unseen", func() any {
		r, err := a.Begin()
		must(t, err)
		c := 0
		for _, err := range r.Unseen(account.Email) {
			must(t, err)
			c++
		}
		must(t, r.Discard())
		return c
	})
	step("missingBlobs", func() any {
		v := &verification{a: a, lost: map[Hash]int{}}
		must(t, v.missingBlobs())
		return len(v.lost)
	})
}
