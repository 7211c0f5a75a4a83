package jscalendar

import (
	"strings"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// Validate says what about an event is not as RFC 8984 has it, with what JMAP
// adds to it.
func Validate(o account.Object) []js.Problem {
	m, err := js.Decode(o)
	if err != nil {
		return []js.Problem{{Reason: err.Error()}}
	}
	return js.Check(event, m)
}

// ValidateDraft is [Validate] by the successor draft, in which @type, updated
// and a participant's roles may be left out.
func ValidateDraft(o account.Object) []js.Problem {
	m, err := js.Decode(o)
	if err != nil {
		return []js.Problem{{Reason: err.Error()}}
	}
	return js.CheckUnnamed(draftEvent, m)
}

// The tables of RFC 8984; the number is the section's.
var (
	event      = eventTable(false)
	draftEvent = eventTable(true)

	day      = js.Exactly("mo", "tu", "we", "th", "fr", "sa", "su")
	relation = &js.Type{Name: "Relation", Named: true, Props: map[string]js.Prop{ // 1.4.10, snooze: RFC 9074
		"relation": js.May(js.Set(js.Enum("first", "next", "child", "parent", "snooze")))}}
	link = &js.Type{Name: "Link", Named: true, AnyOf: []string{"href", "blobId"}, Props: map[string]js.Prop{ // 1.4.11
		"href": js.May(js.URI), "cid": js.May(js.NonEmpty), "contentType": js.May(js.MediaType), "size": js.May(js.Int(0, js.MaxInt)),
		"rel": js.May(js.NonEmpty), "display": js.May(js.Enum("badge", "graphic", "fullsize", "thumbnail")), "title": js.May(js.String),
		"blobId": js.May(js.NonEmpty)}} // JMAP's
	links    = js.Map(js.ID, js.Object(link))
	location = &js.Type{Name: "Location", Named: true, Props: map[string]js.Prop{ // 4.2.5
		"name": js.May(js.String), "description": js.May(js.String), "locationTypes": js.May(js.Set(js.NonEmpty)),
		"relativeTo": js.May(js.Enum("start", "end")), "timeZone": js.May(js.TimeZone), "coordinates": js.May(js.Geo), "links": js.May(links)}}
	virtualLocation = &js.Type{Name: "VirtualLocation", Named: true, Props: map[string]js.Prop{ // 4.2.6
		"name": js.May(js.String), "description": js.May(js.String), "uri": js.Need(js.URI),
		"features": js.May(js.Set(js.Enum("audio", "chat", "feed", "moderator", "phone", "screen", "video")))}}
	nDay = &js.Type{Name: "NDay", Named: true, Props: map[string]js.Prop{"day": js.Need(day), "nthOfPeriod": js.May(nonZero(js.MaxInt))}}
	rule = &js.Type{Name: "RecurrenceRule", Named: true, Verify: verifyRule, Props: map[string]js.Prop{ // 4.3.3
		"frequency": js.Need(js.Exactly("yearly", "monthly", "weekly", "daily", "hourly", "minutely", "secondly")),
		"interval":  js.May(js.Int(1, js.MaxInt)), "rscale": js.May(lowercase), "skip": js.May(js.Exactly("omit", "backward", "forward")),
		"firstDayOfWeek": js.May(day), "byDay": js.May(js.Array(js.Object(nDay))), "byMonthDay": js.May(js.Array(nonZero(31))),
		"byMonth":   js.May(js.Array(js.Exactly(months()...))),
		"byYearDay": js.May(js.Array(nonZero(366))), "byWeekNo": js.May(js.Array(nonZero(53))),
		"byHour": js.May(js.Array(js.Int(0, 23))), "byMinute": js.May(js.Array(js.Int(0, 59))), "bySecond": js.May(js.Array(js.Int(0, 60))),
		"bySetPosition": js.May(js.Array(nonZero(js.MaxInt))), "count": js.May(js.Int(1, js.MaxInt)), "until": js.May(js.LocalDateTime)}}

	offsetTrigger = &js.Type{Name: "OffsetTrigger", Named: true, Props: map[string]js.Prop{
		"offset": js.Need(js.SignedDuration), "relativeTo": js.May(js.Exactly("start", "end"))}}
	absoluteTrigger = &js.Type{Name: "AbsoluteTrigger", Named: true, Props: map[string]js.Prop{"when": js.Need(js.UTCDateTime)}}
	alert           = &js.Type{Name: "Alert", Named: true, Props: map[string]js.Prop{ // 4.5.2
		"trigger": js.Need(js.Object(offsetTrigger, absoluteTrigger)), "acknowledged": js.May(js.UTCDateTime),
		"relatedTo": js.May(js.Map(js.NonEmpty, js.Object(relation))), "action": js.May(js.Enum("display", "email"))}}

	utcOffset    = js.Text("an offset from UTC", isOffset)
	timeZoneRule = &js.Type{Name: "TimeZoneRule", Named: true, Props: map[string]js.Prop{ // 4.7.2
		"start": js.Need(js.LocalDateTime), "offsetFrom": js.Need(utcOffset), "offsetTo": js.Need(utcOffset),
		"recurrenceRules": js.May(js.Array(js.Object(rule))), "recurrenceOverrides": js.May(js.Map(js.LocalDateTime, js.Patch)),
		"names": js.May(js.Set(js.NonEmpty)), "comments": js.May(js.Array(js.String))}}
	timeZone = &js.Type{Name: "TimeZone", Named: true, Props: map[string]js.Prop{
		"tzId": js.Need(js.NonEmpty), "updated": js.May(js.UTCDateTime), "url": js.May(js.URI), "validUntil": js.May(js.UTCDateTime),
		"aliases":  js.May(js.Set(js.NonEmpty)),
		"standard": js.May(js.Array(js.Object(timeZoneRule))), "daylight": js.May(js.Array(js.Object(timeZoneRule)))}}
)

// participantTable is 4.4.6.
func participantTable(draft bool) *js.Type {
	ids := js.May(js.Set(js.ID))
	t := &js.Type{Name: "Participant", Named: true, Props: map[string]js.Prop{
		"name": js.May(js.String), "email": js.May(js.NonEmpty), "description": js.May(js.String), "sendTo": js.May(sendTo),
		"kind":       js.May(js.Enum("individual", "group", "location", "resource")),
		"roles":      js.Need(js.Filled(js.Set(js.Enum("owner", "attendee", "optional", "informational", "chair", "contact")))),
		"locationId": js.May(js.ID), "language": js.May(js.Language),
		"participationStatus":  js.May(js.Enum("needs-action", "accepted", "declined", "tentative", "delegated")),
		"participationComment": js.May(js.String), "expectReply": js.May(js.Bool),
		"scheduleAgent": js.May(js.Enum("server", "client", "none")), "scheduleForceSend": js.May(js.Bool),
		"scheduleSequence": js.May(js.Int(0, js.MaxInt)), "scheduleStatus": js.May(js.Array(js.NonEmpty)),
		"scheduleUpdated": js.May(js.UTCDateTime), "sentBy": js.May(js.NonEmpty), "invitedBy": js.May(js.ID),
		"delegatedTo": ids, "delegatedFrom": ids, "memberOf": ids, "links": js.May(links),
		"progress":        js.May(js.Enum("needs-action", "in-process", "completed", "failed", "cancelled")),
		"progressUpdated": js.May(js.UTCDateTime), "percentComplete": js.May(js.Int(0, 100))}}
	if draft {
		t.Props["roles"] = js.May(t.Props["roles"].Form)
		t.Props["calendarAddress"] = js.May(js.URI)
	}
	return t
}

var sendTo = js.Filled(js.Map(js.Text("a method's name", isAlnum), js.URI)) // 4.4.4

// eventTable is 5.1 with what all objects of JSCalendar have (4) and what JMAP
// adds.
func eventTable(draft bool) *js.Type {
	rules, overrides := js.May(js.Array(js.Object(rule))), js.May(js.Map(js.LocalDateTime, js.Patch))
	t := &js.Type{Name: "Event", Named: true, Verify: verifyEvent, Props: map[string]js.Prop{
		"uid": js.Need(js.NonEmpty), "relatedTo": js.May(js.Map(js.NonEmpty, js.Object(relation))), "prodId": js.May(js.String),
		"created": js.May(js.UTCDateTime), "updated": js.Need(js.UTCDateTime), "sequence": js.May(js.Int(0, js.MaxInt)),
		"method": js.May(lowercase),

		"title": js.May(js.String), "description": js.May(js.String), "descriptionContentType": js.May(js.MediaType),
		"showWithoutTime": js.May(js.Bool), "locations": js.May(js.Map(js.ID, js.Object(location))),
		"virtualLocations": js.May(js.Map(js.ID, js.Object(virtualLocation))), "links": js.May(links), "locale": js.May(js.Language),
		"keywords": js.May(js.Set(js.NonEmpty)), "categories": js.May(js.Set(js.URI)), "color": js.May(js.NonEmpty),

		"recurrenceId": js.May(js.LocalDateTime), "recurrenceIdTimeZone": js.May(js.Nullable(js.TimeZone)),
		"recurrenceRules": rules, "excludedRecurrenceRules": rules, "recurrenceOverrides": overrides, "excluded": js.May(js.Bool),

		"priority": js.May(js.Int(0, 9)), "freeBusyStatus": js.May(js.Enum("free", "busy")),
		"privacy": js.May(js.Enum("public", "private", "secret")), "replyTo": js.May(sendTo), "sentBy": js.May(js.NonEmpty),
		"participants": js.May(js.Map(js.ID, js.Object(participantTable(draft)))), "requestStatus": js.May(js.NonEmpty),
		"useDefaultAlerts": js.May(js.Bool), "alerts": js.May(js.Map(js.ID, js.Object(alert))),
		"localizations": js.May(js.Map(js.Language, js.Patch)),
		"timeZone":      js.May(js.Nullable(js.TimeZone)), "timeZones": js.May(js.Map(js.TimeZone, js.Object(timeZone))),
		"start": js.Need(js.LocalDateTime), "duration": js.May(js.Duration), "status": js.May(js.Enum("confirmed", "cancelled", "tentative")),

		// draft-ietf-jmap-calendars
		"id": js.May(js.NonEmpty), "baseEventId": js.May(js.NonEmpty), "calendarIds": js.May(js.Filled(js.Set(js.NonEmpty))),
		"isDraft": js.May(js.Bool), "isOrigin": js.May(js.Bool), "utcStart": js.May(js.UTCDateTime), "utcEnd": js.May(js.UTCDateTime),
		"mayInviteSelf": js.May(js.Bool), "mayInviteOthers": js.May(js.Bool), "hideAttendees": js.May(js.Bool),
	}, Unpatchable: []string{"@type", "uid", "relatedTo", "prodId", "method", "recurrenceId", "recurrenceIdTimeZone", "recurrenceRules",
		"recurrenceRule", "excludedRecurrenceRules", "recurrenceOverrides", "privacy", "replyTo", "sentBy", "timeZones"}} // 4.3.5
	if draft {
		t.Props["updated"] = js.May(js.UTCDateTime)
		t.Props["recurrenceRule"] = js.May(js.Object(rule))
		t.Props["organizerCalendarAddress"] = js.May(js.URI)
	}
	return t
}

func verifyRule(o map[string]any) (property, reason string) {
	if o["count"] != nil && o["until"] != nil {
		return "count", "a rule has a count or an end, not both"
	}
	return "", ""
}

// verifyEvent is 4.7.1: a zone that is no IANA zone has to be told.
func verifyEvent(o map[string]any) (property, reason string) {
	zones, _ := o["timeZones"].(map[string]any)
	if zone, _ := o["timeZone"].(string); strings.HasPrefix(zone, "/") && zones[zone] == nil {
		return "timeZone", "timeZones does not have this zone (" + zone + ")"
	}
	return "", ""
}
