package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mailhaul/account"
)

var bg = context.Background()

// Every bit of the first page of a catalog, and some of the rest; every length.
// An archive with such a catalog is refused, or says what is wrong when it is
// verified, or is right: and in no case hands out a message that is another. A
// reindex puts it right, whatever it was.
func TestADamagedCatalogNeverLeadsToWrongMail(t *testing.T) {
	c := newDamageCase(t, 3)
	path := filepath.Join(c.dir, catalogFile)
	good, err := os.ReadFile(path)
	must(t, err)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, the catalog has %d bytes", seed, len(good))
	rng := rand.New(rand.NewPCG(seed, 3))
	page := int(good[16])<<8 | int(good[17])
	try := func(what string, bad []byte) {
		c.tried++
		must(t, os.WriteFile(path, bad, 0o600))
		if err := c.judge(c.tried%every(7, 9) == 0); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		must(t, removeCatalog(path))
	}
	for i := 0; i < 100; i += every(1, 19) {
		for _, mask := range []byte{1 << (i % 8), 0xff} {
			bad := bytes.Clone(good)
			bad[i] ^= mask
			try(fmt.Sprintf("byte %d ^ %#x", i, mask), bad)
		}
	}
	for i := 100; i < len(good); i += 1 + rng.IntN(every(400, 9000)) {
		bad := bytes.Clone(good)
		bad[i] ^= byte(1 << rng.IntN(8))
		try(fmt.Sprintf("byte %d, was %#x, is %#x", i, good[i], bad[i]), bad)
	}
	for at := 0; at < len(good); at += page * every(1, 4) {
		bad := bytes.Clone(good)
		clear(bad[at : at+page])
		try(fmt.Sprintf("page at %d empty", at), bad)
		if at > 0 {
			bad = bytes.Clone(good)
			copy(bad[at:at+page], good[at-page:at])
			try(fmt.Sprintf("page at %d as the one before", at), bad)
		}
		try(fmt.Sprintf("cut to %d", at), good[:at])
		try(fmt.Sprintf("cut to %d", at+1+rng.IntN(page-1)), good[:at+1+rng.IntN(page-1)])
	}
	t.Logf("%d damaged catalogs: %v", c.tried, c.came)
	if c.came["refused"] == 0 || c.came["found"] == 0 || c.came["reindexed"] == 0 {
		t.Error("next to nothing was tested")
	}
}

// damageCase is an archive of a few messages, and what they are.
type damageCase struct {
	dir   string
	want  map[string]string
	tried int
	came  map[string]int
}

// newDamageCase makes an archive of two snapshots with so many messages each.
func newDamageCase(t *testing.T, messages int) *damageCase {
	base, err := quickDir()
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	c := &damageCase{dir: filepath.Join(base, "a"), want: map[string]string{}, came: map[string]int{}}
	a, err := Create(c.dir, testOrigin)
	must(t, err)
	for n := range 2 {
		r := begin(t, a)
		for i := n; i < n+messages; i++ {
			h := putEmail(t, r, i)
			c.want[fmt.Sprint("M", i)] = textOf(email(i), h)
		}
		must(t, r.Finish(SnapshotRecord{Types: map[string]TypeRecord{emailType.Name: {State: "old"}}}))
	}
	must(t, a.Close())
	return c
}

// judge opens the damaged archive and reads all that can be read.
func (c *damageCase) judge(reindex bool) error {
	var damage *DamagedError
	report, err := c.read()
	switch {
	case errors.As(err, &damage), errors.Is(err, ErrNotArchive), errors.Is(err, errNewer):
		c.came["refused"]++
	case err != nil:
		return fmt.Errorf("an error of another kind: %w", err)
	case len(report.Problems) > 0:
		c.came["found"]++
	default:
		c.came["harmless"]++
		if report.Objects < int64(len(c.want)) {
			return fmt.Errorf("verify finds nothing wrong, and only %d objects", report.Objects)
		}
	}
	if !reindex || errors.Is(err, errNewer) {
		return nil
	}
	c.came["reindexed"]++
	if _, err := Reindex(bg, c.dir, nil); err != nil {
		return fmt.Errorf("reindex: %w", err)
	}
	if report, err = c.read(); err != nil || len(report.Problems) > 0 || report.Objects != int64(len(c.want)) {
		return fmt.Errorf("after a reindex: %+v, %w", report, err)
	}
	return nil
}

// read opens, reads and verifies. What is read and is not what was put is an
// error that is no DamagedError.
func (c *damageCase) read() (*VerifyReport, error) {
	a, err := Open(c.dir)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	return c.readOpen(a)
}

func (c *damageCase) readOpen(a *Archive) (*VerifyReport, error) {
	for _, at := range []int{0, 1, -1} {
		for rec, err := range a.Objects(at, account.Email) {
			if err != nil {
				break // judged by what Verify says of it
			}
			if rec.Blob == "" {
				continue
			}
			data, err := readChecked(a, rec.Blob)
			if err != nil {
				continue
			}
			if sumOf(data) != rec.Blob {
				return nil, fmt.Errorf("blob %s reads as other bytes", rec.Blob)
			}
			if o := rec.Object; c.want[o.ID()] == "" || !o.Equal(email(int(o.ID()[1]-'0'))) {
				return nil, fmt.Errorf("object %q reads as another", o.ID())
			}
		}
	}
	return a.Verify(bg, nil)
}
