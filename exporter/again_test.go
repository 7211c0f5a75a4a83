package exporter

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

func TestATypeThatFailsAsBeforeIsNoNewSnapshot(t *testing.T) {
	s := filled(3)
	s.small["VacationResponse"] = nil
	broken := true
	s.onCall = func(method string, n int) error {
		if broken && method == "All VacationResponse" {
			return fmt.Errorf("%w (try %d)", errBroken, n) // the words differ
		}
		return nil
	}
	ar := newArchive(t, s)
	if res := mustExport(t, s, ar); res.Unchanged || res.Failed != 1 {
		t.Fatalf("first run %+v", res)
	}
	var ev events
	res, err := Export(context.Background(), s, ar, Options{Events: ev.take})
	if err != nil {
		t.Fatal(err)
	}
	if !res.Unchanged || res.Failed != 1 || res.Snapshot.Snapshot != 1 || len(ev.of(progress.Failure)) != 1 {
		t.Errorf("second run %+v, told %q", res, ev.of(progress.Failure))
	}
	if n, _, open, err := ar.Unfinished(); open || err != nil {
		t.Errorf("snapshot %d was left open, %v", n, err)
	}
	s.add("", "new", 9)
	if res := mustExport(t, s, ar); res.Unchanged || res.Failed != 1 {
		t.Errorf("with a new message %+v", res)
	}
	broken = false
	if res := mustExport(t, s, ar); res.Unchanged || res.Failed != 0 {
		t.Errorf("when it works again %+v", res)
	}
}

// A source that can't tell changes is listed whole every time.
func TestAListingThatFindsNothingLeavesNoTrace(t *testing.T) {
	s := filled(10)
	s.noHistory = true
	ar := newArchive(t, s)
	mustExport(t, s, ar)
	for range 2 {
		pages := s.calls["Page"]
		if res := mustExport(t, s, ar); !res.Unchanged || res.Snapshot.Snapshot != 1 || s.calls["Page"] == pages {
			t.Fatalf("result %+v after %d pages", res, s.calls["Page"]-pages)
		}
		if n, _, open, err := ar.Unfinished(); open || err != nil {
			t.Fatalf("snapshot %d was left open, %v", n, err)
		}
	}
	s.flag("m3", "$seen")
	if res := mustExport(t, s, ar); res.Unchanged || res.Snapshot.Snapshot != 2 {
		t.Errorf("with a change %+v", res)
	}
	s.has(t, ar)
}

func TestEachStageIsShownOnce(t *testing.T) {
	s := filled(6)
	s.small["Mailbox"][0].Put("role", "inbox")
	var ev events
	if _, err := Export(context.Background(), s, newArchive(t, s), Options{Events: ev.take}); err != nil {
		t.Fatal(err)
	}
	finished := map[string]int{}
	last := ""
	for _, e := range ev.list {
		if e.Kind != progress.Stage && e.Kind != progress.Finished {
			continue
		}
		if finished[e.Stage] > 0 {
			t.Errorf("%s goes on after its end: %+v", e.Stage, e)
		}
		if e.Kind == progress.Finished {
			finished[e.Stage]++
		}
		last = e.Stage
	}
	if finished["Mailbox"] != 1 || finished["Email"] != 1 || last != "Email" {
		t.Errorf("finished %v, the last was %s", finished, last)
	}
}

func TestTheWordsOnSubscriptionsOfASharedMailbox(t *testing.T) {
	w := newWorld(t, jmaptest.Stalwart07)
	w.AddUser(jmaptest.User{Login: "sales", Emails: []string{"sales@example.org"}, Group: true})
	for _, name := range []string{"alice", "sales"} {
		a := w.account(t, name)
		var ev events
		if _, err := Export(context.Background(), JMAP(a), newArchive(t, JMAP(a)), Options{Events: ev.take}); err != nil {
			t.Fatal(err)
		}
		told := ""
		for _, e := range ev.list {
			if e.Kind == progress.Warning {
				told += e.Item + ": " + e.Text + " / " + e.Advice
			}
		}
		if strings.Count(told, "ubscriptions") != 1 || strings.Contains(told, "sign-in") != (name == "alice") {
			t.Errorf("%s: told %s", name, told)
		}
	}
}

