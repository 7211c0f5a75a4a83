package directory

import (
	"context"
	"strings"

	"mailhaul/jmapclient"
)

func (p *principals) createDomain(ctx context.Context, name string) error {
	m := jmapclient.ManageRequest{Method: "POST", Path: p.path("domain", name), Item: name} // which is there after it, however often
	if p.v == V010 {
		m.Path, m.Creates = "/api/principal", true
		m.Body = map[string]any{"type": "domain", "name": name}
	}
	_, err := manage(ctx, p.c, m)
	return err
}

func (p *principals) create(ctx context.Context, a Account) error {
	kind := string(a.Kind)
	o := map[string]any{"type": kind, "name": a.Name, "emails": orNone(a.Emails), "secrets": orNone(a.Secrets), "memberOf": orNone(a.MemberOf),
		"quota": a.Quota}
	if a.Description != "" {
		o["description"] = a.Description
	}
	if a.Kind == Admin && p.v != V010 {
		o["type"] = "superuser"
	} else if a.Kind.user() && p.v == V010 {
		o["type"], o["roles"] = "individual", []string{map[Kind]string{Individual: "user", Admin: "admin"}[a.Kind]}
	}
	if a.Kind == List {
		inside, outside := partMembers(a.Members)
		o["members"] = orNone(inside)
		if len(outside) > 0 {
			o["externalMembers"] = outside
		}
	}
	_, err := manage(ctx, p.c, jmapclient.ManageRequest{Method: "POST", Path: p.base() + "/principal", Body: o, Item: a.Name, Creates: true, Hide: a.Secrets})
	return err
}

// partMembers parts a list's members into accounts and addresses elsewhere, which
// names.go marks.
func partMembers(list []string) (inside, outside []string) {
	for _, m := range list {
		if address, ok := strings.CutPrefix(m, elsewhere); ok {
			outside = append(outside, address)
		} else {
			inside = append(inside, m)
		}
	}
	return inside, outside
}

// add gives an account what it lacks; an item that is there already stays the only one.
func (p *principals) add(ctx context.Context, a Account) error {
	type change struct {
		Action string `json:"action"`
		Field  string `json:"field"`
		Value  any    `json:"value"`
	}
	var changes []change
	inside, outside := partMembers(a.Members)
	for _, f := range []struct {
		field string
		items []string
	}{{"emails", a.Emails}, {"memberOf", a.MemberOf}, {"members", inside}, {"externalMembers", outside}} {
		for _, v := range f.items {
			changes = append(changes, change{"addItem", f.field, v})
		}
	}
	_, err := manage(ctx, p.c, jmapclient.ManageRequest{Method: "PATCH", Path: p.path("principal", a.Name), Body: changes, Item: a.Name})
	return err
}

// Secrets reads the secrets of an account as the server keeps them (0.5 to 0.15).
func Secrets(ctx context.Context, c *jmapclient.Client, v Version, name string) ([]string, error) {
	a, err := (&principals{c, v}).account(ctx, name)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, &jmapclient.Error{Kind: jmapclient.NotFound, Op: "reading the account", Item: name, Detail: "there is none of that name"}
	}
	return a.Secrets, nil
}

// ChangeSecrets changes an account's secrets: action is set (value a list),
// addItem or removeItem (value a text), which versions take differently. An
// action that the version does not have is an error of kind Unsupported.
func ChangeSecrets(ctx context.Context, c *jmapclient.Client, v Version, name, action string, value any, hide []string) error {
	p := &principals{c, v}
	body := []map[string]any{{"action": action, "field": "secrets", "value": value}}
	_, err := manage(ctx, c, jmapclient.ManageRequest{Method: "PATCH", Path: p.path("principal", name), Body: body, Item: name, Hide: hide})
	return err
}

func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
