package exporter

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

// everything exports each type, messages and others side by side, and the
// mailboxes once more when messages came: one may lie in a mailbox that was made
// after the mailboxes were listed.
func (e *export) everything(ctx context.Context) error {
	if e.moved {
		e.report.emit(progress.Event{Kind: progress.Warning, Text: fmt.Sprintf("the archive was made from %s and now goes on from %s",
			originText(e.ar.Manifest().Account), originText(e.src.Origin()))})
	}
	if err := e.narrow(ctx); err != nil {
		return err
	}
	messages := e.tallies[account.Email.Name]
	e.before = messages.moved()
	all := e.inTurn
	if c, ok := e.src.(combiner); ok {
		all = func(ctx context.Context) error { return e.atOnce(ctx, c) }
	}
	if err := all(ctx); err != nil {
		return err
	}
	if messages.moved() != e.before {
		if err := e.settle(ctx); err != nil {
			return err
		}
	}
	return e.dropEmptied()
}

// inTurn exports the mailboxes, and the others beside the messages: such a source
// may want to know its mailboxes before.
func (e *export) inTurn(ctx context.Context) error {
	if err := e.one(ctx, account.Mailbox); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.one(ctx, account.Email) })
	g.Go(func() error { return e.each(ctx, others(account.Mailbox, account.Email)) })
	return g.Wait()
}

// atOnce exports all types side by side, most of them with one request.
func (e *export) atOnce(ctx context.Context, c combiner) error {
	g, ctx := errgroup.WithContext(ctx)
	// Emails have the connection that there is; the rest, for which nothing
	// waits, makes new ones.
	sent := make(chan struct{})
	tell := sync.OnceFunc(func() { close(sent) })
	g.Go(func() error {
		defer tell()
		return e.one(jmapclient.OnSent(ctx, tell), account.Email)
	})
	<-sent
	// Alone: Cyrus dies of it, and all that is in the request with it.
	g.Go(func() error { return e.one(ctx, account.VacationResponse) })
	g.Go(func() error {
		rest := others(account.Email, account.VacationResponse)
		e.lookAhead(ctx, c, rest)
		return e.each(ctx, rest)
	})
	return g.Wait()
}

// others are all types but these.
func others(these ...account.Type) []account.Type {
	return slices.DeleteFunc(slices.Clone(account.Types), func(t account.Type) bool {
		return slices.ContainsFunc(these, func(o account.Type) bool { return o.Name == t.Name })
	})
}

// each exports one type after the other.
func (e *export) each(ctx context.Context, types []account.Type) error {
	for _, t := range types {
		if err := e.one(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// lookAhead lists types that the source has with one request.
func (e *export) lookAhead(ctx context.Context, c combiner, types []account.Type) {
	since := map[string]string{}
	for _, t := range types {
		if !t.Large || !e.scope.HasType(t) {
			continue
		}
		if s := e.since(t); s != "" {
			since[t.Name] = s
		}
	}
	e.mu.Lock()
	asked := maps.Clone(e.ahead)
	e.mu.Unlock()
	lists := c.lists(ctx, slices.DeleteFunc(e.inScope(types), func(t account.Type) bool {
		return t.Named || !e.src.Has(t) || asked[t.Name] != nil
	}), since)
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.Copy(e.ahead, lists)
}

// settle lists the mailboxes again until they fit the messages.
func (e *export) settle(ctx context.Context) error {
	const most = 3
	e.quiet = true
	defer func() { e.quiet = false }()
	for range most {
		if e.types[account.Email.Name].Error != "" || e.types[account.Mailbox.Name].Error != "" {
			return nil
		}
		if e.after != nil {
			e.ahead[account.Mailbox.Name], e.after = e.after, nil
		}
		before := e.tallies[account.Mailbox.Name].moved()
		if err := e.one(ctx, account.Mailbox); err != nil {
			return err
		}
		if e.tallies[account.Mailbox.Name].moved() == before {
			return nil
		}
		if err := e.one(ctx, account.Email); err != nil {
			return err
		}
	}
	return nil
}

// mayLack says whether a server may announce a type's capability and not have
// the type itself: not that of mail, and none of which the archive holds objects.
func (e *export) mayLack(t account.Type) bool {
	return t.Name != account.Mailbox.Name && t.Name != account.Email.Name && e.lastOf(t).Objects == 0
}

// one exports one type and records how that ended. The error is one that stops
// the run.
func (e *export) one(ctx context.Context, t account.Type) error {
	if !e.scope.HasType(t) {
		return nil
	}
	rec := archive.TypeRecord{}
	var err error
	switch {
	case !e.src.Has(t):
		rec.Absent = true
	case t.Name == account.Email.Name:
		rec.State, err = e.email(ctx)
	case t.Named:
		err = e.named(ctx, t)
	case t.Large:
		rec.State, err = e.large(ctx, t)
	default:
		rec.State, err = e.small(ctx, t)
	}
	if err != nil {
		if ctx.Err() != nil || stops(err) {
			return fmt.Errorf("exporting %s of %s: %w", t.Name, e.report.account, err)
		}
		rec.State = ""
		switch {
		case jmapclient.NoMethod(err) && e.mayLack(t):
			rec.Absent = true
		case t.Informational:
			rec.Error = err.Error()
			e.report.emit(progress.Event{Kind: progress.Warning, Stage: t.Name, Item: t.Name + " as a whole", Text: rec.Error,
				Advice: "nothing is lost by it: it is kept for information"})
		default:
			rec.Error = err.Error()
			e.report.emit(progress.Event{Kind: progress.Failure, Stage: t.Name, Item: t.Name + " as a whole", Text: rec.Error,
				Advice: "what the archive held of it is kept; run the same export again"})
		}
	}
	e.mu.Lock()
	e.types[t.Name] = rec
	e.mu.Unlock()
	if err := e.save(); err != nil || t.Name != account.Mailbox.Name || e.opts.Mailboxes == nil || e.quiet {
		return err
	}
	if err := e.run.Commit(); err != nil {
		return kept(err)
	}
	e.opts.Mailboxes()
	return nil
}
