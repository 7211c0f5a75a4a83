package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
)

// small makes a finished archive with a few messages and returns their hashes.
func small(t testing.TB, messages int) (*Archive, map[int]Hash) {
	a := create(t)
	r := begin(t, a)
	hashes := map[int]Hash{}
	for n := range messages {
		hashes[n] = putEmail(t, r, n)
	}
	must(t, r.Finish(SnapshotRecord{}))
	return a, hashes
}

// readChecked is what OpenBlob yields, or its error.
func readChecked(a *Archive, h Hash) ([]byte, error) {
	rc, _, err := a.OpenBlob(h)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	return io.ReadAll(rc)
}

func TestAnyFlippedByteIsFoundAndNeverReadAsMail(t *testing.T) {
	a, hashes := small(t, 3)
	path := a.packPath(1)
	good, err := os.ReadFile(path)
	must(t, err)
	step := 1
	if testing.Short() {
		step = 7
	}
	for i := 0; i < len(good); i += step {
		bad := bytes.Clone(good)
		bad[i] ^= byte(1 << (i % 8))
		must(t, os.WriteFile(path, bad, 0o600))
		report, err := a.Verify(t.Context(), nil)
		must(t, err)
		if len(report.Problems) == 0 {
			t.Errorf("a flipped bit in byte %d of %d is not found", i, len(good))
		}
		for n, h := range hashes {
			got, err := readChecked(a, h)
			var damage *DamagedError
			if err == nil && !bytes.Equal(got, message(n)) || err != nil && !errors.As(err, &damage) {
				t.Errorf("byte %d: message %d is read as %d bytes, %v", i, n, len(got), err)
			}
		}
		for rec, err := range a.Objects(0, account.Email) {
			if err == nil && !rec.Object.Equal(email(int(rec.Object.ID()[1]-'0'))) {
				t.Errorf("byte %d: object %s reads as another", i, rec.Object.ID())
			}
		}
	}
}

// flip changes a byte in the middle of the frame at p.
func flip(t testing.TB, a *Archive, p place) {
	t.Helper()
	f, err := os.OpenFile(a.packPath(p.pack), os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	var b [1]byte
	_, err = f.ReadAt(b[:], p.start+p.length/2)
	must(t, err)
	b[0] ^= 0x10
	_, err = f.WriteAt(b[:], p.start+p.length/2)
	must(t, err)
}

func blobPlace(t testing.TB, a *Archive, h Hash) (p place) {
	t.Helper()
	ok, err := a.cat.row(`SELECT pack, start, length FROM blob WHERE hash = ?`, []any{h.bytes()}, &p.pack, &p.start, &p.length)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	return p
}

func TestADamagedBlobNamesTheMessagesItCosts(t *testing.T) {
	a, hashes := small(t, 20)
	r := begin(t, a)
	same := email(5)
	same.Put("id", "M500")
	_, err := r.PutObject(account.Email, same, hashes[5])
	must(t, err)
	must(t, r.Finish(SnapshotRecord{}))
	flip(t, a, blobPlace(t, a, hashes[5]))
	report, err := a.Verify(t.Context(), nil)
	must(t, err)
	if len(report.Problems) != 1 || report.Problems[0].Member != blobName(hashes[5]) {
		t.Fatalf("problems: %+v", report.Problems)
	}
	if diff := cmp.Diff([]string{account.Describe(email(5)), account.Describe(same)}, report.Problems[0].Items); diff != "" {
		t.Error(diff)
	}
}

func TestVerifyFindsWhereCatalogAndPacksDiffer(t *testing.T) {
	for name, damage := range map[string]func(a *Archive, hashes map[int]Hash) error{
		"a pack that is gone": func(a *Archive, _ map[int]Hash) error { return os.Remove(a.packPath(1)) },
		"a pack cut short":    func(a *Archive, _ map[int]Hash) error { return os.Truncate(a.packPath(1), 700) },
		"a pack no row knows": func(a *Archive, _ map[int]Hash) error { return os.WriteFile(a.packPath(5), []byte("x"), 0o600) },
		"a blob without a row": func(a *Archive, h map[int]Hash) error {
			_, err := a.cat.write.Exec(`DELETE FROM blob WHERE hash = ?`, h[1].bytes())
			return err
		},
		"an object without a row": func(a *Archive, _ map[int]Hash) error {
			_, err := a.cat.write.Exec(`DELETE FROM record WHERE id = 'M1'`)
			return err
		},
		"a row beside its member": func(a *Archive, h map[int]Hash) error {
			_, err := a.cat.write.Exec(`UPDATE blob SET start = start + 1 WHERE hash = ?`, h[1].bytes())
			return err
		},
		"a row at another member": func(a *Archive, h map[int]Hash) error {
			_, err := a.cat.write.Exec(`UPDATE blob SET (pack, start, length) = (SELECT pack, start, length FROM blob WHERE hash = ?) WHERE hash = ?`, h[2].bytes(), h[1].bytes())
			return err
		},
		"a row with another blob": func(a *Archive, h map[int]Hash) error {
			_, err := a.cat.write.Exec(`UPDATE record SET blob = ? WHERE id = 'M1'`, h[2].bytes())
			return err
		},
		"a row with another size": func(a *Archive, h map[int]Hash) error {
			_, err := a.cat.write.Exec(`UPDATE blob SET size = size + 1 WHERE hash = ?`, h[1].bytes())
			return err
		},
		"a record that was changed": func(a *Archive, _ map[int]Hash) error {
			_, err := a.cat.write.Exec(`UPDATE snapshot SET record = replace(record, '"objects":3', '"objects":4')`)
			return err
		},
		"an object that never was": func(a *Archive, _ map[int]Hash) error {
			_, err := a.cat.write.Exec(`INSERT INTO record SELECT type, 'M77', snapshot, until, gone, blob, blob_id, size, received, match_key, message_ids, digest, pack, start + 3, length FROM record WHERE id = 'M1'`)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, hashes := small(t, 3)
			must(t, damage(a, hashes))
			report, err := a.Verify(t.Context(), nil)
			must(t, err)
			if len(report.Problems) == 0 {
				t.Error("Verify finds nothing")
			}
		})
	}
}

func TestWhatWasNotCommittedIsNoDamage(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	putEmail(t, r, 1)
	must(t, r.Commit())
	putEmail(t, r, 2)
	verifyClean(t, a) // beside the run
	must(t, r.Close())
	f, err := os.OpenFile(a.packPath(1), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.Write([]byte("the beginning of a frame"))
	must(t, errors.Join(err, f.Close()))
	verifyClean(t, a)
	r = begin(t, a)
	putEmail(t, r, 3)
	must(t, r.Finish(SnapshotRecord{}))
	verifyClean(t, a)
	if got := contents(t, a, 0); len(got) != 3 {
		t.Errorf("%d objects of 3", len(got))
	}
}

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
