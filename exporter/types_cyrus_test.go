package exporter

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/jsschema/jstest"
	"mailhaul/jmapclient"
)

// A real Cyrus gives its contacts, groups, calendars and events, with the vCard
// or iCalendar object of each and the photos, and later what changed of them.
func TestEveryTypeOfARealCyrus(t *testing.T) {
	a, _ := jstest.Start(t)
	for i := range 10 {
		photo := a.Upload(t, "image/png", fmt.Appendf(nil, "PNG %d", i))
		a.Create(t, "Contact", object("uid", fmt.Sprintf("contact-%d", i), "firstName", fmt.Sprint("Contact ", i), "lastName", "Ümläut",
			"emails", []any{map[string]any{"type": "work", "value": fmt.Sprintf("c%d@example.org", i)}},
			"avatar", map[string]any{"blobId": photo, "type": "image/png", "name": nil}))
		a.Create(t, "CalendarEvent", event(i))
	}
	a.Create(t, "ContactGroup", object("uid", "group", "name", "Friends", "contactIds", []string{"contact-1", "contact-2"}))
	src := func() Source {
		c, err := jmapclient.Dial(t.Context(), jmapclient.Options{URL: a.Server.URL, GiveUpAfter: 500 * time.Millisecond,
			Auth: jmapclient.Auth{Username: a.User.Login, Password: a.User.Password}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		acc, err := c.Account(t.Context(), a.User.Login)
		if err != nil {
			t.Fatal(err)
		}
		return JMAP(acc)
	}
	ar := newArchive(t, src())
	res := mustExport(t, src(), ar)
	for name, r := range res.Snapshot.Types {
		t.Logf("%s: %d objects, %d bytes, absent %t, %s, %+v", name, r.Objects, r.Bytes, r.Absent, r.Error, r.Failed)
		if (r.Error != "") != (name == account.VacationResponse.Name) || len(r.Failed) > 0 { // Cyrus 3.6 dies of that one
			t.Errorf("%s failed: %+v", name, r)
		}
	}
	cyrusHas(t, a, ar)
	if res := mustExport(t, src(), ar); !res.Unchanged {
		t.Errorf("the second time: %+v", res.Snapshot.Types)
	}
	a.Call(t, "Contact/set", map[string]any{"update": map[string]any{"contact-3": map[string]any{"nickname": "Three"}}, "destroy": []string{"contact-4"}})
	a.Call(t, "CalendarEvent/set", map[string]any{"update": map[string]any{"event-3": map[string]any{"title": "Another"}}, "destroy": []string{"event-4"}})
	a.Create(t, "CalendarEvent", event(99))
	res = mustExport(t, src(), ar)
	cyrusHas(t, a, ar)
	if r := res.Snapshot.Types[account.CalendarEvent.Name]; r.Changed != 2 || r.Gone != 1 {
		t.Errorf("events: %d changed, %d gone", r.Changed, r.Gone)
	}
}

func event(i int) account.Object {
	return object("uid", fmt.Sprintf("event-%d", i), "title", fmt.Sprint("Event ", i), "start", "2026-03-01T10:00:00", "timeZone", "Europe/Berlin",
		"duration", "PT1H", "calendarId", "Default", "recurrenceRule", map[string]any{"@type": "RecurrenceRule", "frequency": "weekly", "count": 4})
}

// cyrusHas demands that the newest snapshot is what Cyrus answers, and has every blob.
func cyrusHas(t *testing.T, a jstest.Account, ar *archive.Archive) {
	t.Helper()
	blobs := 0
	for _, typ := range []account.Type{account.Contact, account.ContactGroup, account.CalendarEvent} {
		want, got := map[string]string{}, map[string]string{}
		for uid, o := range a.All(t, typ.Name) {
			want[uid] = string(o.Encode())
		}
		for rec, err := range ar.Objects(0, typ) {
			if err != nil {
				t.Fatal(err)
			}
			o := rec.Object
			if named := blobsOf[typ.Name]; named != nil {
				for _, id := range named(o) {
					if id == "" {
						t.Errorf("%s names no blob", o.Encode())
						continue
					}
					blob, err := ar.Object(0, account.Blob, id)
					if err != nil || blob.Blob == "" {
						t.Errorf("the blob %s of %s: %v", id, describe(typ, o), err)
						continue
					}
					if blobs++; blobText(t, ar, blob.Blob) == "" {
						t.Errorf("the blob %s of %s is empty", id, describe(typ, o))
					}
				}
			}
			if typ.Name == account.CalendarEvent.Name { // given only when it is asked for
				o = o.Without("blobId")
			}
			got[o.Text("uid")] = string(o.Encode())
		}
		if d := cmp.Diff(want, got); d != "" || len(want) == 0 {
			t.Errorf("%s (-account +snapshot):\n%s", typ.Name, d)
		}
	}
	if blobs < 20 {
		t.Errorf("only %d blobs", blobs)
	}
}
