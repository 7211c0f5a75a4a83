package jmaptest

import (
	"encoding/json"
	"slices"
	"strings"
)

type mailboxFilter struct {
	ParentID     json.RawMessage `json:"parentId"`
	Name         *string         `json:"name"`
	Role         json.RawMessage `json:"role"`
	HasAnyRole   *bool           `json:"hasAnyRole"`
	IsSubscribed *bool           `json:"isSubscribed"`
}

func (c *call) mailboxQuery() (any, error) {
	var g struct {
		queryArgs
		SortAsTree   bool `json:"sortAsTree"`
		FilterAsTree bool `json:"filterAsTree"`
	}
	if err := c.read(&g); err != nil {
		return nil, err
	}
	var f mailboxFilter
	if len(g.Filter) > 0 {
		if err := strictDecode(g.Filter, &f); err != nil {
			return nil, failed("unsupportedFilter", err.Error())
		}
	}
	list := slices.DeleteFunc(c.a.mailboxes.sorted(), func(m *mailbox) bool { return !c.mailboxMatches(m, f) })
	for i := len(g.Sort) - 1; i >= 0; i-- {
		by := map[string]func(a, b *mailbox) int{
			"name":      func(a, b *mailbox) int { return strings.Compare(a.name, b.name) },
			"sortOrder": func(a, b *mailbox) int { return int(a.sortOrder - b.sortOrder) },
		}[g.Sort[i].Property]
		if by == nil {
			return nil, failed("unsupportedSort", g.Sort[i].Property)
		}
		slices.SortStableFunc(list, directed(by, g.Sort[i]))
	}
	ids := make([]string, len(list))
	for i, m := range list {
		ids[i] = m.id
	}
	return c.queryAnswer(g.queryArgs, c.a.state(typeMailbox), ids)
}

func (c *call) mailboxMatches(m *mailbox, f mailboxFilter) bool {
	var text *string
	if f.ParentID != nil {
		_ = json.Unmarshal(f.ParentID, &text) // null and a wrong type are the top level
		if (text == nil) != (m.parent == nil) || text != nil && *text != m.parent.id {
			return false
		}
	}
	if f.Role != nil {
		text = nil
		_ = json.Unmarshal(f.Role, &text)
		if (text == nil) != (m.role == "") || text != nil && *text != m.role {
			return false
		}
	}
	return (f.Name == nil || strings.Contains(strings.ToLower(m.name), strings.ToLower(*f.Name))) &&
		(f.HasAnyRole == nil || *f.HasAnyRole == (m.role != "")) &&
		(f.IsSubscribed == nil || *f.IsSubscribed == m.subscribers[c.caller.user.Login])
}
