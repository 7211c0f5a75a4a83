package jscalendar

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// conversion is one object on its way to another form, changed in its place.
type conversion struct {
	m        map[string]any
	problems []js.Problem
}

func read(o account.Object, what string) (*conversion, error) {
	m, err := js.Decode(o)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	return &conversion{m: m}, nil
}

func (c *conversion) tell(path, format string, args ...any) {
	c.problems = append(c.problems, js.Problem{Property: path, Reason: fmt.Sprintf(format, args...)})
}

// drop takes a property out and tells of it, if it was there and said something.
func (c *conversion) drop(property, reason string) {
	if v := c.m[property]; v != nil && v != false {
		c.tell(property, "%s", reason)
	}
	delete(c.m, property)
}

func (c *conversion) without(properties []string) {
	for _, p := range properties {
		delete(c.m, p)
	}
}

// finish holds what came out to its table. What is told of a property goes by
// the name that the object had for it: renamed pairs those of what came out with
// those.
func (c *conversion) finish(t *js.Type, renamed ...[2]string) (account.Object, []js.Problem, error) {
	problems, ok := js.Repair(t, c.m)
	c.problems = append(c.problems, problems...)
	for i, p := range c.problems {
		for _, r := range renamed {
			if rest, found := strings.CutPrefix(p.Property, r[0]); found && (rest == "" || rest[0] == '/') {
				c.problems[i].Property = r[1] + rest
				break
			}
		}
	}
	if !ok {
		return nil, c.problems, fmt.Errorf("it can't be made a sound %s: %v", t.Name, problems)
	}
	return js.Encode(c.m), c.problems, nil
}

func object(m map[string]any, property string) map[string]any {
	o, _ := m[property].(map[string]any)
	return o
}

func text(m map[string]any, property string) string {
	s, _ := m[property].(string)
	return s
}

// inner are the objects in a map, by id.
func inner(m map[string]any, property string) func(func(string, map[string]any) bool) {
	entries := object(m, property)
	return func(yield func(string, map[string]any) bool) {
		for _, id := range slices.Sorted(maps.Keys(entries)) {
			if e, ok := entries[id].(map[string]any); ok && !yield(id, e) {
				return
			}
		}
	}
}

// strings rewrites each string in a value that is under one of some names, or
// under a patch's pointer that ends in one.
func (c *conversion) strings(v any, path string, names []string, rewrite func(path, s string) string) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			at := js.Join(path, k)
			if s, ok := v[k].(string); ok && slices.Contains(names, k[strings.LastIndexByte(k, '/')+1:]) {
				v[k] = rewrite(at, s)
			} else {
				c.strings(v[k], at, names, rewrite)
			}
		}
	case []any:
		for i, e := range v {
			c.strings(e, js.Join(path, fmt.Sprint(i)), names, rewrite)
		}
	}
}

var missingMinutes = regexp.MustCompile(`^([+-]?P.*T\d+H)(\d+(?:\.\d+)?S)$`)

// soundDuration writes a duration as RFC 8984 §1.4.6 wants it: seconds after
// hours need minutes, which Cyrus leaves out when there are none.
func soundDuration(_, s string) string {
	return missingMinutes.ReplaceAllString(s, "${1}0M$2")
}

var host = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}([/?#][^\x00-\x20]*)?$`)

// soundHref gives a web address its scheme.
func (c *conversion) soundHref(path, s string) string {
	if js.Fits(js.URI, s) || !host.MatchString(s) {
		return s
	}
	c.tell(path, "written as https://%s: a link needs its scheme", s)
	return "https://" + s
}

// keyed are maps whose keys have to be ids; those from alerts come from UIDs of
// iCalendar, which may have any characters.
var keyed = []string{"alerts", "participants", "locations", "virtualLocations", "links", "delegatedTo", "delegatedFrom", "memberOf"}

// soundIDs gives other ids to entries whose own are none, and names them so
// wherever they are named.
func (c *conversion) soundIDs(v any, path string, under string) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		at := js.Join(path, k)
		c.soundIDs(m[k], at, k)
		if s, ok := m[k].(string); ok && (k == "invitedBy" || k == "locationId") {
			m[k] = soundID(s)
			continue
		}
		id := k
		if slices.Contains(keyed, under) || under == "relatedTo" && strings.HasPrefix(path, "alerts/") {
			id = soundID(k)
		} else if names := js.Split(k); strings.HasPrefix(path, "recurrenceOverrides/") && len(names) > 1 && slices.Contains(keyed, names[0]) {
			names[1] = soundID(names[1])
			id = ""
			for _, n := range names {
				id = js.Join(id, n)
			}
		}
		if id != k {
			c.tell(at, "renamed to %q: an id must not have such characters", id)
			m[id] = m[k]
			delete(m, k)
		}
	}
}

func soundID(id string) string {
	if js.Fits(js.ID, id) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "x" + hex.EncodeToString(sum[:16])
}
