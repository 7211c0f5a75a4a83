package exporter

import (
	"slices"
	"time"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// mostConditions bounds the mailboxes that a filter names. Where there are more
// the listing is not narrowed by mailbox.
const mostConditions = 100

// filter is a filter of Email/query (RFC 8621 §4.4.1).
type filter map[string]any

// narrow lets what is listed be filtered by what the server knows of each message,
// never by its index of words, which may lag. What comes is looked at once more, so
// a filter may let through too much: "after" is a second early, as a server may mean
// later than that moment by it. Not used is inMailboxOtherThan, which a server may
// take for "in none of these".
func (s *jmapSource) narrow(scope *archive.Scope, mailboxes []string) {
	s.narrowed = scope != nil
	s.filter.Store(nil)
	if scope == nil {
		return
	}
	bounds := filter{}
	if scope.Since != nil {
		bounds["after"] = scope.Since.Add(-time.Second).UTC().Format(time.RFC3339)
	}
	if scope.Before != nil {
		bounds["before"] = scope.Before.UTC().Add(time.Second - 1).Truncate(time.Second).Format(time.RFC3339)
	}
	if scope.MaxSize > 0 {
		bounds["maxSize"] = scope.MaxSize + 1 // "less than"
	}
	var each []filter // one level of operators is all that is asked of a server
	for _, id := range mailboxes {
		f := filter{"inMailbox": id}
		for name, value := range bounds {
			f[name] = value
		}
		each = append(each, f)
	}
	switch n := len(each); {
	case n == 1:
		s.filter.Store(&each[0])
	case n > 1 && n <= mostConditions:
		s.filter.Store(&filter{"operator": "OR", "conditions": each})
	case len(bounds) > 0:
		s.filter.Store(&bounds)
	}
}

// wanted is the filter, nil for none.
func (s *jmapSource) wanted() any {
	if f := s.filter.Load(); f != nil {
		return *f
	}
	return nil
}

// refusesFilter says whether a server has no use for a filter. Then all is listed.
func refusesFilter(asked jmapclient.PageArgs, err error) bool {
	return asked.Filter != nil && slices.Contains([]jmapclient.Kind{jmapclient.Unsupported, jmapclient.Invalid, jmapclient.Limit}, jmapclient.KindOf(err))
}

// countTogether is Count as one of several reads, nil where it can't be.
func (s *jmapSource) countTogether(g *jmapclient.Together) *jmapclient.Answer[*jmapclient.Page] {
	if s.narrowed {
		return nil
	}
	return g.Page(account.Email, s.countArgs())
}
