package exporter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

func filled(n int) *memory {
	s := newMemory()
	for i := range n {
		s.add("", fmt.Sprintf("message %d", i), i)
	}
	return s
}

func TestFirstExportIsComplete(t *testing.T) {
	s := filled(10)
	s.small["SieveScript"] = []account.Object{object("id", "s1", "name", "filters", "blobId", "b-keep;", "isActive", true)}
	s.blobs["b-keep;"] = "keep;"
	s.small["Identity"] = []account.Object{object("id", "i1", "name", "Alice", "email", "alice@example.org")}
	ar := newArchive(t, s)
	res := mustExport(t, s, ar)
	s.has(t, ar)
	if res.Failed != 0 || res.Unchanged || res.Fetched != 11 {
		t.Errorf("result %+v", res)
	}
	rec, err := ar.Object(0, account.SieveScript, "s1")
	if err != nil || blobText(t, ar, rec.Blob) != "keep;" {
		t.Errorf("script %v, %v", rec, err)
	}
	if !res.Snapshot.Types["VacationResponse"].Absent || res.Snapshot.Types["Identity"].Objects != 1 {
		t.Errorf("types %+v", res.Snapshot.Types)
	}
}

func TestTwoMessagesOfOneBlobFetchItOnce(t *testing.T) {
	s := newMemory()
	s.pageSize = 2
	for i := range 10 {
		s.add("", "the same bytes", i)
	}
	// The first fetch takes until the first page has been fed: the fourth is
	// read when the second has been taken up.
	fed := make(chan struct{})
	s.onCall = func(method string, n int) error {
		if method == "Page" && n == 4 {
			close(fed)
		}
		return nil
	}
	s.onFetch = func(string) error {
		<-fed
		return nil
	}
	ar := newArchive(t, s)
	mustExport(t, s, ar)
	s.has(t, ar)
	if n := s.fetches["b-the same bytes"]; n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

func TestUnchangedAccountCostsAFewRequestsAndNoSnapshot(t *testing.T) {
	s := filled(50)
	s.small["Identity"] = nil
	ar := newArchive(t, s)
	mustExport(t, s, ar)
	clear(s.calls)
	for range 2 {
		res := mustExport(t, s, ar)
		if !res.Unchanged || res.Snapshot.Snapshot != 1 {
			t.Fatalf("result %+v", res)
		}
	}
	if s.calls[""] > 2*5 {
		t.Errorf("two exports of an unchanged account took %v", s.calls)
	}
	if n, _, open, err := ar.Unfinished(); open || err != nil {
		t.Errorf("snapshot %d was left open, %v", n, err)
	}
}

func TestLaterExportCostsWhatChanged(t *testing.T) {
	s := filled(30)
	ar := newArchive(t, s)
	mustExport(t, s, ar)
	clear(s.calls)
	clear(s.fetches)
	s.flag("m3", "$seen")
	s.remove("m4")
	s.add("", "new", 5)
	res := mustExport(t, s, ar)
	s.has(t, ar)
	if s.calls["Page"] != 0 || len(s.fetches) != 1 {
		t.Errorf("calls %v, fetched %v", s.calls, s.fetches)
	}
	if r := res.Snapshot.Types["Email"]; r.Changed != 2 || r.Gone != 1 || r.Objects != 30 {
		t.Errorf("record %+v", r)
	}
}

func TestAFreedIDGivenToAnotherMessage(t *testing.T) {
	s := filled(5)
	ar := newArchive(t, s)
	mustExport(t, s, ar)
	s.remove("m2")
	s.add("m2", "another message", 90)
	mustExport(t, s, ar)
	s.has(t, ar)
}

// Stalwart 0.4.2 has short blob ids that hold no hash.
func TestABlobIDWithAnotherSizeIsAnotherBlob(t *testing.T) {
	s := filled(3)
	ar := newArchive(t, s)
	mustExport(t, s, ar)
	s.remove("m2")
	s.add("", "message 1", 7)
	s.blobs["b-message 1"] = "other bytes"
	s.mails[2].Put("size", len("other bytes"))
	if res := mustExport(t, s, ar); res.Failed != 0 || s.mails[2].ID() != "m4" {
		t.Errorf("result %+v", res)
	}
	s.has(t, ar)
	// The same in a message that is known and names another blob now.
	s.remove("m1")
	s.flag("m3", "$draft")
	s.blobs["b-message 0"] = "bytes of its own"
	s.mails[0].Put("blobId", "b-message 0")
	s.mails[0].Put("size", len("bytes of its own"))
	if res := mustExport(t, s, ar); res.Failed != 0 || s.mails[0].ID() != "m3" {
		t.Errorf("result %+v", res)
	}
	s.has(t, ar)
}

func TestThreadMergeFetchesNothing(t *testing.T) {
	s := filled(5)
	ar := newArchive(t, s)
	mustExport(t, s, ar)
	clear(s.fetches)
	s.remove("m2")
	s.add("merged", "message 1", 1)
	mustExport(t, s, ar)
	s.has(t, ar)
	if len(s.fetches) > 0 {
		t.Errorf("fetched %v", s.fetches)
	}
}

func TestChangesDuringTheListing(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(s *memory, page int)
		// pages is the most that one listing takes.
		pages int
	}{
		{"mail arrives behind and before", func(s *memory, p int) {
			s.add("", fmt.Sprintf("late %d", p), 500+p)
			s.add("", fmt.Sprintf("old %d", p), 0)
		}, 8},
		{"flags change", func(s *memory, p int) { s.flag("m1", fmt.Sprint("k", p)); s.flag("m9", fmt.Sprint("k", p)) }, 5},
		{"mail goes", func(s *memory, p int) { s.remove(fmt.Sprint("m", p)); s.remove(fmt.Sprint("m", 13-p)) }, 6},
		{"an id is used again", func(s *memory, p int) { s.remove("m1"); s.add("m1", fmt.Sprint("again ", p), 30) }, 8},
		{"every anchor goes", func(s *memory, p int) {
			if p == 3 {
				for i := range 6 {
					s.remove(fmt.Sprint("m", i+1))
				}
			}
		}, 11},
		{"one anchor goes", func(s *memory, p int) {
			if p == 3 {
				s.remove("m6")
			}
		}, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := filled(12)
			pages := 0
			s.onCall = func(method string, n int) error {
				if method == "Page" && n < 6 {
					pages++
					c.do(s, n)
				}
				return nil
			}
			ar := newArchive(t, s)
			mustExport(t, s, ar)
			s.has(t, ar)
			if pages == 0 {
				t.Error("nothing was changed")
			}
			if s.calls["Page"] > c.pages || s.calls["State"] != 1 {
				t.Errorf("%d pages, %d listings", s.calls["Page"], s.calls["State"])
			}
		})
	}
}

