package jscalendar

import (
	"slices"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// needed are properties that no event can be without: where one is refused,
// the event is.
var needed = []string{"@type", "uid", "start", "calendarIds", "calendarId"}

// draftOf are properties that a server refuses because it speaks the other
// dialect.
var draftOf = []string{"recurrenceRules", "excludedRecurrenceRules", "replyTo", "sendTo"}

// Without is an event the way a server takes it that refused a property, named
// as the server named it: in the successor draft's words where these say the
// same ([ToDraft]), else less the property. It is not ok when nothing can be
// taken out: then the event itself is refused.
func Without(o account.Object, refused string) (rest account.Object, told []js.Problem, ok bool) {
	c, err := read(o, "a calendar event")
	if err != nil || slices.Contains(needed, refused) {
		return nil, nil, false
	}
	names := js.Split(refused)
	if last := names[len(names)-1]; slices.Contains(draftOf, last) && c.m["@type"] != cyrusEvent.Name {
		before := c.m
		c.m = js.Clone(c.m).(map[string]any)
		if c.toDraft(); !js.Encode(before).Equal(js.Encode(c.m)) {
			return js.Encode(c.m), c.problems, true
		}
	}
	path := js.Remove(c.m, refused)
	if path == "" || slices.Contains(needed, path) {
		return nil, nil, false
	}
	c.tell(path, "the server does not take it")
	return js.Encode(c.m), c.problems, true
}
