//go:build unix

package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailhaul/account"
)

// limitPages lets SQLite say that its file is full, and returns what ends that.
func limitPages(t *testing.T, a *Archive, more int) (free func()) {
	t.Helper()
	set := func(n int) {
		var now int
		must(t, a.cat.write.QueryRow(fmt.Sprintf(`PRAGMA max_page_count = %d`, n)).Scan(&now))
	}
	var pages int
	must(t, a.cat.write.QueryRow(`PRAGMA page_count`).Scan(&pages))
	set(pages + more)
	return func() { set(1 << 30) }
}

func wantFull(t *testing.T, doing string, err error, need int64) {
	t.Helper()
	var full *FullError
	if !errors.As(err, &full) {
		t.Fatalf("%s: %v", doing, err)
	}
	if full.Need < need || full.Free < 0 || full.Path == "" || !strings.Contains(err.Error(), "needed") || !strings.Contains(err.Error(), "free") {
		t.Errorf("%s: %v\n%+v", doing, err, full)
	}
	t.Logf("%s: %v", doing, err)
}

func TestAFullCatalogIsToldWithWhatIsNeeded(t *testing.T) {
	a := create(t)
	a.groupTime = time.Hour
	r := begin(t, a)
	for n := range 10 {
		putEmail(t, r, n)
	}
	must(t, r.Commit())
	free := limitPages(t, a, 2)
	for n := 10; n < 500; n++ {
		putEmail(t, r, n)
	}
	err := r.Commit()
	wantFull(t, "commit", err, 2*490*rowBytes) // a blob and an object each
	if again := r.Commit(); !errors.As(again, new(*FullError)) {
		t.Errorf("the next commit: %v", again)
	}
	must(t, r.Close())
	verifyClean(t, a)
	free()
	r = begin(t, a) // takes up what lies in the pack
	if n, err := r.Count(account.Email); n != 500 || err != nil {
		t.Errorf("%d messages, %v", n, err)
	}
	must(t, r.Finish(SnapshotRecord{}))
	verifyClean(t, a)

	j, err := a.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	defer j.Close()
	must(t, j.Put(Entry{Type: "Email", SourceID: "M0", State: Done}))
	free = limitPages(t, a, 1)
	var many []Entry
	for n := range 500 {
		many = append(many, Entry{Type: "Email", SourceID: fmt.Sprint("M", n), State: Done, Applied: strings.Repeat("x", 100)})
	}
	wantFull(t, "journal", j.Put(many...), 499*entryBytes)
	var listed []Listed
	for n := range 500 {
		listed = append(listed, Listed{ID: fmt.Sprint("t", n), Key: strings.Repeat("k", 100)})
	}
	wantFull(t, "listing", j.ListPut(listed...), 499*entryBytes)
	wantFull(t, "note", j.SetNote("n", strings.Repeat("x", 20000)), 499*entryBytes)
	if e, ok, err := j.Get("Email", "M0"); !ok || e.State != Done || err != nil {
		t.Errorf("what was there: %+v %v %v", e, ok, err)
	}
	free()
	must(t, j.Put(many...))
	must(t, j.ListPut(listed...))
}

// Without room for a large message its size is told too.
func TestAFullDiskTellsTheSizeOfALargeMessage(t *testing.T) {
	b := newBench(t, nil)
	a, err := Create(b.newDir(), testOrigin)
	must(t, err)
	defer a.Close()
	r := begin(t, a)
	b.hook(a.Dir(), func(doing, path string, write func() error) error {
		if doing == "write" && strings.Contains(path, "spool-") {
			return &fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
		}
		return write()
	})
	_, _, err = r.PutBlob(strings.NewReader(strings.Repeat("x", 5<<20)), 5<<20)
	wantFull(t, "a large message", err, 10<<20)
}
