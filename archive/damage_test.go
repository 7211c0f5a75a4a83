package archive

import (
	"bytes"
	"errors"
	"io"
	"os"
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
	tried := some(t, 1, 19)
	for i := range good {
		if !tried() {
			continue
		}
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
		"a row with another Message-ID": func(a *Archive, _ map[int]Hash) error {
			_, err := a.cat.write.Exec(`UPDATE record SET message_ids = 'x' WHERE id = 'M1'`)
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
