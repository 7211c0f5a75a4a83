package jscontact

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// ToCyrus is a ContactCard as Cyrus takes a Contact in a create, and what of the
// card the Contact does not say. addressbookId is the first of the card's
// address books, the avatar's blobId the photo's: both as the card has them. A
// photo that is a data: URI has to become a blob first ([Uploads]). It fails on
// cards of kind group, which [GroupToCyrus] takes, and on cards without a uid.
func ToCyrus(o account.Object) (account.Object, []js.Problem, error) {
	c, err := read(o)
	if err != nil {
		return nil, nil, err
	}
	if c.from["kind"] == "group" {
		return nil, nil, fmt.Errorf("the card %q is a group and can't become a Contact of Cyrus", c.from["uid"])
	}
	if kind := c.take("kind"); kind != nil && kind != "individual" {
		c.tell("kind", "Cyrus has only people (%q)", kind)
	}
	c.toName()
	c.toWork()
	c.toDates()
	c.toInformation("emails", "address", emailContexts)
	c.toInformation("phones", "number", phoneUses)
	c.toOnline()
	c.toAddresses()
	c.toNotes()
	c.toAvatar()
	if keywords, ok := c.from["keywords"].(map[string]any); ok && keywords[flagged] == true {
		c.to["isFlagged"] = true
		if delete(keywords, flagged); len(keywords) == 0 {
			delete(c.from, "keywords")
		}
	}
	c.rest("", c.from)
	return c.finish(cyrusContact)
}

// read begins the conversion of a card: with what every object for Cyrus has.
func read(o account.Object) (*conversion, error) {
	m, err := js.Decode(o)
	if err != nil {
		return nil, fmt.Errorf("reading a contact card: %w", err)
	}
	c := &conversion{from: m, to: map[string]any{}}
	without(m, []string{"id"})
	m["@type"], m["version"] = card.Name, "1.0" // whatever version: what Cyrus has is in all of them
	if !c.repair("", card, m) {
		return nil, fmt.Errorf("it is no contact card: %v", c.problems)
	}
	delete(m, "version")
	c.to["uid"] = c.take("uid")
	for i, book := range slices.Sorted(maps.Keys(c.entries("addressBookIds"))) {
		if i == 0 {
			c.to["addressbookId"] = book
		} else {
			c.tell(js.Join("addressBookIds", book), "Cyrus keeps a contact in one address book")
		}
	}
	delete(m, "addressBookIds")
	return c, nil
}

// take is the value of a property, which is then done with.
func (c *conversion) take(property string) any {
	v := c.from[property]
	delete(c.from, property)
	return v
}

func (c *conversion) entries(property string) map[string]any {
	m, _ := c.from[property].(map[string]any)
	return m
}

// rest tells of what was not taken.
func (c *conversion) rest(path string, m map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if k != "@type" {
			c.tell(js.Join(path, k), cyrusHasNot)
		}
	}
}

