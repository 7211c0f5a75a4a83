package exporter

import (
	"context"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

func (s *jmapSource) lists(ctx context.Context, types []account.Type) map[string]*listed {
	g := s.a.Together()
	answers := map[string]*jmapclient.Answer[*jmapclient.GetResult]{}
	for _, t := range types {
		answers[t.Name] = g.All(t)
	}
	g.Send(ctx)
	lists := map[string]*listed{}
	for name, a := range answers {
		lists[name] = listOf(a)
	}
	return lists
}

func listOf(a *jmapclient.Answer[*jmapclient.GetResult]) *listed {
	if a.Err != nil {
		return &listed{err: a.Err}
	}
	return &listed{list: a.Value.List, state: a.Value.State}
}

func (s *jmapSource) begin(ctx context.Context) (string, func(context.Context) (*SourcePage, error), error) {
	g := s.a.Together()
	state, first := g.State(account.Email), g.Page(account.Email, pageArgs(""))
	g.Send(ctx)
	if state.Err != nil {
		return "", nil, state.Err
	}
	return state.Value, func(ctx context.Context) (*SourcePage, error) {
		if first.Err != nil {
			return nil, sourceError(first.Err)
		}
		return s.page(ctx, account.Email, "", first.Value)
	}, nil
}

func (s *jmapSource) closing(ctx context.Context, since string, mailboxes bool) (*closing, error) {
	g := s.a.Together()
	changes, count := g.Changes(account.Email, since), g.Page(account.Email, countArgs)
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
