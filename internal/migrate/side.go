package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mailhaul/archive"
	"mailhaul/importer"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

// Hooks are what the command line does for a run.
type Hooks struct {
	Secrets *Secrets
	// Dial signs in. What the server may be asked at once and a second is shared
	// by so many clients.
	Dial func(ctx context.Context, s *Server, a jmapclient.Auth, share int, onWait func(string, time.Time)) (*jmapclient.Client, error)
	// IMAP is the way to a user's mail on the new server, nil if there is none.
	IMAP func(s *Server, a jmapclient.Auth) (*importer.IMAP, error)
	// Open opens an account's archive, or makes it.
	Open func(dir string, origin archive.Origin) (*archive.Archive, error)
	// Folder is the name of an account's archive.
	Folder func(account string) string
	// Events is told of everything, from several goroutines.
	Events func(Event)
}

// sideError says which server an error is of.
type sideError struct {
	side string // "old" or "new"
	err  error
}

func (e *sideError) Error() string { return "the " + e.side + " server: " + e.err.Error() }
func (e *sideError) Unwrap() error { return e.err }

// side is one of the two servers. An account without credentials of its own is
// opened with the server's, by one client that all of these share, so that the
// server is asked no more at once than one client would.
type side struct {
	name   string // "old" or "new"
	server *Server
	plan   *Plan
	hooks  *Hooks

	mu       sync.Mutex
	admin    *jmapclient.Client
	adminErr error
	accounts map[string]*jmapclient.Account // those that admin opened
}

func newSide(name string, s *Server, p *Plan, h *Hooks) *side {
	return &side{name: name, server: s, plan: p, hooks: h, accounts: map[string]*jmapclient.Account{}}
}

func (s *side) close() {
	if s.admin != nil {
		s.admin.Close()
	}
}

// errNoCredentials: neither the server nor the account has credentials.
var errNoCredentials = errors.New("the plan has no credentials for it")

// client signs in with the server's credentials, once.
func (s *side) client(ctx context.Context) (*jmapclient.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.admin != nil || s.adminErr != nil {
		return s.admin, s.adminErr
	}
	if s.server.Credentials == "" {
		return nil, &sideError{s.name, errNoCredentials}
	}
	secret, err := s.hooks.Secrets.resolve(ctx, s.plan, s.server.Credentials, "the "+s.name+" server "+s.server.URL)
	if err == nil {
		s.admin, err = s.hooks.Dial(ctx, s.server, auth(secret, "admin", s.server.Auth == "bearer"), 1, s.tellWait(""))
	}
	if err != nil {
		err = &sideError{s.name, err}
		if ctx.Err() == nil {
			s.adminErr = err
		}
		return nil, err
	}
	return s.admin, nil
}

func (s *side) tellWait(account string) func(string, time.Time) {
	return func(reason string, until time.Time) {
		s.hooks.Events(Event{Event: progress.Event{Kind: progress.Wait, Time: time.Now().UTC(), Account: account,
			Text: "the " + s.name + " server: " + reason, Until: until}})
	}
}

// name of an account on this side, and its own credentials there.
func (s *side) of(w Wanted) (name, reference, password string) {
	if s.name == "old" {
		return w.Old, w.OldCredentials, w.oldPassword
	}
	return w.New, w.NewCredentials, w.newPassword
}

// own are an account's own credentials; ok is false where it has none.
func (s *side) own(ctx context.Context, w Wanted) (a jmapclient.Auth, ok bool, err error) {
	name, reference, password := s.of(w)
	switch {
	case password != "" && s.server.Auth == "bearer":
		return jmapclient.Auth{Token: password}, true, nil
	case password != "":
		return jmapclient.Auth{Username: name, Password: password}, true, nil
	case reference == "":
		return a, false, nil
	}
	secret, err := s.hooks.Secrets.resolve(ctx, s.plan, reference, name+" on the "+s.name+" server")
	if err != nil {
		return a, false, &sideError{s.name, err}
	}
	return auth(secret, name, s.server.Auth == "bearer"), true, nil
}

// opened is an account that can be worked with until close.
type opened struct {
	*jmapclient.Account
	auth  jmapclient.Auth // its own, if signed in with that
	close func()
}

// open opens an account.
func (s *side) open(ctx context.Context, w Wanted) (*opened, error) {
	name, _, _ := s.of(w)
	a, ok, err := s.own(ctx, w)
	if err != nil {
		return nil, err
	}
	if ok {
		return s.openAs(ctx, w, name, a)
	}
	client, err := s.client(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	acc := s.accounts[name]
	s.mu.Unlock()
	if acc == nil {
		if acc, err = client.Account(ctx, name); err != nil {
			return nil, &sideError{s.name, err}
		}
		s.mu.Lock()
		s.accounts[name] = acc
		s.mu.Unlock()
	}
	return &opened{acc, jmapclient.Auth{}, func() {}}, nil
}

// openAs opens an account with credentials that are not the server's.
func (s *side) openAs(ctx context.Context, w Wanted, name string, a jmapclient.Auth) (*opened, error) {
	client, err := s.hooks.Dial(ctx, s.server, a, s.plan.Concurrency, s.tellWait(w.Old))
	if err != nil {
		return nil, &sideError{s.name, err}
	}
	acc, err := client.Account(ctx, name)
	if err != nil {
		client.Close()
		return nil, &sideError{s.name, err}
	}
	return &opened{acc, a, client.Close}, nil
}

// Using for the calls that have no typed method.
const (
	coreURN       = "urn:ietf:params:jmap:core"
	mailURN       = "urn:ietf:params:jmap:mail"
	principalsURN = "urn:ietf:params:jmap:principals"
	quotaURN      = "urn:ietf:params:jmap:quota"
)

// listed are the accounts that the server lists: of an administrator all users
// and groups, else what the sign-in opens.
func (s *side) listed(ctx context.Context) ([]string, error) {
	c, err := s.client(ctx)
	if err != nil {
		return nil, err
	}
	own, err := c.Account(ctx, "")
	if err != nil {
		return nil, &sideError{s.name, err}
	}
	using := []string{coreURN, mailURN}
	if _, ok := c.Session().Capabilities[principalsURN]; ok {
		using = append(using, principalsURN)
	}
	names := []string{}
	for id, a := range c.Session().Accounts {
		if id == own.ID {
			names = append(names, own.Name)
		} else {
			names = append(names, a.Name)
		}
	}
	var found struct{ IDs []string }
	raw, err := own.Call(ctx, using, "Principal/query", map[string]any{}, true)
	switch jmapclient.KindOf(err) {
	case jmapclient.Unsupported, jmapclient.Forbidden, jmapclient.Unauthorized, jmapclient.NoAccount:
		return names, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &found)
	}
	if err != nil {
		return nil, &sideError{s.name, fmt.Errorf("could not list the accounts: %w", err)}
	}
	names = names[:0]
	for chunk := range slices.Chunk(found.IDs, int(c.Limits().MaxObjectsInGet)) {
		raw, err := own.Call(ctx, using, "Principal/get", map[string]any{"ids": chunk, "properties": []string{"id", "type", "name"}}, true)
		var got struct {
			List []struct{ ID, Type, Name string }
		}
		if err == nil {
			err = json.Unmarshal(raw, &got)
		}
		if err != nil {
			return nil, &sideError{s.name, fmt.Errorf("could not list the accounts: %w", err)}
		}
		for _, p := range got.List {
			if (p.Type == "individual" || p.Type == "group") && p.Name != "" {
				names = append(names, p.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
