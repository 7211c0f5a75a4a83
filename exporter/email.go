package exporter

import (
	"context"
	"errors"
	"slices"
	"time"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
)

const (
	// mostPasses bounds the listings of a source without a history.
	mostPasses = 5
	// mostAge is how old a state may be and its changes still be believed: some
	// servers forget changes after 30 days and answer as if there were none
	// (Stalwart 0.8.5 to 0.11).
	mostAge = 25 * 24 * time.Hour
	// mostRecounts bounds the looks at a mailbox that changes while it is counted.
	mostRecounts = 3
)

// place is how far the export of Email is, kept with the snapshot under way.
type place struct {
	// State is what the changes are asked since: before a listing began, or
	// where following the changes has come to.
	State string    `json:"state"`
	At    time.Time `json:"at"` // when State was the server's, by our clock
	// Listing is under way behind the last of Anchors (the ids that were
	// listed last, so that one may go and the place is still known).
	Listing bool     `json:"listing,omitempty"`
	Anchors []string `json:"anchors,omitempty"`
	Done    int64    `json:"done,omitempty"` // listed in this pass
	Passes  int      `json:"passes,omitempty"`
	// Before is the tally's moved when the pass began.
	Before int64 `json:"before,omitempty"`
	// Scope is what the run was narrowed to, and Living those of its mailboxes that
	// there were. A listing can be gone on with only if both are the same: ids of
	// one received date may come in another order when others are wanted.
	Scope  *archive.Scope `json:"scope,omitempty"`
	Living []string       `json:"living,omitempty"`
	// Base is the snapshot whose state the changes were first asked since, and
	// Doubt that something was put after it by runs with another scope or that did
	// not end; see settleDoubt.
	Base  int  `json:"base,omitempty"`
	Doubt bool `json:"doubt,omitempty"`
}

const emailKey = "Email"

// mail is the export of Email in one run.
type mail struct {
	*export
	p        place
	stage    *stage
	take     *taker
	recounts int
	counted  int64 // the tally's moved at the last count
	// first is the page that a listing begins with, nil where it was not asked for yet.
	first func(ctx context.Context) (*SourcePage, error)
	// closing is what was asked for with the last changes when there were none, nil for nothing.
	closing *closing
	// early is a closing that was asked for while the last blobs were on their way.
	early  *early
	listed struct{ items, bytes int64 }
}

// email exports all Emails and answers the state they are for.
func (e *export) email(ctx context.Context) (string, error) {
	m := &mail{export: e, stage: e.stage(account.Email.Name)}
	m.take = e.taker(ctx, account.Email, m.stage)
	defer m.take.close()
	defer func() { m.early.wait() }()
	err := m.bringUpToDate(ctx)
	if err == nil {
		m.stage.emit(progress.Finished)
	}
	if m.p.Listing {
		return "", err // a listing that broke off is no ground to go on from
	}
	return m.p.State, err
}

func (m *mail) bringUpToDate(ctx context.Context) error {
	if err := m.start(ctx); err != nil {
		return err
	}
	if err := m.retry(ctx); err != nil {
		return err
	}
	for {
		if m.p.Listing {
			if err := m.list(ctx); err != nil {
				return err
			}
			if short, err := m.short(ctx); err != nil {
				return err
			} else if short {
				if err := m.startListing(ctx); err != nil {
					return err
				}
				continue
			}
		}
		err := m.follow(ctx)
		trusted := !errors.Is(err, ErrNoHistory)
		if trusted && err != nil {
			return err
		}
		if m.p.Passes > 0 && !m.nothingUnseen() {
			if err := m.dropUnseen(ctx); err != nil {
				return err
			}
		}
		again, err := m.again(ctx, trusted)
		if err != nil || !again {
			return err
		}
	}
}

