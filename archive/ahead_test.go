package archive

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
)

// What may go ahead of the end of an export is what nothing can change any more.
func TestOnlyWhatIsSureGoesAhead(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	j, err := a.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	defer j.Close()
	ahead := func(after Place) (ids []string, end Place) {
		t.Helper()
		must(t, r.Commit())
		end, err := a.End()
		must(t, err)
		for p, err := range j.Ahead(after, end) {
			must(t, err)
			if p.Size < 1 || p.Blob == "" {
				t.Errorf("%+v", p)
			}
			ids = append(ids, p.SourceID)
		}
		return ids, end
	}
	want := func(what string, got []string, ids ...string) {
		t.Helper()
		if d := cmp.Diff(ids, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
	for n := 1; n <= 6; n++ {
		putEmail(t, r, n)
	}
	must(t, j.Put(Entry{Type: "Email", SourceID: "M1", State: Done, TargetID: "N1"},
		Entry{Type: "Email", SourceID: "M2", State: InFlight}, Entry{Type: "Email", SourceID: "M3", Blob: sumOf([]byte("other content")), State: Failed}))
	must(t, j.ListPut(Listed{ID: "N4", Key: account.MatchKey(email(4))}))
	got, end := ahead(Place{})
	want("without entries and likenesses on the target", got, "M5", "M6")
	got, _ = ahead(end)
	want("behind the end", got)

	putEmail(t, r, 7)
	got, end = ahead(end)
	want("what came since", got, "M7")

	// M5 gets another id, or a copy: which, is known only at the end.
	o := email(5)
	o.Put("id", "M5 again")
	_, err = r.PutObject(account.Email, o, sumOf(message(5)))
	must(t, err)
	putEmail(t, r, 8)
	must(t, r.MarkGone(account.Email, "M6"))
	got, _ = ahead(end)
	want("beside a likeness", got, "M8")
	got, _ = ahead(Place{})
	want("all", got, "M7", "M8")

	// No content, no sending.
	_, err = r.PutObject(account.Email, email(9), "")
	must(t, err)
	// What another flag was set of is the same message, and comes once.
	o = email(8)
	o.Put("keywords", account.SetOf("$flagged"))
	_, err = r.PutObject(account.Email, o, sumOf(message(8)))
	must(t, err)
	got, _ = ahead(Place{})
	want("changed", got, "M7", "M8")

	must(t, r.Finish(SnapshotRecord{}))
	since, err := a.After(1)
	must(t, err)
	r = begin(t, a)
	putEmail(t, r, 10)
	got, _ = ahead(since)
	want("since the last snapshot", got, "M10")
	must(t, r.Close())
}