func TestAMailboxThatIsMadeDuringTheExport(t *testing.T) {
	s := filled(6)
	s.onCall = func(method string, n int) error {
		if method == "Page" && n == 1 {
			s.mu.Lock()
			s.small["Mailbox"] = append(s.small["Mailbox"], object("id", "new", "name", "New"))
			s.mu.Unlock()
			s.add("", "in new", 1)
		}
		return nil
	}
	ar := newArchive(t, s)
	mustExport(t, s, ar)
	if _, err := ar.Object(0, account.Mailbox, "new"); err != nil {
		t.Errorf("the mailbox that was made meanwhile: %v", err)
	}
}

func TestResumeFetchesNothingTwice(t *testing.T) {
	const n, workers = 60, 4
	s := filled(n)
	ar := newArchive(t, s)
	runs := 0
	for {
		ctx, cancel := context.WithCancel(context.Background())
		fetched := 0
		s.onCall = func(method string, _ int) error {
			if method == "Fetch" {
				s.mu.Lock()
				fetched++
				if fetched == 7+runs {
					cancel()
				}
				s.mu.Unlock()
			}
			return nil
		}
		runs++
		_, err := Export(ctx, s, ar, Options{Concurrency: workers})
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if runs > n {
			t.Fatal("it does not get on")
		}
	}
	s.has(t, ar)
	if runs < 3 {
		t.Fatalf("only %d runs", runs)
	}
	for id, times := range s.fetches {
		if times > 1 {
			t.Errorf("%s was fetched %d times", id, times)
		}
	}
	if s.calls["Page"] > n/s.pageSize+4*runs {
		t.Errorf("%d pages were read in %d runs", s.calls["Page"], runs)
	}
}

