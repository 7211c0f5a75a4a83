package jmaptest

import (
	"strings"
	"time"
)

// cyrusTypes are the rows of Cyrus 3.6: contacts and calendars from before the
// standards. Objects have their uid for an id.
var cyrusTypes = []Type{cyrusContact, cyrusGroup, cyrusCalendar, cyrusEvent, emailSubmission}

const cyrusDefault = "Default"

var cyrusContact = Type{
	Name: "Contact", URN: cyrusURN + "contacts", Methods: allMethods,
	Props: object{"firstName": "", "lastName": "", "prefix": "", "suffix": "", "company": "", "department": "", "jobTitle": "",
		"addresses": []any{}, "emails": []any{}, "phones": []any{}, "online": []any{}, "nickname": "", "anniversary": "0000-00-00",
		"birthday": "0000-00-00", "notes": "", "x-hasPhoto": false, "avatar": nil, "isFlagged": false, "importance": 0.0,
		"x-href": nil, "uid": nil, "addressbookId": nil, "blobId": nil, "size": nil},
	Fixed: []string{"x-hasPhoto", "x-href", "blobId", "size"},
	In:    "addressbookId", InOne: true, DefaultIn: cyrusDefault,
	Unique: []string{"uid"}, IDIsUID: true, Blobs: []string{"avatar/blobId"},
	Filters: map[string]string{"uid": "uid", "isFlagged": "isFlagged"},
	Always:  []string{"uid", "addressbookId"},
	Answers: []string{"uid", "addressbookId", "blobId", "size"},
	Raw:     vCard,
	Settle: func(a *account, o object, _ string) {
		settleCyrus(a, o, "addressbooks", ".vcf")
		avatar, _ := o["avatar"].(object)
		o["x-hasPhoto"] = avatar != nil
		if b := a.blobByID(textOf(avatar["blobId"])); b != nil {
			avatar["size"] = len(b.data)
		}
		emails, _ := o["emails"].([]any)
		for i, e := range emails {
			if e, ok := e.(object); ok {
				e["isDefault"] = i == 0
				if e["label"] == nil {
					delete(e, "label")
				}
			}
		}
		addresses, _ := o["addresses"].([]any)
		for _, e := range addresses {
			if e, ok := e.(object); ok && e["label"] == nil {
				e["label"] = nil
			}
		}
	},
}

var cyrusGroup = Type{
	Name: "ContactGroup", URN: cyrusURN + "contacts", Methods: []string{"get", "changes", "query", "set"},
	Props: object{"name": "", "contactIds": []any{}, "otherAccountContactIds": object{}, "uid": nil, "addressbookId": nil, "x-href": nil},
	Fixed: []string{"x-href"}, Required: []string{"name"}, Refers: []string{"contactIds"},
	In: "addressbookId", InOne: true, DefaultIn: cyrusDefault,
	Unique: []string{"uid"}, IDIsUID: true,
	Always:  []string{"name", "contactIds", "otherAccountContactIds", "uid", "addressbookId", "x-href"},
	Answers: []string{"uid", "addressbookId"},
	Settle:  func(a *account, o object, _ string) { settleCyrus(a, o, "addressbooks", ".vcf") },
}

var cyrusCalendar = Type{
	Name: "Calendar", URN: cyrusURN + "calendars", Methods: noQuery,
	Props: object{"name": "", "color": nil, "sortOrder": 0.0, "isVisible": true, "isSubscribed": true, "shareWith": nil,
		"scheduleAddressSet": nil, "x-href": nil},
	Absent: []string{"color"}, Fixed: []string{"scheduleAddressSet", "x-href"}, Required: []string{"name"},
	Rights:     []string{"mayReadFreeBusy", "mayReadItems", "mayAddItems", "mayModifyItems", "mayRemoveItems", "mayRename", "mayDelete", "mayAdmin"},
	FlatRights: true, SharedRights: []string{"mayReadFreeBusy", "mayRead", "mayWrite", "mayAdmin"},
	Contents: "CalendarEvent",
	Seeds:    func(*account) []object { return []object{{"id": cyrusDefault, "name": "personal"}} },
	Answers:  []string{"scheduleAddressSet"},
	Settle: func(a *account, o object, _ string) {
		addresses := []any{}
		for _, email := range a.user.Emails {
			addresses = append(addresses, "mailto:"+email)
		}
		o["scheduleAddressSet"] = addresses
		o["x-href"] = "/dav/calendars/user/" + a.user.Login + "/" + textOf(o["id"])
	},
}

