package jmapclient

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"mailhaul/account"
)

// ManageRequest is a request to a server's own management API. It goes to the
// origin of the session, with the client's credentials, limits and retries.
type ManageRequest struct {
	Method string // GET, POST, PATCH, …
	// Path begins with a slash and may have a query. What comes from outside is
	// escaped in it already.
	Path string
	Body any    // sent as JSON, nil for none
	Item string // what it is about, for errors
	// Creates: it must not be carried out twice. When it is unknown whether it was
	// carried out, the error is of kind Unknown.
	Creates bool
	// Hide are secrets in the body, which no error may quote.
	Hide []string
}

// Manage sends a management request and answers the JSON that came back, of
// which it makes sure only that it is some.
func (c *Client) Manage(ctx context.Context, m ManageRequest) (json.RawMessage, error) {
	path, _, _ := strings.Cut(m.Path, "?")
	x := &exchange{op: m.Method + " " + path, item: m.Item, method: m.Method, url: c.origin.String() + m.Path,
		accept: "application/json", lane: reading, creates: m.Creates, foreign: true}
	if m.Creates {
		x.lane = writing
	}
	if m.Body != nil {
		body := payload{{text: account.Marshal(m.Body)}}
		x.contentType, x.size, x.open = "application/json", body.size(), body.open
	}
	var answer json.RawMessage
	x.take = func(resp *http.Response) *fault {
		body, err := readAll(resp.Body, nil, resp.ContentLength, c.maxAnswer)
		switch {
		case errors.Is(err, errTooMuch):
			return x.beyond(resp, err)
		case err != nil:
			return c.readFault(x, err)
		case !json.Valid(body):
			return c.nonsense(x, x.op, resp.StatusCode, errNoJSON)
		}
		answer = body
		return nil
	}
	if err := c.do(ctx, x); err != nil {
		return nil, hide(err, m.Hide)
	}
	return answer, nil
}

// ManageCall calls a method of a server's own that manages it, and which is of
// no account: args have no accountId unless the caller gives one. It answers the
// raw arguments. creates and secrets are as Creates and Hide of ManageRequest.
func (c *Client) ManageCall(ctx context.Context, urn, method string, args map[string]any, creates bool, secrets []string) (json.RawMessage, error) {
	k := &call{method: method, args: args}
	err := c.send(ctx, &request{using: []string{coreURN, urn}, creates: creates, calls: []*call{k}})
	return k.answer, hide(err, secrets)
}

// hide takes secrets out of an error: some servers quote what they refuse.
func hide(err error, secrets []string) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	clean := *e
	for _, s := range secrets {
		if s == "" {
			continue
		}
		clean.Detail = strings.ReplaceAll(clean.Detail, s, redacted)
		clean.Type = strings.ReplaceAll(clean.Type, s, redacted)
		if clean.Err != nil && strings.Contains(clean.Err.Error(), s) {
			clean.Err = nil
		}
	}
	return &clean
}

// As is how this client's user signs in as another where the server lets an
// administrator act as its users ("user%administrator", Stalwart). It asks
// nobody whether that will be allowed.
func (c *Client) As(login string) (Auth, error) {
	if c.auth.Token != "" || c.auth.Username == "" {
		return Auth{}, &Error{Kind: Unsupported, Op: "acting as the user", Account: login,
			Detail: "that takes an administrator who signs in with login and password"}
	}
	return Auth{Username: login + "%" + c.auth.Username, Password: c.auth.Password}, nil
}

// Login is the name that the client signs in with, "" with a token.
func (c *Client) Login() string { return c.auth.Username }
