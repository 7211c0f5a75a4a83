package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/internal/mailgen"
)

func TestLostCatalogIsRebuilt(t *testing.T) {
	onEachKind(t, func(t *testing.T, k kind) {
		from, to := k.start(t), k.start(t)
		from.AddUser(alice)
		to.AddUser(alice)
		from.Put(alice, slices.Collect(mailgen.Sized(71, 60, 4000))...)
		from.Put(alice, inInbox(mailgen.Sized(72, 12, 4000))...)
		dir := t.TempDir()
		path := exportAccount(t, from, alice, dir)
		from.Change(alice)
		exportAccount(t, from, alice, dir) // a second snapshot has to come back too
		catalogs, err := filepath.Glob(filepath.Join(path, "catalog.db*"))
		if err != nil || len(catalogs) == 0 {
			t.Fatalf("no catalog in %s: %v", path, err)
		}
		for _, c := range catalogs {
			if err := os.Remove(c); err != nil {
				t.Fatal(err)
			}
		}

		r := mailhaul(t, importing(to, alice, path)...)
		if r.code == 0 {
			t.Error("an import without a catalog says it is done")
		}
		r.says(t, "archive reindex")
		mailhaul(t, "archive", "reindex", path).expect(t, 0)
		mailhaul(t, "verify", path).expect(t, 0)
		importAccount(t, to, alice, path)
		expectSameMail(t, from.Mail(alice), to.Mail(alice))
	})
}

func TestFlippedByteCostsOneMessage(t *testing.T) {
	onEachKind(t, func(t *testing.T, k kind) {
		from, to := k.start(t), k.start(t)
		from.AddUser(alice)
		to.AddUser(alice)
		from.Put(alice, slices.Collect(mailgen.Sized(81, 40, 3000))...)
		want := from.Mail(alice)
		from.Put(alice, heavy(t))
		path := exportAccount(t, from, alice, t.TempDir())
		flipMiddle(t, path)

		mailhaul(t, "verify", path).expect(t, 7).says(t, heavySubject)
		mailhaul(t, importing(to, alice, path)...).expect(t, 3).says(t, heavySubject)
		expectSameMail(t, want, to.Mail(alice))
	})
}

const heavySubject = "heavier than all the others"

// heavy is a message that outweighs the rest of a small archive.
func heavy(t *testing.T) mailgen.Message {
	t.Helper()
	for _, m := range mailgen.Hard() {
		if len(m.Raw) > 1<<20 {
			raw := strings.Replace(string(m.Raw), "Subject: ", "Subject: "+heavySubject+", ", 1)
			return mailgen.Message{Mailboxes: []string{mailgen.Inbox}, ReceivedAt: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), Raw: []byte(raw)}
		}
	}
	t.Fatal("no hard message is large")
	return mailgen.Message{}
}

// flipMiddle turns one bit in the middle of an archive's only pack.
func flipMiddle(t *testing.T, path string) {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(path, "packs", "*"))
	if err != nil || len(packs) != 1 {
		t.Fatalf("packs %q: %v", packs, err)
	}
	b, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 0x10
	if err := os.WriteFile(packs[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
}
