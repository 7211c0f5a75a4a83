package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/internal/jscalendar"
	"mailhaul/internal/jscontact"
)

// line is one of what a person wants to know of an object.
type line struct{ name, value string }

// readable is an object for a person, its name first; nothing for types that are
// shown as they are.
func readable(t account.Type, o account.Object) []line {
	switch t.Name {
	case account.Contact.Name:
		if card, _, err := jscontact.FromCyrus(o); err == nil {
			return cardLines(card)
		}
	case account.ContactCard.Name:
		return cardLines(o)
	case account.CalendarEvent.Name:
		if !o.Has("calendarId") { // the standard's
			return eventLines(o)
		}
		if event, _, err := jscalendar.FromCyrus(o); err == nil {
			return eventLines(event)
		}
	}
	return nil
}

// inOneLine is the object for a listing.
func inOneLine(lines []line) string {
	var words []string
	for _, l := range lines {
		if l.value != "" {
			words = append(words, l.value)
		}
	}
	return strings.Join(words, ", ")
}

// cardLines are the name, addresses and phones of a JSContact card (RFC 9553).
func cardLines(o account.Object) []line {
	var card struct {
		Name struct {
			Full       string
			Components []struct{ Kind, Value string }
		}
		Organizations, Titles, Nicknames map[string]struct{ Name string }
		Emails                           map[string]struct{ Address string }
		Phones                           map[string]struct{ Number string }
		Addresses                        map[string]struct {
			Full       string
			Components []struct{ Value string }
		}
		Members map[string]bool
	}
	_ = json.Unmarshal(o.Encode(), &card) // what is of another kind reads as none
	var parts []string
	for _, c := range card.Name.Components {
		if c.Kind != "separator" {
			parts = append(parts, c.Value)
		}
	}
	organizations := values(card.Organizations, func(n struct{ Name string }) string { return n.Name })
	addresses := values(card.Addresses, func(a struct {
		Full       string
		Components []struct{ Value string }
	}) string {
		var parts []string
		for _, c := range a.Components {
			parts = append(parts, c.Value)
		}
		return cmp.Or(a.Full, strings.Join(parts, " "))
	})
	lines := []line{
		{"name", cmp.Or(card.Name.Full, strings.Join(parts, " "), values(card.Nicknames, func(n struct{ Name string }) string { return n.Name }), organizations)},
		{"email", values(card.Emails, func(e struct{ Address string }) string { return e.Address })},
		{"phone", values(card.Phones, func(p struct{ Number string }) string { return p.Number })},
		{"organization", organizations},
		{"title", values(card.Titles, func(n struct{ Name string }) string { return n.Name })},
		{"address", addresses},
	}
	if o.Text("kind") == "group" {
		lines = append(lines, line{"group", plural(int64(len(card.Members)), "member", "members")})
	}
	return lines
}

// eventLines are the title, time and recurrence of a JSCalendar event (RFC 8984).
func eventLines(o account.Object) []line {
	type rule struct {
		Frequency string
		Interval  int
		Count     int
		Until     string
	}
	var event struct {
		RecurrenceRule  *rule // of the draft
		RecurrenceRules []rule
		Locations       map[string]struct{ Name string }
		Participants    map[string]struct{ Name, Email string }
	}
	_ = json.Unmarshal(o.Encode(), &event)
	if event.RecurrenceRule != nil {
		event.RecurrenceRules = append(event.RecurrenceRules, *event.RecurrenceRule)
	}
	start := strings.TrimSpace(strings.Replace(o.Text("start"), "T", " ", 1) + " " + o.Text("timeZone"))
	if o.Bool("showWithoutTime") {
		start, _, _ = strings.Cut(o.Text("start"), "T")
	}
	var rules []string
	for _, r := range event.RecurrenceRules {
		words := r.Frequency
		if r.Interval > 1 {
			words = fmt.Sprintf("%s, every %d", r.Frequency, r.Interval)
		}
		if r.Count > 0 {
			words += ", " + plural(int64(r.Count), "time", "times")
		}
		if r.Until != "" {
			words += " until " + r.Until
		}
		rules = append(rules, words)
	}
	return []line{
		{"title", cmp.Or(o.Text("title"), "(no title)")},
		{"start", start},
		{"duration", o.Text("duration")},
		{"recurrence", strings.Join(rules, "; ")},
		{"place", values(event.Locations, func(l struct{ Name string }) string { return l.Name })},
		{"people", values(event.Participants, func(p struct{ Name, Email string }) string { return cmp.Or(p.Name, p.Email) })},
	}
}

// values are what the entries of a map say, in the order of their keys.
func values[T any](m map[string]T, say func(T) string) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if s := strings.TrimSpace(say(m[k])); s != "" {
			list = append(list, s)
		}
	}
	return strings.Join(list, ", ")
}

// countInWords is for types that have too many objects to name each.
func countInWords(t account.Type, n, bytes int64) string {
	if t.Blob != "" {
		return fmt.Sprintf("%s %d, %s", t.Name, n, size(bytes))
	}
	return fmt.Sprintf("%s %d", t.Name, n)
}

func otherInWords(t account.Type, o account.Object) string {
	if lines := readable(t, o); lines != nil {
		return strings.TrimSpace(t.Name + " " + inOneLine(lines))
	}
	switch t.Name {
	case account.Identity.Name:
		return fmt.Sprintf("Identity %s <%s>", o.Text("name"), o.Text("email"))
	case account.SieveScript.Name:
		if o.Bool("isActive") {
			return fmt.Sprintf("Sieve script %q, active", o.Text("name"))
		}
		return fmt.Sprintf("Sieve script %q", o.Text("name"))
	case account.VacationResponse.Name:
		if o.Bool("isEnabled") {
			return "Vacation response, on: " + o.Text("subject")
		}
		return "Vacation response, off"
	}
	return strings.TrimSpace(t.Name + " " + cmp.Or(o.Text("name"), o.Text("title"), o.Text("calendarAddress")))
}
