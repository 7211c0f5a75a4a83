package exporter

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// A page asks for so many Emails, and fewer where the server gives out fewer at
// once: it is a bound on what a page takes in memory.
// The first page is small, so that the first blobs are asked for soon.
const firstPage, pageLimit = 500, 1000

// jmapSource is an account on a JMAP server.
type jmapSource struct {
	a *jmapclient.Account
	// refusals counts the times that the server did not hand out several blobs
	// at once; see batchRefusals.
	refusals atomic.Int32
	// narrowed: not all Emails are wanted. filter lists no others, as far as the
	// server can; nil when it can't.
	narrowed bool
	filter   atomic.Pointer[filter]
	ahead    ahead // of the listing, whose pages are asked for one after the other
}

// JMAP is an account on a JMAP server as a source.
func JMAP(a *jmapclient.Account) Source { return &jmapSource{a: a} }

func (s *jmapSource) Origin() archive.Origin {
	return archive.Origin{Name: s.a.Name, ID: s.a.ID, Server: s.a.Client.Origin(), Source: "jmap"}
}

func (s *jmapSource) Own() bool { return s.a.Own }

func (s *jmapSource) atOnce() int { return int(s.a.Client.Limits().MaxConcurrentRequests) }

func (s *jmapSource) shared() bool { return s.a.Group }

func (s *jmapSource) unknown() []string { return s.a.Unknown() }

func (s *jmapSource) Has(t account.Type) bool {
	if t.Name == account.Blob.Name {
		return slices.ContainsFunc(account.Types, func(t account.Type) bool { return blobsOf[t.Name] != nil && s.Has(t) })
	}
	_, ok := s.a.Using(t)
	return ok
}

func (s *jmapSource) All(ctx context.Context, t account.Type) ([]account.Object, string, error) {
	r, err := s.a.All(ctx, t, nil)
	if err != nil {
		return nil, "", err
	}
	return r.List, r.State, nil
}

func (s *jmapSource) State(ctx context.Context, t account.Type) (string, error) {
	return s.a.State(ctx, t)
}

func (s *jmapSource) Page(ctx context.Context, t account.Type, after string) (*SourcePage, error) {
	if page, err := s.pageAhead(ctx, t, after); page != nil || err != nil {
		return page, err
	}
	args := s.pageArgs(after)
	args.Ahead = s.aheadOf(after)
	p, err := s.a.Page(ctx, t, args)
	switch {
	case refusesFilter(args, err) && after == "":
		s.filter.Store(nil)
		return s.Page(ctx, t, "")
	case refusesFilter(args, err): // all must be listed from the start
		return nil, fmt.Errorf("%w: %w", ErrAnchorGone, err)
	case err != nil:
		return nil, sourceError(err)
	}
	s.keepAhead(args, p)
	return s.page(ctx, t, args, p)
}

func (s *jmapSource) pageArgs(after string) jmapclient.PageArgs {
	args := jmapclient.PageArgs{
		Sort:  []jmapclient.Comparator{{Property: "receivedAt", IsAscending: true}},
		After: after, Limit: pageLimit, Filter: s.wanted(),
	}
	if after == "" {
		args.Limit, args.Total = firstPage, true // the total is worth its cost once
	}
	return args
}

// page makes a page of what the server answered.
func (s *jmapSource) page(ctx context.Context, t account.Type, args jmapclient.PageArgs, p *jmapclient.Page) (*SourcePage, error) {
	page := &SourcePage{IDs: p.IDs, List: p.List, Total: p.Total}
	// A short page is no proof of the end: a server may have a lower limit of
	// its own (RFC 8620 §5.5).
	page.Last = len(p.IDs) == 0 || args.After == "" && p.Total >= 0 && int64(len(p.IDs)) == p.Total
	if s.narrowed && args.Filter == nil {
		page.Total = -1 // of all is not of what is wanted
	}
	if len(p.List)+len(p.NotFound) < len(p.IDs) {
		rest, err := s.Get(ctx, t, missing(p))
		if err != nil {
			return nil, err
		}
		page.List = append(page.List, rest...)
	}
	return page, nil
}

// missing are the ids of a page that its Foo/get neither gave nor called not
// found: a server may cut that short.
func missing(p *jmapclient.Page) []string {
	answered := make(map[string]bool, len(p.IDs))
	for _, o := range p.List {
		answered[o.ID()] = true
	}
	for _, id := range p.NotFound {
		answered[id] = true
	}
	var ids []string
	for _, id := range p.IDs {
		if !answered[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *jmapSource) Get(ctx context.Context, t account.Type, ids []string) ([]account.Object, error) {
	r, err := s.a.Get(ctx, t, ids, nil)
	if err != nil {
		return nil, err
	}
	return r.List, nil
}

func (s *jmapSource) Changes(ctx context.Context, t account.Type, since string) (*jmapclient.Changes, error) {
	c, err := s.a.Changes(ctx, t, since)
	return c, sourceError(err)
}

// countArgs ask for the total alone.
func (s *jmapSource) countArgs() jmapclient.PageArgs {
	return jmapclient.PageArgs{Limit: 1, Props: []string{"id"}, Total: true, Filter: s.wanted()}
}

func (s *jmapSource) Count(ctx context.Context, t account.Type) (int64, error) {
	args := s.countArgs()
	if s.narrowed && args.Filter == nil {
		return -1, nil
	}
	p, err := s.a.Page(ctx, t, args)
	if refusesFilter(args, err) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	return p.Total, nil
}

// sourceError gives the server's errors that mean something to an export the
// names that they have for every source.
func sourceError(err error) error {
	switch jmapclient.KindOf(err) {
	case jmapclient.CannotCalculateChanges:
		return fmt.Errorf("%w: %w", ErrNoHistory, err)
	case jmapclient.AnchorNotFound:
		return fmt.Errorf("%w: %w", ErrAnchorGone, err)
	}
	return err
}
