package archive

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
)

func TestACatalogThatIsOlderThanThePacksDestroysNothing(t *testing.T) {
	a := create(t)
	must(t, a.Close())
	old, err := os.ReadFile(a.path(catalogFile))
	must(t, err)
	a = open(t, a.Dir())
	for n := range 3 {
		r := begin(t, a)
		putEmail(t, r, n)
		must(t, r.Finish(SnapshotRecord{}))
	}
	must(t, a.Close())
	must(t, os.WriteFile(a.path(catalogFile), old, 0o600))
	a = open(t, a.Dir())
	var damage *DamagedError
	if _, err := a.Begin(); !errors.As(err, &damage) || !strings.Contains(err.Error(), "archive reindex") {
		t.Errorf("Begin: %v", err)
	}
	if files, _ := a.packFiles(); len(files) != 3 {
		t.Errorf("packs left: %v", files)
	}
	must(t, a.Close())
	_, err = Reindex(t.Context(), a.Dir(), nil)
	must(t, err)
	verifyClean(t, open(t, a.Dir()))
}

func TestACatalogFromEarlierInTheSamePackIsBroughtUpToDate(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	putEmail(t, r, 1)
	must(t, r.Close())
	must(t, a.Close())
	old, err := os.ReadFile(a.path(catalogFile))
	must(t, err)
	a = open(t, a.Dir())
	r = begin(t, a)
	for n := 2; n < every(1200, 1020); n++ { // more than one commit takes
		putEmail(t, r, n)
	}
	must(t, r.Close())
	want := logical(t, a)
	must(t, a.Close())
	must(t, os.WriteFile(a.path(catalogFile), old, 0o600))
	a = open(t, a.Dir())
	must(t, begin(t, a).Close())
	if diff := cmp.Diff(want, logical(t, a)); diff != "" {
		t.Error(diff)
	}
	verifyClean(t, a)
}

func TestADamagedCatalogSaysHowToBuildItAgain(t *testing.T) {
	a, _ := small(t, 200)
	must(t, a.Close())
	for name, damage := range map[string]func(path string) error{
		"missing":    os.Remove,
		"empty":      func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"no catalog": func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("x"), 5000), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			must(t, damage(a.path(catalogFile)))
			var d *DamagedError
			if _, err := Open(a.Dir()); !errors.As(err, &d) || !strings.Contains(err.Error(), "mailhaul archive reindex") {
				t.Errorf("Open: %v", err)
			}
			report, err := Reindex(t.Context(), a.Dir(), nil)
			must(t, err)
			if (name == "missing") != (len(report.Problems) == 0) {
				t.Errorf("problems: %+v", report.Problems) // that journals are lost is said
			}
			b := open(t, a.Dir())
			verifyClean(t, b)
			must(t, b.Close())
		})
	}
}

// logical is what a catalog says, but for journals.
func logical(t testing.TB, a *Archive) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for table, columns := range map[string]string{
		"pack":     "n, length, crc, sealed",
		"blob":     "hex(hash), size, pack, start, length",
		"snapshot": "n, CASE WHEN record IS NULL THEN '' ELSE started END, record, pack, start, length",
		"record":   "type, id, snapshot, until, gone, hex(blob), blob_id, size, received, match_key, message_ids, hex(digest), pack, start, length",
	} {
		rs, err := a.cat.read.Query(`SELECT json_array(` + columns + `) AS j FROM ` + table + ` ORDER BY j`)
		must(t, err)
		for rs.Next() {
			var s string
			must(t, rs.Scan(&s))
			all[table] = append(all[table], s)
		}
		must(t, errors.Join(rs.Err(), rs.Close()))
	}
	return all
}

func TestReindexBuildsTheSameCatalog(t *testing.T) {
	a := create(t)
	a.packLimit = 6 << 10
	for snapshot := range 4 {
		r := begin(t, a)
		for n := snapshot * 5; n < snapshot*5+15; n++ {
			putEmail(t, r, n)
		}
		must(t, r.MarkGone(account.Email, "M2"))
		putEmail(t, r, 2) // twice under one snapshot
		_, err := r.PutObject(account.SieveScript, account.Object{"id": account.Marshal("../s"), "blobId": account.Marshal("B1")}, sumOf(message(snapshot*5)))
		must(t, err)
		if snapshot < 3 {
			must(t, r.Finish(SnapshotRecord{Types: map[string]TypeRecord{"Email": {State: "x"}}}))
		} else {
			must(t, r.Close()) // the last one is not finished
		}
	}
	j, err := a.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	must(t, j.Put(Entry{Type: "Email", SourceID: "M1", State: Done, TargetID: "N1", Blob: sumOf(message(1))}))
	must(t, j.SetNote("state", "s9"))
	must(t, j.ListPut(Listed{ID: "N1", Key: "1/2"}))
	must(t, j.Close())
	want := logical(t, a)
	must(t, a.Close())

	report, err := Reindex(t.Context(), a.Dir(), func(done, total int64) {
		if done > total {
			t.Errorf("%d of %d bytes read", done, total)
		}
	})
	must(t, err)
	if len(report.Problems) > 0 {
		t.Errorf("problems: %+v", report.Problems)
	}
	b := open(t, a.Dir())
	if diff := cmp.Diff(want, logical(t, b)); diff != "" {
		t.Error(diff)
	}
	verifyClean(t, b)
	infos, err := b.Journals()
	must(t, err)
	if len(infos) != 1 || infos[0].Counts["Email"][Done] != 1 {
		t.Errorf("journals: %+v", infos)
	}
	r := begin(t, b)
	if !r.Resumed() || r.Snapshot() != 4 {
		t.Errorf("the unfinished snapshot is not resumed: %d %v", r.Snapshot(), r.Resumed())
	}
	must(t, r.Finish(SnapshotRecord{}))
	verifyClean(t, b)
}

