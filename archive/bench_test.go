package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"mailhaul/account"
)

// mailLike is n bytes as mail has them: some headers and text, then base64.
func mailLike(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := fmt.Appendf(nil, "From: a@example.org\r\nSubject: number %d\r\nMessage-ID: <%d@example.org>\r\n\r\n", seed, seed)
	for len(b) < n/5 {
		b = fmt.Appendf(b, "the quick brown fox jumps %d times over the lazy dog\r\n", rng.IntN(1000))
	}
	raw := make([]byte, 57)
	for len(b) < n {
		for i := range raw {
			raw[i] = byte(rng.Uint32())
		}
		b = append(base64.StdEncoding.AppendEncode(b, raw), '\r', '\n')
	}
	return b[:n]
}

// BenchmarkPutBlob stores messages of 25 KB with their objects, four at a time.
func BenchmarkPutBlob(b *testing.B) {
	const size = 25 << 10
	a := create(b)
	r := begin(b, a)
	b.SetBytes(size)
	body := mailLike(size, 1)
	b.ReportAllocs()
	b.ResetTimer()
	next := make(chan int)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			msg := bytes.Clone(body)
			for n := range next {
				copy(msg[20:], fmt.Sprintf("%012d", n))
				h, _, err := r.PutBlob(bytes.NewReader(msg), size)
				if err == nil {
					_, err = r.PutObject(account.Email, email(n), h)
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	for n := range b.N {
		next <- n
	}
	close(next)
	wg.Wait()
	must(b, r.Commit())
	b.StopTimer()
	must(b, r.Finish(SnapshotRecord{}))
}

// BenchmarkVerify verifies archives of 100 MB, and says how that compares with
// decompressing and hashing the same bytes and nothing else (bare). With -cpu 1
// it is what one processor does.
func BenchmarkVerify(b *testing.B) {
	for _, size := range []int{4 << 10, 25 << 10, 100 << 10, 4 << 20} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			a, err := Create(filepath.Join(b.TempDir(), "a"), testOrigin)
			must(b, err)
			defer a.Close()
			r := begin(b, a)
			for n := range 100 << 20 / size {
				h, _, err := r.PutBlob(bytes.NewReader(mailLike(size, uint64(n))), -1)
				must(b, err)
				_, err = r.PutObject(account.Email, email(n), h)
				must(b, err)
			}
			must(b, r.Finish(SnapshotRecord{}))
			pack, err := os.ReadFile(a.packPath(1))
			must(b, err)
			b.ResetTimer()
			var bare time.Duration
			var raw int
			for b.Loop() {
				verifyClean(b, a)
				b.StopTimer()
				start := time.Now()
				raw = decodeAndHash(b, pack)
				bare += time.Since(start)
				b.StartTimer()
			}
			took := b.Elapsed()
			b.ReportMetric(float64(len(pack))*float64(b.N)/1e6/took.Seconds(), "MB/s-packed")
			b.ReportMetric(float64(raw)*float64(b.N)/1e6/took.Seconds(), "MB/s-unpacked")
			b.ReportMetric(bare.Seconds()/took.Seconds(), "of-bare")
		})
	}
}

// decodeAndHash is the least that a verify has to do.
func decodeAndHash(b *testing.B, pack []byte) (raw int) {
	w := wholeReaders.New().(*wholeReader)
	buf := make([]byte, 8<<20)
	for off := int64(0); off < int64(len(pack)); {
		n, _, err := frameLength(bytes.NewReader(pack), off, int64(len(pack)))
		must(b, err)
		data, err := w.dec.DecodeAll(pack[off:off+n], buf[:0])
		must(b, err)
		sha256.Sum256(data)
		raw += len(data)
		off += n
	}
	return raw
}

// BenchmarkReindex builds the catalog of 20 000 small messages again.
func BenchmarkReindex(b *testing.B) {
	a := create(b)
	r := begin(b, a)
	for n := range 20000 {
		putEmail(b, r, n)
	}
	must(b, r.Finish(SnapshotRecord{}))
	must(b, a.Close())
	for b.Loop() {
		_, err := Reindex(b.Context(), a.Dir(), nil)
		must(b, err)
	}
}

// BenchmarkJournal takes the two notes of a batch of 50 messages: that it goes
// out, and that it is done. It says how many messages a second that makes.
func BenchmarkJournal(b *testing.B) {
	const size = 50
	a := create(b)
	j := journal(b, a)
	batch := make([]Entry, size)
	var marked, done time.Duration
	n := 0
	for b.Loop() {
		for i := range batch {
			n++
			batch[i] = Entry{Type: "Email", SourceID: fmt.Sprintf("M%x", uint64(n)*0x9E3779B97F4A7C15), Blob: sumOf([]byte(fmt.Sprint(n))), State: InFlight,
				Applied: `{"mailboxes":["a","b"],"keywords":["$seen"],"received":1000000000,"created":true}`}
		}
		start := time.Now()
		must(b, j.Put(batch...))
		marked += time.Since(start)
		for i := range batch {
			batch[i].State, batch[i].TargetID, batch[i].TargetBlobID = Done, "T"+batch[i].SourceID, "B"+batch[i].SourceID
		}
		start = time.Now()
		must(b, j.Put(batch...))
		done += time.Since(start)
	}
	b.ReportMetric(float64(n)/(marked+done).Seconds(), "messages/s")
	b.ReportMetric(float64(marked.Microseconds())/float64(b.N), "µs/mark")
	b.ReportMetric(float64(done.Microseconds())/float64(b.N), "µs/done")
}

// BenchmarkListing puts pages of 500 messages into the listing.
func BenchmarkListing(b *testing.B) {
	a := create(b)
	j := journal(b, a)
	page := make([]Listed, 500)
	n := 0
	for b.Loop() {
		for i := range page {
			n++
			id := fmt.Sprintf("%x", uint64(n)*0x9E3779B97F4A7C15)
			page[i] = Listed{ID: "T" + id, BlobID: "B" + id, Key: fmt.Sprintf("%d/1000", n), MessageIDs: id + "@example.org"}
		}
		must(b, j.ListPut(page...))
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
}
