package migrate

import "context"

func (r *Run) provisions() bool { return false }

func (r *Run) provision(ctx context.Context, j *job, o *Outcome) error { return nil }

// ProvisionOptions say how the accounts are made.
type ProvisionOptions struct {
	DryRun bool
}