func TestReindexLeavesOutWhatIsDamagedAndSaysSo(t *testing.T) {
	a, hashes := small(t, 20)
	flip(t, a, blobPlace(t, a, hashes[7]))
	// And one whose header is broken, so that the next frame has to be found.
	p := blobPlace(t, a, hashes[11])
	f, err := os.OpenFile(a.packPath(1), os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, 8), p.start)
	must(t, errors.Join(err, f.Close()))
	must(t, a.Close())
	must(t, os.Remove(a.path(catalogFile)))
	report, err := Reindex(t.Context(), a.Dir(), nil)
	must(t, err)
	var items []string
	for _, p := range report.Problems {
		items = append(items, p.Items...)
	}
	if len(items) != 2 || !strings.Contains(strings.Join(items, " "), account.Describe(email(7))) || !strings.Contains(strings.Join(items, " "), account.Describe(email(11))) {
		t.Errorf("problems: %+v", report.Problems)
	}
	b := open(t, a.Dir())
	for n, h := range hashes {
		got, err := readChecked(b, h)
		if n == 7 || n == 11 {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("message %d: %v", n, err)
			}
		} else if err != nil || !bytes.Equal(got, message(n)) {
			t.Errorf("message %d: %v", n, err)
		}
	}
	// The next run does not take the lost ones for held, and heals them.
	r := begin(t, b)
	if _, _, ok, err := r.BlobFor("B7"); ok || err != nil {
		t.Errorf("BlobFor of a lost blob: %v %v", ok, err)
	}
	putEmail(t, r, 7)
	must(t, r.Finish(SnapshotRecord{}))
	if got := readBlob(t, b, hashes[7]); !bytes.Equal(got, message(7)) {
		t.Error("the blob stored again differs")
	}
}

func TestReindexLeavesTheOldCatalogUntilTheNewOneIsWhole(t *testing.T) {
	a, _ := small(t, 5)
	r := begin(t, a)
	if _, err := Reindex(t.Context(), a.Dir(), nil); !errors.As(err, new(*LockedError)) {
		t.Errorf("beside a run: %v", err)
	}
	must(t, r.Close())
	j, err := a.Journal("s", "b", "c")
	must(t, err)
	if _, err := Reindex(t.Context(), a.Dir(), nil); !errors.As(err, new(*LockedError)) {
		t.Errorf("beside an import: %v", err)
	}
	must(t, j.Close())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Reindex(ctx, a.Dir(), nil); err == nil {
		t.Error("a cancelled reindex says nothing")
	}
	if left, _ := filepath.Glob(a.path(catalogFile + ".new*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	verifyClean(t, a)
	_, err = Reindex(t.Context(), a.Dir(), nil)
	must(t, err)
	if _, err := a.Begin(); err == nil || !strings.Contains(err.Error(), "built anew") {
		t.Errorf("a run on the catalog that was replaced: %v", err)
	}
}

func TestReindexTakesWhatAKilledRunWroteForNoDamage(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	putEmail(t, r, 1)
	must(t, r.Close())
	must(t, a.Close())
	pack, err := os.ReadFile(a.packPath(1))
	must(t, err)
	torn := append(bytes.Clone(pack), pack[:len(pack)/2-3]...)
	must(t, os.WriteFile(a.packPath(1), torn, 0o600))
	must(t, os.Remove(a.path(catalogFile)))
	report, err := Reindex(t.Context(), a.Dir(), nil)
	must(t, err)
	if len(report.Problems) > 0 {
		t.Errorf("problems: %+v", report.Problems)
	}
	b := open(t, a.Dir())
	verifyClean(t, b)
	r = begin(t, b)
	if !r.Resumed() {
		t.Error("the snapshot is not resumed")
	}
	putEmail(t, r, 2)
	must(t, r.Finish(SnapshotRecord{}))
	verifyClean(t, b)
	if got := contents(t, b, 0); len(got) != 2 {
		t.Errorf("%d objects of 2", len(got))
	}
}
