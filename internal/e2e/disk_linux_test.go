package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"

	"mailhaul/internal/mailgen"
)

// disk is a file system of a few megabytes.
type disk struct {
	t   *testing.T
	dir string
}

func newDisk(t *testing.T, octets int) disk {
	t.Helper()
	if os.Getuid() != 0 && os.Getenv("CI") == "" {
		t.Skip("mounting a small file system takes root")
	}
	d := disk{t, t.TempDir()}
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", 0, fmt.Sprintf("size=%d", octets)); err != nil {
		t.Fatal("mount: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.dir, 0); err != nil {
			t.Error("unmount: ", err)
		}
	})
	return d
}

func (d disk) resize(octets int) {
	d.t.Helper()
	if err := syscall.Mount("", d.dir, "", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", octets)); err != nil {
		d.t.Fatal("remount: ", err)
	}
}

// fill writes until nothing is left but so many octets.
func (d disk) fill(leave int64) error {
	f, err := os.Create(filepath.Join(d.dir, "ballast"))
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(f, zeros{})
	if !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("the disk is not full: %w", err)
	}
	return f.Truncate(n - leave)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// expectNoRoom fails the test unless a run ended because the disk was full, and
// said where, what is free and what is needed.
func (r result) expectNoRoom(t *testing.T, d disk) {
	t.Helper()
	r.expect(t, 1).says(t, "no space left to write "+d.dir, "make room and run the same command again")
	figures := regexp.MustCompile(regexp.QuoteMeta(d.dir) + `[^ ]* \([0-9]+ (bytes|KB|MB) free, about [1-9][0-9]* (bytes|KB|MB) needed\)`)
	if !figures.MatchString(r.stderr) {
		t.Errorf("nothing of what is free and needed in\n%s", r.output())
	}
}

func TestAnExportOntoAFullDiskGoesOn(t *testing.T) {
	onEachKind(t, func(t *testing.T, k kind) {
		from := k.start(t)
		from.AddUser(alice)
		from.Put(alice, slices.Collect(mailgen.Sized(71, 120, 60<<10))...)
		want := from.Mail(alice)
		p := newProxy(t, from)
		d := newDisk(t, 5<<20)
		mailhaul(t, exporting(p, alice, d.dir)...).expectNoRoom(t, d)
		path := filepath.Join(d.dir, alice)
		held := heldBlobs(t, path)
		mailhaul(t, exporting(p, alice, d.dir)...).expectNoRoom(t, d) // no better, no worse

		d.resize(64 << 20)
		p.reset()
		exportAccount(t, p, alice, d.dir)
		fetched := flat(p.fetches())
		for _, id := range fetched {
			if held[id] {
				t.Errorf("blob %s was fetched though the archive held it", id)
			}
		}
		if len(fetched) >= len(want) {
			t.Errorf("%d of %d messages were fetched after there was room: nothing was left of those before", len(fetched), len(want))
		}
		mailhaul(t, "verify", path).expect(t, 0)
		expectSameMail(t, want, archivedMail(t, path))
	})
}

// What fills up under an import is the disk with the archive: its journal is there.
func TestAnImportFromAFullDiskGoesOn(t *testing.T) {
	onEachKind(t, func(t *testing.T, k kind) {
		from, to := k.start(t), k.start(t)
		from.AddUser(alice)
		from.Put(alice, slices.Collect(mailgen.Sized(72, 160, 2000))...)
		want := from.Mail(alice)
		d := newDisk(t, 64<<20)
		path := exportAccount(t, from, alice, d.dir)
		p := newProxy(t, to)
		for n, when := range []moment{beside, acted} { // before the server stores a batch, and after
			login := fmt.Sprintf("target%d@example.org", n)
			to.AddUser(login)
			filled := make(chan error, 1)
			s := &strike{of: calling("Email/import"), after: 1, when: beside, do: func() { filled <- d.fill(0) }}
			if when == acted {
				s.of, s.after = writing, 0
			}
			p.reset()
			p.arm(s)
			res := mailhaul(t, importing(p, login, path)...)
			if !p.hit(s) {
				t.Fatalf("the disk was not filled\n%s", res.output())
			}
			if err := <-filled; err != nil {
				t.Fatal(err)
			}
			res.expectNoRoom(t, d)
			mailhaul(t, importing(p, login, path)...).expect(t, 1) // from the start on a full disk
			if err := os.Remove(filepath.Join(d.dir, "ballast")); err != nil {
				t.Fatal(err)
			}
			importAccount(t, p, login, path)
			expectSameMail(t, want, to.Mail(login))
			mailhaul(t, "verify", path).expect(t, 0)
		}
	})
}
