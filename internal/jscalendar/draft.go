package jscalendar

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// ToDraft is an event of RFC 8984 as its successor draft writes it, which
// Stalwart 0.15 and 0.16 speak: one recurrenceRule instead of the list (they
// refuse recurrenceRules), calendarAddress and organizerCalendarAddress instead
// of sendTo and replyTo; and what the draft has no place for.
func ToDraft(o account.Object) (account.Object, []js.Problem, error) {
	c, err := read(o, "a calendar event")
	if err != nil {
		return nil, nil, err
	}
	c.toDraft()
	return js.Encode(c.m), c.problems, nil
}

func (c *conversion) toDraft() {
	rules, _ := c.m["recurrenceRules"].([]any)
	for i, r := range rules {
		if i == 0 {
			c.m["recurrenceRule"] = r
		} else {
			c.tell(fmt.Sprintf("recurrenceRules/%d", i), "the server keeps one rule")
		}
	}
	delete(c.m, "recurrenceRules")
	c.drop("excludedRecurrenceRules", "the server has none")
	c.address(c.m, "replyTo", "organizerCalendarAddress", "")
	for id, p := range inner(c.m, "participants") {
		c.address(p, "sendTo", "calendarAddress", js.Join("participants", id))
	}
	for at, patch := range inner(c.m, "recurrenceOverrides") {
		c.draftPatch(js.Join("recurrenceOverrides", at), patch)
	}
}

// draftPatch renames what a patch of participants names.
func (c *conversion) draftPatch(path string, patch map[string]any) {
	for id, p := range inner(patch, "participants") {
		c.address(p, "sendTo", "calendarAddress", js.Join(js.Join(path, "participants"), id))
	}
	for _, pointer := range slices.Sorted(maps.Keys(patch)) {
		v, names := patch[pointer], js.Split(pointer)
		if p, ok := v.(map[string]any); ok && names[0] == "participants" && len(names) == 2 {
			c.address(p, "sendTo", "calendarAddress", js.Join(path, pointer))
		} else if names[0] == "participants" && len(names) > 2 && names[2] == "sendTo" {
			c.tell(js.Join(path, pointer), "the server has one address for each participant")
			delete(patch, pointer)
		}
	}
}

// address puts the one address that the draft has in the place of many.
func (c *conversion) address(m map[string]any, old, now, path string) {
	methods := object(m, old)
	if methods == nil {
		return
	}
	for _, method := range slices.Sorted(maps.Keys(methods)) {
		if s, ok := methods[method].(string); ok && (method == "imip" || len(methods) == 1) {
			m[now] = s
		} else {
			c.tell(js.Join(js.Join(path, old), method), "the server has one address for each")
		}
	}
	delete(m, old)
}

// FromDraft is an event of the successor draft as RFC 8984 writes it.
func FromDraft(o account.Object) (account.Object, error) {
	c, err := read(o, "a calendar event")
	if err != nil {
		return nil, err
	}
	fromDraft(c.m)
	return js.Encode(c.m), nil
}

func fromDraft(m map[string]any) {
	if rule := m["recurrenceRule"]; rule != nil && m["recurrenceRules"] == nil {
		m["recurrenceRules"] = []any{rule}
	}
	delete(m, "recurrenceRule")
	methods(m, "organizerCalendarAddress", "replyTo")
	for _, p := range inner(m, "participants") {
		participant(p)
	}
	for _, patch := range inner(m, "recurrenceOverrides") {
		for pointer, v := range patch {
			if p, ok := v.(map[string]any); ok && len(js.Split(pointer)) == 2 && js.Split(pointer)[0] == "participants" {
				participant(p)
			}
		}
		for _, p := range inner(patch, "participants") {
			participant(p)
		}
	}
}

// participant gives a participant the roles that RFC 8984 insists on: Stalwart
// leaves out those of a mere attendee.
func participant(p map[string]any) {
	methods(p, "calendarAddress", "sendTo")
	if p["roles"] == nil {
		p["roles"] = map[string]any{"attendee": true}
	}
}

// methods names the method of an address: imip for mail, other for the rest.
func methods(m map[string]any, now, old string) {
	address := text(m, now)
	if delete(m, now); address == "" || m[old] != nil {
		return
	}
	method := "other"
	if strings.HasPrefix(strings.ToLower(address), "mailto:") {
		method = "imip"
	}
	m[old] = map[string]any{method: address}
}
