package jmapclient

import (
	"context"
	"slices"
	"strings"

	"mailhaul/account"
)

// cyrusMailURN announces shareWith on Cyrus, where it is keyed by login and has
// rights of its own.
const cyrusMailURN = "https://cyrusimap.org/ns/jmap/mail"

// SharingForm is how an account says with whom a mailbox is shared.
type SharingForm string

// The forms.
const (
	NoSharing     SharingForm = ""
	SharedByACL   SharingForm = "acl"       // {login: [right]}: Stalwart up to 0.13
	SharedWith    SharingForm = "shareWith" // {principal id: {right: bool}}: RFC 9670 §4
	SharedByCyrus SharingForm = "cyrus"     // shareWith as {login: {mayRead, mayWrite, mayAdmin}}
)

// Sharing is how the account shares objects of a type.
func (a *Account) Sharing(t account.Type) SharingForm {
	switch urn, prop := a.sharing(t); {
	case prop == "acl":
		return SharedByACL
	case urn == cyrusMailURN:
		return SharedByCyrus
	case prop == "shareWith":
		return SharedWith
	}
	return NoSharing
}

// sharingUsing adds to a `using` list what an update of shareWith takes.
func (a *Account) sharingUsing(t account.Type, s SetArgs, using []string) []string {
	urn, _ := a.sharing(t)
	if urn == "" || slices.Contains(using, urn) {
		return using
	}
	for _, patch := range s.Update {
		for p := range patch {
			if p == "shareWith" || strings.HasPrefix(p, "shareWith/") {
				return append(slices.Clone(using), urn)
			}
		}
	}
	return using
}

// PrincipalID finds whom to share with: the id of the one principal that has this name or
// address, or this address as an alias; "" where none has. An id is no name here: on
// Stalwart it may be another one's login. told is false where the server does
// not tell who there is; where ids are logins (Cyrus), the account of that
// name is tried.
func (c *Client) PrincipalID(ctx context.Context, who string) (id string, told bool, err error) {
	asker := c.asker()
	if asker == nil {
		return "", false, nil
	}
	if asker.Sharing(account.Mailbox) == SharedByCyrus {
		a := &Account{Client: c, ID: who, Name: who, Capabilities: c.session.Capabilities}
		_, err := a.State(ctx, account.Mailbox)
		if saysNo(err) {
			return "", false, nil
		}
		return who, true, err
	}
	keys := []string{"name"}
	if strings.Contains(who, "@") {
		keys = []string{"email", "name"}
	}
	byEmail, ids, ignored, err := asker.queryPrincipals(ctx, keys, who)
	if notTold(err) {
		return "", false, nil
	}
	if err != nil || len(ids) == 0 {
		return "", true, err
	}
	list, err := asker.getPrincipals(ctx, ids)
	if notTold(err) {
		return "", false, nil
	}
	if err != nil {
		return "", true, err
	}
	var found []string
	for _, p := range list {
		exact := strings.EqualFold(p.Text("name"), who) || strings.EqualFold(p.Text("email"), who)
		// The filter finds everyone, or a list its members, on some servers.
		alias := !ignored && len(byEmail) == 1 && p.ID() == byEmail[0]
		if (exact || alias) && slices.Contains([]string{"", "individual", "group"}, p.Text("type")) {
			found = append(found, p.ID())
		}
	}
	if len(found) != 1 {
		return "", true, nil
	}
	return found[0], true, nil
}
