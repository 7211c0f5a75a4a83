package exporter

import (
	"context"
	"fmt"
	"sync/atomic"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// pageLimit is how many Emails a page asks for: what servers hand out at once
// by default, and a bound on what a page takes in memory.
const pageLimit = 500

// jmapSource is an account on a JMAP server.
type jmapSource struct {
	a *jmapclient.Account
	// refusals counts the times that the server did not hand out several blobs
	// at once; see batchRefusals.
	refusals atomic.Int32
}

// JMAP is an account on a JMAP server as a source.
func JMAP(a *jmapclient.Account) Source { return &jmapSource{a: a} }

func (s *jmapSource) Origin() archive.Origin {
	return archive.Origin{Name: s.a.Name, ID: s.a.ID, Server: s.a.Client.Origin(), Source: "jmap"}
}

func (s *jmapSource) Own() bool { return s.a.Own }

func (s *jmapSource) atOnce() int { return int(s.a.Client.Limits().MaxConcurrentRequests) }

func (s *jmapSource) shared() bool { return s.a.Group }

func (s *jmapSource) Has(t account.Type) bool {
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
	limit := pageLimit
	if n := s.a.Client.Limits().MaxObjectsInGet; n > 0 && n < pageLimit {
		limit = int(n)
	}
	p, err := s.a.Page(ctx, t, jmapclient.PageArgs{
		Sort: []jmapclient.Comparator{{Property: "receivedAt", IsAscending: true}},
		// The total is worth its cost once.
		After: after, Limit: limit, Total: after == "",
	})
	if err != nil {
		return nil, sourceError(err)
	}
	page := &SourcePage{IDs: p.IDs, List: p.List, Total: p.Total}
	// A short page is no proof of the end: a server may have a lower limit of
	// its own (RFC 8620 §5.5).
	page.Last = len(p.IDs) == 0 || after == "" && p.Total >= 0 && int64(len(p.IDs)) == p.Total
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

func (s *jmapSource) Count(ctx context.Context, t account.Type) (int64, error) {
	p, err := s.a.Page(ctx, t, jmapclient.PageArgs{Limit: 1, Props: []string{"id"}, Total: true})
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
