package main

import (
	"testing"

	"mailhaul/account"
)

func TestContactsAndEventsAreReadable(t *testing.T) {
	for _, tc := range []struct {
		t         account.Type
		o, inList string
	}{
		{account.ContactCard, `{"id":"1","@type":"Card","name":{"full":"Ada Lovelace"},"emails":{"a":{"address":"ada@example.org"},"b":{"address":"a@work.example"}},"phones":{"p":{"number":"+44 1"}}}`,
			"ContactCard Ada Lovelace, ada@example.org, a@work.example, +44 1"},
		{account.ContactCard, `{"id":"1","name":{"components":[{"kind":"given","value":"Ada"},{"kind":"surname","value":"Lovelace"}]}}`, "ContactCard Ada Lovelace"},
		{account.ContactCard, `{"id":"1","kind":"group","name":{"full":"Friends"},"members":{"a":true,"b":true}}`, "ContactCard Friends, 2 members"},
		{account.ContactCard, `{"id":"1","name":7,"emails":[]}`, "ContactCard"},
		{account.Contact, `{"id":"1","uid":"1","firstName":"Ada","lastName":"Lovelace","emails":[{"type":"work","value":"ada@example.org"}],"phones":[{"type":"home","value":"1"}]}`,
			"Contact Ada Lovelace, ada@example.org, 1"},
		{account.CalendarEvent, `{"id":"1","@type":"Event","title":"Tea","start":"2026-03-01T16:00:00","timeZone":"Europe/London","duration":"PT1H","recurrenceRules":[{"frequency":"weekly","count":4}]}`,
			"CalendarEvent Tea, 2026-03-01 16:00:00 Europe/London, PT1H, weekly, 4 times"},
		{account.CalendarEvent, `{"id":"1","@type":"Event","title":"Holiday","start":"2026-03-01T00:00:00","showWithoutTime":true,"duration":"P1D","recurrenceRule":{"frequency":"yearly"}}`,
			"CalendarEvent Holiday, 2026-03-01, P1D, yearly"},
		{account.CalendarEvent, `{"id":"1","uid":"1","@type":"jsevent","calendarId":"Default","title":"Tea","start":"2026-03-01T16:00:00","duration":"PT1H","recurrenceRule":{"@type":"RecurrenceRule","frequency":"daily","interval":2}}`,
			"CalendarEvent Tea, 2026-03-01 16:00:00, PT1H, daily, every 2"},
	} {
		o, err := account.ParseObject([]byte(tc.o))
		if err != nil {
			t.Fatal(err)
		}
		if got := otherInWords(tc.t, o); got != tc.inList {
			t.Errorf("%s is listed as %q, want %q", tc.o, got, tc.inList)
		}
	}
}
