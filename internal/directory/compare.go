package directory

import (
	"fmt"
	"slices"
	"strings"
)

// Action is what a step does.
type Action string

// The actions.
const (
	Create Action = "create"
	Change Action = "change" // adds what is missing
)

// Step is one thing to do on the target.
type Step struct {
	Do      Action   `json:"do"`
	What    string   `json:"what"` // "domain", or the kind of the account
	Name    string   `json:"name"` // on the target
	Details []string `json:"details,omitempty"`
	account Account  // to create, or of what is missing
}

// Plan is what it takes to have a directory on a target.
type Plan struct {
	Target Target `json:"target"`
	// Names are the accounts' names on the target by their names in the directory,
	// those in the way included where there is a name for them.
	Names map[string]string `json:"names"`
	Steps []Step            `json:"steps"`
	// InTheWay are accounts that are not made, and why.
	InTheWay []Problem `json:"inTheWay,omitempty"`
	// Notes are what differs and is left as it is, and what cannot be carried.
	Notes []Problem `json:"notes,omitempty"`
}

// Compare plans how to make what is in want and not in have, which was read from
// the target: domains first, then groups, users, lists, and what members groups
// have among themselves. An account that has its name or an address held by
// another is in the way, and left out.
func Compare(want, have *Directory, v Target) (*Plan, error) {
	if v != V07 && v != V010 && v != V016 {
		return nil, fmt.Errorf("accounts are made on Stalwart from 0.7 on, and the target is %s", v.Title())
	}
	t := &translation{v: v, want: want, have: have}
	accounts := t.accounts()
	p := &planner{translation: t, wanted: map[string]bool{}, made: map[string]bool{}, holder: map[string]string{}, claimed: map[string]string{}}
	for _, name := range t.names {
		p.wanted[name] = true
	}
	for _, a := range have.Accounts {
		for _, e := range a.Emails {
			p.holder[strings.ToLower(e)] = a.Name
		}
	}
	for _, kind := range []func(Kind) bool{func(k Kind) bool { return k == Group }, Kind.user, func(k Kind) bool { return k == List }} {
		for _, a := range accounts {
			if kind(a.Kind) {
				p.account(a)
			}
		}
	}
	plan := &Plan{Target: v, Names: t.names, InTheWay: t.inTheWay}
	plan.Steps = append(append(p.domains(), p.steps...), p.nested()...)
	plan.Notes = t.notes
	return plan, nil
}

// kindWords are the kinds in a sentence.
var kindWords = map[Kind]string{Individual: "a user", Admin: "an administrator", Group: "a group", List: "a mailing list"}

// planner gathers steps.
type planner struct {
	*translation
	wanted  map[string]bool   // accounts that are to be there
	made    map[string]bool   // those of them that will be
	holder  map[string]string // of addresses there
	claimed map[string]string // addresses and names of accounts in want
	steps   []Step
	groups  []Account // that are members of groups, which may not be there before them
	used    []string  // domains
}

func (p *planner) domains() []Step {
	var steps []Step
	names := slices.Clone(p.used)
	for _, d := range p.want.Domains {
		names = append(names, strings.ToLower(d.Name))
	}
	for _, name := range sorted(names) {
		if !slices.ContainsFunc(p.have.Domains, func(d Domain) bool { return strings.EqualFold(d.Name, name) }) {
			steps = append(steps, Step{Do: Create, What: "domain", Name: name})
		}
	}
	return steps
}

