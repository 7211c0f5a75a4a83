package jmaptest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Management by methods of JMAP, as Stalwart 0.16 has it: x:Account (users and
// groups), x:Domain, x:MailingList. What they are called by are numbers of their
// own for each, an account's being the id of its mail.

// managedObject is one object with its id.
type managedObject struct {
	id  string
	has object
}

// manage carries out one such method; kind is "Account/get" and the like.
func (c *call) manage(kind string, args json.RawMessage) (any, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if !c.caller.user.Admin {
		return nil, failed("forbidden", "You are not authorized to perform this action")
	}
	c.args = args
	kind, method, _ := strings.Cut(kind, "/")
	if !slices.Contains([]string{"Account", "Domain", "MailingList"}, kind) {
		return nil, failed("unknownMethod", "There is no x:"+kind+".")
	}
	switch method {
	case "get":
		return c.managedGet(kind)
	case "query":
		return c.managedQuery(kind)
	case "set":
		return c.managedSet(kind)
	}
	return nil, failed("unknownMethod", "There is no x:"+kind+"/"+method+".")
}

// managedObjects are all of a kind, the oldest first.
func (s *Server) managedObjects(kind string) []managedObject {
	var list []managedObject
	if kind == "Domain" {
		for _, d := range s.domains {
			list = append(list, managedObject{s.domainID(d), object{"name": d.name, "aliases": object{}, "isEnabled": true, "description": nil}})
		}
		return list
	}
	for _, a := range s.accounts {
		if !a.hidden && a.user.List == (kind == "MailingList") {
			list = append(list, managedObject{strings.TrimPrefix(a.id, listPrefix), s.managedObject(a)})
		}
	}
	return list
}

// listPrefix keeps the ids of lists apart from those of accounts.
const listPrefix = "list "

func (s *Server) domainID(d *domain) string { return s.id('D', d.number) }

// managedObject is an account or a list as management shows it.
func (s *Server) managedObject(a *account) object {
	u := a.user
	name, _, _ := cutLast(u.Login, "@")
	o := object{"name": name, "domainId": nil, "description": nil, "aliases": object{}, "memberTenantId": nil, "emailAddress": u.Login}
	if d := s.domainNamed(domainOf(u.Login)); d != nil {
		o["domainId"] = s.domainID(d)
	}
	if u.Description != "" {
		o["description"] = u.Description
	}
	aliases := o["aliases"].(object)
	for _, e := range u.Emails {
		d := s.domainNamed(domainOf(e))
		if e == u.Login || d == nil {
			continue
		}
		local, _, _ := cutLast(e, "@")
		aliases[strconv.Itoa(len(aliases))] = object{"enabled": true, "name": local, "domainId": s.domainID(d), "description": nil}
	}
	if u.List {
		recipients := object{}
		for _, m := range append(s.membersOf(u.Login), u.External...) {
			recipients[m] = true
		}
		o["recipients"] = recipients
		return o
	}
	quotas := object{}
	if u.Quota > 0 {
		quotas["maxDiskQuota"] = u.Quota
	}
	maps.Copy(o, object{"@type": "Group", "createdAt": s.now().Format("2006-01-02T15:04:05Z"), "roles": object{"@type": "Default"}, "quotas": quotas,
		"permissions": object{"@type": "Inherit"}, "locale": "en_US", "timeZone": nil, "usedDiskQuota": a.used()})
	if u.Group {
		return o
	}
	credentials, groups := object{}, object{}
	for i := range u.Secrets {
		credentials[strconv.Itoa(i)] = object{"@type": "Password", "credentialId": s.id('C', uint64(i)), "secret": "****", "expiresAt": nil, "allowedIps": object{}}
	}
	for _, m := range u.MemberOf {
		if g := s.byLogin(m); g != nil && g.user.Group {
			groups[g.id] = true
		}
	}
	role := "User"
	if u.Admin {
		role = "Admin"
	}
	maps.Copy(o, object{"@type": "User", "credentials": credentials, "memberGroupIds": groups, "roles": object{"@type": role},
		"encryptionAtRest": object{"@type": "Disabled"}})
	return o
}

// membersOf are the logins of a group's or a list's members.
func (s *Server) membersOf(login string) []string {
	var list []string
	for _, a := range s.accounts {
		if slices.Contains(a.user.MemberOf, login) {
			list = append(list, a.user.Login)
		}
	}
	return list
}

func (c *call) managedGet(kind string) (any, error) {
	var g struct {
		AccountID  string
		IDs        *[]string
		Properties *[]string
	}
	if err := c.read(&g); err != nil {
		return nil, err
	}
	list, missing := []object{}, []string{}
	byID := map[string]object{}
	for _, m := range c.s.managedObjects(kind) {
		m.has["id"] = m.id
		byID[m.id] = m.has
		if g.IDs == nil && int64(len(list)) < c.s.p.Limits.MaxObjectsInGet {
			list = append(list, m.has)
		}
	}
	if g.IDs != nil {
		if int64(len(*g.IDs)) > c.s.p.Limits.MaxObjectsInGet {
			return nil, failed("requestTooLarge", "These are too many ids.")
		}
		for _, id := range *g.IDs {
			if o := byID[id]; o != nil {
				list = append(list, o)
			} else {
				missing = append(missing, id)
			}
		}
	}
	if g.Properties != nil {
		for _, o := range list {
			maps.DeleteFunc(o, func(k string, _ any) bool { return k != "id" && !slices.Contains(*g.Properties, k) })
		}
	}
	return object{"accountId": c.caller.id, "list": list, "notFound": missing}, nil
}

func (c *call) managedQuery(kind string) (any, error) {
	var g struct {
		AccountID string
		Filter    map[string]any
		Position  int
		Limit     *int
	}
	if err := c.read(&g); err != nil {
		return nil, err
	}
	if len(g.Filter) > 0 {
		return nil, failed("unsupportedFilter", "There is no such filter.")
	}
	ids := []string{}
	for _, m := range c.s.managedObjects(kind) {
		ids = append(ids, m.id)
	}
	slices.Reverse(ids)
	ids = ids[min(max(g.Position, 0), len(ids)):]
	if g.Limit != nil {
		ids = ids[:min(max(*g.Limit, 0), len(ids))]
	}
	return object{"accountId": c.caller.id, "queryState": "n", "canCalculateChanges": true, "position": g.Position, "ids": ids}, nil
}

func (c *call) managedSet(kind string) (any, error) {
	var g struct {
		AccountID string
		Create    map[string]json.RawMessage
		Update    map[string]json.RawMessage
		Destroy   []string
	}
	if err := c.read(&g); err != nil {
		return nil, err
	}
	done := map[string]object{}
	note := func(what, key string, v any) {
		if done[what] == nil {
			done[what] = object{}
		}
		done[what][key] = v
	}
	for _, key := range slices.Sorted(maps.Keys(g.Create)) {
		id, err := c.s.createManaged(kind, g.Create[key])
		if err != nil {
			note("notCreated", key, err.object())
			continue
		}
		note("created", key, object{"id": id})
		c.req.created[key] = id
	}
	for _, id := range slices.Sorted(maps.Keys(g.Update)) {
		if err := c.s.updateManaged(kind, id, g.Update[id]); err != nil {
			note("notUpdated", id, err.object())
			continue
		}
		note("updated", id, nil)
	}
	o := object{"accountId": c.caller.id}
	for what, of := range done {
		o[what] = of
	}
	if len(g.Destroy) > 0 {
		return nil, failed("invalidArguments", "Nothing is destroyed here.")
	}
	return o, nil
}