var cyrusEvent = Type{
	Name: "CalendarEvent", URN: cyrusURN + "calendars", Methods: allMethods,
	Props: object{"@type": "jsevent", "uid": nil, "calendarId": nil, "title": "", "start": nil, "timeZone": nil, "duration": nil,
		"showWithoutTime": false, "relatedTo": nil, "prodId": "-//CyrusIMAP.org/Cyrus 3.6.1//EN", "created": nil, "updated": nil,
		"sequence": 0.0, "priority": 0.0, "description": nil, "descriptionContentType": "text/plain", "keywords": nil, "links": nil,
		"locale": nil, "locations": nil, "virtualLocations": nil, "recurrenceRule": nil, "recurrenceOverrides": nil, "status": "confirmed",
		"freeBusyStatus": "busy", "privacy": "public", "replyTo": nil, "participants": nil, "participantId": nil, "useDefaultAlerts": false,
		"alerts": nil, "color": nil, "categories": nil, "localizations": nil, "method": nil, "x-href": nil, "blobId": nil},
	Absent:   []string{"description", "replyTo", "color", "categories", "localizations", "method"},
	Fixed:    []string{"participantId", "x-href", "blobId"},
	Hidden:   []string{"blobId"},
	Required: []string{"start"},
	Shapes: map[string]shape{"@type": "=jsevent", "start": shapeLocal, "duration": shapeDuration, "recurrenceRule": shapeObject,
		"participants": "map:roles", "alerts": "map:trigger", "recurrenceOverrides": "map:"},
	In: "calendarId", InType: "Calendar", InOne: true, DefaultIn: cyrusDefault,
	Unique: []string{"uid"}, IDIsUID: true, Blobs: []string{"links/*/blobId"},
	Filters: map[string]string{"inCalendars": "calendarId", "uid": "uid"},
	Answers: []string{"uid", "x-href", "blobId"},
	Raw:     iCalendar,
	Made:    "created", Changed: "updated",
	Always: []string{"uid", "@type"},
	Settle: settleCyrusEvent,
	// It knows no sendSchedulingMessages, and tells people unasked.
	Schedules: true, Untold: toldOfNothing,
}

// toldOfNothing says whether Cyrus tells nobody of an event: one that is over (its
// duration, which is less than a day here, aside), or one that somebody else
// organizes and of which the account has not said whether it comes.
func toldOfNothing(c *call, o object) bool {
	start, err := time.Parse("2006-01-02T15:04:05", textOf(o["start"]))
	if err == nil && o["recurrenceRule"] == nil && o["recurrenceOverrides"] == nil && start.AddDate(0, 0, 1).Before(c.s.now()) {
		return true
	}
	to, _ := o["replyTo"].(object)
	if c.mayBe(address1(to["imip"])) {
		return false
	}
	participants, _ := o["participants"].(object)
	for _, p := range participants {
		p, _ := p.(object)
		if status := textOf(p["participationStatus"]); c.mayBe(participantAddress(p)) && status != "" && status != "needs-action" {
			return false
		}
	}
	return true
}

// settleCyrusEvent spells out what an event leaves unsaid.
func settleCyrusEvent(a *account, o object, _ string) {
	settleCyrus(a, o, "calendars", ".ics")
	fill := func(in object, more object) {
		for k, v := range more {
			if in[k] == nil {
				in[k] = v
			}
		}
	}
	if rule, ok := o["recurrenceRule"].(object); ok {
		fill(rule, object{"@type": "RecurrenceRule", "interval": 1, "rscale": "gregorian", "skip": "omit", "firstDayOfWeek": "mo"})
		days, _ := rule["byDay"].([]any)
		for _, day := range days {
			if day, ok := day.(object); ok {
				delete(day, "@type")
			}
		}
	}
	alerts, _ := o["alerts"].(object)
	for _, alert := range alerts {
		alert, _ := alert.(object)
		if trigger, ok := alert["trigger"].(object); ok {
			fill(trigger, object{"relativeTo": "start"})
		}
	}
	participants, _ := o["participants"].(object)
	for id, p := range participants {
		if p, ok := p.(object); ok {
			fill(p, object{"@type": "Participant", "participationStatus": "needs-action", "expectReply": false, "scheduleSequence": 0})
			if c := (&call{s: a.s, a: a}); c.mayBe(participantAddress(p)) {
				o["participantId"] = id
			}
		}
	}
}

// vCard and iCalendar hold what tells one object from another, and no more.
func vCard(o object) string {
	return lines("BEGIN:VCARD", "VERSION:3.0", "UID:"+textOf(o["uid"]), "N:"+textOf(o["lastName"])+";"+textOf(o["firstName"])+";",
		"FN:"+strings.TrimSpace(textOf(o["firstName"])+" "+textOf(o["lastName"])), "NOTE:"+textOf(o["notes"]), "END:VCARD")
}

func iCalendar(o object) string {
	return lines("BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", "UID:"+textOf(o["uid"]), "SUMMARY:"+textOf(o["title"]), "END:VEVENT", "END:VCALENDAR")
}

// lines are content lines of RFC 5545, their text on one line.
func lines(list ...string) string {
	var b strings.Builder
	for _, line := range list {
		b.WriteString(strings.NewReplacer("\\", "\\\\", "\r", "", "\n", "\\n").Replace(line) + "\r\n")
	}
	return b.String()
}

// settleCyrus gives an object its address in WebDAV.
func settleCyrus(a *account, o object, root, suffix string) {
	in := textOf(o["addressbookId"]) + textOf(o["calendarId"])
	o["x-href"] = "/dav/" + root + "/user/" + a.user.Login + "/" + in + "/" + textOf(o["uid"]) + suffix
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}
