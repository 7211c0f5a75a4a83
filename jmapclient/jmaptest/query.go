package jmaptest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// queryArgs are those of RFC 8620 §5.5.
type queryArgs struct {
	AccountID      string          `json:"accountId"`
	Filter         json.RawMessage `json:"filter"`
	Sort           []comparator    `json:"sort"`
	Position       int             `json:"position"`
	Anchor         *string         `json:"anchor"`
	AnchorOffset   int             `json:"anchorOffset"`
	Limit          *int            `json:"limit"`
	CalculateTotal bool            `json:"calculateTotal"`
}

type comparator struct {
	Property    string `json:"property"`
	IsAscending *bool  `json:"isAscending"`
	Collation   string `json:"collation"`
	Keyword     string `json:"keyword"`
}

func (k comparator) ascending() bool { return k.IsAscending == nil || *k.IsAscending }

func directed[T any](by func(a, b T) int, k comparator) func(a, b T) int {
	if k.ascending() {
		return by
	}
	return func(a, b T) int { return by(b, a) }
}

// queryAnswer cuts the asked window out of all the results.
func (c *call) queryAnswer(g queryArgs, state string, all []string) (object, error) {
	p := &c.s.p
	if g.Limit != nil && *g.Limit < 0 {
		return nil, failed("invalidArguments", "limit cannot be negative.")
	}
	from := g.Position
	if from < 0 {
		from = max(0, len(all)+from)
	}
	if g.Anchor != nil {
		anchor := c.resolveID(*g.Anchor)
		if err := c.checkIDs(anchor); err != nil {
			return nil, err
		}
		at := slices.Index(all, anchor)
		if at < 0 {
			return nil, failed("anchorNotFound", "The anchor is not among the results.")
		}
		from = max(0, at+g.AnchorOffset)
	}
	o := object{"accountId": c.a.id, "queryState": state, "canCalculateChanges": true, "position": from}
	from = min(from, len(all))
	n := len(all) - from
	if g.Limit != nil {
		n = min(n, *g.Limit)
		if p.PlainQueryPosition {
			o["limit"] = *g.Limit
		}
	}
	if p.MaxQueryIDs > 0 && n > p.MaxQueryIDs {
		n = p.MaxQueryIDs
		o["limit"] = n // RFC 8620 §5.5: told when the server's is the smaller
	}
	o["ids"] = notNil(all[from : from+n])
	if p.PlainQueryPosition && (g.Anchor != nil && !p.AnchorPosition || n == 0) {
		o["position"] = 0
	}
	if g.CalculateTotal {
		o["total"] = len(all)
	}
	return o, nil
}

type emailQueryArgs struct {
	queryArgs
	CollapseThreads bool `json:"collapseThreads"`
}

func (c *call) emailQuery() (any, error) {
	var g emailQueryArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	list, err := c.emailResults(g.Filter, g.Sort, g.CollapseThreads)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(list))
	for i, e := range list {
		ids[i] = e.id
	}
	return c.queryAnswer(g.queryArgs, c.a.state(typeEmail), ids)
}

// emailResults are the emails that match, sorted.
func (c *call) emailResults(filter json.RawMessage, sort []comparator, collapse bool) ([]*email, error) {
	match, err := c.emailFilter(filter)
	if err != nil {
		return nil, err
	}
	list := c.a.emails.order
	if match != nil {
		list = slices.DeleteFunc(slices.Clone(list), func(e *email) bool { return !match(e) })
	}
	if len(sort) != 1 || sort[0].Property != "receivedAt" || !sort[0].ascending() {
		list = slices.Clone(list)
	}
	if len(sort) == 0 {
		slices.Reverse(list) // RFC 8621 §4.4.2 leaves it to the server: newest first
	}
	for i := len(sort) - 1; i >= 0; i-- {
		by, ok := emailOrders[sort[i].Property]
		if !ok {
			return nil, failed("unsupportedSort", "There is no order by "+sort[i].Property+".")
		}
		if i == len(sort)-1 && sort[i].Property == "receivedAt" && sort[i].ascending() {
			continue // as it is
		}
		slices.SortStableFunc(list, directed(by(sort[i]), sort[i]))
	}
	if !collapse {
		return list, nil
	}
	seen := map[*thread]bool{}
	return slices.DeleteFunc(slices.Clone(list), func(e *email) bool {
		was := seen[e.thread]
		seen[e.thread] = true
		return was
	}), nil
}

