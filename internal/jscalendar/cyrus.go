package jscalendar

import (
	"maps"
	"strings"

	js "mailhaul/internal/jsschema"
)

// What Cyrus 3.6 answers for a CalendarEvent and keeps of one, as it was seen
// to; docs/types/calendars.md has the findings.

// serverSet are properties that Cyrus sets itself.
var serverSet = []string{"id", "blobId", "debugBlobId", "x-href", "participantId"}

// jmapSet are properties that servers of the standard set themselves.
var jmapSet = []string{"id", "baseEventId", "isOrigin", "utcStart", "utcEnd"}

const notKept = "Cyrus does not keep it"

func kept(name string, props map[string]js.Prop) *js.Type {
	return &js.Type{Name: name, Named: true, Closed: true, Unknown: notKept, Props: props}
}

var (
	cyrusRelation = kept("Relation", map[string]js.Prop{"relation": js.May(js.Set(notChild))})
	// A relation "child" comes back as "parent", which is worse than none.
	notChild  = js.Text("a relation that Cyrus keeps (child becomes parent there)", func(s string) bool { return s != "child" })
	cyrusLink = kept("Link", map[string]js.Prop{"href": js.Need(js.NonEmpty), "cid": link.Props["cid"], "contentType": js.May(js.String),
		"title": link.Props["title"], "size": link.Props["size"], "rel": link.Props["rel"], "display": link.Props["display"]})
	// A location without a name comes back with the name "ERROR: No Value".
	cyrusLocation = kept("Location", map[string]js.Prop{"name": js.Need(js.NonEmpty), "description": js.May(js.String),
		"relativeTo": location.Props["relativeTo"], "timeZone": location.Props["timeZone"], "coordinates": location.Props["coordinates"]})
	cyrusVirtual = kept("VirtualLocation", map[string]js.Prop{"name": js.May(js.String), "description": js.May(js.String),
		"uri": js.Need(js.NonEmpty)})
	cyrusAlert = kept("Alert", map[string]js.Prop{"trigger": alert.Props["trigger"], "acknowledged": alert.Props["acknowledged"],
		"action": js.May(js.Exactly("display", "email")), "relatedTo": js.May(js.Map(js.NonEmpty, js.Object(cyrusRelation)))})
	cyrusParticipant = kept("Participant", cyrusParticipantProps())
	cyrusEvent       = cyrusEventTable()
)

func cyrusParticipantProps() map[string]js.Prop {
	all, props := participantTable(false).Props, map[string]js.Prop{}
	for _, p := range []string{"name", "email", "kind", "roles", "locationId", "participationComment", "expectReply",
		"delegatedTo", "delegatedFrom", "memberOf", "scheduleSequence", "scheduleUpdated"} {
		props[p] = all[p]
	}
	props["sendTo"] = js.Need(sendTo) // without it the participant is refused
	props["participationStatus"] = js.May(js.Exactly("needs-action", "accepted", "declined", "tentative"))
	return props
}

func cyrusEventTable() *js.Type {
	all := eventTable(false)
	t := kept("jsevent", map[string]js.Prop{})
	for _, p := range []string{"uid", "prodId", "created", "updated", "sequence", "title", "description", "showWithoutTime", "locale",
		"color", "recurrenceOverrides", "excluded", "priority", "replyTo", "useDefaultAlerts", "timeZone", "start", "duration"} {
		t.Props[p] = all.Props[p]
	}
	t.Props["updated"] = js.May(js.UTCDateTime)
	t.Props["descriptionContentType"] = js.May(js.Exactly("text/plain"))
	t.Props["keywords"] = js.May(js.Set(js.Text("a keyword without a comma, at which Cyrus splits it",
		func(s string) bool { return s != "" && !strings.Contains(s, ",") })))
	t.Props["freeBusyStatus"] = js.May(js.Exactly("free", "busy"))
	t.Props["privacy"] = js.May(js.Exactly("public", "private", "secret"))
	t.Props["status"] = js.May(js.Exactly("confirmed", "cancelled", "tentative"))
	t.Props["relatedTo"] = js.May(js.Map(js.NonEmpty, js.Object(cyrusRelation)))
	t.Props["locations"] = js.May(js.Map(js.ID, js.Object(cyrusLocation)))
	t.Props["virtualLocations"] = js.May(js.Map(js.ID, js.Object(cyrusVirtual)))
	t.Props["links"] = js.May(js.Map(js.ID, js.Object(cyrusLink)))
	t.Props["alerts"] = js.May(js.Map(js.ID, js.Object(cyrusAlert)))
	t.Props["participants"] = js.May(js.Map(js.ID, js.Object(cyrusParticipant)))
	t.Props["recurrenceRule"] = js.May(js.Object(cyrusRule()))
	t.Props["calendarId"] = js.May(js.NonEmpty)
	t.Unpatchable = append([]string{"calendarId", "recurrenceRule"}, all.Unpatchable...)
	return t
}

// cyrusRule is the rule without leap seconds, which Cyrus refuses.
func cyrusRule() *js.Type {
	r := *rule
	r.Props = maps.Clone(rule.Props)
	r.Props["bySecond"] = js.May(js.Array(js.Int(0, 59)))
	return &r
}
