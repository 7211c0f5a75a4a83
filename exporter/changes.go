package exporter

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

const (
	// mostRounds bounds how often the changes are asked for again because
	// something changed while the last ones were taken.
	mostRounds = 20
	// getAtOnce bounds the objects that are held in memory.
	getAtOnce = 500
)

// follow takes the changes since the place's state until there are none left.
func (m *mail) follow(ctx context.Context) error {
	if m.p.State == "" {
		return ErrNoHistory
	}
	more := false // to come for certain
	for rounds := 0; ; {
		c, err := m.changes(ctx, more)
		if err != nil {
			return err
		}
		more = c.HasMore
		if c.HasMore && c.NewState == m.p.State {
			return fmt.Errorf("the server has more changes since state %q, but does not get on with them: %w", m.p.State, ErrNoHistory)
		}
		if err := m.apply(ctx, c); err != nil {
			return err
		}
		if c.NewState != m.p.State {
			m.p.State, m.p.At = c.NewState, time.Now().UTC()
			if err := m.savePlace(); err != nil {
				return err
			}
		}
		if c.HasMore {
			continue
		}
		if len(c.Created)+len(c.Updated)+len(c.Destroyed) == 0 {
			return nil
		}
		m.closing, m.after = nil, nil
		if rounds++; rounds >= mostRounds {
			m.busy()
			return nil
		}
	}
}

// changes asks for a page of them and, where that costs no more, for what is
// wanted when there are none: the messages' number, and the mailboxes.
func (m *mail) changes(ctx context.Context, more bool) (*jmapclient.Changes, error) {
	m.closing, m.after = nil, nil
	c, ok := m.src.(combiner)
	if !ok || more {
		return m.src.Changes(ctx, account.Email, m.p.State)
	}
	if m.early == nil {
		m.closeEarly(ctx, c, m.take.tally.moved() != m.before)
	}
	closing, err := m.early.wait()
	m.early = nil
	if err != nil {
		return nil, err
	}
	m.closing, m.after = closing, closing.mailboxes
	return closing.Changes, nil
}

// early is a closing that is being asked for. A nil one is none.
type early struct {
	done    chan struct{}
	closing *closing
	err     error
}

// closeEarly asks for the closing; its round trip takes place while blobs are
// still on their way. What changes meanwhile is in the next changes, and when the
// count does not fit these are asked for.
func (m *mail) closeEarly(ctx context.Context, c combiner, mailboxes bool) {
	e := &early{done: make(chan struct{})}
	m.early = e
	since := m.p.State
	go func() {
		defer close(e.done)
		e.closing, e.err = c.closing(ctx, since, mailboxes)
	}()
}

func (e *early) wait() (*closing, error) {
	if e == nil {
		return nil, nil
	}
	<-e.done
	return e.closing, e.err
}

// apply takes one page of changes. What was destroyed goes first: some servers
// give a freed id to another message and name it as destroyed and as created
// in one answer.
func (m *mail) apply(ctx context.Context, c *jmapclient.Changes) error {
	for _, id := range c.Destroyed {
		delete(m.unread, id)
		known, in, err := m.held(id)
		if err != nil {
			return err
		}
		if !known {
			m.take.tally.drop(id, false)
		}
		if !in {
			continue
		}
		if err := m.drop(account.Email, id); err != nil {
			return err
		}
	}
	return m.fresh(ctx, slices.Concat(c.Created, c.Updated))
}

// fresh reads Emails by id and takes what is there. One that is not has gone
// since; the changes tell.
func (m *mail) fresh(ctx context.Context, ids []string) error {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	m.stage.total.Add(int64(len(ids)))
	for some := range slices.Chunk(ids, getAtOnce) {
		list, err := m.src.Get(ctx, account.Email, some)
		if err != nil {
			return err
		}
		there := make(map[string]bool, len(list))
		for _, o := range list {
			there[o.ID()] = true
			delete(m.unread, o.ID())
		}
		gone, err := m.tryable(slices.DeleteFunc(slices.Clone(some), func(id string) bool { return there[id] }))
		if err != nil {
			return err
		}
		for _, id := range gone {
			m.take.tally.drop(id, false)
		}
		if list, err = m.concerning(list); err != nil {
			return err
		}
		if m.p.Passes > 0 {
			if err := m.run.Seen(account.Email, slices.Collect(maps.Keys(there))...); err != nil {
				return kept(err)
			}
		}
		l := &lot{}
		feedErr := m.take.feed(l, list)
		if err := m.take.finish(l); err != nil {
			return err
		}
		if feedErr != nil {
			return feedErr
		}
	}
	return nil
}