func TestNoHistory(t *testing.T) {
	s := filled(10)
	s.noHistory = true
	s.onCall = func(method string, n int) error {
		if method == "Page" && n == 3 {
			s.remove("m1")
			s.add("", "late", 0)
		}
		return nil
	}
	ar := newArchive(t, s)
	mustExport(t, s, ar)
	s.has(t, ar)
	s.onCall = nil
	s.remove("m5")
	clear(s.fetches)
	mustExport(t, s, ar)
	s.has(t, ar)
	if len(s.fetches) > 0 {
		t.Errorf("fetched again: %v", s.fetches)
	}
}

func TestNoHistoryAndAChangeBetweenTwoPartsOfAListing(t *testing.T) {
	for _, calls := range []int{3, 8} { // in the first pass, in the second
		s := filled(10)
		s.noHistory = true
		ar := newArchive(t, s)
		ctx, cancel := context.WithCancel(context.Background())
		s.onCall = func(method string, n int) error {
			if method == "Page" && n == calls {
				cancel()
			}
			return nil
		}
		if _, err := Export(ctx, s, ar, Options{}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		s.onCall = nil
		s.flag("m1", "$seen")
		mustExport(t, s, ar)
		s.has(t, ar)
	}
}

func TestAMailboxThatNeverRestsIsFinishedAndSaid(t *testing.T) {
	for _, noHistory := range []bool{false, true} {
		s := filled(4)
		s.noHistory = noHistory
		s.onCall = func(method string, n int) error {
			if method == "Changes" || method == "Page" && n%2 == 1 {
				s.add("", fmt.Sprintf("%s %d", method, n), 50)
			}
			return nil
		}
		s.pageSize = 1000
		ar := newArchive(t, s)
		var ev events
		if _, err := Export(context.Background(), s, ar, Options{Events: ev.take}); err != nil {
			t.Fatal(err)
		}
		if w := strings.Join(ev.of(progress.Warning), "\n"); !strings.Contains(w, "keeps changing") {
			t.Errorf("warnings %s", w)
		}
	}
}

func TestPurgedHistory(t *testing.T) {
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprint("silent ", silent), func(t *testing.T) {
			s := filled(10)
			ar := newArchive(t, s)
			mustExport(t, s, ar)
			s.remove("m5")
			s.remove("m6")
			s.add("", "lost to the history", 3)
			s.purged, s.silent = len(s.history), silent
			mustExport(t, s, ar)
			s.has(t, ar)
		})
	}
}