// inOrder are the ids of a map by length and then by letter: the order in
// which [FromCyrus] gave them out.
func inOrder(m map[string]any) []string {
	ids := slices.Collect(maps.Keys(m))
	slices.SortFunc(ids, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return ids
}

// one hands the first of a map's entries that suits to use, which deletes from
// it what it used, and tells of all others.
func (c *conversion) one(property string, suits func(map[string]any) bool, use func(path string, e map[string]any)) {
	used := false
	m := c.entries(property)
	for _, id := range inOrder(m) {
		path, e := js.Join(property, id), m[id].(map[string]any)
		if used || !suits(e) {
			c.tell(path, "%s", map[bool]string{true: "Cyrus has a place for one only", false: cyrusHasNot}[used])
			continue
		}
		used = true
		use(path, e)
		c.rest(path, e)
	}
	delete(c.from, property)
}

func always(map[string]any) bool { return true }

func pull(m map[string]any, property string) string {
	s, _ := m[property].(string)
	delete(m, property)
	return s
}

func (c *conversion) set(property, value string) {
	if value != "" {
		c.to[property] = value
	}
}

func (c *conversion) toName() {
	if m := c.entries("name"); m != nil {
		c.toNameParts(m)
		c.rest("name", m)
		delete(c.from, "name")
	}
	c.one("nicknames", always, func(_ string, e map[string]any) { c.set("nickname", pull(e, "name")) })
}

func (c *conversion) toNameParts(m map[string]any) {
	parts := map[string][]string{}
	var words []string
	last := 0
	components, _ := m["components"].([]any)
	for i, v := range components {
		e := v.(map[string]any)
		path := fmt.Sprintf("name/components/%d", i)
		kind, value := pull(e, "kind"), pull(e, "value")
		c.rest(path, e)
		at := slices.IndexFunc(names, func(n struct {
			cyrus string
			kinds []string
		}) bool {
			return slices.Contains(n.kinds, kind)
		})
		if at < 0 {
			if kind != "separator" || strings.TrimSpace(value) != "" {
				c.tell(path, "Cyrus has no place for a %s", kind)
			}
			continue
		}
		n := names[at]
		if parts[n.cyrus] = append(parts[n.cyrus], value); len(parts[n.cyrus]) > 1 {
			c.tell(path, "joined to %s", n.cyrus)
		} else if kind != n.kinds[0] {
			c.tell(path+"/kind", "became %s: Cyrus knows no %s", n.cyrus, kind)
		}
		if at < last && m["isOrdered"] == true {
			c.tell(path, "Cyrus has an order of its own for names")
		}
		last = max(last, at)
		words = append(words, value)
	}
	for _, n := range names {
		c.set(n.cyrus, strings.Join(parts[n.cyrus], " "))
	}
	delete(m, "components")
	delete(m, "isOrdered")
	if full := pull(m, "full"); full != "" && len(words) == 0 {
		c.tell("name/full", "became the last name: Cyrus has only the parts of names")
		c.set("lastName", full)
	} else if full != "" && full != strings.Join(words, " ") {
		c.tell("name/full", "Cyrus has only the parts of names (%q)", full)
	}
}

func (c *conversion) toWork() {
	organization := ""
	for _, id := range inOrder(c.entries("organizations")) {
		organization = id
		break
	}
	c.one("organizations", always, func(path string, e map[string]any) {
		c.set("company", pull(e, "name"))
		var units []string
		list, _ := e["units"].([]any)
		for i, v := range list {
			at, u := fmt.Sprintf("%s/units/%d", path, i), v.(map[string]any)
			if units = append(units, pull(u, "name")); i > 0 {
				c.tell(at, "joined to the department")
			}
			c.rest(at, u)
		}
		delete(e, "units")
		c.set("department", strings.Join(units, ", "))
	})
	isTitle := func(e map[string]any) bool { return e["kind"] == nil || e["kind"] == "title" }
	c.one("titles", isTitle, func(_ string, e map[string]any) {
		delete(e, "kind")
		if e["organizationId"] == organization {
			delete(e, "organizationId")
		}
		c.set("jobTitle", pull(e, "name"))
	})
}

func (c *conversion) toDates() {
	m := c.entries("anniversaries")
	for _, id := range inOrder(m) {
		path, e := js.Join("anniversaries", id), m[id].(map[string]any)
		kind, date := pull(e, "kind"), e["date"].(map[string]any)
		delete(e, "date")
		i := slices.IndexFunc(dates, func(d struct{ cyrus, kind string }) bool { return d.kind == kind })
		if i < 0 || c.to[dates[i].cyrus] != nil {
			c.tell(path, "Cyrus has a birthday and a wedding's day, one of each")
			continue
		}
		if day, ok := c.day(path, date); ok {
			c.to[dates[i].cyrus] = day
			c.rest(path, e)
		}
	}
	delete(c.from, "anniversaries")
}

// day is a date as Cyrus has it.
func (c *conversion) day(path string, date map[string]any) (string, bool) {
	if utc, ok := date["utc"].(string); ok {
		c.tell(path+"/date", "Cyrus has the day only (%s)", utc)
		return utc[:len("2006-01-02")], true
	}
	number := func(property string) int64 {
		n, _ := date[property].(json.Number)
		i, _ := n.Int64()
		return i
	}
	scale, _ := date["calendarScale"].(string)
	if (scale != "" && !strings.EqualFold(scale, "gregorian")) || number("year") > 9999 {
		c.tell(path, "Cyrus has days of the Gregorian calendar only")
		return "", false
	}
	if date["year"] != nil && number("year") <= noYear {
		c.tell(path, "Cyrus takes years from %d on", noYear+1)
		return "", false
	}
	return fmt.Sprintf("%04d-%02d-%02d", number("year"), number("month"), number("day")), true
}
