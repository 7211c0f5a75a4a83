package exporter

import (
	"context"
	"slices"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

// idsAhead is how many ids a listing asks for at most with one of its pages, for
// the pages behind it. A query sorts the account anew however few it hands out: on
// Cyrus a page cost 50 ms of that at 5 000 messages, and at each ten times as many
// ten times as much. Ids are tens of octets each.
const idsAhead = 50_000

// ahead are ids that are listed behind a message, in order. What becomes of them
// meanwhile is in the changes since the listing began, as with any page.
type ahead struct {
	after  string
	ids    []string
	filter *filter // they were listed under it
	left   int64   // ids that are not listed yet, -1: not known
}

// aheadOf is how many ids are to be asked for with the page after one.
func (s *jmapSource) aheadOf(after string) int {
	if after == "" || s.ahead.left >= 0 && s.ahead.left <= int64(s.pageSize()) {
		return 0
	}
	return idsAhead
}

// pageSize is how many messages a page has.
func (s *jmapSource) pageSize() int {
	return int(min(pageLimit, s.a.Client.Limits().MaxObjectsInGet))
}

// keepAhead remembers what a page told of the pages behind it.
func (s *jmapSource) keepAhead(args jmapclient.PageArgs, p *jmapclient.Page) {
	n := int64(len(p.IDs))
	switch {
	case args.After == "":
		s.ahead.left = max(-1, p.Total-n)
	case s.ahead.left >= 0:
		s.ahead.left = max(0, s.ahead.left-n)
	}
	if s.ahead.ids, s.ahead.filter = p.Ahead, s.filter.Load(); n > 0 {
		s.ahead.after = p.IDs[n-1]
	}
}

// pageAhead is a page of which the ids are known, nil if they are not.
func (s *jmapSource) pageAhead(ctx context.Context, t account.Type, after string) (*SourcePage, error) {
	a := &s.ahead
	if after == "" || after != a.after || len(a.ids) == 0 || a.filter != s.filter.Load() {
		return nil, nil
	}
	n := min(s.pageSize(), len(a.ids))
	ids := slices.Clone(a.ids[:n])
	got, err := s.a.Get(ctx, t, ids, nil)
	if err != nil {
		return nil, sourceError(err)
	}
	page, err := s.page(ctx, t, jmapclient.PageArgs{After: after}, &jmapclient.Page{IDs: ids, List: got.List, NotFound: got.NotFound, Total: -1})
	if err != nil {
		return nil, err
	}
	a.after, a.ids = ids[n-1], a.ids[n:]
	if a.left >= 0 {
		a.left = max(0, a.left-int64(n))
	}
	return page, nil
}
