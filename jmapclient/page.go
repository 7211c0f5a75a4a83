package jmapclient

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"mailhaul/account"
)

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
	Ahead  int  // so many ids of the pages behind this one, if the server tells them
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
	Total      int64    // -1 not asked or not told
	Ahead      []string // ids behind the page's, in the list's order
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
	using, props, err := a.asks(t, t.Name+"/query", p.Props)
	if err != nil {
		return nil, err
	}
	if p.Filter == nil && t.Filter != nil {
		p.Filter = t.Filter
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
	get := a.call(t.Name+"/get", map[string]any{"properties": props})
	get.idsOf = query
	var asked struct {
		QueryState string
		IDs        []string
		Total      *int64
	}
	var got GetResult
	query.read, get.read = into(&asked), readGet(&got)
	calls := []*call{query, get}
	var further struct{ IDs []string }
	if p.Ahead > 0 && a.Client.limits.MaxCallsInRequest > int64(len(calls)) {
		args := maps.Clone(args)
		args["limit"] = p.Limit + p.Ahead
		delete(args, "calculateTotal")
		more := a.call(t.Name+"/query", args)
		more.read, more.mayFail = into(&further), true
		calls = append(calls, more)
	}
	return &question[*Page]{using: using, calls: calls, said: func() *Page {
		page := &Page{QueryState: asked.QueryState, IDs: asked.IDs, State: got.State, List: got.List, NotFound: got.NotFound, Total: -1}
		if n := len(page.IDs); n < len(further.IDs) && slices.Equal(further.IDs[:n], page.IDs) {
			page.Ahead = further.IDs[n:]
		}
		if p.Total && asked.Total != nil {
			page.Total = *asked.Total
		}
		return page
	}}, nil
}
