package archive

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"github.com/klauspost/compress/zstd"
	"hash/crc32"
	"mailhaul/account"
	"os"
	"runtime/pprof"
	"syscall"
	"testing"
	"time"
)

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(0, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func zzArchive(t testing.TB, dir string, n, size int) *Archive {
	if _, err := os.Stat(dir + "/catalog.db"); err == nil {
		a, err := Open(dir)
		must(t, err)
		return a
	}
	a, err := Create(dir, testOrigin)
	must(t, err)
	r, err := a.Begin()
	must(t, err)
	for i := range n {
		h, _, err := r.PutBlob(bytes.NewReader(mailLike(size, uint64(i))), -1)
		must(t, err)
		_, err = r.PutObject(account.Email, email(i), h)
		must(t, err)
	}
	must(t, r.Finish(SnapshotRecord{}))
	return a
}

func TestZZ(t *testing.T) {
	for _, c := range []struct{ n, size int }{{4000, 25 << 10}, {20000, 4 << 10}, {1000, 100 << 10}} {
		a := zzArchive(t, fmt.Sprintf("/tmp/arch/a%d", c.n), c.n, c.size)
		data, err := os.ReadFile(a.packPath(1))
		must(t, err)
		var raw int64
		{
			c0 := cpu()
			d, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
			var buf []byte
			for off := int64(0); off < int64(len(data)); {
				n, _, err := frameLength(bytes.NewReader(data), off, int64(len(data)))
				must(t, err)
				buf, err = d.DecodeAll(data[off:off+n], buf[:0])
				must(t, err)
				off += n
				raw += int64(len(buf))
			}
			c1 := cpu()
			for i := int64(0); i < raw; i += int64(len(data)) {
				sha256.Sum256(data[:min(int64(len(data)), raw-i)])
			}
			c2 := cpu()
			crc32.ChecksumIEEE(data)
			c3 := cpu()
			fmt.Printf("%d: pack %d raw %d: decode %v (%.0f MB/s pack) sha %v crc %v; bare %.0f MB/s pack %.0f MB/s raw\n", c.size, len(data), raw, c1-c0, float64(len(data))/1e6/(c1-c0).Seconds(), c2-c1, c3-c2, float64(len(data))/1e6/(c3-c0).Seconds(), float64(raw)/1e6/(c3-c0).Seconds())
		}
		f, _ := os.Create(fmt.Sprintf("/tmp/arch/v%d.prof", c.n))
		pprof.StartCPUProfile(f)
		for range 3 {
			c0, t0 := cpu(), time.Now()
			verifyClean(t, a)
			c1 := cpu()
			fmt.Printf("   verify cpu %v wall %v: %.0f MB/s pack per core, %.0f raw\n", c1-c0, time.Since(t0), float64(len(data))/1e6/(c1-c0).Seconds(), float64(raw)/1e6/(c1-c0).Seconds())
		}
		pprof.StopCPUProfile()
		a.Close()
		c0, t0 := cpu(), time.Now()
		_, err = Reindex(t.Context(), a.Dir(), nil)
		must(t, err)
		fmt.Printf("   reindex cpu %v wall %v\n", cpu()-c0, time.Since(t0))
	}
}
