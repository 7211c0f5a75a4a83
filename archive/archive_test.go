package archive

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
)

func TestWhatIsPutIsReadBack(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	if r.Snapshot() != 1 || r.Resumed() {
		t.Errorf("first run writes snapshot %d, resumed %v", r.Snapshot(), r.Resumed())
	}
	box := account.Object{"id": account.Marshal("inbox"), "name": account.Marshal("Boîte <à> tout"), "vendor:x": []byte(`{"b":1.50,"a":[]}`)}
	if changed, err := r.PutObject(account.Mailbox, box, ""); err != nil || !changed {
		t.Fatal(changed, err)
	}
	var hashes []Hash
	for n := range 120 {
		hashes = append(hashes, putEmail(t, r, n))
	}
	must(t, r.Finish(SnapshotRecord{Types: map[string]TypeRecord{"Email": {State: "s1"}}, Unknown: []string{"Mailbox.isSubscribed"}}))
	must(t, r.Close())
	must(t, a.Close())

	a = open(t, a.Dir())
	if diff := cmp.Diff(testOrigin, a.Manifest().Account); diff != "" {
		t.Error(diff)
	}
	for n, h := range hashes {
		if got := readBlob(t, a, h); !bytes.Equal(got, message(n)) {
			t.Errorf("message %d differs", n)
		}
	}
	rec, err := a.Object(0, account.Mailbox, "inbox")
	must(t, err)
	if diff := cmp.Diff(box, rec.Object); diff != "" {
		t.Errorf("unknown properties or the way numbers are written changed: %s", diff)
	}
	var last string
	count := 0
	for rec, err := range a.Objects(0, account.Email) {
		must(t, err)
		if at := rec.Object.Text("receivedAt"); at < last {
			t.Errorf("%s after %s: not by receivedAt", at, last)
		} else {
			last = at
		}
		count++
	}
	if count != 120 {
		t.Errorf("%d Emails of 120", count)
	}
	snaps, err := a.Snapshots()
	must(t, err)
	var bytesHeld int64
	for n := range 120 {
		bytesHeld += int64(len(message(n)))
	}
	want := map[string]TypeRecord{"Email": {State: "s1", Objects: 120, Bytes: bytesHeld, Changed: 120}, "Mailbox": {Objects: 1, Changed: 1}}
	if len(snaps) != 1 || snaps[0].Started.IsZero() || snaps[0].Finished.IsZero() {
		t.Fatalf("snapshots: %+v", snaps)
	}
	if diff := cmp.Diff(want, snaps[0].Types); diff != "" {
		t.Error(diff)
	}
	if report := verifyClean(t, a); report.Blobs != 120 || report.Objects != 121 || report.Snapshots != 1 || report.Packs != 1 {
		t.Errorf("verify: %+v", report)
	}
}

func TestEverySnapshotIsReadAsItWas(t *testing.T) {
	a := create(t)
	var want []map[string]string
	for snapshot := 1; snapshot <= 4; snapshot++ {
		r := begin(t, a)
		for n := range 10 {
			if n%snapshot == 0 {
				h := putEmail(t, r, n)
				o := email(n)
				o.Put("keywords", account.SetOf(fmt.Sprintf("k%d", snapshot)))
				_, err := r.PutObject(account.Email, o, h)
				must(t, err)
			} else if snapshot == 3 {
				must(t, r.MarkGone(account.Email, fmt.Sprintf("M%d", n)))
			}
		}
		must(t, r.Finish(SnapshotRecord{}))
		want = append(want, contents(t, a, 0))
	}
	if len(want[1]) != 10 || len(want[2]) != 4 || len(want[3]) != 6 {
		t.Fatalf("snapshots hold %d, %d, %d objects", len(want[1]), len(want[2]), len(want[3]))
	}
	for i, w := range want {
		if diff := cmp.Diff(w, contents(t, a, i+1)); diff != "" {
			t.Errorf("snapshot %d: %s", i+1, diff)
		}
	}
	if _, err := a.Object(5, account.Email, "M0"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a snapshot that does not exist: %v", err)
	}
	verifyClean(t, a)
}

func TestIdsAreNeverPaths(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	ids := []string{"..", ".", "../../etc/passwd", "a/b", "a\\b", "alice@example.org", "user.alice", "A", "a", "%41", "", strings.Repeat("é", 200), "\x00", "💌", " "}
	names := map[string]bool{}
	for _, id := range ids {
		_, err := r.PutObject(account.Mailbox, account.Object{"id": account.Marshal(id)}, "")
		if id == "" {
			if err == nil {
				t.Error("an object without an id is taken")
			}
			continue
		}
		must(t, err)
		name := objectName("Mailbox", id, 1)
		if names[name] || strings.Contains(encodeID(id), "/") || strings.Contains(encodeID(id), ".") || len(encodeID(id)) > 255 {
			t.Errorf("%q becomes %q", id, name)
		}
		names[name] = true
	}
	if _, err := r.PutObject(account.Type{Name: "../x"}, account.Object{"id": account.Marshal("1")}, ""); err == nil {
		t.Error("a type named ../x is taken")
	}
	must(t, r.Finish(SnapshotRecord{}))
	for _, id := range ids {
		if id == "" {
			continue
		}
		rec, err := a.Object(0, account.Mailbox, id)
		if err != nil || rec.Object.ID() != id {
			t.Errorf("%q: %v %v", id, rec, err)
		}
	}
	if got := contents(t, a, 0); len(got) != len(ids)-1 {
		t.Errorf("%d objects of %d", len(got), len(ids)-1)
	}
	verifyClean(t, a)
}

func TestCreateAndOpenRefuseWhatIsNoArchive(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "nothing")); !errors.Is(err, ErrNotArchive) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrNotArchive) {
		t.Errorf("an empty directory: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "letter.txt"), []byte("x"), 0o600))
	if _, err := Create(dir, testOrigin); err == nil || !strings.Contains(err.Error(), "letter.txt") {
		t.Errorf("a directory with something in it: %v", err)
	}
	a := create(t)
	if _, err := Create(a.Dir(), testOrigin); err == nil {
		t.Error("an archive is made where one is")
	}
	must(t, os.Remove(a.path(manifestFile)))
	must(t, begin(t, a).Close())
	if _, err := Open(a.Dir()); !errors.Is(err, ErrNotArchive) {
		t.Errorf("no manifest: %v", err)
	}
	newer := open(t, create(t).Dir())
	must(t, os.WriteFile(newer.path(manifestFile), []byte(`{"format":"mailhaul","version":2}`), 0o600))
	if _, err := Open(newer.Dir()); !errors.Is(err, ErrNotArchive) || !strings.Contains(err.Error(), "newer mailhaul") {
		t.Errorf("a later format: %v", err)
	}
}

func TestACreateThatWasKilledIsDoneAgain(t *testing.T) {
	a := create(t)
	must(t, a.Close())
	must(t, os.Rename(a.path(manifestFile), a.path(manifestFile+".new")))
	must(t, os.Remove(a.path(writerLock)))
	b, err := Create(a.Dir(), testOrigin)
	must(t, err)
	must(t, b.Close())
}

func TestAllIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	a := create(t)
	r := begin(t, a)
	putEmail(t, r, 1)
	must(t, r.Commit())
	j, err := a.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	defer j.Close()
	must(t, filepath.Walk(a.Dir(), func(path string, info os.FileInfo, err error) error {
		want := os.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	}))
}
