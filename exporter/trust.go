package exporter

import (
	"context"
	"fmt"
	"time"

	"mailhaul/account"
	"mailhaul/internal/progress"
)

// stale says whether the place is too old for the changes since to be believed.
func (m *mail) stale(ctx context.Context) (bool, error) {
	if time.Since(m.p.At) <= mostAge {
		return false, nil
	}
	now, err := m.src.State(ctx, account.Email)
	return m.p.Listing || now != m.p.State, err
}

// lossy says whether the archive lacks something that its last snapshot had:
// after a reindex that left out what was damaged. No change will tell of that.
func (m *mail) lossy() (bool, error) {
	if m.last == nil {
		return false, nil
	}
	was := m.lastOf(account.Email)
	objects, octets, err := m.ar.Count(m.last.Snapshot, account.Email)
	if err != nil {
		return false, kept(err)
	}
	if objects == was.Objects && octets == was.Bytes {
		return false, nil
	}
	m.report.emit(progress.Event{Kind: progress.Note, Stage: account.Email.Name, Text: fmt.Sprintf(
		"the archive has lost some of the %d messages of snapshot %d: all are listed again, and what is missing is fetched", was.Objects, m.last.Snapshot)})
	return true, nil
}
