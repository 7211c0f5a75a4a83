package archive

import (
	"bytes"
	"os"
	"testing"

	"mailhaul/account"
)

// A journal says up to which snapshot it was brought. When the last of them is
// lost, the next one gets another number, and so what it holds is carried over.
func TestTheNumberOfALostSnapshotIsNotGivenAgain(t *testing.T) {
	a := create(t)
	state := SnapshotRecord{Types: map[string]TypeRecord{account.Email.Name: {State: "s"}}}
	for n := range 2 {
		r := begin(t, a)
		putEmail(t, r, n)
		must(t, r.Finish(state))
	}
	j, err := a.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	must(t, j.SetNote("upTo", 2))
	must(t, j.Put(Entry{Type: "Email", SourceID: "M1", Blob: sumOf(message(1)), State: Done}))
	must(t, j.Close())
	must(t, a.Close())
	info, err := os.Stat(a.packPath(2))
	must(t, err)
	must(t, os.Truncate(a.packPath(2), info.Size()-200)) // in the snapshot's record

	for range 2 { // the second finds the first one's catalog
		report, err := Reindex(t.Context(), a.Dir(), nil)
		must(t, err)
		if len(report.Problems) == 0 {
			t.Error("nothing is lost")
		}
	}
	a = open(t, a.Dir())
	list, err := a.Snapshots()
	must(t, err)
	if len(list) != 1 || list[0].Types[account.Email.Name].State != "" {
		t.Errorf("the snapshots are %+v, a state among them", list)
	}
	r := begin(t, a)
	if r.Snapshot() != 3 {
		t.Errorf("the next snapshot is %d", r.Snapshot())
	}
	putEmail(t, r, 0)
	o := email(1)
	o.Put("keywords", account.SetOf("$flagged"))
	h, _, err := r.PutBlob(bytes.NewReader(message(1)), -1)
	must(t, err)
	_, err = r.PutObject(account.Email, o, h)
	must(t, err)
	must(t, r.Finish(state))
	j, err = a.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	defer j.Close()
	var upTo int
	if ok, err := j.Note("upTo", &upTo); !ok || err != nil {
		t.Fatal(ok, err)
	}
	changed := 0
	for rec, err := range j.Changed(0, upTo, account.Email) {
		must(t, err)
		if rec.Object.ID() == "M1" {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d changes are to be carried over", changed)
	}
	if list, err = a.Snapshots(); err != nil || list[len(list)-1].Types[account.Email.Name].State != "s" {
		t.Errorf("the new snapshot's state: %+v %v", list, err)
	}
	must(t, begin(t, a).Discard()) // nothing was put since
}

func TestAPackThatIsMissingIsTold(t *testing.T) {
	for _, n := range []int{1, 2, 3} {
		a := create(t)
		for n := range 3 {
			r := begin(t, a)
			putEmail(t, r, n)
			must(t, r.Finish(SnapshotRecord{}))
		}
		must(t, a.Close())
		must(t, os.Remove(a.packPath(n)))
		report, err := Reindex(t.Context(), a.Dir(), nil)
		must(t, err)
		if len(report.Problems) == 0 || report.Problems[0].Pack != n {
			t.Errorf("pack %d: %+v", n, report.Problems)
		}
	}
}
