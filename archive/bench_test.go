package archive

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

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

// BenchmarkVerify reads an archive of 4 000 messages of 25 KB.
func BenchmarkVerify(b *testing.B) {
	a, err := Create(filepath.Join(b.TempDir(), "a"), testOrigin)
	must(b, err)
	defer a.Close()
	r := begin(b, a)
	for n := range 4000 {
		h, _, err := r.PutBlob(bytes.NewReader(mailLike(25<<10, uint64(n))), -1)
		must(b, err)
		_, err = r.PutObject(account.Email, email(n), h)
		must(b, err)
	}
	must(b, r.Finish(SnapshotRecord{}))
	b.SetBytes(4000 * 25 << 10)
	for b.Loop() {
		verifyClean(b, a)
	}
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
