package jmapclient

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
)

const principalsURN = "urn:ietf:params:jmap:principals" // RFC 9670

// principals looks who up among the server's principals. told is false when
// this user may not ask or the server does not know how.
func (c *Client) principals(ctx context.Context, who string) (found []*Account, told bool, err error) {
	asker := c.asker()
	if asker == nil {
		return nil, false, nil
	}
	keys := []string{"name"}
	if strings.Contains(who, "@") {
		keys = []string{"email", "name"}
	}
	byEmail, ids, ignored, err := asker.queryPrincipals(ctx, keys, who)
	if notTold(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	list, err := asker.getPrincipals(ctx, ids)
	if notTold(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	for _, p := range list {
		if strings.EqualFold(p.Text("name"), who) || strings.EqualFold(p.Text("email"), who) {
			found = addFound(found, c.ofPrincipal(p))
		}
	}
	// An alias finds one principal, whose own address is another one. Where
	// the filter finds everyone, or a list its members, that proves nothing.
	if len(found) == 0 && !ignored && len(byEmail) == 1 {
		for _, p := range list {
			if p.ID() == byEmail[0] && slices.Contains([]string{"", "individual", "group"}, p.Text("type")) {
				found = addFound(found, c.ofPrincipal(p))
			}
		}
	}
	return found, true, nil
}

// notTold says whether an error means that this user cannot ask for principals.
func notTold(err error) bool {
	switch KindOf(err) {
	case Unsupported, Forbidden, NoAccount, Unauthorized:
		return true
	}
	return false
}

// asker is the own account, in whose name principals are asked for.
func (c *Client) asker() *Account {
	own, err := c.ownAccount()
	if err != nil {
		return nil
	}
	return own
}

// principalUsing is the `using` of Principal calls. Stalwart up to 0.13 knows
// the methods but refuses their URN.
func (c *Client) principalUsing() []string {
	using := []string{coreURN, mailURN}
	if _, ok := c.session.Capabilities[principalsURN]; ok {
		using = append(using, principalsURN)
	}
	return using
}

// queryPrincipals asks Principal/query for who, as it was written and in lower
// case (Stalwart compares with what it stores). ids are all that were found,
// byEmail those by address. ignored tells that the server finds somebody also
// for a name that nobody can have: Stalwart 0.15 drops a filter it cannot
// resolve and answers everyone.
func (a *Account) queryPrincipals(ctx context.Context, keys []string, who string) (byEmail, ids []string, ignored bool, err error) {
	nobody := "no-" + strings.ToLower(rand.Text())
	names := []string{who}
	if low := strings.ToLower(who); low != who {
		names = append(names, low)
	}
	var calls []*call
	var isProbe, isEmail []bool
	var found []*struct{ IDs []string }
	for _, key := range keys {
		probe := nobody
		if key == "email" {
			probe += "@invalid.invalid"
		}
		for _, name := range append([]string{probe}, names...) {
			k, said := a.call("Principal/query", map[string]any{"filter": map[string]any{key: name}}), &struct{ IDs []string }{}
			k.read = into(said)
			calls, found = append(calls, k), append(found, said)
			isProbe = append(isProbe, name == probe)
			isEmail = append(isEmail, key == "email")
		}
	}
	if err := a.Client.send(ctx, a.request(a.Client.principalUsing(), calls...)); err != nil {
		return nil, nil, false, err
	}
	for i, said := range found {
		if isProbe[i] {
			ignored = ignored || len(said.IDs) > 0
			continue
		}
		ids = append(ids, said.IDs...)
		if isEmail[i] {
			byEmail = append(byEmail, said.IDs...)
		}
	}
	return unique(byEmail), unique(ids), ignored, nil
}

func unique(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// getPrincipals reads principals by id. (`ids: null` is wrong on Stalwart 0.7.)
func (a *Account) getPrincipals(ctx context.Context, ids []string) ([]account.Object, error) {
	var list []account.Object
	for chunk := range slices.Chunk(ids, int(a.Client.limits.MaxObjectsInGet)) {
		k := a.call("Principal/get", map[string]any{"ids": chunk})
		var got GetResult
		k.read = readGet(&got)
		if err := a.Client.send(ctx, a.request(a.Client.principalUsing(), k)); err != nil {
			return nil, err
		}
		list = append(list, got.List...)
	}
	return list, nil
}

// ofPrincipal is the account of a principal: the one with mail of those it
// lists (RFC 9670 §2), else the one with its own id, as Stalwart has it.
func (c *Client) ofPrincipal(p account.Object) *Account {
	id := p.ID()
	var accounts map[string]SessionAccount
	_ = json.Unmarshal(p["accounts"], &accounts) // absent on Stalwart
	for _, key := range slices.Sorted(maps.Keys(accounts)) {
		if _, mail := accounts[key].Capabilities[mailURN]; mail || len(accounts) == 1 {
			id = key
			break
		}
	}
	var a *Account
	if _, ok := c.session.Accounts[id]; ok {
		a = c.listed(id)
	} else {
		a = &Account{Client: c, ID: id, Capabilities: c.session.Capabilities}
		if caps := accounts[id].Capabilities; len(caps) > 0 {
			a.Capabilities = caps
		}
	}
	a.Group = a.Group || p.Text("type") == "group"
	if name := p.Text("name"); name != "" && !a.Own {
		a.Name = name
	}
	return a
}
