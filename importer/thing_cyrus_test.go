package importer

import (
	"testing"

	"mailhaul/internal/jsschema/jstest"
	"mailhaul/jmapclient/jmaptest"
)

const (
	cyrusCard = `
BEGIN:VCARD
VERSION:3.0
UID:card-1
N:Müller;Ann;;Dr;
FN:Dr Ann Müller
EMAIL;TYPE=WORK:ann@example.org
TEL;TYPE=CELL:+49 1
CATEGORIES:friends
PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=
NOTE:of old
END:VCARD
`
	cyrusGroupCard = `
BEGIN:VCARD
VERSION:3.0
UID:group-1
N:Friends
FN:Friends
X-ADDRESSBOOKSERVER-KIND:group
X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:card-1
END:VCARD
`
	cyrusMeeting = `
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//y//EN
BEGIN:VEVENT
UID:event-1
DTSTAMP:20240101T000000Z
DTSTART:20310107T090000Z
DURATION:PT1H
SUMMARY:Meeting
RRULE:FREQ=WEEKLY
LOCATION:Room 1
DESCRIPTION:about it
BEGIN:VALARM
UID:alarm-1
ACTION:DISPLAY
DESCRIPTION:x
TRIGGER:-PT5M
END:VALARM
END:VEVENT
END:VCALENDAR
`
)

// TestContactsAndCalendarsOfARealCyrus arrive on another Cyrus account and on
// servers of the standard, and from those on Cyrus.
func TestContactsAndCalendarsOfARealCyrus(t *testing.T) {
	alice, bob := jstest.Start(t)
	alice.Put(t, "addressbooks", "card-1.vcf", cyrusCard)
	alice.Put(t, "addressbooks", "group-1.vcf", cyrusGroupCard)
	alice.Put(t, "calendars", "event-1.ics", cyrusMeeting)
	ar := newArchive(t)
	exportFrom(t, ar, dial(t, alice.Server.URL, alice.User.Login, alice.User.Password))
	strict := newTyped(t, jmaptest.Strict)
	late := newTyped(t, jmaptest.Stalwart016)
	for name, to := range map[string]*target{"strict": strict, "0.16": late} {
		res := strictly(t, name, ar, to.account())
		for _, typ := range []string{"Contact", "ContactGroup", "CalendarEvent"} {
			if c := res.Types[typ]; c.Created != 1 {
				t.Errorf("%s: %s: %+v", name, typ, c)
			}
		}
	}
	res := strictly(t, "Cyrus", ar, dial(t, bob.Server.URL, bob.User.Login, bob.User.Password))
	for _, typ := range []string{"Contact", "ContactGroup", "CalendarEvent"} {
		if c := res.Types[typ]; c.Created != 1 {
			t.Errorf("Cyrus: %s: %+v", typ, c)
		}
	}
	strict.fillTyped(jmaptest.Strict)
	back := strict.exported(newArchive(t))
	res = strictly(t, "back to Cyrus", back, dial(t, bob.Server.URL, bob.User.Login, bob.User.Password))
	if c := res.Types["ContactCard"]; c.Created != 4 || c.Present != 2 {
		t.Errorf("back to Cyrus: %+v", c)
	}
	if c := res.Types["CalendarEvent"]; c.Created != 3 || c.Present != 1 {
		t.Errorf("back to Cyrus: %+v", c)
	}
}
