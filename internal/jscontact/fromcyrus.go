package jscontact

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// FromCyrus is a Contact of Cyrus's as a ContactCard that validates, and what
// of the Contact the card does not say. It fails when the Contact has no uid:
// without one, no card can be.
func FromCyrus(contact account.Object) (account.Object, []js.Problem, error) {
	m, err := js.Decode(contact)
	if err != nil {
		return nil, nil, fmt.Errorf("reading a contact of Cyrus: %w", err)
	}
	c := conversion{to: map[string]any{"@type": "Card", "version": "1.0", "kind": "individual"}}
	if hasPhoto, _ := m["x-hasPhoto"].(bool); hasPhoto && m["avatar"] == nil {
		c.tell("avatar", "Cyrus has a photo of a kind that it does not hand out; it is in the contact's vCard")
	}
	if m["uid"] == nil {
		m["uid"] = m["id"] // which is the same on Cyrus
	}
	without(m, serverSet)
	if !c.repair("", cyrusContact, m) {
		return nil, c.problems, fmt.Errorf("a contact of Cyrus without a uid can't become a card: %v", c.problems)
	}
	c.from = m
	c.to["uid"] = m["uid"]
	if book, ok := m["addressbookId"].(string); ok {
		c.to["addressBookIds"] = map[string]any{book: true}
	}
	c.name()
	c.work()
	c.dates()
	c.each("emails", cyrusEmail, "emails", emailOf)
	c.each("phones", cyrusPhone, "phones", phoneOf)
	c.each("online", cyrusOnline, "", c.onlineOf)
	c.each("addresses", cyrusAddress, "addresses", c.addressOf)
	if s := text(m, "notes"); s != "" {
		c.to["notes"] = map[string]any{"n1": map[string]any{"@type": "Note", "note": s}}
	}
	c.avatar()
	if flag, _ := m["isFlagged"].(bool); flag {
		c.to["keywords"] = map[string]any{flagged: true}
	}
	if n, ok := m["importance"].(json.Number); !ok && m["importance"] != nil || strings.Trim(string(n), "-0.") != "" {
		c.tell("importance", "a card has no place for it")
	}
	return c.finish(card)
}

// conversion is one object on its way to another form.
type conversion struct {
	from, to map[string]any
	problems []js.Problem
}

func (c *conversion) tell(path, format string, args ...any) {
	c.problems = append(c.problems, js.Problem{Property: path, Reason: fmt.Sprintf(format, args...)})
}

// repair holds a part of what is converted to its table.
func (c *conversion) repair(path string, t *js.Type, m map[string]any) bool {
	problems, ok := js.Repair(t, m)
	for _, p := range problems {
		if p.Property = path + "/" + p.Property; path == "" || strings.HasSuffix(p.Property, "/") {
			p.Property = strings.Trim(p.Property, "/")
		}
		c.problems = append(c.problems, p)
	}
	return ok
}

// finish holds what came out to its table.
func (c *conversion) finish(t *js.Type) (account.Object, []js.Problem, error) {
	if !c.repair("", t, c.to) {
		return nil, c.problems, fmt.Errorf("it can't be made a sound %s: %v", t.Name, c.problems)
	}
	return js.Encode(c.to), c.problems, nil
}

// each converts the entries of a list. What convert returns is put under an id
// that keeps the order, in the map of that name.
func (c *conversion) each(list string, t *js.Type, into string, convert func(path, id string, e map[string]any) map[string]any) {
	entries, _ := c.from[list].([]any)
	for i, e := range entries {
		path := js.Join(list, strconv.Itoa(i))
		m, ok := e.(map[string]any)
		if !ok {
			c.tell(path, "it is not an object")
			continue
		}
		if !c.repair(path, t, m) {
			continue
		}
		if v, has := m["value"]; has && v == "" {
			c.tell(path, "it is empty")
			continue
		}
		id := list[:1] + strconv.Itoa(i+1)
		if out := convert(path, id, m); out != nil {
			c.put(into, id, out)
		}
	}
}

func (c *conversion) put(into, id string, entry map[string]any) {
	m, ok := c.to[into].(map[string]any)
	if !ok {
		m = map[string]any{}
		c.to[into] = m
	}
	m[id] = entry
}

func (c *conversion) name() {
	var parts []any
	for _, n := range names {
		if s := text(c.from, n.cyrus); s != "" {
			parts = append(parts, map[string]any{"@type": "NameComponent", "kind": n.kinds[0], "value": s})
		}
	}
	if parts != nil {
		c.to["name"] = map[string]any{"@type": "Name", "components": parts, "isOrdered": true}
	}
	if s := text(c.from, "nickname"); s != "" {
		c.to["nicknames"] = map[string]any{"n1": map[string]any{"@type": "Nickname", "name": s}}
	}
}