// account is an account as the administrator sees it.
func (w *world) account(t *testing.T, name string) *jmapclient.Account {
	t.Helper()
	c, err := jmapclient.Dial(t.Context(), jmapclient.Options{URL: w.URL, Auth: jmapclient.Auth{Username: "admin", Password: "root"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	a, err := c.Account(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A reindex leaves out what is damaged; the next export fetches it again,
// though the account has not changed.
func TestWhatAReindexLeftOutIsFetchedAgain(t *testing.T) {
	for _, change := range []bool{false, true} {
		s := filled(20)
		const lost = "a message that will be damaged"
		s.add("", lost, 50)
		dir := filepath.Join(t.TempDir(), "archive")
		ar, err := archive.Create(dir, s.Origin())
		if err != nil {
			t.Fatal(err)
		}
		mustExport(t, s, ar)
		damage(t, ar, blobOf(t, ar, "m21"))
		if err := ar.Close(); err != nil {
			t.Fatal(err)
		}
		rep, err := archive.Reindex(t.Context(), dir, nil)
		if err != nil || len(rep.Problems) == 0 {
			t.Fatalf("reindex found %+v, %v", rep, err)
		}
		if ar, err = archive.Open(dir); err != nil {
			t.Fatal(err)
		}
		defer ar.Close()
		if change {
			s.add("", "new", 60)
			s.flag("m3", "$seen")
		}
		clear(s.fetches)
		res := mustExport(t, s, ar)
		s.has(t, ar)
		if res.Unchanged || res.Failed != 0 || s.fetches["b-"+lost] != 1 || change != (len(s.fetches) == 2) {
			t.Errorf("change %v: %+v, fetched %v", change, res, s.fetches)
		}
		rep, err = ar.Verify(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(rep.Problems) > 0 || len(rep.Holes) != 1 {
			t.Errorf("change %v: problems %+v, holes %+v", change, rep.Problems, rep.Holes)
		}
		if res := mustExport(t, s, ar); !res.Unchanged {
			t.Errorf("change %v, once more: %+v", change, res)
		}
	}
}

// The count of objects tells nothing when an older record takes the place of
// the one that is lost.
func TestALostNewestRecordIsReadAgain(t *testing.T) {
	s := filled(20)
	dir := filepath.Join(t.TempDir(), "archive")
	ar, err := archive.Create(dir, s.Origin())
	if err != nil {
		t.Fatal(err)
	}
	mustExport(t, s, ar)
	s.flag("m3", "$flagged")
	mustExport(t, s, ar)
	flip(t, ar, `SELECT pack, start, length FROM record WHERE id = 'm3' AND snapshot = 2`)
	if err := ar.Close(); err != nil {
		t.Fatal(err)
	}
	if rep, err := archive.Reindex(t.Context(), dir, nil); err != nil || len(rep.Problems) == 0 {
		t.Fatalf("reindex found %+v, %v", rep, err)
	}
	if ar, err = archive.Open(dir); err != nil {
		t.Fatal(err)
	}
	defer ar.Close()
	mustExport(t, s, ar)
	s.has(t, ar)
}

func blobOf(t *testing.T, ar *archive.Archive, id string) archive.Hash {
	t.Helper()
	rec, err := ar.Object(0, account.Email, id)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Blob
}

// damage flips a bit of a blob's frame in the pack.
func damage(t *testing.T, ar *archive.Archive, h archive.Hash) {
	t.Helper()
	flip(t, ar, `SELECT pack, start, length FROM blob WHERE lower(hex(hash)) = ?`, string(h))
}

// flip flips a bit in the middle of the frame that a query finds.
func flip(t *testing.T, ar *archive.Archive, query string, args ...any) {
	t.Helper()
	catalog, err := sql.Open("sqlite", filepath.Join(ar.Dir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer catalog.Close()
	var n, start, length int
	if err := catalog.QueryRow(query, args...).Scan(&n, &start, &length); err != nil {
		t.Fatal(err)
	}
	pack := filepath.Join(ar.Dir(), "packs", fmt.Sprintf("%06d.tar.zst", n))
	data, err := os.ReadFile(pack)
	if err != nil {
		t.Fatal(err)
	}
	data[start+length/2] ^= 0x40
	if err := os.WriteFile(pack, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