// emailOrders are the properties to sort by (RFC 8621 §4.4.2).
var emailOrders = map[string]func(comparator) func(a, b *email) int{
	"receivedAt": func(comparator) func(a, b *email) int {
		return func(a, b *email) int { return a.received.Compare(b.received) }
	},
	"size": func(comparator) func(a, b *email) int {
		return func(a, b *email) int { return cmp.Compare(a.size(), b.size()) }
	},
	"subject": func(comparator) func(a, b *email) int {
		return func(a, b *email) int { return cmp.Compare(subjectBase(a.head.subject), subjectBase(b.head.subject)) }
	},
	"from": func(comparator) func(a, b *email) int {
		return func(a, b *email) int { return cmp.Compare(firstOf(a.head.from), firstOf(b.head.from)) }
	},
	"to": func(comparator) func(a, b *email) int {
		return func(a, b *email) int { return cmp.Compare(firstOf(a.head.to), firstOf(b.head.to)) }
	},
	"sentAt": func(comparator) func(a, b *email) int {
		return func(a, b *email) int { return sent(a).Compare(sent(b)) }
	},
	"hasKeyword": func(k comparator) func(a, b *email) int {
		n := func(e *email) int {
			if e.keywords[k.Keyword] {
				return 1
			}
			return 0
		}
		return func(a, b *email) int { return n(a) - n(b) }
	},
}

func sent(e *email) time.Time {
	if e.head.sentAt == nil {
		return time.Time{}
	}
	t, _ := time.Parse(time.RFC3339, *e.head.sentAt) // the server's own
	return t
}

func firstOf(list []address) string {
	if len(list) == 0 {
		return ""
	}
	if list[0].Name != nil {
		return *list[0].Name
	}
	return list[0].Email
}

// emailQueryChanges is RFC 8620 §5.6: what changed is removed, and added again
// where it is in the results now.
func (c *call) emailQueryChanges() (any, error) {
	var g struct {
		AccountID       string          `json:"accountId"`
		Filter          json.RawMessage `json:"filter"`
		Sort            []comparator    `json:"sort"`
		SinceQueryState string          `json:"sinceQueryState"`
		MaxChanges      *int            `json:"maxChanges"`
		UpToID          *string         `json:"upToId"`
		CalculateTotal  bool            `json:"calculateTotal"`
		CollapseThreads bool            `json:"collapseThreads"`
	}
	if err := c.read(&g); err != nil {
		return nil, err
	}
	n, err := c.since(typeEmail, g.SinceQueryState)
	if err != nil {
		return nil, err
	}
	list, err := c.emailResults(g.Filter, g.Sort, g.CollapseThreads)
	if err != nil {
		return nil, err
	}
	d := c.a.history(typeEmail).since(n, 0)
	changed := map[string]bool{}
	for _, id := range slices.Concat(d.created, d.updated) {
		changed[id] = true
	}
	removed, added := notNil(slices.Concat(d.destroyed, d.updated)), []object{}
	for i, e := range list {
		if changed[e.id] {
			added = append(added, object{"id": e.id, "index": i})
		}
	}
	if g.MaxChanges != nil && len(removed)+len(added) > *g.MaxChanges {
		return nil, failed("tooManyChanges", "There are more changes than maxChanges.")
	}
	o := object{"accountId": c.a.id, "oldQueryState": g.SinceQueryState, "newQueryState": c.a.state(typeEmail),
		"removed": removed, "added": added}
	if g.CalculateTotal {
		o["total"] = len(list)
	}
	return o, nil
}

// strictDecode reads JSON and refuses members that are not known.
func strictDecode(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(into)
}
