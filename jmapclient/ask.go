package jmapclient

import (
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
)

// asks gives the `using` list for a type's objects and the properties to ask for
// under it, nil for all; an error of kind Unsupported where the account does not
// have the type.
func (a *Account) asks(t account.Type, method string, props []string) (using, asked []string, err error) {
	if using, err = a.using(t, method); err != nil || props != nil {
		return using, props, err
	}
	asked = t.PropertiesUnder(using[1])
	if urn, prop := a.sharing(t); prop != "" {
		asked = append(slices.Clone(asked), prop)
		if urn != "" && !slices.Contains(using, urn) {
			using = append(using, urn)
		}
	}
	return using, asked, nil
}

// sharing is the property that tells with whom an object is shared, "" for none,
// and the capability that a request for it uses, "" for none beside the type's.
// Stalwart up to 0.13 has its own property, which no capability announces: it is
// what a server has that says Stalwart of its Sieve and announces none of these.
func (a *Account) sharing(t account.Type) (urn, prop string) {
	if t.Sharing == nil || a.Client == nil || a.Client.noSharing.Load() {
		return "", ""
	}
	for _, urn := range t.Sharing {
		if _, ok := a.Capabilities[urn]; ok {
			return urn, "shareWith"
		}
		if _, ok := a.Client.session.Capabilities[urn]; ok {
			return urn, "shareWith"
		}
	}
	sieve, _ := account.ParseObject(a.Client.session.Capabilities[sieveURN]) // none says nothing
	if strings.HasPrefix(sieve.Text("implementation"), "Stalwart ") {
		return "", "acl"
	}
	return "", ""
}

// sieveURN is RFC 9661's capability.
const sieveURN = "urn:ietf:params:jmap:sieve"

// Unknown are the account's capabilities of which nothing is known, sorted.
func (a *Account) Unknown() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(a.Capabilities)), account.KnowsCapability)
}
