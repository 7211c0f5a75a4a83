package jmaptest

import (
	"maps"
	"slices"
)

// thingCopy is Foo/copy of a type in the table (RFC 8620 §5.4).
func (c *call) thingCopy(t *Type) (any, error) {
	var g copyArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	from, err := c.account(g.FromAccountID)
	if err != nil {
		return nil, err
	}
	old := c.a.state(t.Name)
	if from == c.a {
		return nil, failed("invalidArguments", "A copy is from another account.")
	}
	if g.IfInState != nil && *g.IfInState != old || g.IfFromInState != nil && *g.IfFromInState != from.state(t.Name) {
		return nil, failed("stateMismatch", "The state is another.")
	}
	r := newSetResult()
	there := *c
	there.a = from
	var copied []*thing
	for _, key := range slices.Sorted(maps.Keys(g.Create)) {
		f, _ := members(g.Create[key])
		id, _ := text(f["id"])
		th := from.of(t).byID[id]
		if th == nil {
			r.notCreated[key] = refused("notFound", "There is no "+t.Name+" "+id+" in the account "+from.id+".")
			continue
		}
		asked := fields{}
		for p, v := range th.props {
			if !slices.Contains(t.Fixed, p) && p != t.In {
				asked[p] = encode(v)
			}
		}
		maps.Copy(asked, f)
		delete(asked, "id")
		w := &write{c: c, t: t, props: clone(t.Props), asked: asked, blob: there.anyBlob}
		made, bad := w.store()
		if bad != nil {
			r.notCreated[key] = bad
			continue
		}
		c.req.created[key] = made.id
		r.created[key] = object{"id": made.id}
		copied = append(copied, th)
	}
	answer := c.setAnswer(r, old, c.a.state(t.Name))
	for _, name := range []string{"updated", "destroyed", "notUpdated", "notDestroyed"} {
		delete(answer, name)
	}
	answer["fromAccountId"] = from.id
	if g.OnSuccessDestroyOriginal && len(copied) > 0 {
		gone := newSetResult()
		was := from.state(t.Name)
		for _, th := range copied {
			from.thingGone(t, th)
			gone.destroyed = append(gone.destroyed, th.id)
		}
		c.extra = append(c.extra, extra{t.Name + "/set", there.setAnswer(gone, was, from.state(t.Name))})
	}
	return answer, nil
}
