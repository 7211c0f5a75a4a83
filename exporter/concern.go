package exporter

import (
	"context"
	"errors"
	"slices"

	"mailhaul/account"
	"mailhaul/archive"
)

// held says whether the archive has a live Email of that id, and whether that is
// in the scope as the archive knows it.
func (m *mail) held(id string) (known, in bool, err error) {
	rec, err := m.run.Get(account.Email, id)
	if errors.Is(err, archive.ErrNotFound) {
		return false, false, nil
	}
	return err == nil, err == nil && m.scope.HasEmail(rec.Object), kept(err)
}

// concerning are those of the Emails that the source handed out that belong into
// the archive now: they are in the scope, or the archive has them as if they were,
// and they have left it. An id of the scope that names another message outside of
// it by now is gone: what is received and how large never changes.
func (m *mail) concerning(list []account.Object) (some []account.Object, err error) {
	for _, o := range list {
		if m.scope.HasEmail(o) {
			some = append(some, o)
			continue
		}
		rec, err := m.run.Get(account.Email, o.ID())
		switch {
		case errors.Is(err, archive.ErrNotFound):
		case err != nil:
			return nil, kept(err)
		case !m.scope.HasEmail(rec.Object):
		case account.MatchKey(o) == account.MatchKey(rec.Object):
			some = append(some, o)
		default:
			if err := m.drop(account.Email, o.ID()); err != nil {
				return nil, err
			}
		}
	}
	return some, nil
}

// tryable are ids but for those of Emails that the archive has outside of the scope.
func (m *mail) tryable(ids []string) (some []string, err error) {
	if m.scope == nil {
		return ids, nil
	}
	for _, id := range ids {
		known, in, err := m.held(id)
		if err != nil {
			return nil, err
		}
		if !known || in {
			some = append(some, id)
		}
	}
	return some, nil
}

// confirm asks for Emails by their ids, of which the archive has each: what is
// there is taken as it is now, what is not has gone.
func (m *mail) confirm(ctx context.Context, ids []string) error {
	for some := range slices.Chunk(ids, getAtOnce) {
		list, err := m.src.Get(ctx, account.Email, some)
		if err != nil {
			return err
		}
		there := map[string]bool{}
		for _, o := range list {
			there[o.ID()] = true
		}
		if list, err = m.concerning(list); err != nil {
			return err
		}
		l := &lot{}
		feedErr := m.take.feed(l, list)
		if err := m.take.finish(l); err != nil {
			return err
		}
		if feedErr != nil {
			return feedErr
		}
		for _, id := range some {
			if there[id] {
				continue
			}
			if err := m.drop(account.Email, id); err != nil {
				return err
			}
		}
	}
	return m.savePlace()
}

// settleDoubt looks after what runs put after the place's base that saw less than
// this one, or did not end: of what came after the base and went since, the
// changes may say nothing (RFC 8620 §5.2). It says whether changes are to be asked
// for again.
func (m *mail) settleDoubt(ctx context.Context) (again bool, err error) {
	if !m.p.Doubt || m.p.Passes > 0 {
		return false, nil
	}
	var ids []string
	for id, err := range m.run.PutSince(account.Email, m.p.Base) {
		if err != nil {
			return false, kept(err)
		}
		ids = append(ids, id)
	}
	if ids, err = m.tryable(ids); err != nil {
		return false, err
	}
	m.p.Doubt = false
	return len(ids) > 0, m.confirm(ctx, ids)
}
