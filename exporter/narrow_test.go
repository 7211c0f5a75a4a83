package exporter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient/jmaptest"
)

func narrowed(t *testing.T, src Source, ar *archive.Archive, s *archive.Scope) *Result {
	t.Helper()
	res, err := Export(t.Context(), src, ar, Options{Scope: s})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// ids are those of the messages in the newest snapshot, sorted.
func ids(t *testing.T, ar *archive.Archive) string {
	t.Helper()
	var list []string
	for rec, err := range ar.Objects(0, account.Email) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, rec.Object.ID())
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// Between whole exports narrowed ones cost their changes, and nothing is listed.
func TestNoStateIsLostByANarrowedExport(t *testing.T) {
	s := filled(9)
	ar := newArchive(t, s)
	mustExport(t, s, ar)
	small := &archive.Scope{MaxSize: 10} // of "message 1" and the like
	s.add("", "large and new", 50)
	s.add("", "small", 51)
	s.remove("m3")
	clear(s.fetches)
	clear(s.calls)
	res := narrowed(t, s, ar, small)
	if got := ids(t, ar); got != "m1 m11 m2 m4 m5 m6 m7 m8 m9" || res.Fetched != 1 || s.calls["Page"] > 0 {
		t.Errorf("narrowed: fetched %d, holds %s, calls %v", res.Fetched, got, s.calls)
	}
	s.remove("m11") // came and went between two whole exports
	s.flag("m10", "$seen")
	if res := narrowed(t, s, ar, small); res.Unchanged || s.calls["Page"] > 0 {
		t.Errorf("narrowed once more: %+v, calls %v", res, s.calls)
	}
	if res := narrowed(t, s, ar, small); !res.Unchanged {
		t.Errorf("the third time: %+v", res)
	}
	res = mustExport(t, s, ar)
	s.has(t, ar)
	if res.Snapshot.Scope != nil || s.calls["Page"] > 0 || s.fetches["b-small"] != 1 || len(s.fetches) != 2 {
		t.Errorf("whole: %+v, calls %v, fetches %v", res, s.calls, s.fetches)
	}
	if res := mustExport(t, s, ar); !res.Unchanged {
		t.Errorf("whole once more: %+v", res)
	}
	if res := narrowed(t, s, ar, small); !res.Unchanged || res.Snapshot.Scope != nil || res.Scope == nil {
		t.Errorf("narrowed, behind a whole one: %+v", res)
	}
}

// A whole export behind narrowed ones is one, though it finds nothing new.
func TestAWholeExportIsNeverTakenForANarrowedOne(t *testing.T) {
	s := filled(3)
	ar := newArchive(t, s)
	if res := narrowed(t, s, ar, &archive.Scope{MaxSize: 1000}); res.Snapshot.Scope == nil || res.Snapshot.Types["Email"].Objects != 3 {
		t.Fatalf("narrowed: %+v", res)
	}
	if res := mustExport(t, s, ar); res.Unchanged || res.Snapshot.Scope != nil {
		t.Errorf("whole: %+v", res)
	}
	s.has(t, ar)
}

// What failed before and lies outside of the scope stays a failure, is not tried
// and fails nobody's run; the next whole one tries it.
func TestFailuresOutsideOfTheScopeStay(t *testing.T) {
	s := filled(3)
	broken := true
	s.onFetch = func(blob string) error {
		if broken && blob == "b-message 1" {
			return errBroken
		}
		return nil
	}
	ar := newArchive(t, s)
	if res := mustExport(t, s, ar); res.Failed != 1 {
		t.Fatalf("whole: %+v", res)
	}
	clear(s.fetches)
	since := s.mails[2].Time("receivedAt")
	s.flag("m3", "$seen")
	res := narrowed(t, s, ar, &archive.Scope{Since: &since})
	if f := res.Snapshot.Types["Email"].Failed; res.Failed != 0 || len(f) != 1 || !f[0].Untried || len(s.fetches) > 0 {
		t.Errorf("narrowed: %+v, fetches %v", res, s.fetches)
	}
	s.small["Identity"] = []account.Object{object("id", "i1", "name", "Alice")}
	res = narrowed(t, s, ar, &archive.Scope{Types: []string{"Identity"}})
	if f := res.Snapshot.Types["Email"].Failed; res.Failed != 0 || len(f) != 1 || !res.Snapshot.Types["Email"].Outside {
		t.Errorf("without messages: %+v", res)
	}
	broken = false
	if res := mustExport(t, s, ar); res.Failed != 0 || len(res.Snapshot.Types["Email"].Failed) != 0 {
		t.Errorf("whole once more: %+v", res)
	}
	s.has(t, ar)
}

// A source that can't tell changes is listed, and what left the scope is not gone.
func TestANarrowedListing(t *testing.T) {
	s := filled(8)
	s.noHistory = true
	ar := newArchive(t, s)
	mustExport(t, s, ar)
	s.remove("m2")
	s.remove("m7")
	before := s.mails[3].Time("receivedAt") // of m5
	s.flag("m3", "$seen")
	s.flag("m8", "$seen")
	clear(s.fetches)
	res := narrowed(t, s, ar, &archive.Scope{Before: &before})
	if r := res.Snapshot.Types["Email"]; ids(t, ar) != "m1 m3 m4 m5 m6 m7 m8" || r.Changed != 1 || r.Gone != 1 || len(s.fetches) > 0 {
		t.Errorf("holds %s: %+v", ids(t, ar), r)
	}
	mustExport(t, s, ar)
	s.has(t, ar)
}

// refusing is a server that takes no filter.
type refusing struct{ *jmapSource }

func (s refusing) narrow(scope *archive.Scope, mailboxes []string) {
	s.jmapSource.narrow(scope, mailboxes)
	if s.filter.Load() != nil {
		s.filter.Store(&filter{"no such": true})
	}
}

// Where a server takes no filter all is listed and chosen here; also where there are
// more mailboxes than a filter should name.
func TestAServerThatDoesNotFilter(t *testing.T) {
	w := newWorld(t, narrow(jmaptest.Strict, 16))
	for i := range 30 {
		w.deliver(i, []string{"Inbox", "Projects/2024"}[i%2])
	}
	for i := range mostConditions { // more than a filter should name
		w.AddMailbox("alice", fmt.Sprintf("Projects/of many/%d", i), "")
	}
	ar := newArchive(t, w.alice(t))
	src := refusing{w.alice(t).(*jmapSource)}
	for range 2 {
		narrowed(t, src, ar, &archive.Scope{Types: []string{"Email"}, Mailboxes: []string{"Projects/2024"}})
		if n := len(strings.Fields(ids(t, ar))); n != 15 {
			t.Errorf("the archive has %d messages", n)
		}
	}
	if n := len(w.BlobFetches()); n != 15 {
		t.Errorf("%d blobs were fetched", n)
	}
	many := newArchive(t, w.alice(t))
	narrowed(t, w.alice(t), many, &archive.Scope{Mailboxes: []string{"Projects/**"}})
	if n := len(strings.Fields(ids(t, many))); n != 15 {
		t.Errorf("the archive has %d messages", n)
	}
	mustExport(t, src, ar)
	w.has(t, ar)
}

// The server lists what is wanted and no more.
func TestTheServerFilters(t *testing.T) {
	w := newWorld(t, jmaptest.Strict)
	for i := range 20 {
		w.deliver(i, []string{"Inbox", "Lists", "Projects/2024", "Projects"}[i%4])
	}
	src := w.alice(t)
	since := w.Messages("alice")[0].ReceivedAt
	for _, m := range w.Messages("alice") {
		if strings.Contains(string(m.Raw), "hello 8\r") {
			since = m.ReceivedAt
		}
	}
	ar := newArchive(t, src)
	narrowed(t, src, ar, &archive.Scope{Mailboxes: []string{"Projects/**"}, Since: &since})
	n, err := src.Count(t.Context(), account.Email)
	if err != nil || n != 6 || len(strings.Fields(ids(t, ar))) != 6 {
		t.Errorf("the server lists %d messages, %v; the archive has %s", n, err, ids(t, ar))
	}
}

// A pattern that matches no mailbox ends the run before anything is written; a
// pattern of what to leave out may match none.
func TestAPatternThatMatchesNoMailbox(t *testing.T) {
	w := newWorld(t, jmaptest.Strict)
	w.deliver(1, "Projects/2024")
	ar := newArchive(t, w.alice(t))
	_, err := Export(t.Context(), w.alice(t), ar, Options{Scope: &archive.Scope{Mailboxes: []string{"Inbox", "Projets/**"}}})
	var none *NoMailboxError
	if !errors.As(err, &none) || !slices.Equal(none.Patterns, []string{"Projets/**"}) || !slices.Contains(none.There, "Projects/2024") {
		t.Errorf("error %v", err)
	}
	if _, _, open, err := ar.Unfinished(); open || err != nil {
		t.Errorf("a snapshot was begun, %v", err)
	}
	res := narrowed(t, w.alice(t), ar, &archive.Scope{Mailboxes: []string{"!Spam"}})
	if res.Snapshot.Types["Email"].Objects != 1 {
		t.Errorf("result %+v", res)
	}
}

// Types outside of the scope keep their objects, and an address book whose contacts
// were not looked at stays; blobs come with what names them.
func TestTypesOutsideOfTheScope(t *testing.T) {
	w := newTyped(t, narrow(jmaptest.Strict, 16))
	src := w.alice(t)
	ar := newArchive(t, src)
	contacts := w.contactType()
	count := func(typ account.Type) (n int) {
		for _, err := range ar.Objects(0, typ) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	narrowed(t, src, ar, &archive.Scope{Types: []string{contacts.Name}})
	if count(contacts) != 20 || count(account.Blob) < 20 || count(account.CalendarEvent)+count(account.Email) > 0 || count(account.Mailbox) == 0 {
		t.Errorf("%d contacts, %d blobs, %d events, %d messages", count(contacts), count(account.Blob), count(account.CalendarEvent), count(account.Email))
	}
	mustExport(t, src, ar)
	w.hasTypes(t, ar)
	w.change()
	events := count(account.CalendarEvent)
	res := narrowed(t, src, ar, &archive.Scope{Types: []string{"Email", "Identity"}})
	if r := res.Snapshot.Types[contacts.Name]; !res.Unchanged && (!r.Outside || r.Objects != 20) || count(account.CalendarEvent) != events {
		t.Errorf("outside of the scope: %+v", res.Snapshot)
	}
	narrowed(t, src, ar, &archive.Scope{Types: []string{"CalendarEvent"}})
	mustExport(t, src, ar)
	w.hasTypes(t, ar)
	for blob, n := range w.BlobFetches() {
		if n > 1 {
			t.Errorf("%s was fetched %d times", blob, n)
		}
	}
}

// A run of another kind that was cut off leaves things of types that the next does
// not look at: when they go, the next whole run sees it.
func TestWhatARunThatWasCutOffLeftOutsideOfTheScope(t *testing.T) {
	w := newTyped(t, narrow(jmaptest.Strict, 16))
	src := w.alice(t)
	ar := newArchive(t, src)
	mustExport(t, src, ar)
	id := w.contact()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Export(ctx, src, ar, Options{Events: func(e progress.Event) {
		if e.Stage == account.ContactCard.Name && e.Kind == progress.Finished {
			cancel()
		}
	}})
	if err == nil {
		t.Fatal("the run was not cut off")
	}
	w.DestroyObject("alice", "ContactCard", id)
	narrowed(t, src, ar, &archive.Scope{Types: []string{"Identity"}})
	mustExport(t, src, ar)
	w.hasTypes(t, ar)
}

var _ narrower = (*jmapSource)(nil)
