package jmapclient

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
)

const mailURN = "urn:ietf:params:jmap:mail"

// Account resolves who: a login, an address, an account id, or "" for the
// signed-in user's own account. It is never the wrong account and never a
// guess: none or several is an *Error of kind NoAccount that lists what there
// is.
//
// The login itself is the own account. Any other name is looked up among the
// server's principals, which an administrator may do; what they find must bear
// that very name or address, or own the address as an alias. Where the server
// does not tell its principals, the session's accounts are all there is. Their
// names are display names on some servers ("Alice" for the login alice), so for
// the user's own account such a name counts only when it is an address; the
// login with its domain added or left out does, since this sign-in opens no
// other user's account there.
func (c *Client) Account(ctx context.Context, who string) (*Account, error) {
	who = strings.TrimSpace(who)
	if who == "" || c.isLogin(who) {
		return c.ownAccount()
	}
	found, told, err := c.principals(ctx, who)
	if err != nil {
		return nil, err
	}
	if _, ok := c.session.Accounts[who]; ok {
		found = addFound(found, c.listed(who))
	}
	if len(found) == 0 {
		found = c.named(who)
	}
	if len(found) == 0 && !told && c.isLoginsOtherForm(who) {
		return c.ownAccount()
	}
	if len(found) == 0 {
		if found, err = c.byID(ctx, who, told); err != nil {
			return nil, err
		}
	}
	if len(found) != 1 {
		return nil, c.noAccount(who, found, told)
	}
	return c.reachable(ctx, found[0])
}

// isLogin says whether who is the name that was signed in with. Logins are
// compared without regard to case, as servers do.
func (c *Client) isLogin(who string) bool {
	return strings.EqualFold(who, c.auth.login()) || strings.EqualFold(who, c.auth.Username)
}

// isLoginsOtherForm says whether who is the login with a domain added or left out.
func (c *Client) isLoginsOtherForm(who string) bool {
	login := c.auth.login()
	local, _, hasDomain := strings.Cut(login, "@")
	whoLocal, _, whoHas := strings.Cut(who, "@")
	return login != "" && hasDomain != whoHas && strings.EqualFold(local, whoLocal)
}

// ownID is the id of the signed-in user's own account: the primary one for
// mail, else the only personal one; "" when that does not single one out.
func (c *Client) ownID() string {
	for _, urn := range []string{mailURN, coreURN} {
		if id := c.session.PrimaryAccounts[urn]; id != "" {
			if _, ok := c.session.Accounts[id]; ok {
				return id
			}
		}
	}
	var own []string
	for id, a := range c.session.Accounts {
		if a.IsPersonal {
			own = append(own, id)
		}
	}
	if len(own) == 1 {
		return own[0]
	}
	return ""
}

func (c *Client) ownAccount() (*Account, error) {
	id := c.ownID()
	if id == "" {
		var all []*Account
		for _, id := range slices.Sorted(maps.Keys(c.session.Accounts)) {
			all = append(all, c.listed(id))
		}
		e := c.noAccount("", all, false)
		return nil, e
	}
	return c.listed(id), nil
}

// listed is an account of the session.
func (c *Client) listed(id string) *Account {
	s := c.session.Accounts[id]
	a := &Account{
		Client: c, ID: id, Name: s.Name, Group: !s.IsPersonal, ReadOnly: s.IsReadOnly,
		Own: id == c.ownID() && s.IsPersonal, Capabilities: s.Capabilities,
	}
	if a.Own && c.auth.login() != "" {
		a.Name = c.auth.login() // the session may have the user's description here
	} else if a.Own && a.Name == "" {
		a.Name = c.session.Username
	}
	if len(a.Capabilities) == 0 {
		a.Capabilities = c.session.Capabilities
	}
	return a
}

// named are the session's accounts that are shown under this name.
func (c *Client) named(who string) []*Account {
	var found []*Account
	for id, s := range c.session.Accounts {
		display := id == c.ownID() && !strings.Contains(s.Name, "@")
		if strings.EqualFold(s.Name, who) && !(display && c.auth.login() != "") {
			found = addFound(found, c.listed(id))
		}
	}
	return found
}

// byID takes who for an account id that the session does not list. Where
// principals are told, only they confirm it: an administrator's Mailbox/get
// makes Stalwart open any account, be it nobody's.
func (c *Client) byID(ctx context.Context, who string, told bool) ([]*Account, error) {
	asker := c.asker()
	if asker == nil {
		return nil, nil
	}
	if !told {
		a := &Account{Client: c, ID: who, Name: who, Capabilities: c.session.Capabilities}
		_, err := a.State(ctx, account.Mailbox)
		if saysNo(err) {
			return nil, nil
		}
		return []*Account{a}, err
	}
	list, err := asker.getPrincipals(ctx, []string{who})
	if saysNo(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if p.ID() == who {
			return []*Account{c.ofPrincipal(p)}, nil
		}
	}
	return nil, nil
}

// saysNo says whether an error means that there is no such account for this
// user; a malformed id is refused as an argument.
func saysNo(err error) bool {
	return notTold(err) || KindOf(err) == Invalid || KindOf(err) == NotFound
}

// reachable checks that the signed-in user may read an account which the
// session does not list.
func (c *Client) reachable(ctx context.Context, a *Account) (*Account, error) {
	if _, ok := c.session.Accounts[a.ID]; ok {
		return a, nil
	}
	if _, err := a.State(ctx, account.Mailbox); err != nil {
		return nil, err
	}
	return a, nil
}

// addFound adds an account unless it is there already.
func addFound(found []*Account, a *Account) []*Account {
	if slices.ContainsFunc(found, func(f *Account) bool { return f.ID == a.ID }) {
		return found
	}
	return append(found, a)
}

// noAccount is the error that lists what there is.
func (c *Client) noAccount(who string, found []*Account, told bool) *Error {
	e := &Error{Kind: NoAccount, Op: "looking up the account", Account: who}
	describe := func(list []*Account) string {
		const most = 20
		var s []string
		for i, a := range list {
			if i == most {
				s = append(s, fmt.Sprintf("and %d more", len(list)-most))
				break
			}
			s = append(s, fmt.Sprintf("%s (id %s)", quote(a.Name), quote(a.ID)))
		}
		return strings.Join(s, ", ")
	}
	if len(found) > 1 {
		e.Detail = "several may be meant: " + describe(found) + "; name it by its address or id"
		return e
	}
	var all []*Account
	for _, id := range slices.Sorted(maps.Keys(c.session.Accounts)) {
		all = append(all, c.listed(id))
	}
	e.Detail = "this sign-in opens " + describe(all)
	if who == "" {
		e.Detail += "; name one of them"
	} else if told {
		e.Detail += "; the server knows nobody else of that login or address"
	} else {
		e.Detail += "; another user's account takes an administrator's sign-in"
	}
	return e
}
