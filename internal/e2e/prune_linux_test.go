package e2e

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// A prune that is killed (kill -9, ten times all over its work) leaves an archive that
// verifies and holds what is to be kept, and the same prune goes on to the same end.
func TestKilledPrunesGoOn(t *testing.T) {
	dir, _ := aHistory(t)
	want, whole := archived(t, dir), packs(t, dir)
	command := func(dir string) []string {
		return slices.Concat([]string{"--json", "archive", "prune", dir}, rules)
	}
	undisturbed := copyOf(t, dir)
	events := bytes.Count([]byte(mailhaul(t, command(undisturbed)...).expect(t, 0).stdout), []byte("\n"))
	end := packs(t, undisturbed)

	const kills = 10
	killed, moved := 0, 0
	for n := range kills {
		again, at := copyOf(t, dir), n*(events-aheadEvents)/kills
		if killedAt(t, at, command(again)...) {
			killed++
		}
		if size := packs(t, again); size != whole && size != end {
			moved++
		}
		if d := cmp.Diff(want, archived(t, again)); d != "" {
			t.Fatalf("killed at event %d of %d (- before, + then):\n%s", at, events, d)
		}
		p := prune(t, again)
		if d := cmp.Diff(want, archived(t, again)); d != "" || !slices.Equal(p.Kept, kept) {
			t.Errorf("after kills it keeps %v (- before, + then):\n%s", p.Kept, d)
		}
		if size := packs(t, again); size > end+end/10 {
			t.Errorf("after kills it leaves %d bytes, at once %d of %d", size, end, whole)
		}
	}
	t.Logf("%d events; %d of %d kills came in time, %d amid the moving", events, killed, kills, moved)
	if killed < kills*3/4 || moved < 3 {
		t.Errorf("%d kills came in time, %d amid the moving: too few", killed, moved)
	}
}

// aheadEvents is more than what a process tells that nobody has read: a page of them.
const aheadEvents = 40

// killedAt kills mailhaul when so many events were read that it tells, which is at most
// aheadEvents before where it waits for more to be read. It answers false when it ended
// before that.
func killedAt(t *testing.T, events int, args ...string) bool {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := unix.FcntlInt(in.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize()); err != nil {
		t.Fatal(err)
	}
	r := startTo(t, in, args...)
	in.Close()
	for b := make([]byte, 1); events > 0; {
		if _, err := out.Read(b); err != nil {
			break
		}
		if b[0] == '\n' {
			events--
		}
	}
	r.kill()
	return r.wait(t).code == -1
}
