package jscalendar

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// ToCyrus is a CalendarEvent of the standard, of either dialect, as Cyrus takes
// one in a create, and what of it Cyrus would not keep. calendarId is the first
// of the event's calendars. It fails when it is no event.
//
// Cyrus invites and answers people when it is given an event: see [Quiet].
func ToCyrus(o account.Object) (account.Object, []js.Problem, error) {
	c, err := read(o, "a calendar event")
	if err != nil {
		return nil, nil, err
	}
	if kind := text(c.m, "@type"); kind != "" && kind != event.Name {
		return nil, nil, fmt.Errorf("the object %q is no event but a %q, which Cyrus does not show over JMAP", text(c.m, "uid"), kind)
	}
	c.without(jmapSet)
	for _, p := range []string{"isDraft", "mayInviteSelf", "mayInviteOthers", "hideAttendees", "excluded"} {
		c.drop(p, notKept)
	}
	rule := "recurrenceRules/0"
	if c.m["recurrenceRule"] != nil {
		rule = "recurrenceRule"
	}
	fromDraft(c.m)
	c.m["@type"] = cyrusEvent.Name
	for i, id := range slices.Sorted(maps.Keys(object(c.m, "calendarIds"))) {
		if i == 0 {
			c.m["calendarId"] = id
		} else {
			c.tell(js.Join("calendarIds", id), "Cyrus keeps an event in one calendar")
		}
	}
	delete(c.m, "calendarIds")
	c.oneRule()
	c.zone()
	c.wholeSeconds()
	c.places()
	c.people()
	c.lastOnes()
	c.strings(c.m, "", []string{"duration", "offset"}, soundDuration)
	out, problems, err := c.finish(cyrusEvent, [2]string{"recurrenceRules/0", rule}, [2]string{"recurrenceRule", rule})
	if err != nil {
		return nil, problems, fmt.Errorf("an event for Cyrus: %w", err)
	}
	return out, problems, nil
}

// oneRule makes the one rule of Cyrus's from a list.
func (c *conversion) oneRule() {
	rules, _ := c.m["recurrenceRules"].([]any)
	for i, r := range rules {
		path := fmt.Sprintf("recurrenceRules/%d", i)
		if i > 0 {
			c.tell(path, "Cyrus keeps one rule")
			continue
		}
		c.m["recurrenceRule"] = r
		m, _ := r.(map[string]any)
		if rscale := text(m, "rscale"); text(m, "skip") != "" && text(m, "skip") != "omit" && (rscale == "" || rscale == "gregorian") {
			c.tell(path+"/skip", "Cyrus skips in other calendars than the Gregorian only")
			delete(m, "skip")
		}
	}
	delete(c.m, "recurrenceRules")
}

var midnight = regexp.MustCompile(`T00:00:00(\.0*)?$`)

// zone fits the event's time to what Cyrus keeps: zones of the IANA database,
// and days without time only where the event has no zone and begins at midnight.
func (c *conversion) zone() {
	if zone := text(c.m, "timeZone"); strings.HasPrefix(zone, "/") {
		c.tell("timeZone", "Cyrus takes no zones of an event's own (%s): its time became that of any place", zone)
		delete(c.m, "timeZone")
	}
	if c.m["timeZone"] == nil {
		for id, l := range inner(c.m, "locations") {
			if l["timeZone"] != nil {
				c.tell(js.Join(js.Join("locations", id), "timeZone"), "Cyrus takes none where the event has none")
				delete(l, "timeZone")
			}
		}
	}
	if c.m["showWithoutTime"] == true &&
		(c.m["timeZone"] != nil || !midnight.MatchString(text(c.m, "start")) || strings.Contains(durationOf(c.m), "T")) {
		c.tell("showWithoutTime", "Cyrus has whole days without a time zone only")
		delete(c.m, "showWithoutTime")
	}
	if c.m["showWithoutTime"] == nil {
		c.m["showWithoutTime"] = false // else Cyrus makes a whole day of what begins at midnight
	}
	if c.m["locale"] != nil && text(c.m, "title") == "" {
		c.drop("locale", "Cyrus keeps it with the title, which is empty")
	}
}

