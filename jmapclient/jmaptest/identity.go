package jmaptest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// identity is RFC 8621 §6; props are all but its id.
type identity struct {
	n     uint32
	props object
}

type identities struct {
	byID    map[string]*identity
	numbers numbers
	touched bool // a first get or set was there
}

var identityProps = []string{"id", "name", "email", "replyTo", "bcc", "textSignature", "htmlSignature", "mayDelete"}

func (a *account) identityAdd(props object) string {
	i := &identity{n: a.identity.numbers.take(), props: props}
	id := a.s.id('I', uint64(i.n))
	a.identity.byID[id] = i
	return id
}

// blank is an identity with nothing said.
func (a *account) blank() object {
	var none any = ""
	if a.s.p.UnsetIsNull {
		none = nil
	}
	return object{"name": "", "email": "", "replyTo": nil, "bcc": nil, "textSignature": none, "htmlSignature": none, "mayDelete": true}
}

func (a *account) identityIDs() []string {
	return slices.SortedFunc(maps.Keys(a.identity.byID), func(x, y string) int {
		return int(a.identity.byID[x].n) - int(a.identity.byID[y].n)
	})
}

// defaultIdentities makes those of a server that has some for everyone.
func (a *account) defaultIdentities() {
	if a.identity.touched || !a.s.p.DefaultIdentities {
		return
	}
	a.identity.touched = true
	name := a.user.Description
	if name == "" {
		name = a.user.Login
	}
	for _, email := range a.identityAddresses() {
		props := a.blank()
		props["name"], props["email"] = name+" <"+email+">", email
		if a.s.p.PlainIdentityNames {
			props["name"] = name
		}
		id := a.identityAdd(props)
		if a.s.p.DefaultsNoted {
			a.note(typeIdentity, id, created)
		}
	}
}

// identityAddresses are those that default identities are made for.
func (a *account) identityAddresses() []string {
	list := a.user.Emails
	if a.s.p.GroupIdentities {
		for _, g := range a.s.accounts {
			if a.s.member(a, g) {
				list = slices.Concat(g.user.Emails, list)
			}
		}
	}
	return list
}

func (c *call) identityGet() (any, error) {
	var g getArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	c.a.defaultIdentities()
	return c.get(g, reader{
		state: c.a.state(typeIdentity), props: identityProps, all: c.a.identityIDs,
		get: func(id string, want func(string) bool) object {
			i := c.a.identity.byID[id]
			if i == nil {
				return nil
			}
			o := maps.Clone(i.props)
			o["id"] = id
			return pick(o, want)
		},
	})
}

func (c *call) identitySet() (any, error) {
	var g setArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	c.a.identity.touched = true
	o, err := c.set(g, writer{
		typ: typeIdentity,
		create: func(f fields) (object, *setError) {
			props := c.a.blank()
			if bad := c.identityPatch(props, f, true); bad != nil {
				return nil, bad
			}
			id := c.a.identityAdd(props)
			c.a.note(typeIdentity, id, created)
			return object{"id": id}, nil
		},
		update: func(id string, _ json.RawMessage, f fields) (any, *setError) {
			i := c.a.identity.byID[id]
			if i == nil {
				return nil, refused("notFound", "")
			}
			props := maps.Clone(i.props)
			if bad := c.identityPatch(props, f, false); bad != nil {
				return nil, bad
			}
			i.props = props
			c.a.note(typeIdentity, id, updated)
			return nil, nil
		},
		destroy: func(id string) *setError {
			i := c.a.identity.byID[id]
			if i == nil {
				return refused("notFound", "")
			}
			delete(c.a.identity.byID, id)
			if c.s.p.ReuseIDs {
				c.a.identity.numbers.giveBack(i.n)
			}
			c.a.note(typeIdentity, id, destroyed)
			return nil
		},
	})
	if err == nil && c.s.p.IdentityNoOldState {
		delete(o, "oldState")
	}
	return o, err
}

func (c *call) identityPatch(props object, f fields, isNew bool) *setError {
	for name, raw := range f {
		var v any
		_ = json.Unmarshal(raw, &v) // it came as JSON
		_, isText := v.(string)
		_, isList := v.([]any)
		switch name {
		case "name", "textSignature", "htmlSignature":
			if !isText && v != nil {
				return invalid("It is no text.", name)
			}
		case "replyTo", "bcc":
			if !isList && v != nil {
				return invalid("It is no list of addresses.", name)
			}
		case "email":
			if !isNew && v != props["email"] {
				return invalid("The address of an identity stays.", name)
			}
			if text, _ := v.(string); !c.mayBe(text) {
				return invalid("The account has no such address.", name)
			}
		default:
			return invalid("The property cannot be set.", name)
		}
		props[name] = v
	}
	if props["email"] == "" {
		return invalid("An identity has an address.", "email")
	}
	return nil
}

// mayBe says whether the account may send from an address.
func (c *call) mayBe(address string) bool {
	if c.s.p.AnyIdentityAddress {
		return strings.Contains(address, "@")
	}
	return slices.ContainsFunc(c.a.user.Emails, func(e string) bool { return strings.EqualFold(e, address) })
}
