package exporter

import (
	"context"
	"errors"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

func (s *jmapSource) lists(ctx context.Context, types []account.Type, since map[string]string) map[string]*listed {
	g := s.a.Together()
	answers := map[string]*jmapclient.Answer[*jmapclient.GetResult]{}
	changes := map[string]*jmapclient.Answer[*jmapclient.Changes]{}
	for _, t := range types {
		switch state := since[t.Name]; {
		case state != "":
			changes[t.Name] = g.Changes(t, state)
		case t.Large:
			answers[t.Name] = g.Head(t)
		default:
			answers[t.Name] = g.All(t)
		}
	}
	g.Send(ctx)
	lists := map[string]*listed{}
	for name, a := range answers {
		lists[name] = listOf(a)
	}
	for name, a := range changes {
		lists[name] = &listed{changes: a.Value, err: sourceError(a.Err)}
	}
	return lists
}

func (s *jmapSource) head(ctx context.Context, t account.Type) *listed {
	got, err := s.a.Head(ctx, t)
	return listOf(&jmapclient.Answer[*jmapclient.GetResult]{Value: got, Err: err})
}

// pages reads a type with Foo/query in the server's own order, which holds for
// anchors (RFC 8620 §5.5). When the anchor goes, it begins anew.
func (s *jmapSource) pages(ctx context.Context, t account.Type, take func([]account.Object) error) (state string, err error) {
	restarts, after, seen := 0, "", map[string]bool{}
	for {
		p, err := s.a.Page(ctx, t, jmapclient.PageArgs{After: after})
		if errors.Is(sourceError(err), ErrAnchorGone) && restarts < mostRestarts {
			restarts, after, seen = restarts+1, "", map[string]bool{}
			continue
		}
		if err != nil {
			return "", err
		}
		if state == "" {
			state = p.State
		}
		fresh := false
		for _, id := range p.IDs {
			fresh = fresh || !seen[id]
			seen[id] = true
		}
		if !fresh {
			return state, nil
		}
		after = p.IDs[len(p.IDs)-1]
		if len(p.List)+len(p.NotFound) < len(p.IDs) {
			rest, err := s.Get(ctx, t, missing(p))
			if err != nil {
				return "", err
			}
			p.List = append(p.List, rest...)
		}
		if err := take(p.List); err != nil {
			return "", err
		}
	}
}

func listOf(a *jmapclient.Answer[*jmapclient.GetResult]) *listed {
	if a.Err != nil {
		return &listed{err: a.Err}
	}
	return &listed{list: a.Value.List, state: a.Value.State, cut: a.Value.Cut}
}

func (s *jmapSource) begin(ctx context.Context) (string, func(context.Context) (*SourcePage, error), error) {
	g := s.a.Together()
	args := s.pageArgs("")
	state, first := g.State(account.Email), g.Page(account.Email, args)
	g.Send(ctx)
	if state.Err != nil {
		return "", nil, state.Err
	}
	return state.Value, func(ctx context.Context) (*SourcePage, error) {
		if refusesFilter(args, first.Err) {
			s.filter.Store(nil)
			return s.Page(ctx, account.Email, "")
		}
		if first.Err != nil {
			return nil, sourceError(first.Err)
		}
		s.keepAhead(args, first.Value)
		return s.page(ctx, account.Email, args, first.Value)
	}, nil
}

func (s *jmapSource) closing(ctx context.Context, since string, mailboxes bool) (*closing, error) {
	g := s.a.Together()
	changes, count := g.Changes(account.Email, since), s.countTogether(g)
	var boxes *jmapclient.Answer[*jmapclient.GetResult]
	if mailboxes {
		boxes = g.All(account.Mailbox)
	}
	g.Send(ctx)
	if changes.Err != nil {
		return nil, sourceError(changes.Err)
	}
	c := &closing{Changes: changes.Value}
	c.count = func() (int64, error) {
		if count == nil {
			return s.Count(ctx, account.Email)
		}
		if count.Err != nil {
			return 0, count.Err
		}
		return count.Value.Total, nil
	}
	if boxes != nil {
		c.mailboxes = listOf(boxes)
	}
	return c, nil
}
