package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"mailhaul/archive"
	"mailhaul/exporter"
	"mailhaul/importer"
	"mailhaul/internal/borrow"
)

// borrowing is how a run signs in as users.
type borrowing struct{ old, new *borrow.Borrower }

// ledger is the state as the book of borrowed sign-ins. What it has said yes to
// is on the disk, also when the power goes.
type ledger struct{ *store }

func (l ledger) Plan(b borrow.Loan) error {
	return l.durable("INSERT OR REPLACE INTO borrowed VALUES (?, ?, ?, ?)", b.Server, b.Account, b.Token, stamp(time.Now()))
}

func (l ledger) Done(b borrow.Loan) error {
	return l.durable("DELETE FROM borrowed WHERE server = ? AND account = ? AND token = ?", b.Server, b.Account, b.Token)
}

func (l ledger) durable(query string, args ...any) error {
	if _, err := l.db.Exec("PRAGMA synchronous = FULL"); err != nil {
		return fmt.Errorf("could not write the state: %w", err)
	}
	err := l.exec(func(tx *sql.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	})
	_, back := l.db.Exec("PRAGMA synchronous = NORMAL")
	return errors.Join(err, back)
}

func (l ledger) Open(server string) ([]borrow.Loan, error) {
	all, err := l.loans()
	var open []borrow.Loan
	for _, b := range all {
		if b.Server == server {
			open = append(open, b)
		}
	}
	return open, err
}

func (s *store) loans() ([]borrow.Loan, error) {
	var all []borrow.Loan
	err := s.each("SELECT server, account, token FROM borrowed ORDER BY at", func(scan func(...any) error) error {
		var b borrow.Loan
		err := scan(&b.Server, &b.Account, &b.Token)
		all = append(all, b)
		return err
	})
	return all, err
}

// Borrow lets the run sign in as users where it has an administrator's
// credentials.
func (r *Run) Borrow(ctx context.Context) error {
	b := &borrowing{}
	for _, s := range []struct {
		side *side
		to   **borrow.Borrower
	}{{r.old, &b.old}, {r.new, &b.new}} {
		if s.side.server.Credentials == "" {
			continue
		}
		c, err := s.side.client(ctx)
		if err != nil {
			return err
		}
		*s.to = borrow.New(c, ledger{r.store})
	}
	r.borrow = b
	return nil
}

// ReturnSignIns gives back what an earlier run borrowed, and answers how many
// sign-ins that were. Where there are none no server is asked.
func (r *Run) ReturnSignIns(ctx context.Context) (int, error) {
	before, err := r.store.loans()
	if err != nil || len(before) == 0 {
		return 0, err
	}
	var errs []error
	for _, s := range []*side{r.old, r.new} {
		if s.server.Credentials == "" {
			continue
		}
		c, err := s.client(ctx)
		if err == nil {
			err = borrow.New(c, ledger{r.store}).ReturnAll(ctx)
		}
		errs = append(errs, err)
	}
	after, err := r.store.loans()
	if err = errors.Join(append(errs, err)...); err == nil && len(after) > 0 {
		err = fmt.Errorf("%s of %s, which is neither of the plan's servers: give them back with the plan that borrowed them",
			plural(int64(len(after)), "borrowed sign-in is", "borrowed sign-ins are"), after[0].Server)
	}
	return len(before) - len(after), err
}

// subscriptions carries over what is the user's own, where the copy was not made
// as the user: one more export and import as the user, which cost little, as
// all the rest is there. What can't be carried is told, and fails nothing.
func (r *Run) subscriptions(ctx context.Context, j *job, o *Outcome, ar *archive.Archive, from, to *opened) error {
	if from.Group || from.Own && to.Own {
		return nil // a group has no subscriptions of its own
	}
	if r.borrow == nil {
		o.Detail.Unsubscribed = true
		return nil
	}
	err := r.asUser(ctx, j, o, ar, from, to)
	if err != nil && ctx.Err() == nil {
		o.Detail.Unsubscribed = true
		o.Detail.warn(fmt.Sprintf("which folders are subscribed could not be carried over: %v", err))
		return nil
	}
	return err
}

func (r *Run) asUser(ctx context.Context, j *job, o *Outcome, ar *archive.Archive, from, to *opened) error {
	user, back, err := r.lend(ctx, r.old, r.borrow.old, j, o, from)
	if err != nil {
		return err
	}
	if !from.Own {
		_, err = exporter.Export(ctx, exporter.JMAP(user.Account), ar, exporter.Options{Scope: r.scope(j), Events: r.events(j, Exporting, o.Step, o)})
	}
	back()
	if err != nil {
		return &sideError{"old", err}
	}
	if user, back, err = r.lend(ctx, r.new, r.borrow.new, j, o, to); err != nil {
		return err
	}
	_, err = importer.Import(ctx, ar, user.Account, importer.Options{Events: r.events(j, Importing, o.Step, o)})
	back()
	if err != nil {
		return &sideError{"new", err}
	}
	return nil
}

// returning bounds how long a sign-in is being given back; it is not cut short
// when the run is stopped.
const returning = time.Minute

// lend opens an account as its user, unless it is open so already. back has to
// be called.
func (r *Run) lend(ctx context.Context, s *side, b *borrow.Borrower, j *job, o *Outcome, as *opened) (user *opened, back func(), err error) {
	if as.Own {
		return as, func() {}, nil
	}
	name, _, _ := s.of(j.Wanted)
	creds, giveBack, err := b.For(ctx, name)
	if err != nil {
		return nil, nil, &sideError{s.name, err}
	}
	give := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), returning)
		defer cancel()
		if err := giveBack(ctx); err != nil {
			o.Detail.item(Item{Item: "the borrowed sign-in on the " + s.name + " server", Reason: err.Error(),
				Advice: fmt.Sprintf("`mailhaul migrate return-sign-ins %s`", r.Plan.path)})
		}
	}
	if user, err = s.openAs(ctx, j.Wanted, name, creds); err != nil {
		give()
		return nil, nil, err
	}
	if !user.Own {
		user.close()
		give()
		return nil, nil, &sideError{s.name, errors.New("the borrowed sign-in opens another account than " + name)}
	}
	return user, func() { user.close(); give() }, nil
}
