package exporter

import (
	"context"
	"errors"
	"fmt"

	"mailhaul/account"
	"mailhaul/internal/progress"
)

// small exports a type that is listed whole and answers the state it is for.
func (e *export) small(ctx context.Context, t account.Type) (state string, err error) {
	list, state, err := e.all(ctx, t)
	if err != nil {
		return "", err
	}
	if t.Name == account.Mailbox.Name && len(list) == 0 {
		// RFC 8621 §2 wants an inbox at least; believing this would mark all as gone.
		return "", errors.New("the server lists no mailboxes at all")
	}
	listed := make(map[string]bool, len(list))
	for i, o := range list {
		if t.Singleton && o.ID() == "" {
			o.Put("id", "singleton")
		}
		if o.ID() == "" {
			return "", fmt.Errorf("the server lists a %s without an id", t.Name)
		}
		listed[o.ID()] = true
		list[i] = e.worthKeeping(t, o)
	}
	stage := e.stage(t.Name)
	stage.total.Store(int64(len(list)))
	k := e.taker(ctx, t, stage)
	defer k.close()
	l := &lot{}
	feedErr := k.feed(l, list)
	if err := k.finish(l); err != nil {
		return "", err
	}
	if feedErr != nil {
		return "", feedErr
	}
	if err := e.dropUnlisted(t, listed); err != nil {
		return "", err
	}
	stage.emit(progress.Finished)
	return state, nil
}

// all is what the source lists of a type, which may have been asked for already.
func (e *export) all(ctx context.Context, t account.Type) ([]account.Object, string, error) {
	l := e.takeAhead(t)
	if l == nil {
		return e.src.All(ctx, t)
	}
	return l.list, l.state, l.err
}

// takeAhead is what was asked for already of a type, nil for nothing.
func (e *export) takeAhead(t account.Type) *listed {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.ahead[t.Name]
	delete(e.ahead, t.Name)
	return l
}

// dropUnlisted marks as gone what the archive has and the server no longer lists;
// what may still be named from outside of the scope waits for dropEmptied.
func (e *export) dropUnlisted(t account.Type, listed map[string]bool) error {
	if c, ok := contents[t.Name]; ok && !e.scope.Whole(c.t) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.present[t.Name] = listed
		return nil
	}
	var gone []string
	for rec, err := range e.run.Current(t) {
		if err != nil {
			return kept(err)
		}
		if id := rec.Object.ID(); !listed[id] {
			gone = append(gone, id)
		}
	}
	for _, id := range gone {
		if err := e.drop(t, id); err != nil {
			return err
		}
	}
	return nil
}

// drop marks an object as gone.
func (e *export) drop(t account.Type, id string) error {
	if err := e.run.MarkGone(t, id); err != nil {
		return kept(err)
	}
	e.tallies[t.Name].drop(id, true)
	return nil
}

// worthKeeping leaves out of an object what says nothing of it.
func (e *export) worthKeeping(t account.Type, o account.Object) account.Object {
	if len(t.Volatile) > 0 {
		o = o.Without(t.Volatile...)
	}
	return e.ownOnly(t, o)
}

// ownOnly leaves out the properties that are the asking user's own where that
// is not the account's owner, and says so once.
func (e *export) ownOnly(t account.Type, o account.Object) account.Object {
	if e.src.Own() || len(t.PerCaller) == 0 {
		return o
	}
	for _, prop := range t.PerCaller {
		if e.unlearnt(t.Name+"."+prop) && prop == "isSubscribed" && t.Name == account.Mailbox.Name {
			e.tellSubscriptions(t)
		}
	}
	return o.Without(t.PerCaller...)
}

// unlearnt notes that a property can't be learnt; first says that it is news.
func (e *export) unlearnt(name string) (first bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	first = !e.unknown[name]
	e.unknown[name] = true
	return first
}

// tellSubscriptions says why subscriptions stay behind.
func (e *export) tellSubscriptions(t account.Type) {
	who := e.src.Origin().Name
	text := fmt.Sprintf("each user has their own, and those of the one who signed in are not those of %s: they are left out", who)
	advice := fmt.Sprintf("export with %s's own sign-in to carry them", who)
	if g, ok := e.src.(sharer); ok && g.shared() {
		text = fmt.Sprintf("each user has their own, and the shared mailbox %s has none: they are left out", who)
		advice = "its members subscribe to its folders once more on the new server"
	}
	e.report.emit(progress.Event{Kind: progress.Warning, Stage: t.Name, Item: "subscriptions", Text: text, Advice: advice})
}
