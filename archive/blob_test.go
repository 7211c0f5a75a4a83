package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"mailhaul/account"
)

func TestTheSameBytesAreStoredOnce(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	large := make([]byte, smallBlob+1234)
	for i := range large {
		large[i] = byte(i * i >> 7)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := range 20 {
				if _, _, err := r.PutBlob(bytes.NewReader(message(n)), -1); err != nil {
					t.Error(err)
				}
			}
			if _, _, err := r.PutBlob(bytes.NewReader(large), -1); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	must(t, r.Finish(SnapshotRecord{}))
	members := 0
	f, err := os.Open(a.packPath(1))
	must(t, err)
	defer f.Close()
	info, _ := f.Stat()
	must(t, scanPack(t.Context(), f, 1, info.Size(), func(f frame) error {
		if strings.HasPrefix(f.name, "blob/") {
			members++
		}
		return f.err
	}))
	if members != 21 {
		t.Errorf("%d blob members, not 21", members)
	}
	if left, _ := filepath.Glob(a.path(spoolPattern)); len(left) > 0 {
		t.Errorf("spool files are left: %v", left)
	}
}

func TestABlobOfTheWrongSizeIsNotStored(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	for _, c := range []struct{ size, want int64 }{{10, 11}, {10, 9}, {10, 0}, {smallBlob + 5, 10}, {10, smallBlob + 5}, {smallBlob + 5, smallBlob + 6}, {smallBlob + 5, smallBlob + 4}} {
		if _, _, err := r.PutBlob(bytes.NewReader(make([]byte, c.size)), c.want); err == nil {
			t.Errorf("%d bytes where %d were announced are taken", c.size, c.want)
		}
	}
	broken := io.MultiReader(bytes.NewReader(make([]byte, 100)), iotestErr{})
	if _, _, err := r.PutBlob(broken, -1); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a source that fails: %v", err)
	}
	if _, size, err := r.PutBlob(bytes.NewReader(nil), 0); err != nil || size != 0 {
		t.Errorf("an empty blob, which is one: %v", err)
	}
	if _, err := r.PutObject(account.Email, email(1), Hash(strings.Repeat("0", 64))); !errors.Is(err, ErrNotFound) {
		t.Errorf("an object whose content is not held: %v", err)
	}
	if _, _, err := a.OpenBlob("../../etc/passwd"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a hash that is none: %v", err)
	}
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, io.ErrNoProgress }

// A gigabyte that is not there: zeros with a number now and then.
type endless struct{ n, size int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.n == e.size {
		return 0, io.EOF
	}
	n := copy(p, fmt.Sprintf("%064d", e.n))
	n = int(min(int64(max(n, min(len(p), 32<<10))), e.size-e.n))
	e.n += int64(n)
	return n, nil
}

func TestALargeBlobTakesLittleMemory(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	const size = 128 << 20
	peak := watchHeap(t)
	h, n, err := r.PutBlob(&endless{size: size}, size)
	must(t, err)
	if n != size {
		t.Fatal(n)
	}
	must(t, r.Commit())
	rc, _, err := a.OpenBlob(h)
	must(t, err)
	defer rc.Close()
	sum := sha256.New()
	if n, err := io.Copy(sum, rc); n != size || err != nil {
		t.Fatal(n, err)
	}
	if hashOf(sum.Sum(nil)) != h {
		t.Error("other bytes")
	}
	if p := peak(); p > 48<<20 {
		t.Errorf("%d MiB of heap for one blob", p>>20)
	}
}

// watchHeap returns a function that tells the most heap in use since.
func watchHeap(t testing.TB) func() uint64 {
	done := make(chan struct{})
	result := make(chan uint64)
	var base runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&base)
	go func() {
		var most uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
			select {
			case <-done:
				result <- most - min(most, base.HeapInuse)
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(done); return <-result }
}
