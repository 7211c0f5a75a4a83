package importer

import (
	"context"
	"maps"
	"slices"

	"mailhaul/account"
	"mailhaul/archive"
	js "mailhaul/internal/jsschema"
	"mailhaul/jmapclient"
)

// change is an update of a thing on its way.
type change struct {
	w     *thing
	props []string       // to write, null where full has them not
	full  account.Object // what the thing is to be, as a request carries it
}

// updateThings carries over what changed in the archive since the last import,
// and leaves what the target's user changed.
func (r *run) updateThings(ctx context.Context, part []*thing) error {
	changes := map[string]*change{}
	for _, w := range part {
		c, err := r.changeOf(ctx, w)
		if err != nil {
			return err
		}
		if c != nil {
			changes[w.target.ID()] = c
		}
	}
	for try := 0; len(changes) > 0; try++ {
		set := jmapclient.SetArgs{Update: map[string]map[string]any{}, Extra: r.quietly(part[0].to)}
		for id, c := range changes {
			set.Update[id] = c.patch()
		}
		res, err := r.to.Set(context.WithoutCancel(ctx), part[0].to, set)
		if err != nil {
			return err
		}
		var changed []*thing
		for _, id := range slices.Sorted(maps.Keys(changes)) {
			c := changes[id]
			se, not := res.NotUpdated[id]
			if not && try < mostAdapts && r.adaptChange(ctx, c, se) {
				continue
			}
			delete(changes, id)
			c.w.target = account.Object{"id": account.Marshal(id)}
			if not {
				r.fail(c.w.t, c.w.rec.Object.ID(), c.w.name(), "the server refused to change it: "+se.String(), "change it by hand, from what `mailhaul inspect` shows")
				continue
			}
			r.count(c.w.t, func(c *Counts) { c.Updated++ })
			r.tell(c.w, c.w.told...)
			changed = append(changed, c.w)
		}
		if err := r.look(ctx, changed); err != nil {
			return err
		}
	}
	return nil
}

// changeOf is what to change of a thing, nil for nothing.
func (r *run) changeOf(ctx context.Context, w *thing) (*change, error) {
	props, err := r.changedProps(ctx, w)
	if err != nil {
		return nil, err
	}
	if len(props) > 0 && r.cyrusCalendars() && w.to.Name == account.CalendarEvent.Name && w.target.Has("participants") {
		r.tell(w, js.Problem{Reason: "was changed at the source; not carried over, as Cyrus would write to the participants"})
		r.count(w.t, func(c *Counts) { c.Present++ })
		return nil, nil
	}
	if len(props) == 0 {
		r.count(w.t, func(c *Counts) { c.Present++ })
		if w.state != archive.Done || w.was.Source != mark(w.rec.Object) {
			return nil, r.thingDone(w)
		}
		return nil, nil
	}
	there := w.target
	ok, err := r.ready(ctx, nil, w)
	full := w.target
	w.target = there
	if err != nil || !ok {
		return nil, err
	}
	return &change{w, props, full}, nil
}

func (c *change) patch() map[string]any {
	patch := map[string]any{}
	for _, p := range c.props {
		patch[p] = nil
		if v, ok := c.full[p]; ok {
			patch[p] = v
		}
	}
	return patch
}

// adaptChange writes a change the way that a server takes it that refused it.
func (r *run) adaptChange(ctx context.Context, c *change, se jmapclient.SetError) bool {
	before := c.full
	c.w.target = before
	if !r.adapt(ctx, c.w, se) {
		return false
	}
	c.full = c.w.target
	c.props = slices.DeleteFunc(c.props, func(p string) bool { return before.Has(p) && !c.full.Has(p) })
	for p := range c.full {
		if !before.Has(p) && !slices.Contains(c.props, p) {
			c.props = append(c.props, p)
		}
	}
	return len(c.props) > 0
}

// changedProps are the properties that the archive has otherwise than the last
// import wrote them, less those that the target's user changed since.
func (r *run) changedProps(ctx context.Context, w *thing) ([]string, error) {
	if w.state != archive.Done {
		return r.unset(ctx, w)
	}
	if w.was.Source == mark(w.rec.Object) {
		return nil, nil
	}
	want, err := r.wants(w)
	if err != nil {
		return nil, err
	}
	now := js.Encode(want)
	var props []string
	marks := marks(w.target)
	for p := range maps.Keys(merged(now, w.was.Want)) {
		a, b := now.Only(p), w.was.Want.Only(p)
		if a.Equal(b) || p == "name" && w.byDefault() {
			continue
		}
		if got := w.was.Got; len(got) > 1 && got[p] != marks[p] && r.o.Conflict != ConflictSource {
			same, err := r.alike(ctx, w, p)
			if err != nil {
				return nil, err
			}
			if !same && r.clashed(Clash{Type: w.t.Name, ID: w.rec.Object.ID(), Item: w.name(), What: p}) {
				w.kept = append(w.kept, p)
			}
			continue
		}
		props = append(props, p)
	}
	slices.Sort(props)
	return props, nil
}

// alike says whether the target has a property as it is to be.
func (r *run) alike(ctx context.Context, w *thing, p string) (bool, error) {
	diffs, err := r.unlike(ctx, w)
	return !slices.ContainsFunc(diffs, func(d string) bool { return js.Split(d)[0] == p }), err
}

// fills says whether an object that servers make by themselves gets what it lacks.
func fills(t account.Type) bool {
	return isContainer(t) || t.Name == account.ParticipantIdentity.Name
}

// unset are the properties of a thing that was there before, and that nobody gave
// a value yet.
func (r *run) unset(ctx context.Context, w *thing) ([]string, error) {
	diffs, err := r.unlike(ctx, w)
	if err != nil {
		return nil, err
	}
	var props []string
	for _, d := range diffs {
		p := js.Split(d)[0]
		if !slices.Contains(props, p) && string(plain(w.target, p)) == "null" {
			props = append(props, p)
		}
	}
	return props, nil
}

func merged(a, b account.Object) account.Object {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}
