package archive

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mailhaul/account"
)

// million makes an archive whose catalog speaks of n Emails, of whose bytes
// there is nothing, and a journal by which the older half is on the target,
// listed and done. Ids are in no order, as on servers that make them of hashes.
func million(b *testing.B, n int) (*Archive, *Journal) {
	dir := os.Getenv("MAILHAUL_BENCH_MILLION") // to keep it from one run to the next
	if dir == "" {
		dir = filepath.Join(b.TempDir(), "a")
	}
	a, err := Open(dir)
	fresh := err != nil
	if fresh {
		a, err = Create(dir, testOrigin)
	}
	must(b, err)
	b.Cleanup(func() { _ = a.Close() })
	j, err := a.Journal("https://new.example.org", "b", "alice")
	must(b, err)
	b.Cleanup(func() { _ = j.Close() })
	if !fresh {
		return a, j
	}
	const numbers = `WITH RECURSIVE c (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < ?1),
		m AS (SELECT i, printf('%08x%012x', i * 2654435761 % 4294967296, i) AS id, printf('%08x%012x', i * 2246822519 % 4294967296, i) AS target,
			CAST(printf('%08x%024x', i * 3266489917 % 4294967296, i) AS BLOB) AS hash, 1000 + (i * 7919) % 50000 AS size, 1000000000 + i * 300 AS at FROM c) `
	must(b, a.cat.update("fill", func(tx *sql.Tx) error {
		for _, s := range []string{
			`INSERT INTO blob SELECT hash, size, 1, i * 10000 + 5000, 5000 FROM m ORDER BY hash`,
			`INSERT INTO record SELECT 'Email', 'M' || id, 1, NULL, 0, hash, 'G' || id, size, at, at || '/' || size, i || '.' || id || '@mail.example.org', substr(hash, 1, 16), 1, i * 10000, 5000 FROM m ORDER BY id`,
			`INSERT INTO entry SELECT 1, 'Email', 'M' || id, hash, 'done', 'T' || target, 'B' || target, '{"mailboxes":["a","b"],"keywords":["$seen"],"received":1000000000,"created":true}', 0, '' FROM m WHERE i < ?1 / 2 ORDER BY id`,
			`INSERT INTO listed SELECT 1, 'T' || target, 'B' || target, at || '/' || size, i || '.' || id || '@mail.example.org' FROM m WHERE i < ?1 / 2 ORDER BY target`,
		} {
			if _, err := tx.Exec(numbers+s, n); err != nil {
				return err
			}
		}
		_, err := tx.Exec(`INSERT INTO pack VALUES (1, ?1 * 10000, 0, 1); INSERT INTO snapshot VALUES (1, '2026-06-01T12:00:00Z',
			json_object('snapshot', 1, 'types', json_object('Email', json_object('objects', ?1, 'bytes', (SELECT sum(size) FROM blob)))), 1, ?1 * 10000 - 1, 1)`, n)
		return err
	}))
	return a, j
}

// BenchmarkResume takes the steps that an import which goes on makes ahead of
// its first message, with a million messages of which half are done.
func BenchmarkResume(b *testing.B) {
	_, j := million(b, 1_000_000)
	for b.Loop() {
		for _, step := range []struct {
			name string
			do   func() error
		}{
			{"release", func() error { _, err := j.ReleaseMissing(); return err }},
			{"candidates", func() error {
				for _, err := range j.Candidates(0, nil) {
					return err
				}
				return nil
			}},
			{"changed", func() error {
				for _, err := range j.Changed(0, 1, account.Email) {
					return err
				}
				return nil
			}},
			{"removed", func() error {
				for _, err := range j.Removed(0, account.Email) {
					return err
				}
				return nil
			}},
			{"count", func() error { _, _, err := j.PendingCount(0); return err }},
			{"list-count", func() error { _, err := j.ListCount(); return err }},
			{"counts", func() error { _, err := j.Counts("Email"); return err }},
			{"larger", func() error {
				for _, err := range j.PendingLarger(0, 50<<20) {
					return err
				}
				return nil
			}},
			{"first", func() error {
				for _, err := range j.Pending(0) {
					return err
				}
				return nil
			}},
		} {
			start := time.Now()
			must(b, step.do())
			b.ReportMetric(time.Since(start).Seconds(), step.name+"-s")
		}
	}
}
