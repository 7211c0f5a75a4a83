package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
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

// mostPages bounds a list whose end does not come.
const mostPages = 2000

// all reads every object of a kind, by the page.
func (s *objects) all(ctx context.Context, kind string) ([]object, error) {
	var list []object
	seen := map[string]bool{}
	for range mostPages {
		raw, err := s.c.ManageCall(ctx, stalwartURN, "x:"+kind+"/query", map[string]any{"position": len(seen), "limit": s.chunk()}, false, nil)
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
			if len(got) == 0 {
				return nil, nonsense("x:"+kind+"/get", fmt.Errorf("it has none of the %d that are listed", len(chunk)))
			}
			list = append(list, got...)
		}
		for _, id := range fresh {
			seen[id] = true
		}
	}
	return nil, nonsense("x:"+kind+"/query", errors.New("the list does not end"))
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
