package jscalendar

import (
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// calendarKept are the properties of a Calendar that mean the same on Cyrus and
// in the standard (draft-ietf-jmap-calendars §4).
var calendarKept = []string{"name", "color", "sortOrder", "isVisible", "isSubscribed"}

// calendarSet are what the servers set themselves: the rights of who asks, which
// Cyrus has beside each other and the standard in myRights, and the addresses at
// which the account is invited.
var calendarSet = []string{"id", "x-href", "scheduleAddressSet", "isDefault", "myRights"}

// CalendarFromCyrus is a Calendar of Cyrus's as one of the standard, and what of
// it could not be kept.
func CalendarFromCyrus(o account.Object) (account.Object, []js.Problem, error) {
	return calendar(o, "a calendar of the standard has no place for it")
}

// CalendarToCyrus is a Calendar of the standard as Cyrus takes one in a create.
func CalendarToCyrus(o account.Object) (account.Object, []js.Problem, error) {
	return calendar(o, "Cyrus does not take it")
}

func calendar(o account.Object, reason string) (account.Object, []js.Problem, error) {
	c, err := read(o, "a calendar")
	if err != nil {
		return nil, nil, err
	}
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(c.m)) {
		switch v := c.m[name]; {
		case v == nil || slices.Contains(calendarSet, name) || strings.HasPrefix(name, "may"):
		case slices.Contains(calendarKept, name):
			out[name] = v
		case name == "shareWith":
			c.tell(name, "rights are other ones on each kind of server: share it anew")
		default:
			c.tell(name, "%s", reason)
		}
	}
	return js.Encode(out), c.problems, nil
}
