package importer

import (
	"context"
	"errors"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

// restore is the whole import, type by type. What does not depend on one another
// goes on at once: each type's round trips are few, and together they are long.
func (r *run) restore(ctx context.Context) error {
	r.tellGaps()
	defer r.tellConflicts()
	// What waits for the mailboxes is much, so they have the connection that stands.
	out, isOut := context.WithCancel(ctx)
	defer isOut()
	if _, ok := r.to.Using(account.Email); ok && r.scope.takes(account.Email) { // else that is told in its turn
		r.listing = goBeside(ctx, func(ctx context.Context) error {
			select {
			case <-out.Done():
			case <-ctx.Done():
			}
			return r.refresh(ctx, true)
		})
		defer r.listing.stop()
	}
	if err := r.restoreType(jmapclient.OnSent(ctx, isOut), account.Mailbox); err != nil {
		return err
	}
	isOut() // if it took no request
	inert := func(ctx context.Context) error { return r.restoreTypes(ctx, isInert) }
	if r.o.IMAP == nil { // its connection counts as a request that is out
		small := goBeside(ctx, inert)
		defer small.stop()
		inert = func(context.Context) error { return small.wait() }
	}
	err := r.restoreType(ctx, account.Email)
	if err == nil {
		err = inert(ctx)
	}
	if err == nil {
		err = r.restoreTypes(ctx, func(t account.Type) bool { return !isInert(t) && !isMail(t) })
	}
	if err != nil {
		return err
	}
	if err := r.shareBoxes(ctx); err != nil {
		return err
	}
	if !r.scope.takes(account.SieveScript) {
		return nil
	}
	if err := r.activate(ctx); err != nil {
		return r.orGoOn(account.SieveScript, err)
	}
	return nil
}

func isMail(t account.Type) bool {
	return t.Name == account.Mailbox.Name || t.Name == account.Email.Name
}

// isInert says whether a type's objects do nothing to the messages by being
// there, and need none: they come in beside those. The one that is left answers
// mail that comes.
func isInert(t account.Type) bool { return !isMail(t) && t.Name != account.VacationResponse.Name }

func (r *run) restoreTypes(ctx context.Context, which func(account.Type) bool) error {
	for _, t := range account.Types {
		if !which(t) {
			continue
		}
		if err := r.restoreType(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// step is how a type is restored.
func (r *run) step(t account.Type) func(context.Context) error {
	step, ok := map[string]func(context.Context) error{
		account.Mailbox.Name:          r.mailboxes,
		account.Email.Name:            r.emails,
		account.Identity.Name:         r.identities,
		account.SieveScript.Name:      r.scripts,
		account.VacationResponse.Name: r.vacation,
	}[t.Name]
	if !ok {
		return func(ctx context.Context) error { return r.restoreThings(ctx, t) }
	}
	return step
}

func (r *run) restoreType(ctx context.Context, t account.Type) error {
	if !r.scope.takes(t) {
		return nil
	}
	step := r.step(t)
	n, err := r.restorable(t)
	if err == nil && n == 0 && r.has(t) { // all of them may be gone
		err = r.removeThings(ctx, t)
	}
	if err != nil || n == 0 && t.Name != account.Email.Name {
		return err
	}
	if !r.has(t) {
		return r.lacking(t, n)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err = step(ctx)
	if jmapclient.KindOf(err) == jmapclient.Unknown { // what was done is found by looking, when the server is through
		if err := pause(ctx, 3*settlePause); err != nil {
			return err
		}
		r.startAgain(t)
		err = step(ctx)
	}
	if err != nil {
		return r.orGoOn(t, err)
	}
	return nil
}

// lacking reports a type that the target does not have.
func (r *run) lacking(t account.Type, n int64) error {
	if t.Name == account.Mailbox.Name || t.Name == account.Email.Name {
		return &jmapclient.Error{Kind: jmapclient.Unsupported, Op: "import", Account: r.to.Name,
			Detail: "the account has no mail (its session announces no " + t.Capabilities[0] + "); is it the right account?"}
	}
	if t.Singleton {
		o, ok, err := r.sourceVacation()
		if err != nil || !ok || emptyVacation(o) {
			return err
		}
	}
	if left := r.needless(t); left != "" {
		r.note("the server has no %s: %d stay in the archive%s", plural[t.Name], n, left)
		return nil
	}
	r.warn("the server has no %s: %d stay in the archive", plural[t.Name], n)
	r.count(t, func(c *Counts) { c.Failed += n })
	return nil
}

// orGoOn ends the run with an error that the next type would meet as well, and
// records any other as the failure of this type alone.
func (r *run) orGoOn(t account.Type, err error) error {
	var e *jmapclient.Error
	if !errors.As(err, &e) || t.Name == account.Mailbox.Name || t.Name == account.Email.Name {
		return err
	}
	switch e.Kind {
	case jmapclient.Unauthorized, jmapclient.Unreachable, jmapclient.Cancelled, jmapclient.NotJMAP, jmapclient.OverQuota:
		return err
	}
	r.fail(t, "", plural[t.Name], err.Error(), "run the import again; if it stays, set them up by hand from the archive")
	return nil
}

// tellGaps says what the export could not take: it can't be restored.
func (r *run) tellGaps() {
	for _, t := range account.Types {
		rec, ok := r.snap.Types[t.Name]
		switch {
		case !ok:
		case rec.Error != "":
			r.warn("the export of the %s had failed (%s): the archive may not hold them all", plural[t.Name], rec.Error)
		case len(rec.Failed) > 0:
			r.warn("%s could not be exported as a whole", countedType(int64(len(rec.Failed)), t))
		}
	}
}
