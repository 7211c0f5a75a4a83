package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"mailhaul/jmapclient"
)

// set carries out the create or the update of one object and answers the id of a
// new one. What the server refuses is an error of kind Invalid with its type.
func (s *objects) set(ctx context.Context, kind, item, what, key string, o any, hide []string) (string, error) {
	method := "x:" + kind + "/set"
	raw, err := s.c.ManageCall(ctx, stalwartURN, method, map[string]any{what: map[string]any{key: o}}, what == "create", hide)
	if err != nil {
		return "", about(err, item)
	}
	type refusal struct {
		Type        string
		Description string
		Properties  any
	}
	var answer struct {
		Created                map[string]struct{ ID string }
		Updated                map[string]any
		NotCreated, NotUpdated map[string]refusal
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return "", nonsense(method, err)
	}
	for _, refused := range []map[string]refusal{answer.NotCreated, answer.NotUpdated} {
		if r, ok := refused[key]; ok {
			e := &jmapclient.Error{Kind: jmapclient.Invalid, Op: method, Item: item, Type: r.Type, Detail: r.Description}
			if r.Properties != nil {
				e.Detail = strings.TrimSpace(fmt.Sprintf("%s %v", e.Detail, r.Properties))
			}
			for _, secret := range hide {
				e.Detail = strings.ReplaceAll(e.Detail, secret, "[redacted]")
			}
			return "", e
		}
	}
	_, updated := answer.Updated[key]
	if id := answer.Created[key].ID; id != "" || updated {
		return id, nil
	}
	return "", &jmapclient.Error{Kind: jmapclient.ServerFault, Op: method, Item: item, Detail: "the server does not say what became of it"}
}

func (s *objects) createDomain(ctx context.Context, name string) error {
	if err := s.ids(ctx); err != nil {
		return err
	}
	id, err := s.set(ctx, "Domain", name, "create", "d", map[string]any{"name": name}, nil)
	switch {
	case err == nil:
		s.domains[name] = id
	case exists(err):
		s.domains = nil // its id is not known: all are read anew
	}
	return err
}

func (s *objects) create(ctx context.Context, a Account) error {
	if err := s.ids(ctx); err != nil {
		return err
	}
	o := map[string]any{"name": localOf(a.Name), "domainId": s.domains[domainOf(a.Name)]}
	if a.Description != "" {
		o["description"] = a.Description
	}
	aliases := map[string]alias{}
	for i, e := range a.Emails[1:] {
		aliases[strconv.Itoa(i)] = alias{Enabled: true, Name: localOf(e), DomainID: s.domains[domainOf(e)]}
	}
	o["aliases"] = aliases
	kind := "Account"
	switch {
	case a.Kind == List:
		kind = "MailingList"
		o["recipients"] = set(a.Members)
	case a.Kind == Group:
		o["@type"] = "Group"
	default:
		credentials := map[string]any{}
		for i, secret := range a.Secrets {
			credentials[strconv.Itoa(i)] = map[string]any{"@type": "Password", "secret": secret}
		}
		o["@type"], o["credentials"], o["memberGroupIds"] = "User", credentials, s.groups(a.MemberOf)
		o["roles"] = map[string]any{"@type": map[Kind]string{Individual: "User", Admin: "Admin"}[a.Kind]}
	}
	if a.Quota > 0 && a.Kind != List {
		o["quotas"] = map[string]any{"maxDiskQuota": a.Quota}
	}
	id, err := s.set(ctx, kind, a.Name, "create", "a", o, a.Secrets)
	if err != nil {
		return err
	}
	if a.Kind == List {
		s.lists[a.Name] = id
	} else {
		s.accounts[a.Name] = id
	}
	return nil
}

func set(list []string) map[string]bool {
	m := map[string]bool{}
	for _, v := range list {
		m[v] = true
	}
	return m
}

func (s *objects) groups(names []string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		if id := s.accounts[n]; id != "" {
			m[id] = true
		}
	}
	return m
}

// add gives an account what it lacks. What it has is read first: a property is
// only set as a whole.
func (s *objects) add(ctx context.Context, a Account) error {
	if err := s.ids(ctx); err != nil {
		return err
	}
	kind, id := "Account", s.accounts[a.Name]
	if a.Kind == List {
		kind, id = "MailingList", s.lists[a.Name]
	}
	got, err := s.get(ctx, kind, []string{id})
	if err != nil {
		return about(err, a.Name)
	}
	if len(got) != 1 {
		return &jmapclient.Error{Kind: jmapclient.NotFound, Op: "x:" + kind + "/get", Item: a.Name, Detail: "it is gone"}
	}
	has, update := got[0], map[string]any{}
	if len(a.Emails) > 0 {
		aliases := has.aliases()
		if aliases == nil {
			aliases = map[string]alias{}
		}
		free := 0
		for _, e := range a.Emails {
			for ; ; free++ {
				if _, taken := aliases[strconv.Itoa(free)]; !taken {
					break
				}
			}
			aliases[strconv.Itoa(free)] = alias{Enabled: true, Name: localOf(e), DomainID: s.domains[domainOf(e)]}
		}
		update["aliases"] = aliases
	}
	if len(a.MemberOf) > 0 {
		groups := s.groups(a.MemberOf)
		maps.Copy(groups, has.MemberGroupIDs)
		update["memberGroupIds"] = groups
	}
	if len(a.Members) > 0 {
		recipients := set(a.Members)
		maps.Copy(recipients, has.Recipients)
		update["recipients"] = recipients
	}
	_, err = s.set(ctx, kind, a.Name, "update", id, update, nil)
	return err
}

// about names what an error is about.
func about(err error, item string) error {
	if e, ok := err.(*jmapclient.Error); ok && e.Item == "" {
		named := *e
		named.Item = item
		return &named
	}
	return err
}
