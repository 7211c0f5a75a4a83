package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/internal/bubble"
	"mailhaul/jmapclient/jmaptest"
)

// kept are the snapshots that rules keep of a history: its exports end in 2000,
// on 1, 6, 12, 19 and 27 January, 5, 15 and 26 February, 9 and 22 March.
var (
	rules = []string{"--keep-last", "2", "--keep-monthly", "3"}
	kept  = []int{5, 8, 9, 10}
)

// pruned is what prune reports.
type pruned struct {
	Kept, Forgotten []int
	Before, After   int64
}

func prune(t *testing.T, dir string, more ...string) pruned {
	t.Helper()
	r := mailhaul(t, slices.Concat([]string{"--json", "archive", "prune", dir}, rules, more)...).expect(t, 0)
	var p pruned
	if err := json.Unmarshal(resultOf(t, r.stdout), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// resultOf is the result in what --json wrote.
func resultOf(t *testing.T, stdout string) (result json.RawMessage) {
	t.Helper()
	for line := range strings.Lines(stdout) {
		var e struct {
			Event  string
			Result json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in the line %q", err, line)
		}
		if e.Event == "result" {
			result = e.Result
		}
	}
	return result
}

// past is a history on the strict server, made once, in virtual time.
var past struct {
	dir    string
	states []state
}

// aHistory is a copy of one, and what there was at each of its exports.
func aHistory(t *testing.T) (dir string, states []state) {
	t.Helper()
	if past.dir == "" {
		r, made := chance(t), filepath.Join(filepath.Dir(binary), "history", "alice")
		bubble.Test(t, func(t *testing.T) {
			if err := os.Mkdir(filepath.Dir(made), 0o700); err != nil {
				t.Fatal(err)
			}
			past.states = history(t, r, startInside(t, jmaptest.Strict), made)
		})
		past.dir = made
	}
	return copyOf(t, past.dir), past.states
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	again := filepath.Join(t.TempDir(), "alice")
	if err := os.CopyFS(again, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return again
}

// packs are the bytes of an archive's packs on the disk.
func packs(t *testing.T, dir string) (size int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "packs", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

// A prune by rules keeps what they name, each to be restored as it was by the
// number or a date, and frees the rest; the archive verifies.
func TestAHistoryIsPruned(t *testing.T) {
	t.Setenv("TZ", "UTC") // --at takes a local day
	dir, states := aHistory(t)
	whole := packs(t, dir)

	plan := prune(t, dir, "--dry-run")
	if now := packs(t, dir); now != whole {
		t.Errorf("a dry run made %d bytes of %d", now, whole)
	}
	if !slices.Equal(plan.Kept, kept) || len(plan.Forgotten) != exports-len(kept) {
		t.Errorf("the plan is %+v", plan)
	}
	done := prune(t, dir)
	now := packs(t, dir)
	if !slices.Equal(done.Kept, kept) || done.Before != whole || done.After != now || now > whole-int64(len(done.Forgotten))*largeSize*3/4 {
		t.Errorf("%+v; there were %d bytes and are %d", done, whole, now)
	}
	mailhaul(t, "verify", dir).expect(t, 0)
	for _, at := range []struct {
		at string
		n  int
	}{{"5", 5}, {"2000-03-08T23:59:59Z", 8}, {"2000-03-09", 9}, {"2026-01-01", 10}} {
		expectRestored(t, dir, at.at, states[at.n-1])
	}
	for _, at := range []string{"4", "2000-01-26", "11"} {
		s := startMemory(t)
		s.AddUser(alice)
		mailhaul(t, append(importing(s, alice, dir), "--at", at)...).expect(t, 2).says(t, "5 of 2000-01-27")
		mailhaul(t, "inspect", dir, "--at", at).expect(t, 2)
	}
}

// expectRestored imports a snapshot into a fresh account, judges that, and lets
// verify do so.
func expectRestored(t *testing.T, dir, at string, want state) {
	t.Helper()
	s := startMemoryWith(t, jmaptest.Options{})
	s.AddUser(alice)
	mailhaul(t, append(importing(s, alice, dir), "--at", at)...).expectDone(t, s)
	expectState(t, "--at "+at, want, stateOf(s, alice))
	mailhaul(t, append(signIn(s.URL(), alice), "verify", "--full", "--at", at, dir, alice)...).expect(t, 0)
	var in struct{ Messages int }
	r := mailhaul(t, "--json", "inspect", dir, "--at", at).expect(t, 0)
	if err := json.Unmarshal(resultOf(t, r.stdout), &in); err != nil || in.Messages != len(s.Messages(alice)) {
		t.Errorf("inspect --at %s counts %d messages, there are %d (%v)", at, in.Messages, len(s.Messages(alice)), err)
	}
}

// archived is what an archive holds of the snapshots that are kept, each object
// with the digest of its content, after the archive was verified.
func archived(t *testing.T, dir string) map[string]string {
	t.Helper()
	ar := openArchive(t, dir)
	defer ar.Close()
	if r, err := ar.Verify(t.Context(), nil); err != nil || len(r.Problems) > 0 {
		t.Errorf("verify: %+v %v", r, err)
	}
	all := map[string]string{}
	for _, n := range kept {
		for _, typ := range account.Types {
			for rec, err := range ar.Objects(n, typ) {
				if err != nil {
					t.Fatal(err)
				}
				all[fmt.Sprint(n, " ", typ.Name, " ", rec.Object.ID())] = string(rec.Object.Encode()) + string(rec.Blob)
			}
		}
	}
	return all
}
