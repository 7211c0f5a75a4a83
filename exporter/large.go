package exporter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mailhaul/account"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

// large is the export of one type that may have more objects than one answer
// holds: it is listed once and from then on followed, as Email is, but its
// objects are small and its listing keeps no place.
type large struct {
	*export
	t      account.Type
	stage  *stage
	take   *taker
	ahead  *listed         // what was asked for already, nil for nothing
	listed map[string]bool // by this run's listing
}

// large exports such a type and answers the state it is for.
func (e *export) large(ctx context.Context, t account.Type) (state string, err error) {
	x := &large{export: e, t: t, stage: e.stage(t.Name), ahead: e.takeAhead(t), listed: map[string]bool{}}
	x.take = e.taker(ctx, t, x.stage)
	defer x.take.close()
	err = ErrNoHistory
	if since := e.since(t); since != "" {
		state, err = x.since(ctx, since)
	}
	if errors.Is(err, ErrNoHistory) {
		state, err = x.list(ctx)
	}
	if err == nil {
		x.stage.emit(progress.Finished)
	}
	return state, err
}

// since is the state of a type from which its changes lead to what there is now,
// "" if all must be listed. What a killed run put may have gone before the
// changes were ever told.
func (e *export) since(t account.Type) string {
	last := e.lastRead(t)
	if last == nil || e.run.Resumed() || e.moved || e.stray[t.Name] {
		return ""
	}
	if r := last.Types[t.Name]; r.Error == "" && !r.Absent {
		return r.State
	}
	return ""
}

// since takes the changes since the last snapshot, and what failed in it.
func (x *large) since(ctx context.Context, state string) (string, error) {
	if x.ahead != nil && x.ahead.changes == nil {
		err := x.ahead.err
		x.ahead = nil
		if err != nil {
			return "", err
		}
	}
	old := time.Since(x.lastRead(x.t).Finished) > mostAge // see mostAge
	return x.follow(ctx, state, x.take.tally.suspects(), old)
}

// follow takes the changes since a state, until there are none left, and reads
// the objects also. It doubts changes when they are old.
func (x *large) follow(ctx context.Context, state string, also []string, old bool) (string, error) {
	missing := map[string]bool{}
	for range mostRounds {
		c, err := x.changes(ctx, state)
		if err != nil {
			return "", err
		}
		if old && c.NewState != state || c.HasMore && c.NewState == state {
			return "", ErrNoHistory
		}
		for _, id := range c.Destroyed {
			delete(missing, id)
			if err := x.gone(id); err != nil {
				return "", err
			}
		}
		state = c.NewState
		ids := slices.Concat(c.Created, c.Updated, also)
		also = nil
		again, err := x.read(ctx, ids, missing)
		if err != nil {
			return "", err
		}
		if !again && !c.HasMore {
			break
		}
	}
	for id := range missing {
		x.take.failed(id, x.t.Name+" id "+id, "the server lists it, but answers that it is not there when it is read", false)
	}
	return state, nil
}

func (x *large) changes(ctx context.Context, state string) (*jmapclient.Changes, error) {
	if a := x.ahead; a != nil {
		x.ahead = nil
		return a.changes, a.err
	}
	return x.src.Changes(ctx, x.t, state)
}

// read takes objects by id and notes which are missing; again says that there
// are new ones of these, of which the next changes should tell.
func (x *large) read(ctx context.Context, ids []string, missing map[string]bool) (again bool, err error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	for some := range slices.Chunk(ids, getAtOnce) {
		list, err := x.src.Get(ctx, x.t, some)
		if err != nil {
			return false, err
		}
		there := map[string]bool{}
		for _, o := range list {
			there[o.ID()] = true
			delete(missing, o.ID())
		}
		for _, id := range some {
			if !there[id] && !missing[id] {
				missing[id], again = true, true
			}
		}
		if err := x.put(list); err != nil {
			return false, err
		}
	}
	return again, nil
}

// gone notes that an object is no longer there.
func (x *large) gone(id string) error {
	known, err := x.known(x.t, id)
	if err != nil {
		return err
	}
	if !known {
		x.take.tally.drop(id, false)
		return nil
	}
	return x.drop(x.t, id)
}

// put takes objects into the archive.
func (x *large) put(list []account.Object) error {
	x.stage.total.Add(int64(len(list)))
	for i, o := range list {
		if o.ID() == "" {
			return fmt.Errorf("the server lists a %s without an id", x.t.Name)
		}
		x.listed[o.ID()] = true
		list[i] = x.worthKeeping(x.t, o)
	}
	l := &lot{}
	feedErr := x.take.feed(l, list)
	if err := x.take.finish(l); err != nil {
		return err
	}
	return feedErr
}

// list lists all objects, and marks as gone what is not among them.
func (x *large) list(ctx context.Context) (string, error) {
	head := x.ahead
	p, pages := x.src.(pager)
	switch {
	case head != nil && head.changes == nil:
	case pages:
		head = p.head(ctx, x.t)
	default:
		head = &listed{}
		head.list, head.state, head.err = x.src.All(ctx, x.t)
	}
	x.ahead = nil
	if head.err != nil {
		return "", head.err
	}
	if err := x.put(head.list); err != nil {
		return "", err
	}
	state := head.state
	if head.cut {
		var err error
		if state, err = x.rest(ctx, p, head); err != nil {
			return "", err
		}
	}
	for _, id := range x.take.tally.suspects() { // what failed earlier, and has gone since
		if !x.listed[id] {
			x.take.tally.drop(id, false)
		}
	}
	return state, x.dropUnlisted(x.t, x.listed)
}

// rest lists what did not fit into the first answer, and what changed meanwhile.
func (x *large) rest(ctx context.Context, p pager, head *listed) (string, error) {
	state := head.state
	of, err := p.pages(ctx, x.t, func(list []account.Object) error {
		return x.put(slices.DeleteFunc(list, func(o account.Object) bool { return x.listed[o.ID()] }))
	})
	if jmapclient.NoMethod(err) && len(head.list) > 0 {
		return state, nil // a type that can't be queried and is not that large
	}
	if err != nil {
		return "", err
	}
	if state == "" {
		state = of
	}
	if err := x.containers(ctx); err != nil {
		return "", err
	}
	if state == "" {
		return "", nil
	}
	now, err := x.follow(ctx, state, nil, false)
	if errors.Is(err, ErrNoHistory) {
		return "", nil // the next run lists again
	}
	return now, err
}

// containers takes the objects that contain listed ones and are not listed:
// Stalwart 0.15 finds no directories with FileNode/query.
func (x *large) containers(ctx context.Context) error {
	if x.t.Parent == "" {
		return nil
	}
	tried := map[string]bool{}
	for {
		var ids []string
		for rec, err := range x.run.Current(x.t) {
			if err != nil {
				return kept(err)
			}
			if id := rec.Object.Text(x.t.Parent); id != "" && x.listed[rec.Object.ID()] && !x.listed[id] && !tried[id] {
				tried[id] = true
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			return nil
		}
		list, err := x.src.Get(ctx, x.t, ids)
		if err != nil {
			return err
		}
		if err := x.put(list); err != nil {
			return err
		}
	}
}
