package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mailhaul/account"
	"mailhaul/archive"
)

// match converts a type's objects and pairs each with the one that stands for
// it on the target, one for one.
func (r *run) match(ctx context.Context, t account.Type) ([]*thing, error) {
	if err := r.ownAddresses(ctx, t); err != nil {
		return nil, err
	}
	var list []*thing
	for rec, err := range r.ar.Objects(r.at, t) {
		var damaged *archive.DamagedError
		if errors.As(err, &damaged) {
			list = append(list, &thing{t: t, to: t, rec: rec, bad: "damaged in the archive: " + err.Error()})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the archive's %s: %w", plural[t.Name], err)
		}
		w, err := r.convert(ctx, t, rec)
		if err != nil {
			return nil, err
		}
		if err := r.recall(w); err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	byType := map[string][]*thing{}
	for _, w := range list {
		byType[w.to.Name] = append(byType[w.to.Name], w)
	}
	for name, part := range byType {
		to, _ := account.TypeByName(name)
		got, err := r.to.All(ctx, to, nil)
		if err != nil {
			return nil, err
		}
		if name == account.FileNode.Name {
			part = pathOrder(part)
			list = part
			filePair(part, got.List)
		} else {
			pairThings(to, part, got.List)
		}
	}
	return list, nil
}

// recall reads what the journal says of a thing.
func (r *run) recall(w *thing) error {
	if r.j == nil {
		return nil
	}
	e, ok, err := r.j.Get(w.t.Name, w.rec.Object.ID())
	if err != nil || !ok {
		return err
	}
	w.state = e.State
	readJSON(e.Applied, &w.was)
	if e.State == archive.Done {
		w.target = account.Object{"id": account.Marshal(e.TargetID)} // until it is found
	}
	return nil
}

// pairThings pairs by the journal, by key, and the default container with the default one.
func pairThings(t account.Type, list []*thing, there []account.Object) {
	free := map[string]account.Object{}
	byKey := map[string][]account.Object{}
	for _, o := range there {
		free[o.ID()] = o
	}
	for _, w := range list {
		if w.target == nil {
			continue
		}
		o := free[w.target.ID()]
		w.target = nil
		if o != nil && (isContainer(t) || key(t, o) == w.key) { // else the id is another object's by now
			w.target, w.ours = o, true
			delete(free, o.ID())
		}
	}
	for _, o := range there {
		if free[o.ID()] != nil {
			byKey[key(t, o)] = append(byKey[key(t, o)], o)
		}
	}
	take := func(w *thing, o account.Object) {
		w.target, w.ours = o, w.state == archive.InFlight
		delete(free, o.ID())
	}
	for _, w := range list {
		if w.target != nil || w.bad != "" {
			continue
		}
		i := slices.IndexFunc(byKey[w.key], func(o account.Object) bool { return free[o.ID()] != nil })
		if i >= 0 {
			take(w, byKey[w.key][i])
		}
	}
	if !isContainer(t) {
		return
	}
	for _, w := range list {
		i := slices.IndexFunc(there, func(o account.Object) bool { return free[o.ID()] != nil && isDefault(o) })
		if w.target == nil && w.bad == "" && isDefault(w.rec.Object) && i >= 0 {
			take(w, there[i])
		}
	}
}

// pathOrder sorts files so that a directory comes before what is in it. What
// hangs in a ring, or on what is not there, hangs on the top.
func pathOrder(list []*thing) []*thing {
	by := map[string]*thing{}
	for _, w := range list {
		by[w.rec.Object.ID()] = w
	}
	depth := func(w *thing) int {
		n := 0
		for by[w.up] != nil && n <= len(list) {
			w = by[w.up]
			n++
		}
		return n
	}
	deep := map[*thing]int{}
	for _, w := range list {
		deep[w] = depth(w)
	}
	for _, w := range list {
		if by[w.up] == nil || deep[w] > len(list) {
			w.up = ""
		}
	}
	slices.SortStableFunc(list, func(a, b *thing) int { return deep[a] - deep[b] })
	return list
}

// filePair pairs files by the journal, and by their names in paired directories.
func filePair(list []*thing, there []account.Object) {
	byID, byPlace := map[string]account.Object{}, map[string]account.Object{}
	place := func(parent, name string) string { return parent + "\x00" + name }
	for _, o := range there {
		byID[o.ID()] = o
		byPlace[place(o.Text("parentId"), o.Text("name"))] = o
	}
	targets, taken := map[string]string{"": ""}, map[string]bool{}
	for _, w := range list {
		if w.target != nil {
			w.target = byID[w.target.ID()]
			w.ours = w.target != nil
		}
		parent, known := targets[w.up]
		if w.target == nil && known && w.bad == "" {
			if o := byPlace[place(parent, w.key)]; o != nil && !taken[o.ID()] && (o.Has("blobId") == w.o.Has("blobId")) {
				w.target, w.ours = o, w.state == archive.InFlight
			}
		}
		if w.target != nil {
			targets[w.rec.Object.ID()] = w.target.ID()
			taken[w.target.ID()] = true
		}
	}
}

// ownAddresses reads the account's addresses, of which Cyrus tells in its calendars.
func (r *run) ownAddresses(ctx context.Context, t account.Type) error {
	if t.Name != account.CalendarEvent.Name || !r.cyrusCalendars() || r.things.own != nil {
		return nil
	}
	got, err := r.to.All(ctx, account.Calendar, nil)
	if err != nil {
		return err
	}
	own := []string{}
	for _, o := range got.List {
		var set any
		readJSON(string(o["scheduleAddressSet"]), &set)
		own = append(own, texts(set)...)
	}
	r.things.own = own
	return nil
}

// texts are the strings of a list or the keys of a set.
func texts(v any) (list []string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if s, ok := e.(string); ok {
				list = append(list, s)
			}
		}
	case map[string]any:
		for s := range v {
			list = append(list, s)
		}
	}
	return list
}
