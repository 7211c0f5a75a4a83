package jmaptest

import (
	"encoding/json"
	"slices"
	"strings"
)

// Principals (RFC 9670), as far as it takes to find an account.

var principalProps = []string{"id", "type", "name", "description", "email"}

func (s *Server) principals() []*account {
	return slices.DeleteFunc(slices.Clone(s.accounts), func(a *account) bool { return a.hidden || a.user.List && s.p.ListsHidden })
}

func (c *call) principalGet() (any, error) {
	var g getArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	return c.get(g, reader{
		state: c.s.state(0),
		props: principalProps,
		more:  []string{"timeZone", "capabilities", "accounts"},
		all: func() []string {
			var ids []string
			for _, a := range c.s.principals() {
				ids = append(ids, a.id)
			}
			return ids
		},
		get: func(id string, want func(string) bool) object {
			a := c.s.byID[id]
			if a == nil || a.hidden {
				return nil
			}
			o := object{"id": a.id, "type": a.principalType(), "name": a.user.Login, "description": nil, "email": nil,
				"timeZone": nil, "capabilities": object{}, "accounts": nil}
			if a.user.Description != "" {
				o["description"] = a.user.Description
			}
			if len(a.user.Emails) > 0 {
				o["email"] = a.user.Emails[0]
			}
			return pick(o, want)
		},
	})
}

func (a *account) principalType() string {
	switch {
	case a.user.Group:
		return "group"
	case a.user.List:
		return "other"
	}
	return "individual"
}

type principalFilter struct {
	AccountIDs []string `json:"accountIds"`
	Email      *string  `json:"email"`
	Name       *string  `json:"name"`
	Text       *string  `json:"text"`
	Type       *string  `json:"type"`
}

func (c *call) principalQuery() (any, error) {
	var g queryArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	var f principalFilter
	if len(g.Filter) > 0 && string(g.Filter) != "null" {
		if err := json.Unmarshal(g.Filter, &f); err != nil {
			return nil, failed("unsupportedFilter", err.Error())
		}
	}
	var ids []string
	for _, a := range c.s.principals() {
		if c.principalMatches(a, f) {
			ids = append(ids, a.id)
		}
	}
	if f.Email != nil && c.s.p.ListsExpand {
		ids = c.expand(ids)
	}
	if len(ids) == 0 && c.s.p.UnknownNameFindsAll && !c.s.known(f) {
		for _, a := range c.s.principals() {
			ids = append(ids, a.id)
		}
	}
	return c.queryAnswer(g, c.s.state(0), ids)
}

func (c *call) principalMatches(a *account, f principalFilter) bool {
	p := &c.s.p
	if f.Email != nil {
		if !slices.ContainsFunc(a.user.Emails, func(e string) bool { return strings.EqualFold(e, *f.Email) }) {
			return false
		}
	}
	if f.AccountIDs != nil && !slices.Contains(f.AccountIDs, a.id) {
		return false
	}
	if f.Name != nil && a.user.Login != *f.Name {
		return false
	}
	if f.Text != nil && !strings.Contains(strings.ToLower(a.user.Login+" "+a.user.Description), strings.ToLower(*f.Text)) {
		return false
	}
	return f.Type == nil || *f.Type == a.principalType() || *f.Type == "individual" && p.EveryTypeIndividual
}

// known says whether a filter's name or address is anyone's, a hidden list's too.
func (s *Server) known(f principalFilter) bool {
	return f.Name == nil && f.Email == nil || slices.ContainsFunc(s.accounts, func(a *account) bool {
		return f.Name != nil && a.user.Login == *f.Name || f.Email != nil && slices.Contains(a.user.Emails, *f.Email)
	})
}

// expand puts a list's members in its place.
func (c *call) expand(ids []string) []string {
	var out []string
	for _, id := range ids {
		list := c.s.byID[id]
		if !list.user.List {
			out = append(out, id)
			continue
		}
		for _, a := range c.s.principals() {
			if slices.Contains(a.user.MemberOf, list.user.Login) {
				out = append(out, a.id)
			}
		}
	}
	return out
}