// durationOf is the duration, without the zero that is written with a time.
func durationOf(m map[string]any) string {
	return strings.TrimSuffix(text(m, "duration"), "PT0S")
}

var fraction = regexp.MustCompile(`\.\d+`)

// wholeSeconds takes fractions of a second off, as Cyrus would.
func (c *conversion) wholeSeconds() {
	names := []string{"start", "duration", "offset", "until", "when", "created", "updated", "acknowledged", "scheduleUpdated"}
	c.strings(c.m, "", names, func(path, s string) string {
		whole := fraction.ReplaceAllString(s, "")
		if whole != s {
			c.tell(path, "Cyrus keeps whole seconds (%s)", s)
		}
		return whole
	})
}

// places gives each location a name: Cyrus makes up a bad one. Of the names of
// all locations but the first Cyrus keeps what stands behind the last comma.
func (c *conversion) places() {
	first := true
	for id, l := range inner(c.m, "locations") {
		c.nameOf(id, l)
		if name := text(l, "name"); !first && strings.Contains(name, ",") {
			l["name"] = strings.ReplaceAll(name, ",", "")
			c.tell(js.Join(js.Join("locations", id), "name"), "without its commas, at which Cyrus cuts it (%q)", name)
		}
		first = false
	}
}

func (c *conversion) nameOf(id string, l map[string]any) {
	if text(l, "name") == "" {
		path := js.Join(js.Join("locations", id), "name")
		for _, p := range []string{"description", "coordinates", "timeZone"} {
			if s := text(l, p); s != "" {
				l["name"] = s
				c.tell(path, "Cyrus needs a name: %q", s)
				return
			}
		}
	}
}

// people gives each participant an address, and the event an organizer, without
// which Cyrus takes no participants.
func (c *conversion) people() {
	owner := map[string]any(nil)
	for id, p := range inner(c.m, "participants") {
		if email := text(p, "email"); email != "" && object(p, "sendTo") == nil {
			p["sendTo"] = map[string]any{"imip": "mailto:" + email}
			c.tell(js.Join(js.Join("participants", id), "sendTo"), "Cyrus needs one: made of the email address")
		}
		for _, property := range []string{"delegatedTo", "delegatedFrom", "memberOf"} {
			c.known(js.Join(js.Join("participants", id), property), p, property)
		}
		if object(p, "roles")["owner"] == true && owner == nil {
			owner = object(p, "sendTo")
		}
	}
	people := len(object(c.m, "participants")) > 0
	switch {
	case people && object(c.m, "replyTo") == nil && owner != nil:
		c.m["replyTo"] = js.Clone(owner)
		c.tell("replyTo", "Cyrus needs one: that of the owner")
	case people && object(c.m, "replyTo") == nil:
		c.drop("participants", "Cyrus takes none without replyTo")
	case !people:
		c.drop("replyTo", "Cyrus takes none without participants")
	}
}

// known takes out participants that the event does not have: Cyrus would refuse
// all of it.
func (c *conversion) known(path string, p map[string]any, property string) {
	ids := object(p, property)
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if object(c.m, "participants")[id] == nil {
			c.tell(js.Join(path, id), "the event has no such participant")
			delete(ids, id)
		}
	}
	if len(ids) == 0 {
		delete(p, property)
	}
}

// lastOnes writes patches that take the last entry out of a map as ones that take
// the map out: Cyrus refuses an empty map.
func (c *conversion) lastOnes() {
	for _, patch := range inner(c.m, "recurrenceOverrides") {
		for _, property := range keyed {
			var removed []string
			left := len(object(c.m, property))
			for pointer, v := range patch {
				if names := js.Split(pointer); len(names) != 2 || names[0] != property {
					continue
				} else if _, has := object(c.m, property)[names[1]]; has && v == nil {
					removed = append(removed, pointer)
				} else if !has && v != nil {
					left++
				}
			}
			if len(removed) == 0 || left > len(removed) {
				continue
			}
			for _, pointer := range removed {
				delete(patch, pointer)
			}
			patch[property] = nil
		}
	}
}
