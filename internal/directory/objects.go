package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mailhaul/jmapclient"
)

// objects is a server of 0.16, which has management as methods of JMAP. It knows
// domains, accounts and lists by ids, which are looked up by name once.
type objects struct {
	c        *jmapclient.Client
	domains  map[string]string // ids by name
	accounts map[string]string // ids of users and groups by address
	lists    map[string]string
}

// object is an account, a domain or a list as the server has it.
type object struct {
	ID             string           `json:"id"`
	Kind           string           `json:"@type"`
	Name           string           `json:"name"`
	Description    string           `json:"description"`
	EmailAddress   string           `json:"emailAddress"`
	Aliases        json.RawMessage  `json:"aliases"` // of a domain: a set of names
	MemberGroupIDs map[string]bool  `json:"memberGroupIds"`
	Quotas         map[string]int64 `json:"quotas"`
	Roles          map[string]any   `json:"roles"`
	Permissions    map[string]any   `json:"permissions"`
	Recipients     map[string]bool  `json:"recipients"`
}

type alias struct {
	Enabled     bool    `json:"enabled"`
	Name        string  `json:"name"`
	DomainID    string  `json:"domainId"`
	Description *string `json:"description"`
}

func (o object) aliases() map[string]alias {
	var m map[string]alias
	_ = json.Unmarshal(o.Aliases, &m) // those of a domain are names, and not looked at
	return m
}

// all reads every object of a kind, by the page.
func (s *objects) all(ctx context.Context, kind string) ([]object, error) {
	var list []object
	seen := map[string]bool{}
	for len(list) < most {
		raw, err := s.c.ManageCall(ctx, stalwartURN, "x:"+kind+"/query", map[string]any{"position": len(list), "limit": s.chunk()}, false, nil)
		if err != nil {
			return nil, err
		}
		var page struct{ IDs []string }
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, nonsense("x:"+kind+"/query", err)
		}
		fresh := slices.DeleteFunc(page.IDs, func(id string) bool { return seen[id] })
		if len(fresh) == 0 {
			return list, nil
		}
		for chunk := range slices.Chunk(fresh, s.chunk()) {
			got, err := s.get(ctx, kind, chunk)
			if err != nil {
				return nil, err
			}
			list = append(list, got...)
		}
		for _, id := range fresh {
			seen[id] = true
		}
	}
	return list, nil
}

func (s *objects) chunk() int { return int(min(max(s.c.Limits().MaxObjectsInGet, 1), pageOf)) }

func (s *objects) get(ctx context.Context, kind string, ids []string) ([]object, error) {
	raw, err := s.c.ManageCall(ctx, stalwartURN, "x:"+kind+"/get", map[string]any{"ids": ids}, false, nil)
	if err != nil {
		return nil, err
	}
	var got struct{ List []object }
	if err := json.Unmarshal(raw, &got); err != nil {
		return nil, nonsense("x:"+kind+"/get", err)
	}
	return got.List, nil
}

func nonsense(op string, err error) error {
	return &jmapclient.Error{Kind: jmapclient.ServerFault, Op: op, Detail: "the answer makes no sense: " + err.Error()}
}

func (s *objects) read(ctx context.Context) (*Directory, error) {
	d := &Directory{Version: V016, Server: s.c.Origin()}
	s.domains, s.accounts, s.lists = map[string]string{}, map[string]string{}, map[string]string{}
	domains, err := s.all(ctx, "Domain")
	if err != nil {
		return nil, err
	}
	names := map[string]string{} // of domains, by id
	for _, o := range domains {
		name := strings.ToLower(o.Name)
		s.domains[name], names[o.ID] = o.ID, name
		d.Domains = append(d.Domains, Domain{name})
	}
	accounts, err := s.all(ctx, "Account")
	if err != nil {
		return nil, err
	}
	lists, err := s.all(ctx, "MailingList")
	if err != nil {
		return nil, err
	}
	groups := map[string]string{}
	for _, o := range accounts {
		s.accounts[strings.ToLower(o.EmailAddress)] = o.ID
		groups[o.ID] = strings.ToLower(o.EmailAddress)
	}
	for _, o := range accounts {
		d.Accounts = append(d.Accounts, o.account(names, groups))
	}
	for _, o := range lists {
		s.lists[strings.ToLower(o.EmailAddress)] = o.ID
		a := o.account(names, groups)
		a.Kind, a.Members = List, lower(slices.Collect(maps.Keys(o.Recipients)))
		d.Accounts = append(d.Accounts, a)
	}
	d.tidy()
	return d, nil
}

func (o object) account(domains, groups map[string]string) Account {
	a := Account{Name: strings.ToLower(o.EmailAddress), Kind: Individual, Description: o.Description, Quota: o.Quotas["maxDiskQuota"]}
	a.Emails = []string{a.Name}
	aliases := o.aliases()
	for _, key := range slices.Sorted(maps.Keys(aliases)) {
		a.Emails = append(a.Emails, strings.ToLower(aliases[key].Name)+"@"+domains[aliases[key].DomainID])
	}
	slices.Sort(a.Emails[1:]) // the server numbers them as it likes
	role, _ := o.Roles["@type"].(string)
	switch {
	case o.Kind == "Group":
		a.Kind = Group
	case role == "Admin":
		a.Kind = Admin
	case role == "Custom":
		a.Roles = []string{"custom"}
	}
	if p, _ := o.Permissions["@type"].(string); p != "" && p != "Inherit" {
		a.Notes = []string{"it has permissions of its own, which are not carried"}
	}
	for id, in := range o.MemberGroupIDs {
		if name := groups[id]; in && name != "" {
			a.MemberOf = append(a.MemberOf, name)
		}
	}
	return a
}

// ids makes sure that they are known.
func (s *objects) ids(ctx context.Context) error {
	if s.domains != nil {
		return nil
	}
	_, err := s.read(ctx)
	return err
}

func (s *objects) account(ctx context.Context, name string) (*Account, error) {
	d, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return d.Account(name), nil
}

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
