package archive

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Wherever a pack ends that is found; for flipped bits see
// TestAnyFlippedByteIsFoundAndNeverReadAsMail.
func TestAPackThatWasCutIsFound(t *testing.T) {
	c := newDamageCase(t, 1)
	a := open(t, c.dir)
	for n := 1; n <= 2; n++ {
		good, err := os.ReadFile(a.packPath(n))
		must(t, err)
		tried := some(t, 1, 23)
		for size := range len(good) {
			if !tried() {
				continue
			}
			must(t, os.Truncate(a.packPath(n), int64(len(good)-size-1)))
			report, err := c.readOpen(a)
			if err != nil || len(report.Problems) == 0 {
				t.Errorf("%s cut to %d of %d: %+v, %v", packName(n), len(good)-size-1, len(good), report, err)
			}
		}
		must(t, os.WriteFile(a.packPath(n), good, 0o600))
	}
}

// A reindex leaves out what is damaged, and the next run brings it back.
func TestADamagedPackIsMadeWholeAgain(t *testing.T) {
	c := newDamageCase(t, 1)
	base := read(t, c.dir)
	try := func(what, name string, content []byte, how int) {
		t.Helper()
		must(t, os.WriteFile(filepath.Join(c.dir, name), content, 0o600))
		if err := c.mend(how); err != nil {
			t.Errorf("%s %s: %v", name, what, err)
		}
		must(t, os.RemoveAll(c.dir))
		must(t, base.write(c.dir))
	}
	for _, name := range []string{packName(1), packName(2)} {
		good := []byte(base.files[name])
		for i := 0; i < len(good); i += every(8, 149) {
			try(fmt.Sprint("cut to ", i), name, good[:i], i/8%2)
			bad := bytes.Clone(good)
			bad[i] ^= byte(1 << (i % 8))
			try(fmt.Sprintf("with byte %d flipped", i), name, bad, i/8%2)
		}
	}
}

// mend is what a person does about a damaged archive: a reindex, with the old
// catalog or without one, and the next export.
func (c *damageCase) mend(how int) error {
	if how == 1 {
		if err := os.Remove(filepath.Join(c.dir, catalogFile)); err != nil {
			return err
		}
	}
	report, err := Reindex(bg, c.dir, nil)
	if err != nil {
		return fmt.Errorf("reindex: %w", err)
	}
	if _, err := c.read(); err != nil {
		return fmt.Errorf("after the reindex: %w", err)
	}
	a, err := Open(c.dir)
	if err != nil {
		return err
	}
	defer a.Close()
	if done, err := a.Snapshots(); err != nil {
		return err
	} else if len(report.Problems) > 0 && len(done) > 0 && done[len(done)-1].Types[emailType.Name].State != "" {
		return errors.New("something was lost, and the last snapshot still tells a state to go on from")
	}
	a.groupTime = time.Hour
	r, err := a.Begin()
	if err != nil {
		return err
	}
	defer r.Close()
	for i := range len(c.want) {
		h, _, err := r.PutBlob(bytes.NewReader(message(i)), -1)
		if err != nil {
			return err
		}
		if _, err := r.PutObject(emailType, email(i), h); err != nil {
			return err
		}
	}
	if err := r.Finish(SnapshotRecord{Types: map[string]TypeRecord{emailType.Name: {State: "new"}}}); err != nil {
		return err
	}
	have, err := holds(a, 0)
	if err != nil {
		return err
	}
	if len(have) != len(c.want) {
		return fmt.Errorf("%d objects of %d after the next run", len(have), len(c.want))
	}
	for id, want := range c.want {
		if have["Email/"+id] != want {
			return fmt.Errorf("%s is not what was put", id)
		}
	}
	done, err := a.Snapshots()
	if err != nil || done[len(done)-1].Types[emailType.Name].State != "new" {
		return fmt.Errorf("the next run's snapshot tells no state: %+v, %w", done, err)
	}
	return nil
}

// Every bit and every length of a manifest: the archive is refused, or opens as
// what it was.
func TestADamagedManifestIsRefusedOrDoesNoHarm(t *testing.T) {
	c := newDamageCase(t, 1)
	path := filepath.Join(c.dir, manifestFile)
	good, err := os.ReadFile(path)
	must(t, err)
	as, err := readManifest(c.dir)
	must(t, err)
	tried := some(t, 1, 17)
	for i := range good {
		if !tried() {
			continue
		}
		for _, mask := range []byte{1 << (i % 8), 0x80} {
			bad := bytes.Clone(good)
			bad[i] ^= mask
			must(t, os.WriteFile(path, bad, 0o600))
			var damage *DamagedError
			if is, err := readManifest(c.dir); err == nil && is != as || err != nil && !errors.Is(err, ErrNotArchive) && !errors.As(err, &damage) {
				t.Errorf("byte %d ^ %#x: read as %+v, %v", i, mask, is, err)
			}
			if err := c.judge(false); err != nil {
				t.Errorf("byte %d ^ %#x: %v", i, mask, err)
			}
		}
		must(t, os.WriteFile(path, good[:i], 0o600))
		if _, err := Open(c.dir); !errors.Is(err, ErrNotArchive) && i < len(good)-1 {
			t.Errorf("cut to %d of %d: %v", i, len(good), err)
		}
	}
	t.Logf("%v", c.came)
	if c.came["refused"] == 0 || c.came["found"] > 0 {
		t.Error("the mail is not touched by it")
	}
}
