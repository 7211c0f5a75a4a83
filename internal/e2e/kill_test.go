package e2e

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/mailgen"
)

// chance is a source of random moments. Its seed is in the log of a failed test;
// MAILHAUL_SEED in the environment repeats one.
func chance(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("MAILHAUL_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("MAILHAUL_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// killed runs mailhaul and kills it at a request and in a moment drawn from r.
// It answers false when the run ended before that.
func killed(t *testing.T, r *rand.Rand, p *proxy, s *strike, args ...string) bool {
	t.Helper()
	started := make(chan struct{})
	var run *running
	s.when = moment(r.IntN(int(moments)))
	s.do = func() { <-started; run.kill() }
	t.Logf("to be killed %v, %d requests on", s.when, s.after)
	p.arm(s)
	run = start(t, args...)
	close(started)
	res := run.wait(t)
	if p.hit(s) {
		if res.code != -1 {
			t.Fatalf("exit %d, though its connection was cut and it was killed\n%s", res.code, res.output())
		}
		return true
	}
	res.expectDone(t, p)
	return false
}

// apart is the requests that are not about content: where a run begins and ends.
func apart(kind string, calls []call) bool { return !content(kind, calls) }

// exportStrike is where one of the kills of an export comes, when so many are
// left: at the beginning, amid the content (most), and behind it (the last ones).
// One that is late comes when all workers have stored something.
func exportStrike(r *rand.Rand, left int, late bool) *strike {
	switch {
	case late:
		return &strike{of: content, after: workers + r.IntN(4)}
	case left < 5:
		return &strike{of: apart, after: 4 + r.IntN(8)}
	case r.IntN(5) == 0:
		return &strike{after: r.IntN(8)}
	}
	return &strike{of: content, after: r.IntN(4)}
}

// All kills come in one export as a rule: each run is killed a few requests on,
// so that many are needed.
func TestKilledExportsGoOn(t *testing.T) {
	onEveryServer(t, func(t *testing.T, k kind) {
		from := k.start(t)
		from.AddUser(alice)
		from.Put(alice, slices.Collect(mailgen.Sized(51, k.of(200), 60<<10))...)
		want := from.Mail(alice)
		p := newProxy(t, from)
		r := chance(t)

		kept, exports := 0, 0
		for done := 0; done < k.kills; exports++ {
			dir := t.TempDir()
			path := filepath.Join(dir, alice)
			var f fetches
			late := !k.small && exports%2 == 0
			for ended := false; !ended; late = false {
				held := heldBlobs(t, path)
				p.reset()
				command := exporting(p, alice, dir)
				if done == k.kills {
					mailhaul(t, command...).expectDone(t, p)
					ended = true
				} else if killed(t, r, p, exportStrike(r, k.kills-done, late), command...) {
					done++
				} else {
					ended = true
				}
				asked := p.fetches()
				for _, id := range flat(asked) {
					if held[id] {
						t.Errorf("blob %s was fetched though the archive held it", id)
					}
				}
				f.add(t, asked)
			}
			mailhaul(t, "verify", path).expect(t, 0)
			expectSameMail(t, want, archivedMail(t, path))
			kept += f.expectFewAgain(t)
		}
		t.Logf("%d kills in %d exports; the killed runs fetched %d blobs for good", k.kills, exports, kept)
		if kept == 0 && !k.small {
			t.Error("nothing was in an archive at any kill: nothing was tested")
		}
	})
}

// workers is how many requests for content an export has under way at most: as
// many as these servers take at once, and for each processor one whose answer is
// being stored. A worker sends its next one when all that the last one brought is stored.
var workers = 4 + runtime.GOMAXPROCS(0)

// fetches are the requests for content of one run after another into one archive.
type fetches struct {
	runs   [][]*fetch
	latest map[string]*fetch // by blob
}

// fetch is a request for content, and those of its blobs that a later run had
// to ask for again.
type fetch struct {
	run   int
	blobs []string
	again int
}

// add notes what the next run asked for.
func (f *fetches) add(t *testing.T, asked [][]string) {
	t.Helper()
	if f.latest == nil {
		f.latest = map[string]*fetch{}
	}
	run := make([]*fetch, len(asked))
	for i, blobs := range asked {
		run[i] = &fetch{run: len(f.runs), blobs: blobs}
		for _, id := range blobs {
			if before := f.latest[id]; before != nil && before.run == len(f.runs) {
				t.Errorf("blob %s was fetched twice in one run", id)
			} else if before != nil {
				before.again++
			}
			f.latest[id] = run[i]
		}
	}
	f.runs = append(f.runs, run)
}

// expectFewAgain fails the test if a run was killed and more than what was in
// flight then was fetched again. It answers how many blobs the killed runs
// fetched for good.
func (f *fetches) expectFewAgain(t *testing.T) (kept int) {
	t.Helper()
	for n, run := range f.runs[:len(f.runs)-1] {
		var asked, blobs, requests int
		for _, r := range run {
			asked += len(r.blobs)
			blobs += r.again
			if r.again > 0 {
				requests++
			}
		}
		kept += asked - blobs
		t.Logf("killed run %d asked for %d blobs in %d requests; %d of them, from %d requests, were fetched again", n+1, asked, len(run), blobs, requests)
		if requests > workers {
			t.Errorf("what %d requests brought was fetched again, but only %d can have been in flight at the kill", requests, workers)
		}
	}
	return kept
}

// flat is all blobs of some requests.
func flat(asked [][]string) []string { return slices.Concat(asked...) }

// mostKills is how many kills of imports come one after the other: each import waits
// for what the killed one sent, and others are killed meanwhile.
const mostKills = 10

func TestKilledImportsGoOn(t *testing.T) {
	onEveryServer(t, func(t *testing.T, k kind) {
		from := k.start(t)
		from.AddUser(alice)
		from.Put(alice, slices.Collect(mailgen.Sized(61, k.of(350), 2000))...)
		from.Put(alice, mailgen.Hard()[1:5]...) // twins: told apart by their bytes alone
		want := from.Mail(alice)
		path := exportAccount(t, from, alice, t.TempDir())
		for n := 0; n < k.kills; n += mostKills {
			t.Run(strconv.Itoa(n), func(t *testing.T) {
				t.Parallel()
				again := filepath.Join(t.TempDir(), alice) // an import locks its archive
				if err := os.CopyFS(again, os.DirFS(path)); err != nil {
					t.Fatal(err)
				}
				killImports(t, k, again, want, min(mostKills, k.kills-n))
			})
		}
	})
}

// killImports kills imports of an archive so often, at random requests.
func killImports(t *testing.T, k kind, path string, want []item, kills int) {
	t.Helper()
	r := chance(t)
	imports := 0
	for done := 0; done < kills; imports++ {
		to := k.start(t)
		to.AddUser(alice)
		p := newProxy(t, to)
		command := importing(p, alice, path)
		for ended := false; !ended; {
			p.reset()
			s := &strike{of: writing, after: r.IntN(2)}
			if r.IntN(3) == 0 {
				s = &strike{after: r.IntN(12)}
			}
			if done == kills {
				mailhaul(t, command...).expectDone(t, p)
				ended = true
			} else if killed(t, r, p, s, command...) {
				done++
			} else {
				ended = true
			}
		}
		expectSameMail(t, want, to.Mail(alice))
		p.reset()
		mailhaul(t, command...).expectDone(t, p)
		if n := p.count("Email/import"); n > 0 {
			t.Errorf("a further import sent %d × Email/import", n)
		}
	}
	t.Logf("%d kills in %d imports", kills, imports)
}

// openArchive opens an archive; nil when there is none yet.
func openArchive(t *testing.T, path string) *archive.Archive {
	t.Helper()
	a, err := archive.Open(path)
	if errors.Is(err, archive.ErrNotArchive) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// heldBlobs are the server's blob ids of the messages whose content an archive
// holds, whether its export is finished or not.
func heldBlobs(t *testing.T, path string) map[string]bool {
	t.Helper()
	a := openArchive(t, path)
	if a == nil {
		return nil
	}
	defer a.Close()
	held := map[string]bool{}
	for r, err := range a.Objects(-1, account.Email) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Blob != "" {
			held[r.Object.Text("blobId")] = true
		}
	}
	return held
}

// archivedMail is what an archive holds, in the judge's words.
func archivedMail(t *testing.T, path string) []item {
	t.Helper()
	a := openArchive(t, path)
	if a == nil {
		t.Fatalf("%s is no archive", path)
	}
	defer a.Close()
	paths := archivedPaths(t, a)
	var items []item
	for r, err := range a.Objects(0, account.Email) {
		if err != nil {
			t.Fatal(err)
		}
		blob, _, err := a.OpenBlob(r.Blob)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(blob)
		if err != nil {
			t.Fatal(err)
		}
		blob.Close()
		for _, id := range r.Object.Set("mailboxIds") {
			items = append(items, newItem(paths[id], raw, r.Object.Set("keywords"), r.Object.Time("receivedAt")))
		}
	}
	return items
}

// archivedPaths are the paths of an archive's mailboxes by id.
func archivedPaths(t *testing.T, a *archive.Archive) map[string]string {
	t.Helper()
	boxes := map[string]account.Object{}
	for r, err := range a.Objects(0, account.Mailbox) {
		if err != nil {
			t.Fatal(err)
		}
		boxes[r.Object.ID()] = r.Object
	}
	var pathOf func(id string) string
	pathOf = func(id string) string {
		m := boxes[id]
		if m.Text("role") == "inbox" {
			return mailgen.Inbox
		}
		if parent := m.Text("parentId"); parent != "" {
			return pathOf(parent) + "/" + m.Text("name")
		}
		return m.Text("name")
	}
	paths := map[string]string{}
	for id := range boxes {
		paths[id] = pathOf(id)
	}
	return paths
}
