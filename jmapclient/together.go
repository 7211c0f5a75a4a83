package jmapclient

import (
	"context"

	"mailhaul/account"
)

// question is what one or more calls ask, and what their answers come to.
type question[T any] struct {
	using []string
	calls []*call
	said  func() T
}

// pose sends a question in a request of its own.
func pose[T any](ctx context.Context, a *Account, q *question[T]) (none T, err error) {
	if err := a.Client.send(ctx, a.request(q.using, q.calls...)); err != nil {
		return none, err
	}
	return q.said(), nil
}

// Together are several reads that cost one request: far away a request is a
// round trip, and servers ration them. They are carried out in the order in which
// they were added (RFC 8620 §3.3). The answers are there after Send.
type Together struct {
	a     *Account
	reads []*read
}

// read is one of them.
type read struct {
	using []string
	calls []*call
	take  func() bool                     // takes the answers of the calls in; false when they do not do
	alone func(ctx context.Context) error // asks by itself, as if there were no others
	fail  func(err error)
}

// Answer is what came of one read of several.
type Answer[T any] struct {
	Value T
	Err   error
}

// Together are reads of this account, none yet.
func (a *Account) Together() *Together { return &Together{a: a} }

// add adds a read; will says whether an answer will do.
func add[T any](g *Together, q *question[T], err error, will func(T) bool, alone func(ctx context.Context) (T, error)) *Answer[T] {
	a := &Answer[T]{Err: err}
	if err != nil {
		return a
	}
	g.reads = append(g.reads, &read{
		using: q.using, calls: q.calls,
		take: func() bool {
			v := q.said()
			if will(v) {
				a.Value = v
				return true
			}
			return false
		},
		alone: func(ctx context.Context) error {
			a.Value, a.Err = alone(ctx)
			return a.Err
		},
		fail: func(err error) { a.Err = err },
	})
	return a
}

func whatever[T any](T) bool { return true }

// All adds [Account.All].
func (g *Together) All(t account.Type) *Answer[*GetResult] {
	if t.Filter != nil {
		return g.filtered(t)
	}
	q, err := g.a.askGet(t, nil, nil)
	return add(g, q, err, func(got *GetResult) bool { return !g.a.cut(got) },
		func(ctx context.Context) (*GetResult, error) { return g.a.All(ctx, t, nil) })
}

// filtered adds [Account.All] of a type of which not all objects are wanted.
func (g *Together) filtered(t account.Type) *Answer[*GetResult] {
	page, err := g.a.askPage(t, PageArgs{Total: true})
	if err != nil {
		return &Answer[*GetResult]{Err: err}
	}
	q := &question[*GetResult]{using: page.using, calls: page.calls, said: func() *GetResult {
		p := page.said()
		return &GetResult{State: p.State, List: p.List, Cut: int64(len(p.IDs)) != p.Total || len(p.List)+len(p.NotFound) < len(p.IDs)}
	}}
	return add(g, q, nil, func(got *GetResult) bool { return !got.Cut },
		func(ctx context.Context) (*GetResult, error) { return g.a.All(ctx, t, nil) })
}

// Head adds [Account.Head].
func (g *Together) Head(t account.Type) *Answer[*GetResult] {
	q, err := g.a.askGet(t, nil, nil)
	if err != nil {
		return &Answer[*GetResult]{Err: err}
	}
	head := &question[*GetResult]{using: q.using, calls: q.calls, said: func() *GetResult {
		got := q.said()
		got.Cut = g.a.cut(got)
		return got
	}}
	return add(g, head, nil, whatever, func(ctx context.Context) (*GetResult, error) { return g.a.Head(ctx, t) })
}

// State adds [Account.State].
func (g *Together) State(t account.Type) *Answer[string] {
	q, err := g.a.askGet(t, []string{}, []string{"id"})
	if err != nil {
		return &Answer[string]{Err: err}
	}
	state := &question[string]{using: q.using, calls: q.calls, said: func() string { return q.said().State }}
	return add(g, state, nil, whatever, func(ctx context.Context) (string, error) { return g.a.State(ctx, t) })
}

// Page adds [Account.Page].
func (g *Together) Page(t account.Type, p PageArgs) *Answer[*Page] {
	q, err := g.a.askPage(t, p)
	return add(g, q, err, whatever, func(ctx context.Context) (*Page, error) { return g.a.Page(ctx, t, p) })
}

// Changes adds [Account.Changes].
func (g *Together) Changes(t account.Type, since string) *Answer[*Changes] {
	q, err := g.a.askChanges(t, since)
	return add(g, q, err, func(ch *Changes) bool { return !ch.stuck(since) },
		func(ctx context.Context) (*Changes, error) { return g.a.Changes(ctx, t, since) })
}

// Send asks. A request of several calls is tried once: what fails in it, or with
// it (there are servers that die of one call, and such that refuse a whole request
// for a capability in `using`), is asked again alone, and so is all after it, as it
// must not be older than what comes before. When a read finds that there is no
// server, or no signing in, the ones after it are not sent.
func (g *Together) Send(ctx context.Context) {
	var over error
	for len(g.reads) > 0 {
		var some []*read
		some, g.reads = g.portion()
		whole := over == nil && len(some) > 1
		if whole {
			if err := g.send(ctx, some); err != nil {
				whole = false
				if k := KindOf(err); k == Unauthorized || k == Cancelled {
					over = err
				}
			}
		}
		for _, r := range some {
			switch {
			case over != nil:
				r.fail(over)
			case whole && r.answered() && r.take():
			case whole && r.unknown() != nil: // and would be, alone
				r.fail(r.unknown())
			default:
				whole = false
				err := r.alone(ctx)
				if k := KindOf(err); k == Unauthorized || k == Unreachable || k == Cancelled {
					over = err
				}
			}
		}
	}
}

// portion is how many of the reads go into one request, and the rest.
func (g *Together) portion() (some, rest []*read) {
	calls := 0
	for i, r := range g.reads {
		if calls += len(r.calls); i > 0 && int64(calls) > g.a.Client.limits.MaxCallsInRequest {
			return g.reads[:i], g.reads[i:]
		}
	}
	return g.reads, nil
}

func (g *Together) send(ctx context.Context, some []*read) error {
	r := g.a.request(nil)
	r.once = true
	named := map[string]bool{}
	for _, one := range some {
		for _, urn := range one.using {
			if !named[urn] {
				named[urn] = true
				r.using = append(r.using, urn)
			}
		}
		for _, k := range one.calls {
			k.mayFail = true
			r.calls = append(r.calls, k)
		}
	}
	return g.a.Client.send(ctx, r)
}

// unknown is the error of a read that the server has no method for, nil otherwise.
func (r *read) unknown() error {
	for _, k := range r.calls {
		if k.failed != nil && k.failed.Type == unknownMethod {
			err := k.failed.Error
			return &err
		}
	}
	return nil
}

// answered says whether all calls were.
func (r *read) answered() bool {
	for _, k := range r.calls {
		if k.failed != nil || k.answer == nil {
			return false
		}
	}
	return true
}
