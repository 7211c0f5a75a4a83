package e2e

import (
	"path/filepath"
	"slices"
	"testing"

	"mailhaul/internal/mailgen"
)

// mostAsked is how often a dead server is asked before a run gives up, whatever
// the number of messages: a few tries for each request that was under way, and
// some more to see whether it is really gone.
const mostAsked = 40

// dying runs mailhaul against a server that answers nothing any more from the
// n-th of some requests on, and expects it to give up soon.
func dying(t *testing.T, p *proxy, of func(string, []call) bool, n int, args ...string) {
	t.Helper()
	p.reset()
	before := 0
	s := &strike{of: of, after: n, when: acted, do: func() { before = p.count(""); p.goDark() }}
	p.arm(s)
	res := mailhaul(t, append([]string{"--give-up-after", "3s"}, args...)...)
	if !p.hit(s) {
		t.Fatalf("the server did not die\n%s", res.output())
	}
	res.expect(t, 6).says(t, "The same command goes on where this run stopped")
	asked := p.count("") - before
	t.Logf("asked %d times after it had died", asked)
	if asked > mostAsked {
		t.Errorf("a dead server was asked %d times, want at most %d", asked, mostAsked)
	}
	p.reset()
}

func TestADyingServerEndsTheRunAndTheNextGoesOn(t *testing.T) {
	onEachKind(t, func(t *testing.T, k kind) {
		from, to := k.start(t), k.start(t)
		from.AddUser(alice)
		to.AddUser(alice)
		from.Put(alice, slices.Collect(mailgen.Sized(81, 120, 30<<10))...)
		want := from.Mail(alice)
		source, target := newProxy(t, from), newProxy(t, to)

		dir := t.TempDir()
		path := filepath.Join(dir, alice)
		dying(t, source, content, 3, exporting(source, alice, dir)...)
		held := heldBlobs(t, path)
		exportAccount(t, source, alice, dir)
		for _, id := range flat(source.fetches()) {
			if held[id] {
				t.Errorf("blob %s was fetched though the archive held it", id)
			}
		}
		expectSameMail(t, want, archivedMail(t, path))

		dying(t, target, writing, 3, importing(target, alice, path)...)
		importAccount(t, target, alice, path)
		expectSameMail(t, want, to.Mail(alice))
	})
}
