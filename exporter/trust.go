package exporter

import (
	"context"
	"time"

	"mailhaul/account"
)

// stale says whether the place is too old for the changes since to be believed.
func (m *mail) stale(ctx context.Context) (bool, error) {
	if time.Since(m.p.At) <= mostAge {
		return false, nil
	}
	now, err := m.src.State(ctx, account.Email)
	return m.p.Listing || now != m.p.State, err
}
