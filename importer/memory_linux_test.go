package importer

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient/jmaptest"
)

// What the import that is measured is told.
const (
	memoryURL     = "MAILHAUL_TEST_MEMORY_URL"
	memoryArchive = "MAILHAUL_TEST_MEMORY_ARCHIVE"
)

// TestLargeMessagesAreNeverInMemory: they are streamed from the pack to the
// server, so that what an import holds does not depend on their size.
func TestLargeMessagesAreNeverInMemory(t *testing.T) {
	if url := os.Getenv(memoryURL); url != "" {
		importAndTell(t, url, os.Getenv(memoryArchive))
		return
	}
	const size = 25 << 20
	peak := func(n int) (megabytes int) {
		s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
		putLarge(t, ar, n, size)
		self := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		self.Env = append(os.Environ(), memoryURL+"="+s.URL, memoryArchive+"="+ar.Dir(), "GOMEMLIMIT=96MiB") // as the command sets it
		out, err := self.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		_, told, _ := strings.Cut(string(out), "peak ")
		if _, err := fmt.Sscan(told, &megabytes); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if got := len(s.Messages("alice")); got != n {
			t.Fatalf("%d messages are there", got)
		}
		t.Logf("%d messages of 25 MB: %d MB resident at most", n, megabytes)
		return megabytes
	}
	if got := peak(largeMails); got > 150 {
		t.Errorf("an import of %d messages of 25 MB had %d MB in memory", largeMails, got)
	}
}

// putLarge puts messages into an archive without having one in memory.
func putLarge(t *testing.T, ar *archive.Archive, n int, size int64) {
	run, err := ar.Begin()
	must(t, err)
	defer run.Close()
	_, err = run.PutObject(account.Mailbox, inbox.object(), "")
	must(t, err)
	for i := range n {
		l := mail(i)
		rest := size - int64(len(l.raw))
		h, _, err := run.PutBlob(io.MultiReader(strings.NewReader(l.raw), io.LimitReader(endless{}, rest)), size)
		must(t, err)
		o := l.object()
		o.Put("size", size)
		_, err = run.PutObject(account.Email, o, h)
		must(t, err)
	}
	must(t, run.Finish(archive.SnapshotRecord{Types: map[string]archive.TypeRecord{}}))
}

// endless is text without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	const line = "The quick brown fox jumps over the lazy dog, and again it does.\r\n"
	for n := 0; n < len(p); n += copy(p[n:], line) {
	}
	return len(p), nil
}

// importAndTell is the import that is measured, in a process of its own.
func importAndTell(t *testing.T, url, dir string) {
	ar, err := archive.Open(dir)
	must(t, err)
	defer ar.Close()
	_, err = Import(context.Background(), ar, dial(t, url, "alice", "pw"), Options{})
	must(t, err)
	status, err := os.ReadFile("/proc/self/status")
	must(t, err)
	_, text, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes int
	_, err = fmt.Sscan(text, &kilobytes)
	must(t, err)
	fmt.Printf("peak %d\n", kilobytes>>10)
}
