package jmapclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"mailhaul/account"
)

// GetResult is what Foo/get answers (RFC 8620 §5.1).
type GetResult struct {
	State    string
	List     []account.Object
	NotFound []string
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
	return pose(ctx, a, q)
}

func (a *Account) askGet(t account.Type, ids []string, props []string) (*question[*GetResult], error) {
	using, err := a.using(t, t.Name+"/get")
	if err != nil {
		return nil, err
	}
	get := a.call(t.Name+"/get", map[string]any{"ids": ids, "properties": orAll(props, t)})
	got := &GetResult{}
	get.read = readGet(got)
	return &question[*GetResult]{using: using, calls: []*call{get}, said: func() *GetResult { return got }}, nil
}

func orAll(props []string, t account.Type) []string {
	if props == nil {
		return t.Properties
	}
	return props
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

// pages reads a type page by page. When the list changes under it, it begins anew.
func (a *Account) pages(ctx context.Context, t account.Type, props []string) (*GetResult, error) {
	const most = 5
	for try := 1; ; try++ {
		res, err := a.pagesOnce(ctx, t, props)
		if KindOf(err) != AnchorNotFound || try == most {
			return res, err
		}
	}
}

func (a *Account) pagesOnce(ctx context.Context, t account.Type, props []string) (*GetResult, error) {
	res := &GetResult{}
	seen := map[string]bool{}
	for after := ""; ; {
		p, err := a.Page(ctx, t, PageArgs{After: after, Props: props})
		if err != nil {
			return nil, err
		}
		if res.State == "" {
			res.State = p.State
		}
		fresh := false
		for _, id := range p.IDs {
			fresh = fresh || !seen[id]
			seen[id] = true
		}
		if !fresh {
			return res, nil
		}
		res.List = append(res.List, p.List...)
		if len(res.List) > maxAll {
			return nil, &Error{Kind: ServerFault, Op: t.Name + "/query", Account: a.label(),
				Detail: fmt.Sprintf("the list does not end: there are more than %d already", maxAll)}
		}
		after = p.IDs[len(p.IDs)-1]
	}
}

// PageArgs say which page of a list is wanted.
type PageArgs struct {
	Filter any
	Sort   []Comparator
	After  string // anchor: the page begins behind this id, "" from the start
	Limit  int    // at most maxObjectsInGet, which is also meant by 0
	Props  []string
	Total  bool // calculateTotal
}

// Comparator is RFC 8620 §5.5's.
type Comparator struct {
	Property    string `json:"property"`
	IsAscending bool   `json:"isAscending"`
}

// Page is a page of a list with its objects.
type Page struct {
	QueryState string
	IDs        []string
	State      string           // of Foo/get
	List       []account.Object // in the server's order, which need not be that of IDs
	NotFound   []string
	Total      int64 // -1 not asked or not told
}

// Page asks Foo/query and, by back-reference in the same request, Foo/get
// (RFC 8620 §3.7). A page without ids is the end. An anchor that is no longer
// in the list is an error of kind AnchorNotFound.
//
// A page is bounded, how many follow is not: a server may go on for ever, with
// ids that it gave before or with ever new ones. Who pages stops at a page that
// brings nothing new, and holds no more of the pages before than it must.
func (a *Account) Page(ctx context.Context, t account.Type, p PageArgs) (*Page, error) {
	q, err := a.askPage(t, p)
	if err != nil {
		return nil, err
	}
	return pose(ctx, a, q)
}

func (a *Account) askPage(t account.Type, p PageArgs) (*question[*Page], error) {
	using, err := a.using(t, t.Name+"/query")
	if err != nil {
		return nil, err
	}
	most := int(a.Client.limits.MaxObjectsInGet)
	if p.Limit <= 0 || p.Limit > most {
		p.Limit = most
	}
	args := map[string]any{"limit": p.Limit}
	if p.Filter != nil {
		args["filter"] = p.Filter
	}
	if len(p.Sort) > 0 {
		args["sort"] = p.Sort
	}
	if p.After != "" {
		args["anchor"], args["anchorOffset"] = p.After, 1
	}
	if p.Total {
		args["calculateTotal"] = true
	}
	query := a.call(t.Name+"/query", args)
	get := a.call(t.Name+"/get", map[string]any{"properties": orAll(p.Props, t)})
	get.idsOf = query
	var asked struct {
		QueryState string
		IDs        []string
		Total      *int64
	}
	var got GetResult
	query.read, get.read = into(&asked), readGet(&got)
	return &question[*Page]{using: using, calls: []*call{query, get}, said: func() *Page {
		page := &Page{QueryState: asked.QueryState, IDs: asked.IDs, State: got.State, List: got.List, NotFound: got.NotFound, Total: -1}
		if p.Total && asked.Total != nil {
			page.Total = *asked.Total
		}
		return page
	}}, nil
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
