package main

import (
	"fmt"
	"slices"

	"mailhaul/account"
	"mailhaul/jmapclient/jmaptest"
)

// demoThings are the kinds beside mail that the demo's account has, and the
// properties of them that are each server's own.
var demoThings = []struct {
	name, typ string
	local     []string
}{
	{"contacts", account.ContactCard.Name, []string{"id", "addressBookIds", "blobId", "media"}},
	{"events", account.CalendarEvent.Name, []string{"id", "calendarIds", "blobId", "links", "baseEventId", "utcStart", "utcEnd", "updated"}},
}

// photo stands for a picture: a GIF of one transparent point.
const photo = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// settleThings fills the address book and the calendar.
func settleThings(s *jmaptest.Server) {
	first := func(typ account.Type) map[string]any {
		return map[string]any{s.Objects(demoUser.Login, typ.Name)[0]["id"].(string): true}
	}
	book, calendar := first(account.AddressBook), first(account.Calendar)
	for i, name := range []string{"Bob Bergström", "Carol Óskarsdóttir", "田中 太郎"} {
		card := map[string]any{"@type": "Card", "version": "1.0", "uid": fmt.Sprintf("urn:uuid:4d5d1a3e-0000-4000-8000-00000000000%d", i),
			"name": map[string]any{"full": name}, "addressBookIds": book,
			"emails": map[string]any{"e": map[string]any{"address": fmt.Sprintf("friend%d@example.org", i), "pref": 1}}}
		if i == 0 {
			card["media"] = map[string]any{"p": map[string]any{"kind": "photo", "mediaType": "image/gif", "blobId": s.AddBlob(demoUser.Login, []byte(photo))}}
		}
		s.AddObject(demoUser.Login, account.ContactCard.Name, card)
	}
	for i, e := range []struct{ title, start, duration, zone string }{
		{"Stand-up", "2026-01-05T09:30:00", "PT15M", "Europe/Berlin"},
		{"Summer holidays", "2026-07-20T00:00:00", "P14D", ""},
	} {
		event := map[string]any{"@type": "Event", "uid": fmt.Sprintf("event-%d@example.org", i), "title": e.title, "start": e.start,
			"duration": e.duration, "calendarIds": calendar}
		if e.zone != "" {
			event["timeZone"] = e.zone
			event["recurrenceRules"] = []any{map[string]any{"@type": "RecurrenceRule", "frequency": "weekly"}}
		} else {
			event["showWithoutTime"] = true
		}
		s.AddObject(demoUser.Login, account.CalendarEvent.Name, event)
	}
}

// thingsOf is what an account holds beside mail, photos by their bytes.
func thingsOf(s *jmaptest.Server, login string) []kind {
	var kinds []kind
	for _, k := range demoThings {
		var lines []string
		for _, o := range s.Objects(login, k.typ) {
			pictures := ""
			if media, ok := o["media"].(map[string]any); ok {
				for key, m := range media {
					id, _ := m.(map[string]any)["blobId"].(string)
					data, there := s.Blob(login, id)
					pictures += fmt.Sprintf(", photo %s of %t %x", key, there, data)
				}
			}
			for name := range o {
				if slices.Contains(k.local, name) {
					delete(o, name)
				}
			}
			lines = append(lines, fmt.Sprintf("%s %s%s", k.typ, account.Marshal(o), pictures))
		}
		kinds = append(kinds, newKind(k.name, lines))
	}
	return kinds
}
