package migrate

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/exporter"
	"mailhaul/importer"
	"mailhaul/jmapclient"
)

// copy brings an account over: into its archive, and from there onto the new server.
func (r *Run) copy(ctx context.Context, j *job, o *Outcome) error { return r.haul(ctx, j, o, false) }

// cutover is copy once more, which is short now. If the plan says so, what is
// gone from the old server goes from the new one, too.
func (r *Run) cutover(ctx context.Context, j *job, o *Outcome) error {
	return r.haul(ctx, j, o, r.Plan.Delete)
}

func (r *Run) haul(ctx context.Context, j *job, o *Outcome, remove bool) (err error) {
	from, err := r.old.open(ctx, j.Wanted)
	if err != nil {
		return err
	}
	defer from.close()
	to, err := r.new.open(ctx, j.Wanted) // before hours are spent on the export
	if err != nil {
		return err
	}
	defer to.close()
	src := exporter.JMAP(from.Account)
	ar, err := r.hooks.Open(r.dir(j), src.Origin())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ar.Close()) }()
	if err := r.export(ctx, j, o, src, ar); err != nil {
		return err
	}
	if err := r.restore(ctx, j, o, ar, to, remove); err != nil {
		return err
	}
	return r.subscriptions(ctx, j, o, ar, from, to)
}

// export brings the archive up to date.
func (r *Run) export(ctx context.Context, j *job, o *Outcome, src exporter.Source, ar *archive.Archive) error {
	res, err := exporter.Export(ctx, src, ar, exporter.Options{Scope: r.scope(j), Events: r.events(j, Exporting, o.Step, o)})
	if err != nil {
		return &sideError{"old", err}
	}
	o.Detail.Fetched += res.Fetched
	o.Bytes += res.Bytes
	o.Detail.ItemsAll = max(o.Detail.ItemsAll, int64(res.Failed))
	messages, bytes, err := ar.Count(0, account.Email)
	if err != nil {
		return err
	}
	o.Messages, o.Detail.Snapshot = messages, res.Snapshot.Snapshot
	if s := res.Snapshot.Scope; s != nil {
		o.Detail.Scope = s.String()
	}
	j.Messages, j.Bytes = messages, bytes
	if err := r.store.sized(j.Old, j.Group, messages, bytes); err != nil {
		return &stateError{err}
	}
	return nil
}

// scope is what an account's export is narrowed to, nil: nothing.
func (r *Run) scope(j *job) *archive.Scope {
	types := j.Types
	if len(types) == 0 {
		types = r.Plan.Types
	}
	if len(types) == 0 {
		return nil
	}
	return exporter.Completed(&archive.Scope{Types: types})
}

// restore brings the archive onto the new server.
func (r *Run) restore(ctx context.Context, j *job, o *Outcome, ar *archive.Archive, to *opened, remove bool) error {
	before := o.Detail.ItemsAll
	door, err := r.imap(to)
	if err != nil {
		return err
	}
	res, err := importer.Import(ctx, ar, to.Account, importer.Options{Delete: remove, IMAP: door, Events: r.events(j, Importing, o.Step, o)})
	if res != nil {
		if o.Detail.Types == nil {
			o.Detail.Types = res.Types
		}
		for _, c := range res.Types {
			o.Bytes += c.Bytes
		}
		for _, m := range res.Mapped {
			o.Detail.warn("the folder " + m)
		}
		o.Detail.ItemsAll = max(o.Detail.ItemsAll, before+int64(len(res.Failures)))
	}
	if err != nil {
		return &sideError{"new", err}
	}
	return nil
}

// imap is the way to the account's mail over IMAP, if it is signed in to as the user.
func (r *Run) imap(to *opened) (*importer.IMAP, error) {
	if r.Plan.New.IMAPURL == "" || !to.Own || to.auth == (jmapclient.Auth{}) {
		return nil, nil
	}
	return r.hooks.IMAP(&r.Plan.New, to.auth)
}

// verify compares the archive with the new server.
func (r *Run) verify(ctx context.Context, j *job, o *Outcome) (err error) {
	to, err := r.new.open(ctx, j.Wanted)
	if err != nil {
		return err
	}
	defer to.close()
	ar, err := archive.Open(r.dir(j))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ar.Close()) }()
	rep, err := importer.Verify(ctx, ar, to.Account, importer.VerifyOptions{Full: r.Plan.FullVerify, Events: r.events(j, Comparing, VerifyStep, o)})
	if err != nil {
		return &sideError{"new", err}
	}
	o.Detail.Types, o.Detail.Snapshot, o.Detail.Extra = rep.Types, rep.Snapshot, rep.Extra
	o.Messages = rep.Types[account.Email.Name].Total
	for _, d := range rep.Differences {
		o.Detail.item(Item{Type: d.Type, Item: d.Item, Reason: d.What + ": " + d.Detail})
	}
	if len(rep.Differences) > 0 {
		o.State = Differs
		o.Advice = fmt.Sprintf("`mailhaul migrate copy %s %s` puts right what can be; then verify again", r.Plan.path, j.Old)
	}
	return nil
}

// size asks how large the accounts are of which nothing is known. Who signs in
// with credentials of his own is not asked: that would be a sign-in for each.
func (r *Run) size(ctx context.Context, jobs []*job) error {
	if r.Plan.Old.Credentials == "" {
		return nil
	}
	if _, err := r.old.client(ctx); err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(r.Plan.Concurrency)
	for _, j := range jobs {
		if j.Messages > 0 || j.Steps[CheckStep].State == Done || j.Steps[CopyStep].State == Done || j.OldCredentials != "" || j.oldPassword != "" {
			continue
		}
		group.Go(func() error {
			from, err := r.old.open(ctx, j.Wanted)
			if err != nil {
				return nil // the step itself comes to it, and tells
			}
			page, err := from.Page(ctx, account.Email, jmapclient.PageArgs{Limit: 1, Total: true, Props: []string{"id"}})
			if err != nil {
				return nil // likewise
			}
			j.Messages, j.Group = max(page.Total, 0), from.Group
			if err := r.store.sized(j.Old, j.Group, j.Messages, j.Bytes); err != nil {
				return &stateError{err}
			}
			return nil
		})
	}
	return group.Wait()
}
