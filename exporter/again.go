package exporter

import (
	"context"
	"fmt"
	"slices"

	"mailhaul/account"
	"mailhaul/internal/progress"
)

// again decides, once listing and changes have come to an end, whether the
// account must be listed anew.
func (m *mail) again(ctx context.Context, trusted bool) (bool, error) {
	if !trusted {
		return m.againUnfollowed(ctx)
	}
	if err := m.reread(ctx); err != nil {
		return false, err
	}
	if again, err := m.settleDoubt(ctx); err != nil || again || !m.scope.Whole(account.Email) {
		return again, err
	}
	there, err := m.count(ctx)
	if err != nil {
		return false, err
	}
	here, err := m.run.Count(account.Email)
	if err != nil {
		return false, kept(err)
	}
	for id := range m.unread {
		known, err := m.known(id)
		if err != nil {
			return false, err
		}
		if !known {
			here++
		}
	}
	if there < 0 || there == here {
		return false, nil
	}
	// A message may have come or gone since: look for changes again before
	// doubting them.
	moved := m.take.tally.moved()
	restless := moved != m.counted
	m.counted = moved
	m.recounts++
	switch {
	case m.recounts == 1 || restless && m.recounts <= mostRecounts:
		return true, nil
	case restless:
		m.busy()
		return false, nil
	case m.p.Passes < 2:
		m.report.emit(progress.Event{Kind: progress.Note, Stage: account.Email.Name, Text: fmt.Sprintf(
			"the server counts %d messages, but its changes lead to %d: all are listed again", there, here)})
		return true, m.startListing(ctx)
	}
	return false, fmt.Errorf("the server counts %d messages, but lists %d", there, here)
}

// short says whether a narrowed listing ended with fewer Emails than the source
// counts in it, which is then read again: the archive alone can't tell how many
// there should be.
func (m *mail) short(ctx context.Context) (bool, error) {
	if m.scope.Whole(account.Email) {
		return false, nil
	}
	there, err := m.src.Count(ctx, account.Email)
	if err != nil || there <= m.p.Done {
		return false, err
	}
	if m.p.Passes >= mostPasses {
		return false, fmt.Errorf("the server counts %d messages of those that were asked for, but lists %d", there, m.p.Done)
	}
	return true, nil
}

// count is how many Emails there are after the changes.
func (m *mail) count(ctx context.Context) (int64, error) {
	if m.closing != nil {
		return m.closing.count()
	}
	return m.src.Count(ctx, account.Email)
}

// againUnfollowed is again for a source that can't tell changes: it is listed
// until a listing finds nothing new.
func (m *mail) againUnfollowed(ctx context.Context) (bool, error) {
	switch {
	case m.p.Passes > 0 && m.take.tally.moved() == m.p.Before:
		return false, nil
	case m.p.Passes >= mostPasses:
		m.busy()
		return false, nil
	}
	return true, m.startListing(ctx)
}

func (m *mail) busy() {
	m.report.emit(progress.Event{Kind: progress.Warning, Stage: account.Email.Name,
		Text:   "the mailbox keeps changing: the snapshot holds it as it was a moment ago",
		Advice: "run the same export again to catch up"})
}

// reread asks once more for what was listed but not handed out, and records
// what the source still does not give.
func (m *mail) reread(ctx context.Context) error {
	if len(m.unread) == 0 {
		return nil
	}
	ids := make([]string, 0, len(m.unread))
	for id := range m.unread {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if err := m.fresh(ctx, ids); err != nil {
		return err
	}
	for id := range m.unread {
		m.take.failed(id, "message id "+id, "the server lists it, but answers that it is not there when it is read", false)
	}
	return nil
}
