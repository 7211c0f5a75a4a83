package jscalendar

import (
	"fmt"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// FromCyrus is a CalendarEvent of Cyrus's as one of RFC 8984 that validates, and
// what of it could not be kept. It fails when what every event has is missing:
// uid and start.
func FromCyrus(o account.Object) (account.Object, []js.Problem, error) {
	c, err := read(o, "an event of Cyrus")
	if err != nil {
		return nil, nil, err
	}
	if c.m["uid"] == nil {
		c.m["uid"] = c.m["id"] // which is the same on Cyrus
	}
	c.without(serverSet)
	if kind := text(c.m, "@type"); kind != "" && kind != cyrusEvent.Name && kind != event.Name {
		return nil, nil, fmt.Errorf("the object %q of Cyrus is no event but a %q", text(c.m, "uid"), kind)
	}
	c.m["@type"] = event.Name
	if id, ok := c.m["calendarId"].(string); ok {
		c.m["calendarIds"] = map[string]any{id: true}
	}
	delete(c.m, "calendarId")
	if rule := c.m["recurrenceRule"]; rule != nil {
		c.m["recurrenceRules"] = []any{rule}
	}
	delete(c.m, "recurrenceRule")
	c.drop("method", "an event on a server has none")
	if c.m["updated"] == nil {
		c.m["updated"] = c.m["created"]
	}
	if c.m["updated"] == nil {
		c.m["updated"] = "1970-01-01T00:00:00Z" // RFC 8984 §4.1.6 insists on one
	}
	c.strings(c.m, "", []string{"duration", "offset"}, soundDuration)
	c.strings(c.m, "", []string{"href"}, c.soundHref)
	c.soundIDs(c.m, "", "")
	return c.finish(event, [2]string{"recurrenceRules/0", "recurrenceRule"}, [2]string{"calendarIds", "calendarId"})
}
