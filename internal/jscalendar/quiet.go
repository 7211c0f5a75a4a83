package jscalendar

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// Quiet is an event for Cyrus that makes it write to nobody. Cyrus 3.6 refuses
// sendSchedulingMessages, and a create by JMAP invites the participants of an
// event that the account organizes, and answers the organizer of one that the
// account takes part in and has accepted, declined or left open; it does so for
// events that are not over. scheduleAgent does not keep it from that.
//
// own are the account's addresses (scheduleAddressSet of its calendars:
// "mailto:alice@example.org"). Of an event that the account organizes the
// participants are left out; where it takes part, its answer is. Both are told.
func Quiet(o account.Object, own []string, now time.Time) (account.Object, []js.Problem) {
	c, err := read(o, "an event for Cyrus")
	if err != nil || over(c.m, now) {
		return o, nil
	}
	mine := func(methods map[string]any) bool {
		for _, v := range methods {
			s, _ := v.(string)
			if slices.ContainsFunc(own, func(a string) bool { return strings.EqualFold(a, s) }) {
				return true
			}
		}
		return false
	}
	if mine(object(c.m, "replyTo")) {
		if len(object(c.m, "participants")) > 1 || mentionsPeople(c.m) {
			c.drop("participants", "left out: Cyrus would invite them again")
			c.drop("replyTo", "left out: Cyrus would invite the participants again")
			c.dropPatches("left out: Cyrus would invite them again", func(string, any) bool { return true })
		}
		return js.Encode(c.m), c.problems
	}
	for id, p := range inner(c.m, "participants") {
		if mine(object(p, "sendTo")) && text(p, "participationStatus") != "" && text(p, "participationStatus") != "needs-action" {
			c.tell(js.Join(js.Join("participants", id), "participationStatus"), "left out: Cyrus would answer the organizer again (%s)",
				text(p, "participationStatus"))
			p["participationStatus"] = "needs-action"
		}
	}
	c.dropPatches("left out: Cyrus would answer the organizer again", func(pointer string, v any) bool {
		_, whole := v.(map[string]any)
		return whole || strings.HasSuffix(pointer, "/participationStatus")
	})
	return js.Encode(c.m), c.problems
}

// mentionsPeople says whether a patch has participants.
func mentionsPeople(m map[string]any) bool {
	for _, patch := range inner(m, "recurrenceOverrides") {
		for pointer := range patch {
			if js.Split(pointer)[0] == "participants" {
				return true
			}
		}
	}
	return false
}

// dropPatches takes patches of participants out that which says to.
func (c *conversion) dropPatches(reason string, which func(pointer string, v any) bool) {
	for at, patch := range inner(c.m, "recurrenceOverrides") {
		for _, pointer := range slices.Sorted(maps.Keys(patch)) {
			if js.Split(pointer)[0] == "participants" && which(pointer, patch[pointer]) {
				c.tell(js.Join(js.Join("recurrenceOverrides", at), pointer), "%s", reason)
				delete(patch, pointer)
			}
		}
	}
}

// margin is for the zones of the world, twice.
const margin = 48 * time.Hour

// over says whether an event is surely over. One that recurs is not.
func over(m map[string]any, now time.Time) bool {
	start, err := time.Parse("2006-01-02T15:04:05", text(m, "start"))
	if err != nil || m["recurrenceRule"] != nil || m["recurrenceRules"] != nil || m["recurrenceOverrides"] != nil {
		return false
	}
	return start.Add(lasts(text(m, "duration")) + margin).Before(now)
}

var part = regexp.MustCompile(`(\d+)([WDHMS])`)

// lasts is a duration's length, at the most.
func lasts(s string) time.Duration {
	units := map[string]time.Duration{"W": 7 * 24 * time.Hour, "D": 24 * time.Hour, "H": time.Hour, "M": time.Minute, "S": time.Second}
	var d time.Duration
	for _, p := range part.FindAllStringSubmatch(s, -1) {
		n, err := strconv.Atoi(p[1])
		if err != nil || n > 1e6 {
			return 1 << 60 // so long that it is not over
		}
		d += time.Duration(n) * units[p[2]]
	}
	return d
}
