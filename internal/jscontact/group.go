package jscontact

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// uuid is what CardDAV clients write before the uid of a group's member, and
// what Cyrus takes off before it shows the member's id.
const uuid = "urn:uuid:"

// GroupFromCyrus is a ContactGroup of Cyrus's as a card of kind group, its
// members by uid. The uids are those of the account's contacts: Cyrus shows the
// members that came over CardDAV without a urn:uuid: in front, which the
// contact's uid may have; without uids the members' ids are taken as they are.
func GroupFromCyrus(group account.Object, uids map[string]bool) (account.Object, []js.Problem, error) {
	m, err := js.Decode(group)
	if err != nil {
		return nil, nil, fmt.Errorf("reading a contact group of Cyrus: %w", err)
	}
	c := conversion{from: m, to: map[string]any{"@type": "Card", "version": "1.0", "kind": "group"}}
	if m["uid"] == nil {
		m["uid"] = m["id"]
	}
	without(m, serverSet)
	if !c.repair("", cyrusGroup, m) {
		return nil, c.problems, fmt.Errorf("a contact group of Cyrus without a uid can't become a card: %v", c.problems)
	}
	c.to["uid"] = m["uid"]
	if book, ok := m["addressbookId"].(string); ok {
		c.to["addressBookIds"] = map[string]any{book: true}
	}
	if s := text(m, "name"); s != "" {
		c.to["name"] = map[string]any{"@type": "Name", "full": s}
	}
	members := map[string]any{}
	ids, _ := m["contactIds"].([]any)
	for i, v := range ids {
		id := v.(string)
		if !uids[id] && uids[uuid+id] {
			id = uuid + id
		} else if len(uids) > 0 && !uids[id] {
			c.tell(js.Join("contactIds", strconv.Itoa(i)), "no contact has the id %q; it stays a member by that name", id)
		}
		members[id] = true
	}
	c.to["members"] = members
	others, _ := m["otherAccountContactIds"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(others)) {
		c.tell(js.Join("otherAccountContactIds", name), "a card names no contacts of other accounts")
	}
	return c.finish(card)
}

// GroupToCyrus is a card of kind group as Cyrus takes a ContactGroup in a
// create: members by their contacts' ids, which are uids there.
func GroupToCyrus(o account.Object) (account.Object, []js.Problem, error) {
	c, err := read(o)
	if err != nil {
		return nil, nil, err
	}
	if c.take("kind") != "group" {
		return nil, nil, fmt.Errorf("the card %q is no group and can't become a ContactGroup of Cyrus", c.to["uid"])
	}
	c.groupName()
	ids := []any{}
	for _, id := range slices.Sorted(maps.Keys(c.entries("members"))) {
		ids = append(ids, id)
	}
	delete(c.from, "members")
	c.to["contactIds"] = ids
	c.rest("", c.from)
	return c.finish(cyrusGroup)
}

// groupName gives the group its name, which Cyrus insists on: the whole one, or
// the parts of it.
func (c *conversion) groupName() {
	m := c.entries("name")
	full := pull(m, "full")
	if full == "" && m != nil {
		c.toNameParts(m)
		for _, n := range names {
			if s, ok := c.to[n.cyrus].(string); ok {
				full = full + " " + s
			}
			delete(c.to, n.cyrus)
		}
		if full != "" {
			full = full[1:]
		}
	}
	c.rest("name", m)
	delete(c.from, "name")
	c.to["name"] = full
}
