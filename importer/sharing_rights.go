package importer

import (
	"encoding/json"
	"slices"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

// rights are what somebody may do in a mailbox, in RFC 8621's words (§2) and
// RFC 9670's mayShare.
type rights map[string]bool

// aclRights are Stalwart's words up to 0.13, each with what it allows, and
// cyrusRights those of Cyrus.
var (
	aclRights = map[string][]string{
		"read":        nil, // to see that it is there, which who may read may
		"readItems":   {"mayReadItems"},
		"addItems":    {"mayAddItems"},
		"removeItems": {"mayRemoveItems"},
		"modifyItems": {"maySetSeen", "maySetKeywords"},
		"createChild": {"mayCreateChild"},
		"modify":      {"mayRename"},
		"delete":      {"mayDelete"},
		"submit":      {"maySubmit"},
		"administer":  {"mayShare"},
	}
	cyrusRights = map[string][]string{
		"mayRead":  {"mayReadItems"},
		"mayWrite": {"mayAddItems", "mayRemoveItems", "maySetSeen", "maySetKeywords"},
		"mayAdmin": {"mayShare"},
	}
)

// readShares reads with whom an object is shared, by login or principal id; none where
// that is not known.
func readShares(o account.Object) (shares map[string]rights, byLogin bool) {
	shares = map[string]rights{}
	var acl map[string][]string
	if json.Unmarshal(o["acl"], &acl) == nil && len(acl) > 0 {
		for who, words := range acl {
			shares[who] = rights{}
			for _, w := range words {
				shares[who].allow(aclRights[w])
			}
		}
		return shares, true
	}
	var with map[string]map[string]bool
	_ = json.Unmarshal(o["shareWith"], &with) // null, or of no known form: nobody
	for who, given := range with {
		shares[who] = rights{}
		for w, on := range given {
			theirs, isCyrus := cyrusRights[w]
			byLogin = byLogin || isCyrus
			switch {
			case on && isCyrus:
				shares[who].allow(theirs)
			case on:
				shares[who][w] = true
			}
		}
	}
	return shares, byLogin
}

func (g rights) allow(words []string) {
	for _, w := range words {
		g[w] = true
	}
}

// as are rights in a form of the target's, never more than they are. lost says
// whether it is less.
func (g rights) as(form jmapclient.SharingForm) (value any, lost bool) {
	words := cyrusRights
	switch form {
	case jmapclient.SharedWith:
		return g, false
	case jmapclient.SharedByACL:
		words = aclRights
	}
	var list []string
	said := rights{}
	for w, allows := range words {
		if len(allows) > 0 && !slices.ContainsFunc(allows, func(r string) bool { return !g[r] }) {
			list = append(list, w)
			said.allow(allows)
		}
	}
	if form == jmapclient.SharedByACL && g["mayReadItems"] {
		list = append(list, "read")
	}
	slices.Sort(list)
	for r, on := range g {
		lost = lost || on && !said[r]
	}
	if form == jmapclient.SharedByACL {
		return list, lost
	}
	return account.SetOf(list...), lost
}
