package jmapclient

import (
	"context"
	"encoding/json"
	"maps"

	"mailhaul/account"
)

// Account is one account on a server.
type Account struct {
	Client       *Client
	ID           string
	Name         string // login or address, for a person
	Own          bool   // the signed-in user's own, personal account: per-caller properties are this user's
	Group        bool   // a shared account (isPersonal false, or a principal of type group)
	ReadOnly     bool
	Capabilities map[string]json.RawMessage // accountCapabilities (the server's own capabilities where the session does not list the account)
}

// label names the account in errors.
func (a *Account) label() string {
	if a.Name != "" && a.Name != a.ID {
		return quote(a.Name) + ", id " + quote(a.ID)
	}
	return quote(a.ID)
}

// Using gives the `using` list for a type: core and the first URN of the type
// that the account announces; false when it announces none.
func (a *Account) Using(t account.Type) ([]string, bool) {
	for _, urn := range t.Capabilities {
		if _, ok := a.Capabilities[urn]; ok {
			return []string{coreURN, urn}, true
		}
	}
	return nil, false
}

// using is Using or an error of kind Unsupported.
func (a *Account) using(t account.Type, method string) ([]string, error) {
	u, ok := a.Using(t)
	if !ok {
		return nil, &Error{Kind: Unsupported, Op: method, Account: a.label(), Detail: "the account does not have " + t.Name}
	}
	return u, nil
}

// request is a request about this account with these calls.
func (a *Account) request(using []string, calls ...*call) *request {
	return &request{account: a, using: using, calls: calls}
}

// call is a method call with the account's id.
func (a *Account) call(method string, args map[string]any) *call {
	args = maps.Clone(args)
	if args == nil {
		args = map[string]any{}
	}
	if _, ok := args["accountId"]; !ok {
		args["accountId"] = a.ID
	}
	return &call{method: method, args: args}
}

// Call is a raw method call for what has no typed one; accountId is added when
// args has none. It answers the raw arguments. With retry false it is not tried
// again once it may have been carried out: then the error is of kind Unknown.
func (a *Account) Call(ctx context.Context, using []string, method string, args map[string]any, retry bool) (json.RawMessage, error) {
	k := a.call(method, args)
	r := a.request(using, k)
	r.creates = !retry
	if err := a.Client.send(ctx, r); err != nil {
		return nil, err
	}
	return k.answer, nil
}
