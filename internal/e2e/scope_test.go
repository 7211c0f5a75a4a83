package e2e

import (
	"path/filepath"
	"slices"
	"testing"

	"mailhaul/internal/mailgen"
)

// Exports narrowed in turn to one thing and another are killed; what is held is not
// fetched again, and a whole one at last leaves the account in the archive.
func TestKilledNarrowedExportsGoOn(t *testing.T) {
	t.Parallel()
	from := startMemory(t)
	from.AddUser(alice)
	from.Put(alice, slices.Collect(mailgen.Sized(77, 120, 20<<10))...)
	want := from.Mail(alice)
	p := newProxy(t, from)
	r := chance(t)
	dir := t.TempDir()
	path := filepath.Join(dir, alice)
	narrow := [][]string{
		{"--mailbox", "role:inbox", "--types", "Email"},
		{"--max-size", "20K"},
		{"--mailbox", "!role:inbox", "--skip-types", "Identity"},
		{},
	}
	var f fetches
	kills := 0
	for n := 0; kills < 6 && n < 40; n++ {
		held := heldBlobs(t, path)
		p.reset()
		if killed(t, r, p, exportStrike(r, 6-kills, false), append(exporting(p, alice, dir), narrow[n%len(narrow)]...)...) {
			kills++
		}
		asked := p.fetches()
		for _, id := range flat(asked) {
			if held[id] {
				t.Errorf("blob %s was fetched though the archive held it", id)
			}
		}
		f.add(t, asked)
	}
	p.reset()
	mailhaul(t, append(exporting(p, alice, dir), narrow[0]...)...).expectDone(t, p)
	f.add(t, p.fetches())
	p.reset()
	mailhaul(t, exporting(p, alice, dir)...).expectDone(t, p)
	f.add(t, p.fetches())
	f.expectFewAgain(t)
	mailhaul(t, "verify", path).expect(t, 0)
	expectSameMail(t, want, archivedMail(t, path))
	if kills == 0 {
		t.Error("no run was killed: nothing was tested")
	}
}
