package e2e

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/jmapclient/jmaptest"
)

// thingType is a type of things that are not mail, as the judge looks at it.
type thingType struct {
	name string
	own  []string // properties that are the server's own: ids, addresses, dates of writing
	in   string   // the property that names containers, a set of ids or one id
	of   string   // their type
}

// thingTypes are what an account may hold besides mail. What contains comes
// before what is contained.
var thingTypes = []thingType{
	{name: "AddressBook", own: []string{"myRights", "shareWith"}},
	{name: "ContactCard", in: "addressBookIds", of: "AddressBook"},
	{name: "Contact", own: []string{"x-href", "blobId", "size"}}, // there is one address book
	{name: "ContactGroup", own: []string{"x-href"}},
	{name: "Calendar", own: []string{"myRights", "shareWith", "scheduleAddressSet", "x-href"}},
	{name: "CalendarEvent", own: []string{"created", "updated", "x-href", "blobId", "prodId"}, in: "calendarIds", of: "Calendar"},
	{name: "ParticipantIdentity"},
	{name: "FileNode", own: []string{"myRights", "shareWith", "created", "modified", "accessed", "changed"}},
}

// things are objects by their type and what names them to a person: with names
// in place of ids, digests in place of blobs, and without what is the server's own.
type things map[string]string

// thingsOf makes them of what a server answers. blob is what a blob holds.
func thingsOf(t *testing.T, list func(typ string) []map[string]any, blob func(id string) []byte) things {
	t.Helper()
	all := things{}
	names := map[string]map[string]string{}
	for _, typ := range thingTypes {
		objects := list(typ.name)
		names[typ.name] = map[string]string{}
		for _, o := range objects {
			names[typ.name][fmt.Sprint(o["id"])] = nameOf(typ.name, o, objects)
		}
		for _, o := range objects {
			name := names[typ.name][fmt.Sprint(o["id"])]
			for _, prop := range append([]string{"id", "parentId"}, typ.own...) {
				delete(o, prop)
			}
			in := map[string]any{}
			ids, _ := o[typ.in].(map[string]any)
			for id := range ids {
				in[names[typ.of][id]] = true
			}
			if ids != nil {
				o[typ.in] = in
			}
			if id, ok := o["calendarId"].(string); ok {
				o["calendarId"] = names["Calendar"][id]
			}
			withDigests(o, blob)
			key := typ.name + " " + name
			for n := 2; all[key] != ""; n++ {
				key = fmt.Sprint(typ.name, " ", name, " ", n)
			}
			all[key] = string(account.Marshal(o))
		}
	}
	return all
}

// nameOf is a file's path, an object's uid, or its name.
func nameOf(typ string, o map[string]any, all []map[string]any) string {
	if typ != "FileNode" {
		return cmp.Or(text(o["uid"]), text(o["name"]), text(o["calendarAddress"]))
	}
	for _, dir := range all {
		if o["parentId"] != nil && dir["id"] == o["parentId"] {
			return nameOf(typ, dir, all) + "/" + text(o["name"])
		}
	}
	return text(o["name"])
}

// withDigests puts the digest of what it holds in place of each blob's id, and
// of each data: URI, which is how some servers keep what was a blob.
func withDigests(v any, blob func(id string) []byte) {
	digest := func(data []byte) string { return fmt.Sprintf("sha256 %x", sha256.Sum256(data)) }
	switch v := v.(type) {
	case map[string]any:
		if id := text(v["blobId"]); id != "" {
			v["blobId"] = digest(blob(id))
		}
		for _, prop := range []string{"uri", "href"} {
			head, body, _ := strings.Cut(text(v[prop]), ";base64,")
			if data, err := base64.StdEncoding.DecodeString(body); err == nil && strings.HasPrefix(head, "data:") {
				delete(v, prop)
				v["blobId"] = digest(data)
			}
		}
		for _, inner := range v {
			withDigests(inner, blob)
		}
	case []any:
		for _, inner := range v {
			withDigests(inner, blob)
		}
	}
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// Things are an account's, by the server's direct door.
func (m memory) Things(login string) things {
	m.t.Helper()
	return thingsOf(m.t, func(typ string) []map[string]any {
		if !m.serves(typ) {
			return nil
		}
		return m.Objects(login, typ)
	}, func(id string) []byte {
		data, ok := m.Blob(login, id)
		if !ok {
			m.t.Errorf("there is no blob %s", id)
		}
		return data
	})
}

// serves says whether the server has a type of things.
func (m memory) serves(typ string) bool {
	types := m.profile.Types
	if types == nil { // the strict one's
		return !strings.HasPrefix(typ, "Contact") || typ == "ContactCard"
	}
	return slices.ContainsFunc(types, func(t jmaptest.Type) bool { return t.Name == typ })
}

// Things are an account's, over JMAP.
func (c cyrus) Things(login string) things {
	c.t.Helper()
	return thingsOf(c.t, func(typ string) []map[string]any {
		if !slices.Contains([]string{"Contact", "ContactGroup", "Calendar", "CalendarEvent"}, typ) {
			return nil
		}
		var list []map[string]any
		data := c.dav(login).Call(c.t, typ+"/get", map[string]any{"ids": nil})["list"]
		if err := json.Unmarshal(data, &list); err != nil {
			c.t.Fatal(err)
		}
		return list
	}, func(id string) []byte {
		return []byte(c.dav(login).Get(c.t, "/jmap/download/"+login+"/"+id+"/blob"))
	})
}
