package jscontact

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	js "mailhaul/internal/jsschema"
)

// toInformation makes a list of a Contact from a map of a card. The property
// is what the entry's value is called in the card.
func (c *conversion) toInformation(list, property string, uses []use) {
	m := c.entries(list)
	var out []any
	preferred, best := "", int64(101)
	for _, id := range inOrder(m) {
		if n, ok := m[id].(map[string]any)["pref"].(json.Number); ok {
			if i, _ := n.Int64(); i < best {
				preferred, best = id, i
			}
		}
	}
	for _, id := range inOrder(m) {
		path, e := js.Join(list, id), m[id].(map[string]any)
		entry := map[string]any{"value": pull(e, property)}
		if list == "emails" && id == preferred {
			entry["isDefault"] = true
			delete(e, "pref")
		}
		out = append(out, c.entry(path, e, entry, uses))
	}
	if c.done(list); out != nil {
		c.to[list] = out
	}
}

// entry fills in the label and the type that a card's entry means, and tells of
// what it says beyond.
func (c *conversion) entry(path string, e, entry map[string]any, uses []use) map[string]any {
	if label, has := e["label"].(string); has {
		entry["label"] = label
		delete(e, "label")
	}
	entry["type"] = "other"
	for _, property := range []string{"features", "contexts"} {
		set, _ := e[property].(map[string]any)
		for _, u := range uses {
			if u.property == property && set[u.key] == true && entry["type"] == "other" {
				entry["type"] = u.cyrus
				delete(set, u.key)
			}
		}
		if delete(e, property); len(set) > 0 {
			c.tell(js.Join(path, property), "Cyrus has one type for each, which is %s here", entry["type"])
		}
	}
	c.rest(path, e)
	return entry
}

func (c *conversion) done(property string) { delete(c.from, property) }

// toOnline makes one list of links and online services, in the order of ids.
func (c *conversion) toOnline() {
	all := map[string]any{}
	for _, property := range []string{"links", "onlineServices"} {
		for id, e := range c.entries(property) {
			all[id+"/"+property] = e
		}
	}
	ids := inOrderBefore(all)
	var out []any
	for _, key := range ids {
		id, property, _ := strings.Cut(key, "/")
		path, e := js.Join(property, id), all[key].(map[string]any)
		entry := map[string]any{"value": pull(e, "uri")}
		kind := "uri"
		if property == "onlineServices" {
			kind = "username"
			c.service(path, e, entry)
			c.noCommas(path+"/label", e)
		}
		entry = c.entry(path, e, entry, nil)
		entry["type"] = kind
		out = append(out, entry)
	}
	c.done("links")
	if c.done("onlineServices"); out != nil {
		c.to["online"] = out
	}
}

// inOrderBefore is inOrder by what stands before a key's slash.
func inOrderBefore(m map[string]any) []string {
	keys := inOrder(m)
	slices.SortStableFunc(keys, func(a, b string) int {
		a, _, _ = strings.Cut(a, "/")
		b, _, _ = strings.Cut(b, "/")
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return keys
}

// service fits a card's uri, user, service and label into Cyrus's value and
// label.
func (c *conversion) service(path string, e, entry map[string]any) {
	user, service := pull(e, "user"), pull(e, "service")
	if entry["value"] == "" {
		entry["value"] = user
	} else if user != "" {
		c.tell(path+"/user", "Cyrus keeps the address only (%q)", user)
	}
	if _, has := e["label"]; has && service != "" {
		c.tell(path+"/service", "Cyrus keeps the label only (%q)", service)
	} else if service != "" {
		e["label"] = service
		c.tell(path+"/service", "became the label")
	}
}

// noCommas takes commas out of a service's label: Cyrus keeps what stands behind
// the last one only.
func (c *conversion) noCommas(path string, e map[string]any) {
	if label := text(e, "label"); strings.Contains(label, ",") {
		e["label"] = strings.ReplaceAll(label, ",", "")
		c.tell(path, "without its commas, at which Cyrus cuts it (%q)", label)
	}
}

func (c *conversion) toAddresses() {
	m := c.entries("addresses")
	var out []any
	for _, id := range inOrder(m) {
		path, e := js.Join("addresses", id), m[id].(map[string]any)
		entry := c.addressParts(path, e)
		entry = c.entry(path, e, entry, addressUses)
		out = append(out, entry)
	}
	if c.done("addresses"); out != nil {
		c.to["addresses"] = out
	}
}

// addressParts are the five parts of an address, all of them: Cyrus refuses one
// that lacks any.
func (c *conversion) addressParts(path string, e map[string]any) map[string]any {
	parts := map[string][]string{}
	components, _ := e["components"].([]any)
	for i, v := range components {
		at, part := fmt.Sprintf("%s/components/%d", path, i), v.(map[string]any)
		kind, value := pull(part, "kind"), pull(part, "value")
		c.rest(at, part)
		if kind == "separator" {
			continue
		}
		into := "street"
		for _, p := range addressParts {
			if p.kind == kind {
				into = p.cyrus
			}
		}
		parts[into] = append(parts[into], value)
		if len(parts[into]) > 1 {
			c.tell(at, "joined to %s", into)
		} else if into == "street" && kind != "name" {
			c.tell(at+"/kind", "became the street: Cyrus knows no %s", kind)
		}
	}
	delete(e, "components")
	delete(e, "isOrdered")
	c.fallback(path, e, "full", "street", parts, len(components) == 0)
	c.fallback(path, e, "countryCode", "country", parts, parts["country"] == nil)
	entry := map[string]any{}
	for _, p := range addressParts {
		entry[p.cyrus] = strings.Join(parts[p.cyrus], " ")
	}
	return entry
}

// fallback puts a property that Cyrus does not know where the nearest that it
// knows is still free.
func (c *conversion) fallback(path string, e map[string]any, property, into string, parts map[string][]string, free bool) {
	value := pull(e, property)
	if value == "" {
		return
	}
	if free {
		parts[into] = []string{value}
		c.tell(js.Join(path, property), "became the %s", into)
		return
	}
	c.tell(js.Join(path, property), "%s (%q)", cyrusHasNot, value)
}

func (c *conversion) toNotes() {
	m := c.entries("notes")
	var all []string
	for _, id := range inOrder(m) {
		path, e := js.Join("notes", id), m[id].(map[string]any)
		if all = append(all, pull(e, "note")); len(all) > 1 {
			c.tell(path, "joined to the first note: Cyrus has one")
		}
		c.rest(path, e)
	}
	c.done("notes")
	c.set("notes", strings.Join(all, "\n\n"))
}

func (c *conversion) toAvatar() {
	suits := func(e map[string]any) bool { return e["kind"] == "photo" && e["blobId"] != nil }
	c.one("media", suits, func(_ string, e map[string]any) {
		delete(e, "kind")
		file := map[string]any{"blobId": pull(e, "blobId")}
		if s := pull(e, "mediaType"); s != "" {
			file["type"] = s
		}
		if s := pull(e, "label"); s != "" {
			file["name"] = s
		}
		c.to["avatar"] = file
	})
}
