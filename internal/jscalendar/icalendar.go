package jscalendar

import (
	"slices"
	"strings"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// shown are the properties of an iCalendar object's components that Cyrus shows
// in a CalendarEvent, and those that say nothing more.
var shown = map[string][]string{
	"VEVENT": {"UID", "DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE", "SUMMARY", "DESCRIPTION", "DTSTART", "DTEND", "DURATION", "RRULE",
		"EXDATE", "RDATE", "LOCATION", "GEO", "URL", "CONFERENCE", "CATEGORIES", "COLOR", "PRIORITY", "CLASS", "STATUS", "TRANSP", "ORGANIZER",
		"ATTENDEE", "ATTACH", "RELATED-TO", "RECURRENCE-ID"},
	"VALARM": {"UID", "ACTION", "TRIGGER", "ACKNOWLEDGED", "RELATED-TO", "DESCRIPTION", "SUMMARY"},
}

// Unshown tells what the iCalendar object of an event (the CalendarEvent's
// blobId) has beyond what Cyrus shows of it: each property once, as
// "iCalendar/NAME", and a time zone that Cyrus could not name.
func Unshown(event account.Object, icalendar []byte) []js.Problem {
	var told []js.Problem
	tell := func(path, reason string) {
		if p := (js.Problem{Property: path, Reason: reason}); !slices.Contains(told, p) {
			told = append(told, p)
		}
	}
	const notShown = "Cyrus does not show it; it is in the event's iCalendar object"
	var within []string
	rules := 0
	for _, l := range js.Lines(icalendar) {
		component := ""
		if len(within) > 0 {
			component = within[len(within)-1]
		}
		names := shown[component]
		switch {
		case l.Name == "BEGIN":
			within = append(within, strings.ToUpper(l.Value))
			rules = 0
		case l.Name == "END":
			within = within[:max(0, len(within)-1)]
		case names == nil || strings.HasPrefix(l.Name, "X-JMAP-"):
		case !slices.Contains(names, l.Name):
			tell(js.Join("iCalendar", l.Name), notShown)
		case l.Name == "ATTACH" && strings.Contains(strings.ToUpper(l.Params), "BINARY"):
			tell("iCalendar/ATTACH", notShown)
		case l.Name == "RRULE":
			if rules++; rules > 1 {
				tell("iCalendar/RRULE", "Cyrus shows one rule; the others are in the event's iCalendar object")
			}
		case l.Name == "DTSTART" && strings.Contains(l.Params, "TZID=") && !event.Has("timeZone"):
			tell("timeZone", "Cyrus can't name the event's time zone and shows its time as that of any place ("+strings.TrimPrefix(l.Params, ";")+")")
		}
	}
	return told
}