// Stalwart 0.8.5 to 0.11 forgets changes after 30 days and does not say so.
func TestAnOldStateIsNotTrustedThoughTheCountFits(t *testing.T) {
	s := filled(10)
	ar := newArchive(t, s)
	run, err := ar.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range s.mails {
		h, _, err := run.PutBlob(strings.NewReader(s.blobs[o.Text("blobId")]), -1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.PutObject(account.Email, o, h); err != nil {
			t.Fatal(err)
		}
	}
	if err := run.Finish(archive.SnapshotRecord{Finished: time.Now().AddDate(0, 0, -40),
		Types: map[string]archive.TypeRecord{"Email": {State: "10"}}}); err != nil {
		t.Fatal(err)
	}
	mustExport(t, s, ar)
	if s.calls["Page"] != 0 {
		t.Error("an account whose state is the same was listed")
	}
	s.remove("m5")
	s.add("", "lost to the history", 3)
	s.purged, s.silent = len(s.history), true
	s.fetches = map[string]int{}
	run, err = ar.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Finish(archive.SnapshotRecord{Finished: time.Now().AddDate(0, 0, -40),
		Types: map[string]archive.TypeRecord{"Email": {State: "10"}}}); err != nil {
		t.Fatal(err)
	}
	mustExport(t, s, ar)
	s.has(t, ar)
	if len(s.fetches) != 1 {
		t.Errorf("fetched %v", s.fetches)
	}
}

func TestCountThatDoesNotFitIsNoSuccess(t *testing.T) {
	s := filled(4)
	s.miscount = 3
	res := mustExport(t, s, newArchive(t, s))
	if res.Failed != 1 || !strings.Contains(res.Snapshot.Types["Email"].Error, "counts 7 messages") {
		t.Errorf("result %+v", res)
	}
}

func TestATypeThatFailsKeepsWhatItHad(t *testing.T) {
	for _, typ := range []string{"Identity", "Mailbox"} {
		s := filled(3)
		s.small["Identity"] = []account.Object{object("id", "i1", "name", "Alice")}
		ar := newArchive(t, s)
		mustExport(t, s, ar)
		s.flag("m1", "$seen")
		s.onCall = func(method string, n int) error {
			if method == "All "+typ {
				return errBroken
			}
			return nil
		}
		var ev events
		res, err := Export(context.Background(), s, ar, Options{Events: ev.take})
		if err != nil {
			t.Fatal(err)
		}
		s.has(t, ar)
		if r := res.Snapshot.Types[typ]; res.Failed != 1 || r.Error != errBroken.Error() || r.Objects != 1 || r.Gone != 0 {
			t.Errorf("%s: %+v", typ, r)
		}
		if len(ev.of(progress.Failure)) != 1 {
			t.Errorf("failures told: %q", ev.of(progress.Failure))
		}
		s.onCall = nil
		if res := mustExport(t, s, ar); res.Unchanged || res.Failed != 0 {
			t.Errorf("after the failure: %+v", res)
		}
	}
}

func TestEmailThatFailsIsRecordedAndTheRestGoesOn(t *testing.T) {
	s := filled(9)
	s.small["Identity"] = []account.Object{object("id", "i1", "name", "Alice")}
	s.onCall = func(method string, n int) error {
		if method == "Page" && n == 3 {
			return errBroken
		}
		return nil
	}
	ar := newArchive(t, s)
	res := mustExport(t, s, ar)
	if r := res.Snapshot.Types["Email"]; r.Error == "" || r.Objects != 6 || r.State != "" || res.Snapshot.Types["Identity"].Objects != 1 {
		t.Errorf("types %+v", res.Snapshot.Types)
	}
	s.onCall = nil
	mustExport(t, s, ar)
	s.has(t, ar)
}

func TestADeadServerEndsTheRunAndTheNextGoesOn(t *testing.T) {
	for _, kind := range []jmapclient.Kind{jmapclient.Unreachable, jmapclient.Unauthorized} {
		s := filled(9)
		s.onCall = func(method string, n int) error {
			s.mu.Lock()
			pages := s.calls["Page"]
			s.mu.Unlock()
			if pages > 2 {
				return &jmapclient.Error{Kind: kind, Op: method}
			}
			return nil
		}
		ar := newArchive(t, s)
		if _, err := Export(context.Background(), s, ar, Options{}); jmapclient.KindOf(err) != kind {
			t.Fatalf("error %v", err)
		}
		if list, err := ar.Snapshots(); len(list) != 0 || err != nil {
			t.Errorf("snapshots %v, %v", list, err)
		}
		s.onCall = nil
		mustExport(t, s, ar)
		s.has(t, ar)
		for id, times := range s.fetches {
			if times > 1 {
				t.Errorf("%s was fetched %d times", id, times)
			}
		}
	}
}

func TestABlobThatIsNotThere(t *testing.T) {
	s := filled(6)
	delete(s.blobs, "b-message 2")
	ar := newArchive(t, s)
	var ev events
	res, err := Export(context.Background(), s, ar, Options{Events: ev.take})
	if err != nil {
		t.Fatal(err)
	}
	failed := res.Snapshot.Types["Email"].Failed
	if res.Failed != 1 || len(failed) != 1 || failed[0].ID != "m3" || !strings.Contains(failed[0].Item, "message 2") {
		t.Fatalf("failed %+v", failed)
	}
	if f := ev.of(progress.Failure); len(f) != 1 || !strings.Contains(f[0], "message 2") {
		t.Errorf("told %q", f)
	}
	if rec, err := ar.Object(0, account.Email, "m3"); err != nil || rec.Blob != "" {
		t.Errorf("record %+v, %v", rec, err)
	}
	// It is tried again by every run, and right as soon as it can be had.
	if res := mustExport(t, s, ar); res.Failed != 1 || !res.Unchanged {
		t.Errorf("second run %+v", res)
	}
	s.blobs["b-message 2"] = "message 2"
	if res := mustExport(t, s, ar); res.Failed != 0 || res.Fetched != 1 {
		t.Errorf("third run %+v", res)
	}
	s.has(t, ar)
	if res := mustExport(t, s, ar); !res.Unchanged {
		t.Errorf("fourth run %+v", res)
	}
}

func TestAMessageThatGoesOrChangesBeforeItsBlobIsFetched(t *testing.T) {
	s := filled(6)
	s.onFetch = func(blobID string) error {
		switch blobID {
		case "b-message 1":
			s.remove("m2")
			return ErrBlobGone
		case "b-message 3":
			s.remove("m4")
			s.add("m4", "rewritten", 4)
			return ErrBlobGone
		}
		return nil
	}
	ar := newArchive(t, s)
	if res := mustExport(t, s, ar); res.Failed != 0 {
		t.Errorf("failed: %+v", res.Snapshot.Types["Email"].Failed)
	}
	s.has(t, ar)
}

func TestASizeThatIsWrongKeepsTheBytesAndTheDoubt(t *testing.T) {
	s := filled(3)
	s.blobs["b-message 1"] = "short"
	ar := newArchive(t, s)
	for range 2 {
		res := mustExport(t, s, ar)
		if f := res.Snapshot.Types["Email"].Failed; len(f) != 1 || f[0].ID != "m2" || !strings.Contains(f[0].Reason, "9 bytes") {
			t.Fatalf("failed %+v", f)
		}
		s.has(t, ar)
	}
	s.blobs["b-message 1"] = "message 1"
	if res := mustExport(t, s, ar); res.Failed != 0 {
		t.Errorf("result %+v", res)
	}
	s.has(t, ar)
}

// A server that announces little and never ends can't fill the disk.
func TestABlobWithoutAnEndIsGivenUpByName(t *testing.T) {
	s := filled(3)
	s.endless = "b-message 1"
	ar := newArchive(t, s)
	res := mustExport(t, s, ar)
	if f := res.Snapshot.Types["Email"].Failed; len(f) != 1 || f[0].ID != "m2" || !strings.Contains(f[0].Reason, "more than 67108882 bytes where it says there are 9") {
		t.Fatalf("failed %+v", f)
	}
	if n := s.fetched.Load(); n > 2*mostBeyond {
		t.Errorf("%d bytes were taken", n)
	}
	s.endless = ""
	if res := mustExport(t, s, ar); res.Failed != 0 {
		t.Errorf("result %+v", res)
	}
	s.has(t, ar)
}

// The row of a message may be on the disk before the note that it is in doubt.
func TestADoubtSurvivesAKill(t *testing.T) {
	s := filled(3)
	s.blobs["b-message 1"] = "short"
	ar := newArchive(t, s)
	run, err := ar.Begin()
	if err != nil {
		t.Fatal(err)
	}
	h, _, err := run.PutBlob(strings.NewReader("short"), -1)
	if err == nil {
		_, err = run.PutObject(account.Email, s.mails[1], h)
	}
	if err = errors.Join(err, run.Close()); err != nil {
		t.Fatal(err)
	}
	res := mustExport(t, s, ar)
	if f := res.Snapshot.Types["Email"].Failed; len(f) != 1 || f[0].ID != "m2" || !strings.Contains(f[0].Reason, "9 bytes") {
		t.Errorf("failed %+v", f)
	}
	s.has(t, ar)
}

func TestOneBlobThatStallsDoesNotEndTheRun(t *testing.T) {
	s := filled(3)
	s.onFetch = func(blobID string) error {
		if blobID == "b-message 1" {
			return &jmapclient.Error{Kind: jmapclient.Unreachable, Op: "download", Item: blobID, Detail: "stalled"}
		}
		return nil
	}
	res := mustExport(t, s, newArchive(t, s))
	if f := res.Snapshot.Types["Email"].Failed; len(f) != 1 || f[0].ID != "m2" {
		t.Errorf("failed %+v", f)
	}
}

func TestAMessageThatIsListedButNotHandedOut(t *testing.T) {
	s := &hiding{memory: filled(7), hidden: "m3"}
	ar := newArchive(t, s)
	res := mustExport(t, s, ar)
	if f := res.Snapshot.Types["Email"].Failed; len(f) != 1 || f[0].ID != "m3" || res.Snapshot.Types["Email"].Objects != 6 {
		t.Errorf("record %+v", res.Snapshot.Types["Email"])
	}
}

// hiding lists a message that it does not hand out.
type hiding struct {
	*memory
	hidden string
}

func (h *hiding) without(list []account.Object) []account.Object {
	return slices.DeleteFunc(list, func(o account.Object) bool { return o.ID() == h.hidden })
}

func (h *hiding) Page(ctx context.Context, t account.Type, after string) (*SourcePage, error) {
	p, err := h.memory.Page(ctx, t, after)
	if err == nil {
		p.List = h.without(p.List)
	}
	return p, err
}

func (h *hiding) Get(ctx context.Context, t account.Type, ids []string) ([]account.Object, error) {
	list, err := h.memory.Get(ctx, t, ids)
	return h.without(list), err
}

func TestSubscriptionsOfSomebodyElseAreLeftOutAndSaid(t *testing.T) {
	for _, own := range []bool{false, true} {
		s := filled(1)
		s.own = own
		s.small["Mailbox"][0].Put("isSubscribed", true)
		ar := newArchive(t, s)
		var ev events
		res, err := Export(context.Background(), s, ar, Options{Events: ev.take})
		if err != nil {
			t.Fatal(err)
		}
		rec, err := ar.Object(0, account.Mailbox, "in")
		if err != nil || rec.Object.Has("isSubscribed") != own {
			t.Errorf("own %v: mailbox %v, %v", own, rec.Object, err)
		}
		if told := len(ev.of(progress.Warning)) == 1; told == own || slices.Contains(res.Snapshot.Unknown, "Mailbox.isSubscribed") == own {
			t.Errorf("own %v: told %q, unknown %q", own, ev.of(progress.Warning), res.Snapshot.Unknown)
		}
	}
}

func TestAnotherAccountIsRefused(t *testing.T) {
	s := filled(1)
	ar, err := archive.Create(t.TempDir(), archive.Origin{Name: "bob", ID: "b2", Source: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	defer ar.Close()
	if _, err := Export(context.Background(), s, ar, Options{}); err == nil || !strings.Contains(err.Error(), "bob") {
		t.Errorf("error %v", err)
	}
}

func TestNoMailboxesAtAllIsNotBelieved(t *testing.T) {
	s := filled(2)
	ar := newArchive(t, s)
	mustExport(t, s, ar)
	s.small["Mailbox"] = []account.Object{}
	if res := mustExport(t, s, ar); res.Failed != 1 || res.Snapshot.Types["Mailbox"].Objects != 1 {
		t.Errorf("result %+v", res)
	}
}
