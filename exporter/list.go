package exporter

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mailhaul/account"
)

const (
	// anchorsKept is how many of the ids listed last may serve to go on from.
	anchorsKept = 5
	// mostRestarts bounds how often a listing begins again because all of them went.
	mostRestarts = 10
	// pagesAhead is how many pages are being taken at most before the oldest
	// is waited for: their objects are in memory.
	pagesAhead = 3
)

// turned is a page, or the error instead of one.
type turned struct {
	*SourcePage
	anchors []string // with this page
	restart bool     // the listing began again with this page
	err     error
}

// list lists all Emails from the place on and takes them.
func (m *mail) list(ctx context.Context) error {
	reading, stop := context.WithCancel(ctx)
	pages := make(chan turned, 1)
	var open []*listing // pages that are being taken, oldest first
	defer func() {
		stop()
		for range pages { // until the reader has ended
		}
		m.take.abandon()
		for _, l := range open {
			l.lot.wg.Wait()
		}
	}()
	anchors, first := m.p.Anchors, m.first
	m.first = nil
	go func() {
		defer close(pages)
		c, ok := m.src.(combiner)
		if m.turnPages(reading, anchors, first, pages) && ok {
			m.closeEarly(ctx, c, true)
		}
	}()
	// The workers do not idle while a page is finished; the place moves behind
	// a page when it is wholly in.
	settle := func(most int) error {
		for len(open) > most {
			if err := m.settlePage(open[0]); err != nil {
				return err
			}
			open = open[1:]
		}
		return nil
	}
	for page := range pages {
		if page.err != nil {
			return errors.Join(page.err, settle(0))
		}
		l := &listing{turned: page}
		open = append(open, l)
		if err := m.takePage(l, open); err != nil {
			return errors.Join(err, settle(1)) // all but this one
		}
		if err := settle(pagesAhead - 1); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return errors.Join(err, settle(0))
	}
	if err := errors.Join(m.take.flush(), settle(0)); err != nil { // the last batch does not wait for those before
		return err
	}
	m.run.Expect(0, 0)
	m.p.Listing, m.p.Anchors = false, nil
	return m.savePlace()
}

// listing is a page that is being taken.
type listing struct {
	turned
	lot lot
}

// takePage notes what a page lists and starts taking it. It is the last of those
// that are open.
func (m *mail) takePage(l *listing, open []*listing) error {
	if l.restart {
		m.stage.done.Store(0)
	}
	if l.Total > 0 {
		m.stage.total.Store(l.Total)
	}
	for _, id := range l.IDs {
		m.unread[id] = true
	}
	for _, o := range l.List {
		delete(m.unread, o.ID())
	}
	var bytes int64
	if m.scope != nil { // the source may list more than was asked for
		l.List = slices.DeleteFunc(l.List, func(o account.Object) bool { return !m.scope.HasEmail(o) })
	}
	if err := m.seen(l); err != nil {
		return err
	}
	for _, o := range l.List {
		bytes += max(0, m.take.sizeOf(o))
	}
	m.listed.items, m.listed.bytes = m.listed.items+int64(len(l.List)), m.listed.bytes+bytes
	m.expect()
	left := m.unlisted(open)
	if m.take.toCome = -1; left >= 0 {
		m.take.toCome = m.take.gatheredBytes + bytes + left*(m.listed.bytes/max(1, m.listed.items))
	}
	if err := m.take.feed(&l.lot, l.List); err != nil || left != 0 {
		return err
	}
	return m.take.flush() // these were the last, as far as is known
}

// seen notes what of a page is in the scope, as far as that is known.
func (m *mail) seen(l *listing) error {
	ids := l.IDs
	if m.scope != nil {
		ids = nil
		for _, o := range l.List {
			ids = append(ids, o.ID())
		}
		for _, id := range l.IDs {
			if m.unread[id] {
				ids = append(ids, id)
			}
		}
	}
	return kept(m.run.Seen(account.Email, ids...))
}

// unlisted is how many Emails the pages behind these will list, -1 if that is not
// known.
func (m *mail) unlisted(open []*listing) int64 {
	total := m.stage.total.Load()
	if total <= 0 {
		return -1
	}
	listed := m.p.Done
	for _, l := range open {
		if l.restart {
			listed = 0
		}
		listed += int64(len(l.IDs))
	}
	return max(0, total-listed)
}

// expect tells the archive how much is still to come, as far as that can be
// guessed from what was listed.
func (m *mail) expect() {
	if n := m.listed.items; n > 0 {
		left := max(0, m.stage.total.Load()-m.p.Done)
		m.run.Expect(left, left*(m.listed.bytes/n))
	}
}

// settlePage waits until a page is in the archive and moves the place behind it.
func (m *mail) settlePage(l *listing) error {
	if l == nil {
		return nil
	}
	if err := m.take.finish(&l.lot); err != nil {
		return err
	}
	if l.restart {
		m.p.Done = 0
	}
	m.p.Anchors = l.anchors
	m.p.Done += int64(len(l.IDs))
	m.expect()
	return m.savePlace()
}

// turnPages reads page after page into out, until the last or an error, and
// says whether that was the last. first is the first page if it was asked for.
func (m *mail) turnPages(ctx context.Context, anchors []string, first func(context.Context) (*SourcePage, error), out chan<- turned) bool {
	send := func(p turned) bool {
		select {
		case out <- p:
			return true
		case <-ctx.Done():
			return false
		}
	}
	restarts, restart := 0, false
	for {
		after := ""
		if len(anchors) > 0 {
			after = anchors[len(anchors)-1]
		}
		var page *SourcePage
		var err error
		if first != nil && after == "" {
			page, err = first(ctx)
		} else {
			page, err = m.src.Page(ctx, account.Email, after)
		}
		first = nil
		if errors.Is(err, ErrAnchorGone) && after != "" {
			anchors = anchors[:len(anchors)-1]
			if len(anchors) == 0 {
				restarts, restart = restarts+1, true
			}
			if restarts <= mostRestarts {
				continue
			}
		}
		if err == nil && after != "" && slices.Contains(page.IDs, after) {
			err = fmt.Errorf("the server lists message %s again behind itself: it does not page by anchor", after)
		}
		if err != nil {
			send(turned{err: err})
			return false
		}
		if len(page.IDs) == 0 {
			return true
		}
		anchors = append(slices.Clone(anchors), page.IDs...)
		anchors = anchors[max(0, len(anchors)-anchorsKept):]
		if !send(turned{SourcePage: page, anchors: anchors, restart: restart}) {
			return false
		}
		if page.Last {
			return true
		}
		restart = false
	}
}