// account plans one. Groups come first, and lists last.
func (p *planner) account(a Account) {
	old := p.have.Account(a.Name)
	switch {
	case p.claimed["name "+a.Name] != "":
		p.blocked(a.Name, "two accounts would have this name")
		return
	case old == nil && strings.EqualFold(a.Name, p.have.ReadAs):
		// One with another password could shut out who is making it.
		p.note(a.Name, "the administrator there has this name without an account; none is made")
		p.made[a.Name] = true
		return
	case old != nil && (old.Kind.user() != a.Kind.user() || !a.Kind.user() && old.Kind != a.Kind):
		p.blocked(a.Name, "there it is the name of %s, and this is %s; rename one of them", kindWords[old.Kind], kindWords[a.Kind])
		return
	}
	p.claimed["name "+a.Name] = a.Name
	for _, e := range a.Emails {
		other := p.claimed[e]
		if h := p.holder[e]; h != "" && h != a.Name {
			other = h
		}
		if other != "" {
			p.blocked(a.Name, "its address %s is %s's there; take it from one of them", e, other)
			return
		}
	}
	for _, e := range a.Emails {
		p.claimed[e] = a.Name
		p.used = append(p.used, domainOf(e))
	}
	if a.Kind == Group && len(a.MemberOf) > 0 {
		p.groups = append(p.groups, Account{Name: a.Name, Kind: a.Kind, MemberOf: a.MemberOf})
		a.MemberOf = nil
	}
	a.MemberOf = p.only(a.Name, a.MemberOf, "it is not made a member of %s, which is not made")
	a.Members = p.only(a.Name, a.Members, "%s is not made, nor made a member of it")
	if old == nil {
		p.steps = append(p.steps, Step{Create, string(a.Kind), a.Name, details(a), a})
	} else {
		p.differences(a, *old)
		p.lacks(a, *old)
	}
	p.made[a.Name] = true
}

// nested are the memberships of groups, when all groups are there.
func (p *planner) nested() []Step {
	before := p.steps
	p.steps = nil
	for _, g := range p.groups {
		g.MemberOf = p.only(g.Name, g.MemberOf, "it is not made a member of %s, which is not made")
		old := Account{Name: g.Name}
		if is := p.have.Account(g.Name); is != nil {
			old = *is
		}
		p.lacks(g, old)
	}
	steps := p.steps
	p.steps = before
	return steps
}

// only leaves out accounts that are to be there and will not be: who has such a
// name there is another.
func (p *planner) only(name string, list []string, says string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(m string) bool {
		gone := p.wanted[m] && !p.made[m]
		if gone {
			p.note(name, says, m)
		}
		return gone
	})
}

// lacks plans what an account that is there is given.
func (p *planner) lacks(a, old Account) {
	if with := lacking(a, old); len(with.Emails)+len(with.MemberOf)+len(with.Members) > 0 {
		p.steps = append(p.steps, Step{Change, string(a.Kind), a.Name, details(with), with})
	}
}

// lacking is what an account has and another of that name does not.
func lacking(a, old Account) Account {
	with := Account{Name: a.Name, Kind: a.Kind, Emails: missing(a.Emails, old.Emails), MemberOf: missing(a.MemberOf, old.MemberOf)}
	for _, m := range a.Members {
		if !slices.Contains(old.Members, strings.TrimPrefix(m, elsewhere)) {
			with.Members = append(with.Members, m)
		}
	}
	return with
}

func missing(want, have []string) []string {
	return slices.DeleteFunc(slices.Clone(want), func(v string) bool { return slices.Contains(have, v) })
}

// differences notes what is not changed.
func (p *planner) differences(a, old Account) {
	if a.Quota != old.Quota && a.Kind != List {
		p.note(a.Name, "its quota there is %d octets, not %d; it is left", old.Quota, a.Quota)
	}
	if a.Description != "" && a.Description != old.Description {
		p.note(a.Name, "its description there is %q; it is left", old.Description)
	}
	if a.Kind != old.Kind {
		p.note(a.Name, "it is %s there, not %s; it is left", kindWords[old.Kind], kindWords[a.Kind])
	}
	if len(old.Secrets) > 0 && len(a.Secrets) > 0 && !slices.Contains(old.Secrets, a.Secrets[0]) {
		p.note(a.Name, "it has another password there; it is left")
	}
}

// details say what there is to an account, but for secrets.
func details(a Account) []string {
	var d []string
	for _, e := range a.Emails {
		d = append(d, "address "+e)
	}
	for _, g := range a.MemberOf {
		d = append(d, "member of "+g)
	}
	for _, m := range a.Members {
		d = append(d, "with member "+strings.TrimPrefix(m, elsewhere))
	}
	if len(a.Secrets) > 0 {
		d = append(d, "with its password")
	}
	if a.Quota > 0 {
		d = append(d, fmt.Sprintf("quota %d octets", a.Quota))
	}
	return d
}