// start finds the place to go on from.
func (m *mail) start(ctx context.Context) error {
	known, err := m.run.Progress(emailKey, &m.p)
	if err != nil {
		return kept(err)
	}
	switch {
	case m.p.Listing:
		known = known && m.p.Scope.Covers(account.Email, m.scope) && m.scope.Covers(account.Email, m.p.Scope) && slices.Equal(m.p.Living, m.living)
	default:
		known = known && m.p.State != "" && m.p.Scope.Covers(account.Email, m.scope)
	}
	m.p.Scope, m.p.Living = m.scope, m.living
	if !known {
		m.p = place{}
		known = m.fromBase()
	}
	// A pass that was begun earlier proves nothing to a source without a
	// history: what it listed may have changed since.
	m.p.Before, m.p.Passes = -1, min(m.p.Passes, 1)
	stale := false
	if known {
		if stale, err = m.stale(ctx); err != nil {
			return err
		}
	}
	if !known || stale {
		return m.startListing(ctx)
	}
	m.stage.done.Store(m.p.Done)
	if m.p.Listing {
		return m.total(ctx)
	}
	return nil
}

// fromBase makes the place that of the newest snapshot that will do, and says
// whether there is one. The archive keeps no state for a snapshot of which
// something was lost.
func (m *mail) fromBase() bool {
	base := m.base()
	if base == nil || m.moved || base.Types[account.Email.Name].State == "" {
		return false
	}
	m.p = place{State: base.Types[account.Email.Name].State, At: base.Finished, Scope: m.scope, Living: m.living, Base: base.Snapshot,
		Doubt: base.Snapshot < m.last.Snapshot || m.run.Resumed()}
	return true
}

// total learns how many Emails there are, for the bar.
func (m *mail) total(ctx context.Context) error {
	n, err := m.src.Count(ctx, account.Email)
	if err == nil && n >= 0 {
		m.stage.total.Store(n)
	}
	return err
}

// startListing makes ready for a listing from the start.
func (m *mail) startListing(ctx context.Context) error {
	state, err := m.begin(ctx)
	if err != nil {
		return err
	}
	if err := m.run.ClearSeen(account.Email); err != nil {
		return kept(err)
	}
	clear(m.unread)
	m.recounts = 0
	m.stage.done.Store(0)
	m.p = place{State: state, At: time.Now().UTC(), Listing: true, Passes: m.p.Passes + 1, Before: m.take.tally.moved(),
		Scope: m.scope, Living: m.living}
	return m.savePlace()
}

// begin asks for the state before a listing, and where that costs no more for its
// first page.
func (m *mail) begin(ctx context.Context) (state string, err error) {
	if c, ok := m.src.(combiner); ok {
		state, m.first, err = c.begin(ctx)
		return state, err
	}
	return m.src.State(ctx, account.Email)
}

// savePlace keeps the place; everything before it must have been put. Where
// nothing was put, and nothing is being listed, the last snapshot's place will do.
func (m *mail) savePlace() error {
	if err := m.save(); err != nil {
		return err
	}
	if m.p.Passes == 0 && !m.touched.Load() {
		return nil
	}
	m.touched.Store(true)
	if err := m.run.SetProgress(emailKey, m.p); err != nil {
		return kept(err)
	}
	return nil
}

// retry tries once more what failed in earlier runs.
func (m *mail) retry(ctx context.Context) error {
	if m.retried {
		return nil
	}
	m.retried = true
	ids, err := m.tryable(m.take.tally.suspects())
	if err != nil {
		return err
	}
	return m.fresh(ctx, ids)
}

// nothingUnseen says whether all that the archive has comes from this one listing.
func (m *mail) nothingUnseen() bool { return m.last == nil && !m.run.Resumed() && m.p.Passes == 1 }

// dropUnseen marks as gone what a whole listing did not show.
func (m *mail) dropUnseen(ctx context.Context) (err error) {
	var gone []string
	for id, err := range m.run.Unseen(account.Email) {
		if err != nil {
			return kept(err)
		}
		gone = append(gone, id)
	}
	if m.scope != nil { // it may have moved out of the scope
		gone = slices.DeleteFunc(gone, func(id string) bool {
			_, in, herr := m.held(id)
			err = errors.Join(err, herr)
			return !in
		})
		return errors.Join(err, m.confirm(ctx, gone))
	}
	for _, id := range gone {
		if err := m.drop(account.Email, id); err != nil {
			return err
		}
	}
	return m.savePlace()
}

// known says whether the archive has a live Email of that id.
func (m *mail) known(id string) (bool, error) { return m.export.known(account.Email, id) }

// known says whether the archive has a live object of that id.
func (e *export) known(t account.Type, id string) (bool, error) {
	_, err := e.run.Get(t, id)
	if errors.Is(err, archive.ErrNotFound) {
		return false, nil
	}
	return err == nil, kept(err)
}
