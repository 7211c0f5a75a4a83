package archive

import (
	"fmt"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
)

func journal(t testing.TB, a *Archive) *Journal {
	t.Helper()
	j, err := a.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func collect[T any](t testing.TB, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var list []T
	for v, err := range seq {
		must(t, err)
		list = append(list, v)
	}
	return list
}

func TestAJournalKeepsWhatItIsTold(t *testing.T) {
	a, hashes := small(t, 3)
	j := journal(t, a)
	entries := []Entry{
		{Type: "Email", SourceID: "M0", Blob: hashes[0], State: InFlight},
		{Type: "Email", SourceID: "M1", Blob: hashes[1], State: Done, TargetID: "N1", TargetBlobID: "NB1", Applied: "x", Checked: true},
		{Type: "Email", SourceID: "M2", Blob: hashes[2], State: Failed, Reason: "too large"},
	}
	must(t, j.Put(entries...))
	must(t, j.Put(Entry{Type: "Mailbox", SourceID: "M1", State: Done, TargetID: "box"}))
	must(t, j.SetNote("state", map[string]int{"s": 4}))
	must(t, j.Close())
	if err := j.Put(entries...); err == nil {
		t.Error("a closed journal takes entries")
	}
	must(t, a.Close())

	a = open(t, a.Dir())
	j = journal(t, a)
	if diff := cmp.Diff(entries, collect(t, j.Entries("Email"))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(entries[:2], collect(t, j.Entries("Email", InFlight, Done))); diff != "" {
		t.Error(diff)
	}
	if e, ok, err := j.Get("Email", "M1"); !ok || err != nil || !cmp.Equal(e, entries[1]) {
		t.Error(e, ok, err)
	}
	if _, ok, err := j.Get("Email", "M9"); ok || err != nil {
		t.Error(ok, err)
	}
	counts, err := j.Counts("Email")
	must(t, err)
	if diff := cmp.Diff(map[State]int64{InFlight: 1, Done: 1, Failed: 1}, counts); diff != "" {
		t.Error(diff)
	}
	var note map[string]int
	if ok, err := j.Note("state", &note); !ok || err != nil || note["s"] != 4 {
		t.Error(note, ok, err)
	}
	must(t, j.Delete("Email", "M0", "M2"))
	if got := collect(t, j.Entries("Email")); len(got) != 1 {
		t.Errorf("after Delete: %+v", got)
	}
	other, err := a.Journal("https://new.example.org", "c", "bob")
	must(t, err)
	defer other.Close()
	if got := collect(t, other.Entries("Email")); len(got) != 0 {
		t.Errorf("another target's journal: %+v", got)
	}
	infos, err := a.Journals()
	must(t, err)
	if len(infos) != 2 || infos[0].AccountName != "alice" || infos[0].Counts["Mailbox"][Done] != 1 || infos[0].Updated.IsZero() || infos[1].AccountID != "c" {
		t.Errorf("Journals: %+v", infos)
	}
}

func TestPendingAreTheEmailsThatAreNotDone(t *testing.T) {
	a, hashes := small(t, 700)
	r := begin(t, a)
	_, err := r.PutObject(account.Email, email(700), "") // its content could not be had
	must(t, err)
	// The server gave the freed id M5 to another message.
	other := email(5)
	other.Put("blobId", "B501")
	h, _, err := r.PutBlob(&endless{size: 100}, 100)
	must(t, err)
	_, err = r.PutObject(account.Email, other, h)
	must(t, err)
	must(t, r.MarkGone(account.Email, "M6"))
	must(t, r.Finish(SnapshotRecord{}))
	j := journal(t, a)
	for n := range 10 {
		must(t, j.Put(Entry{Type: "Email", SourceID: fmt.Sprintf("M%d", n), Blob: hashes[n], State: Done, TargetID: fmt.Sprintf("N%d", n)}))
	}
	must(t, j.Put(Entry{Type: "Email", SourceID: "M11", Blob: hashes[11], State: Failed, Reason: "no"},
		Entry{Type: "Email", SourceID: "M12", Blob: hashes[12], State: InFlight}))

	items := collect(t, j.Pending(0))
	byID := map[string]PendingItem{}
	for _, it := range items {
		byID[it.SourceID] = it
	}
	if len(items) != 692 || len(byID) != len(items) { // 701 less M0 to M9, without M5 and with M6 gone
		t.Errorf("%d pending", len(items))
	}
	for id, want := range map[string]PendingItem{
		"M5":   {SourceID: "M5", Blob: h, Size: 100},
		"M11":  {SourceID: "M11", Blob: hashes[11], Size: int64(len(message(11))), State: Failed, Reason: "no"},
		"M12":  {SourceID: "M12", Blob: hashes[12], Size: int64(len(message(12))), State: InFlight},
		"M700": {SourceID: "M700", Size: int64(len(message(700)))},
	} {
		if diff := cmp.Diff(want, byID[id]); diff != "" {
			t.Errorf("%s: %s", id, diff)
		}
	}
	var bytes int64
	for _, it := range items {
		bytes += it.Size
	}
	bytes += int64(len(message(5))) - 100 // what the server says of M5, where the archive knows better
	if n, b, err := j.PendingCount(0); n != int64(len(items)) || b != bytes || err != nil {
		t.Errorf("PendingCount: %d items, %d bytes, %v", n, b, err)
	}
	if got := collect(t, j.Pending(1)); len(got) != 690 {
		t.Errorf("%d pending at snapshot 1", len(got))
	}
	// Both the message that is gone and the one whose id was given away.
	removed := collect(t, j.Removed(0, account.Email))
	if len(removed) != 2 || removed[0].SourceID != "M5" || removed[1].SourceID != "M6" {
		t.Errorf("Removed: %+v", removed)
	}
	// Each is yielded once though the body changes the journal.
	seen := 0
	for it, err := range j.Pending(0) {
		must(t, err)
		must(t, j.Put(Entry{Type: "Email", SourceID: it.SourceID, Blob: it.Blob, State: Done, TargetID: "T" + it.SourceID}))
		seen++
	}
	if n, _, err := j.PendingCount(0); seen != len(items) || n != 0 || err != nil {
		t.Errorf("%d yielded, %d left, %v", seen, n, err)
	}
}

func TestCandidatesShareOneListAKeyWhateverIsClaimedMeanwhile(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	const copies = 1300 // of one message, more than a page
	h, _, err := r.PutBlob(&endless{size: 50}, 50)
	must(t, err)
	put := func(id string, key int) account.Object {
		o := account.Object{"id": account.Marshal(id), "size": account.Marshal(key), "receivedAt": account.Marshal("2020-01-01T00:00:00Z")}
		o.Put("messageId", []string{"<x@example.org>"})
		_, err := r.PutObject(account.Email, o, h)
		must(t, err)
		return o
	}
	key := account.MatchKey(put("c0000", 50))
	for n := 1; n < copies; n++ {
		put(fmt.Sprintf("c%04d", n), 50)
	}
	small := account.MatchKey(put("one", 7))
	put("nowhere", 8)
	must(t, r.Finish(SnapshotRecord{}))
	j := journal(t, a)
	must(t, j.ListPut(Listed{ID: "t1", BlobID: "tb", Key: key, MessageIDs: "x@example.org"}, Listed{ID: "t2", Key: key}, Listed{ID: "t3", Key: key}, Listed{ID: "t4", Key: small}))
	must(t, j.Put(Entry{Type: "Email", SourceID: "c0003", Blob: h, State: Done, TargetID: "t3"}, Entry{Type: "Email", SourceID: "c0004", Blob: h, State: InFlight}))

	count := map[string]int{}
	last := ""
	for c, err := range j.Candidates(0, nil) {
		must(t, err)
		if c.Key != last && count[c.Key] > 0 {
			t.Errorf("key %s comes again", c.Key)
		}
		last = c.Key
		count[c.Key]++
		want := []Listed{{ID: "t4", Key: small}}
		if c.Key == key {
			want = []Listed{{ID: "t1", BlobID: "tb", Key: key, MessageIDs: "x@example.org"}, {ID: "t2", Key: key}}
		}
		if diff := cmp.Diff(want, c.Listed); diff != "" {
			t.Fatalf("%s: %s", c.SourceID, diff)
		}
		if c.SourceID == "c0004" && c.State != InFlight || c.Blob != h || c.MessageIDs != "x@example.org" {
			t.Errorf("%+v", c)
		}
		if c.SourceID == "c0000" {
			must(t, j.Put(Entry{Type: "Email", SourceID: c.SourceID, Blob: h, State: Done, TargetID: "t1"}))
		}
	}
	if diff := cmp.Diff(map[string]int{key: copies - 1, small: 1}, count); diff != "" {
		t.Error(diff)
	}
	narrowed := collect(t, j.Candidates(0, []string{"c0007", "nowhere", "unknown"}))
	if len(narrowed) != 1 || narrowed[0].SourceID != "c0007" || len(narrowed[0].Listed) != 1 {
		t.Errorf("narrowed: %+v", narrowed)
	}
	if got := collect(t, j.Candidates(0, []string{})); len(got) != 0 {
		t.Errorf("narrowed to nothing: %+v", got)
	}
}

func TestTheListingReleasesWhatIsMissing(t *testing.T) {
	a, hashes := small(t, 6)
	j := journal(t, a)
	for n := range 6 {
		e := Entry{Type: "Email", SourceID: fmt.Sprintf("M%d", n), Blob: hashes[n], State: Done, TargetID: fmt.Sprintf("N%d", n), TargetBlobID: fmt.Sprintf("NB%d", n)}
		if n == 5 {
			e.State = InFlight
		}
		must(t, j.Put(e))
	}
	for n := range 1200 {
		must(t, j.ListPut(Listed{ID: fmt.Sprintf("N%d", n), BlobID: fmt.Sprintf("NB%d", n)}))
		if n == 10 {
			break
		}
	}
	must(t, j.ListDelete("N1"))
	must(t, j.ListPut(Listed{ID: "N2", BlobID: "another message"}))
	if n, err := j.ListCount(); n != 10 || err != nil {
		t.Error(n, err)
	}
	released, err := j.ReleaseMissing()
	must(t, err)
	if len(released) != 2 || released[0].SourceID != "M1" || released[1].SourceID != "M2" || released[1].Blob != hashes[2] {
		t.Errorf("released: %+v", released)
	}
	if _, ok, _ := j.Get("Email", "M1"); ok {
		t.Error("the released entry is still there")
	}
	if got := collect(t, j.Listed()); len(got) != 10 || got[0].ID != "N0" {
		t.Errorf("listed: %+v", got)
	}
	must(t, j.ListReset())
	if n, err := j.ListCount(); n != 0 || err != nil {
		t.Error(n, err)
	}
}

func TestChangedAreDoneObjectsWithALaterRecord(t *testing.T) {
	a, hashes := small(t, 5)
	r := begin(t, a)
	script := account.Object{"id": account.Marshal("s"), "name": account.Marshal("n"), "blobId": account.Marshal("x")}
	_, err := r.PutObject(account.SieveScript, script, hashes[0])
	must(t, err)
	must(t, r.Finish(SnapshotRecord{}))
	j := journal(t, a)
	for n := range 3 {
		must(t, j.Put(Entry{Type: "Email", SourceID: fmt.Sprintf("M%d", n), Blob: hashes[n], State: Done, TargetID: "x"}))
	}
	must(t, j.Put(Entry{Type: "SieveScript", SourceID: "s", Blob: hashes[0], State: Done}))

	r = begin(t, a)
	for n := range 5 {
		o := email(n)
		o.Put("keywords", account.SetOf("$flagged"))
		h := hashes[n]
		if n == 2 {
			h = hashes[3] // other content under the same id: another message
		}
		if n > 0 {
			_, err := r.PutObject(account.Email, o, h)
			must(t, err)
		}
	}
	_, err = r.PutObject(account.SieveScript, script, hashes[1]) // a changed script
	must(t, err)
	must(t, r.Finish(SnapshotRecord{}))
	changed := collect(t, j.Changed(0, 2, account.Email))
	if len(changed) != 1 || changed[0].Object.ID() != "M1" || changed[0].Snapshot != 3 || changed[0].Blob != hashes[1] {
		t.Errorf("Changed: %+v", changed)
	}
	if got := collect(t, j.Changed(0, 3, account.Email)); len(got) != 0 {
		t.Errorf("after snapshot 3: %+v", got)
	}
	if got := collect(t, j.Changed(0, 2, account.SieveScript)); len(got) != 1 || got[0].Blob != hashes[1] {
		t.Errorf("the script: %+v", got)
	}
}
