package directory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// elsewhere marks a member of a list that is no account of the server.
const elsewhere = "elsewhere:"

// Problem is something about an account that a person should know.
type Problem struct {
	Name string `json:"name"` // of the account, or the domain
	Text string `json:"text"`
}

// translation puts a directory into the target's terms.
type translation struct {
	v         Version
	want      *Directory
	have      *Directory
	names     map[string]string // on the target, by the name in want
	addresses map[string]string // the name in want of who has the address
	notes     []Problem
	inTheWay  []Problem
}

func (t *translation) note(name, format string, args ...any) {
	t.notes = append(t.notes, Problem{name, fmt.Sprintf(format, args...)})
}

func (t *translation) blocked(name, format string, args ...any) {
	t.inTheWay = append(t.inTheWay, Problem{name, fmt.Sprintf(format, args...)})
}

// accounts are those of want as the target is to have them, but for those that
// it can't: they are in the way themselves.
func (t *translation) accounts() []Account {
	t.names, t.addresses = map[string]string{}, map[string]string{}
	for _, a := range t.want.Accounts {
		for _, e := range a.Emails {
			t.addresses[strings.ToLower(e)] = a.Name
		}
		switch name := t.name(a); {
		case name != "":
			t.names[a.Name] = name
		case a.Kind == Admin:
			t.note(a.Name, "it is an administrator without an address, who is not made on %s", t.v.Title())
		default:
			t.blocked(a.Name, "it has no address, and accounts of %s are addresses; give it one in the directory's file", t.v.Title())
		}
	}
	var list []Account
	for _, a := range t.want.Accounts {
		if t.names[a.Name] != "" {
			list = append(list, t.account(a))
		}
	}
	return list
}

// name is what an account is called on the target: from 0.16 its main address.
func (t *translation) name(a Account) string {
	name := strings.ToLower(a.Name)
	if t.v != V016 || domainOf(name) != "" && localOf(name) != "" {
		return name
	}
	for _, e := range a.Emails {
		if localOf(e) != "" {
			return strings.ToLower(e)
		}
	}
	return ""
}

func (t *translation) account(a Account) Account {
	out := Account{Name: t.names[a.Name], Kind: a.Kind, Description: a.Description, Quota: a.Quota}
	for _, n := range a.Notes {
		t.note(out.Name, "%s", n)
	}
	for _, r := range a.Roles {
		t.note(out.Name, "its role %s is not carried; give it there", r)
	}
	if t.v == V016 {
		out.Emails = []string{out.Name}
	}
	for _, e := range lower(slices.Clone(a.Emails)) {
		switch {
		case t.v == V016 && localOf(e) == "":
			t.note(out.Name, "it takes what nobody else at %s does; set that at the domain", domainOf(e))
		case !slices.Contains(out.Emails, e):
			out.Emails = append(out.Emails, e)
		}
	}
	out.MemberOf = t.groups(a, out.Name)
	if a.Kind == List {
		out.Members = t.members(a, out.Name)
	}
	if a.Kind.user() {
		out.Secrets = t.secrets(a, out.Name)
	}
	return out
}

func (t *translation) groups(a Account, name string) []string {
	var groups []string
	for _, g := range a.MemberOf {
		switch there, old := t.names[g], t.have.Account(g); {
		case there == name:
		case there == "" && old != nil && old.Kind == Group:
			groups = append(groups, old.Name)
		case there == "":
			t.note(name, "it is a member of %s, which there is not", g)
		case t.v == V016 && !a.Kind.user():
			t.note(name, "it is a member of %s; groups of %s have no groups in them", g, t.v.Title())
		default:
			groups = append(groups, there)
		}
	}
	return sorted(groups)
}

func (t *translation) members(a Account, name string) []string {
	members := map[string]bool{}
	for _, m := range lower(slices.Clone(a.Members)) {
		who := m
		if t.names[m] == "" && t.addresses[m] != "" {
			who = t.addresses[m]
		}
		switch there := t.names[who]; {
		case there == name:
			t.note(name, "it is a member of itself, which is left out")
		case there != "":
			members[there] = true
		case t.have.Account(who) != nil:
			members[who] = true
		case domainOf(m) == "":
			t.note(name, "its member %s is no account", m)
		case t.v == V016:
			members[m] = true
		case t.v == V010:
			members[elsewhere+m] = true
		default:
			t.note(name, "its member %s is no account there, and lists of %s have no others", m, t.v.Title())
		}
	}
	return sorted(slices.Collect(maps.Keys(members)))
}
