package jmapclient

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"mailhaul/account"
)

// GetResult is what Foo/get answers (RFC 8620 §5.1).
type GetResult struct {
	State    string
	List     []account.Object
	NotFound []string
	Cut      bool // of all of a Large type: there may be more
}

// readGet is a read that decodes a Foo/get's answer as json.Unmarshal would, in
// two passes over it in place of five: listing an account is mostly this.
func readGet(res *GetResult) func([]byte) error {
	return func(args []byte) error {
		if !json.Valid(args) {
			return errNoJSON
		}
		var got GetResult
		s := &scanner{data: args}
		err := s.object(func(key string) (err error) {
			if key == "list" {
				got.List, err = s.objects()
				return err
			}
			raw, err := s.value()
			if err != nil {
				return err
			}
			switch key {
			case "state":
				got.State, err = text(raw)
			case "notFound":
				got.NotFound = nil
				err = json.Unmarshal(raw, &got.NotFound)
			}
			return err
		})
		if err == nil {
			*res = got
		}
		return err
	}
}

// Get reads objects by id, in as many requests as maxObjectsInGet demands. No
// ids ask for nothing but the state. props nil: t.Properties. State is the one
// of the first answer: what changed while the others were read comes after it.
func (a *Account) Get(ctx context.Context, t account.Type, ids []string, props []string) (*GetResult, error) {
	res := &GetResult{}
	chunks := slices.Collect(slices.Chunk(ids, int(a.Client.limits.MaxObjectsInGet)))
	if len(chunks) == 0 {
		chunks = [][]string{{}}
	}
	for i, chunk := range chunks {
		got, err := a.get(ctx, t, chunk, props)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			res.State = got.State
		}
		res.List = append(res.List, got.List...)
		res.NotFound = append(res.NotFound, got.NotFound...)
	}
	return res, nil
}

// get is one Foo/get; ids nil asks for all.
func (a *Account) get(ctx context.Context, t account.Type, ids []string, props []string) (*GetResult, error) {
	q, err := a.askGet(t, ids, props)
	if err != nil {
		return nil, err
	}
	got, err := pose(ctx, a, q)
	if _, prop := a.sharing(t); KindOf(err) == Invalid && props == nil && prop != "" {
		a.Client.noSharing.Store(true) // it may be that which is refused
		return a.get(ctx, t, ids, props)
	}
	if KindOf(err) == Invalid && props == nil && t.Properties == nil && t.PropertiesBy != nil {
		t.PropertiesBy = nil // another version may not know a name: then what it gives by itself
		return a.get(ctx, t, ids, props)
	}
	return got, err
}

func (a *Account) askGet(t account.Type, ids []string, props []string) (*question[*GetResult], error) {
	using, props, err := a.asks(t, t.Name+"/get", props)
	if err != nil {
		return nil, err
	}
	get := a.call(t.Name+"/get", map[string]any{"ids": ids, "properties": props})
	got := &GetResult{}
	get.read = readGet(got)
	return &question[*GetResult]{using: using, calls: []*call{get}, said: func() *GetResult { return got }}, nil
}

// State asks for a type's state alone: Foo/get of no ids.
func (a *Account) State(ctx context.Context, t account.Type) (string, error) {
	got, err := a.get(ctx, t, []string{}, []string{"id"})
	if err != nil {
		return "", err
	}
	return got.State, nil
}

// stopsAt is where Stalwart cuts an answer to `ids: null`, silently.
const stopsAt = 500

// cut says whether an answer to `ids: null` may lack objects.
func (a *Account) cut(got *GetResult) bool {
	return int64(len(got.List)) >= a.Client.limits.MaxObjectsInGet || len(got.List) == stopsAt
}

// maxAll bounds how many objects All reads: of mailboxes, scripts and identities
// nobody has as many, and a server that never comes to an end has.
const maxAll = 100_000

// All reads every object of a small type, at most maxAll. Some servers cut the answer to
// `ids: null` without a word; where that may have happened the ids are paged
// with Foo/query.
func (a *Account) All(ctx context.Context, t account.Type, props []string) (*GetResult, error) {
	if t.Filter != nil {
		return a.pages(ctx, t, props)
	}
	got, err := a.get(ctx, t, nil, props)
	// RFC 8620 §5.1: requestTooLarge instead of a cut; or too large for us.
	tooMany := KindOf(err) == Limit || errors.Is(err, errTooMuch)
	if err != nil && !tooMany {
		return nil, err
	}
	if !tooMany && !a.cut(got) {
		return got, nil
	}
	all, qerr := a.pages(ctx, t, props)
	if KindOf(qerr) == Unsupported && !tooMany {
		return got, nil // a type that cannot be queried and is not that large
	}
	return all, qerr
}

// Head reads the objects of a Large type that the server gives out at once. Where
// there may be more, the result is Cut: page through them.
func (a *Account) Head(ctx context.Context, t account.Type) (*GetResult, error) {
	got, err := a.get(ctx, t, nil, nil)
	if KindOf(err) == Limit || errors.Is(err, errTooMuch) {
		return &GetResult{Cut: true}, nil
	}
	if err == nil {
		got.Cut = a.cut(got)
	}
	return got, err
}

// Changes is one page of Foo/changes (RFC 8620 §5.2). An id may be in several
// lists at once: some servers give a freed id to another object.
type Changes struct {
	OldState, NewState          string
	HasMore                     bool `json:"hasMoreChanges"`
	Created, Updated, Destroyed []string
}

// Changes asks for one page of Foo/changes. As with Page, the number of pages
// is not bounded, but for one that leads to the state it came from. The error is of kind
// CannotCalculateChanges also for a state that the server calls invalid.
func (a *Account) Changes(ctx context.Context, t account.Type, since string) (*Changes, error) {
	q, err := a.askChanges(t, since)
	if err != nil {
		return nil, err
	}
	ch, err := pose(ctx, a, q)
	var e *Error
	if errors.As(err, &e) && e.Kind == Invalid && e.Type == "invalidArguments" {
		e.Kind = CannotCalculateChanges
	}
	if err != nil {
		return nil, err
	}
	if ch.stuck(since) {
		return nil, &Error{Kind: ServerFault, Op: t.Name + "/changes", Account: a.label(),
			Detail: "there are more changes, says the server, but from the same state"}
	}
	return ch, nil
}

// stuck says whether these changes lead nowhere.
func (ch *Changes) stuck(since string) bool { return ch.HasMore && ch.NewState == since }

func (a *Account) askChanges(t account.Type, since string) (*question[*Changes], error) {
	using, err := a.using(t, t.Name+"/changes")
	if err != nil {
		return nil, err
	}
	changes := a.call(t.Name+"/changes", map[string]any{"sinceState": since})
	ch := &Changes{}
	changes.read = into(ch)
	return &question[*Changes]{using: using, calls: []*call{changes}, said: func() *Changes { return ch }}, nil
}