func (c *conversion) work() {
	org := map[string]any{"@type": "Organization"}
	if s := text(c.from, "company"); s != "" {
		org["name"] = s
	}
	if s := text(c.from, "department"); s != "" {
		org["units"] = []any{map[string]any{"@type": "OrgUnit", "name": s}}
	}
	if len(org) > 1 {
		c.to["organizations"] = map[string]any{"o1": org}
	}
	if s := text(c.from, "jobTitle"); s != "" {
		c.to["titles"] = map[string]any{"t1": map[string]any{"@type": "Title", "kind": "title", "name": s}}
	}
}

func (c *conversion) dates() {
	for _, d := range dates {
		s := text(c.from, d.cyrus)
		if s == "" || s == noDate {
			continue
		}
		date := map[string]any{"@type": "PartialDate"}
		for i, part := range strings.Split(s, "-") {
			if n, _ := strconv.Atoi(part); n > 0 {
				date[[]string{"year", "month", "day"}[i]] = json.Number(strconv.Itoa(n))
			}
		}
		if _, reason := verifyDate(date); reason != "" {
			c.tell(d.cyrus, "%s is no date that a card can have: %s", s, reason)
			continue
		}
		c.put("anniversaries", d.kind, map[string]any{"@type": "Anniversary", "kind": d.kind, "date": date})
	}
}

func emailOf(_, _ string, e map[string]any) map[string]any {
	out := map[string]any{"@type": "EmailAddress", "address": e["value"]}
	if preferred, _ := e["isDefault"].(bool); preferred {
		out["pref"] = json.Number("1")
	}
	return labelled(out, e, emailContexts)
}

func phoneOf(_, _ string, e map[string]any) map[string]any {
	return labelled(map[string]any{"@type": "Phone", "number": e["value"]}, e, phoneUses)
}

// labelled gives an entry the label and what its type means.
func labelled(out, e map[string]any, uses []use) map[string]any {
	if label, has := e["label"]; has {
		out["label"] = label
	}
	for _, u := range uses {
		if u.cyrus == e["type"] {
			out[u.property] = map[string]any{u.key: true}
		}
	}
	return out
}

var host = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}([/?#][^\x00-\x20]*)?$`)

// onlineOf makes links of web addresses and services of names.
func (c *conversion) onlineOf(path, id string, e map[string]any) map[string]any {
	kind, value := e["type"].(string), e["value"].(string)
	isURI := js.Fits(js.URI, value)
	if kind == "uri" && !isURI && host.MatchString(value) {
		c.tell(path+"/value", "written as https://%s: a link needs its scheme", value)
		value, isURI = "https://"+value, true
	}
	switch {
	case kind == "uri" && isURI:
		c.put("links", id, labelled(map[string]any{"@type": "Link", "uri": value}, e, nil))
		return nil
	case kind != "username":
		c.tell(path+"/type", "written as an online service: a card has no type %q for this", kind)
	}
	out := labelled(map[string]any{"@type": "OnlineService"}, e, nil)
	out[map[bool]string{true: "uri", false: "user"}[isURI]] = value
	c.put("onlineServices", id, out)
	return nil
}

func (c *conversion) addressOf(path, _ string, e map[string]any) map[string]any {
	var parts []any
	for _, p := range addressParts {
		if s := text(e, p.cyrus); s != "" {
			parts = append(parts, map[string]any{"@type": "AddressComponent", "kind": p.kind, "value": s})
		}
	}
	if parts == nil {
		c.tell(path, "it is empty")
		return nil
	}
	if label, has := e["label"]; has {
		c.tell(path+"/label", "a card's address has no label (%q)", label)
		delete(e, "label")
	}
	return labelled(map[string]any{"@type": "Address", "components": parts}, e, addressUses)
}

func (c *conversion) avatar() {
	file, ok := c.from["avatar"].(map[string]any)
	if !ok {
		return
	}
	photo := map[string]any{"@type": "Media", "kind": "photo", "blobId": file["blobId"]}
	if s := text(file, "type"); js.Fits(js.MediaType, s) {
		photo["mediaType"] = s
	} else if s != "" {
		c.tell("avatar/type", "%q is no media type", s)
	}
	if s := text(file, "name"); s != "" {
		photo["label"] = s
	}
	c.to["media"] = map[string]any{"avatar": photo}
}

func text(m map[string]any, property string) string {
	s, _ := m[property].(string)
	return s
}

func without(m map[string]any, properties []string) {
	for _, p := range properties {
		delete(m, p)
	}
}
