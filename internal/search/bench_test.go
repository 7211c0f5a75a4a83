package search

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/mailgen"
)

// BenchmarkFind searches an archive of 50 000 messages for a word in one of
// them. Beside it, in the same run: how many times as long taking the messages
// into the index takes.
func BenchmarkFind(b *testing.B) {
	const messages = 50_000
	ar := newArchive(b)
	run, err := ar.Begin()
	must(b, err)
	n := 0
	for m := range mailgen.Sized(5, messages, 4000) {
		raw := m.Raw
		if n == messages/2 {
			raw = append(bytes.Clone(raw), "\r\nxylophoned\r\n"...)
		}
		h, _, err := run.PutBlob(bytes.NewReader(raw), int64(len(raw)))
		must(b, err)
		_, err = run.PutObject(account.Email, account.Object{"id": account.Marshal(fmt.Sprint("m", n)), "blobId": account.Marshal(fmt.Sprint("b", n)),
			"size": account.Marshal(len(raw)), "receivedAt": account.Marshal(m.ReceivedAt)}, h)
		must(b, err)
		n++
	}
	must(b, run.Finish(archive.SnapshotRecord{Types: map[string]archive.TypeRecord{}}))
	must(b, run.Close())
	x := open1(b, ar)
	began := time.Now()
	update(b, x, 1)
	indexing := time.Since(began)
	for b.Loop() {
		update(b, x, 1)
		if got := find(b, x, 1, "xylophoned"); got != fmt.Sprint("m", messages/2) {
			b.Fatalf("found %q", got)
		}
	}
	b.ReportMetric(float64(indexing)*float64(b.N)/float64(b.Elapsed()), "indexing/search")
}
