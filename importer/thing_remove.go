package importer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// removable are the types whose objects are removed when they are gone from the
// source. Address books and calendars stay: what is in them may be somebody else's.
var removable = account.SetOf(account.ContactCard.Name, account.Contact.Name, account.ContactGroup.Name,
	account.CalendarEvent.Name, account.FileNode.Name)

// leaving is a thing of the target that is gone from the source.
type leaving struct {
	entry archive.Entry
	was   wrote
	there account.Object
	depth int // of a file
}

// removeThings removes from the target what is gone from the source, if that was
// asked for and an import made it.
func (r *run) removeThings(ctx context.Context, t account.Type) error {
	if !removable[t.Name] || r.j == nil {
		return nil
	}
	byType := map[string][]*leaving{}
	n := int64(0)
	for e, err := range r.j.Removed(r.at, t) {
		if err != nil {
			return fmt.Errorf("read what went from the archive: %w", err)
		}
		l := &leaving{entry: e}
		readJSON(e.Applied, &l.was)
		byType[l.was.Made] = append(byType[l.was.Made], l)
		n++
	}
	if n > 0 && !r.o.Delete {
		r.note("%s earlier and gone from the source: they stay (--delete removes what an import made)", counted(n, singular[t.Name]+" that was imported is", plural[t.Name]+" that were imported are"))
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(byType)) {
		to, ok := account.TypeByName(name)
		if !ok { // was there before any import
			if err := r.forget(t, byType[name]); err != nil {
				return err
			}
			continue
		}
		if _, ok := r.to.Using(to); !ok {
			continue
		}
		if err := r.removeOf(ctx, t, to, byType[name]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) forget(t account.Type, list []*leaving) error {
	ids := make([]string, len(list))
	for i, l := range list {
		ids[i] = l.entry.SourceID
	}
	return r.j.Delete(t.Name, ids...)
}

// removeOf removes things that are of one type on the target.
func (r *run) removeOf(ctx context.Context, t, to account.Type, list []*leaving) error {
	got, err := r.to.All(ctx, to, nil)
	if err != nil {
		return err
	}
	there := map[string]account.Object{}
	for _, o := range got.List {
		there[o.ID()] = o
	}
	others, err := r.namedElse(t, list)
	if err != nil {
		return err
	}
	var gone, going []*leaving
	for _, l := range list {
		l.there = there[l.entry.TargetID]
		switch {
		case l.there == nil, others[l.entry.TargetID], key(to, l.there) != key(to, l.was.Want):
			gone = append(gone, l) // it went, or is another one
		case to.Name == account.CalendarEvent.Name && r.cyrusCalendars() && l.there.Has("participants"):
			r.warn("the event %q is gone from the source and stays: Cyrus would write to its participants", (&thing{rec: archive.Record{Object: l.there}}).name())
		case r.o.Conflict != ConflictSource && l.changed():
			w := &thing{rec: archive.Record{Object: l.there}}
			if !r.clashed(Clash{Type: t.Name, ID: l.entry.SourceID, Item: w.name(), What: "removal", Source: "gone", Target: "changed"}) {
				gone = append(gone, l)
			}
		default:
			going = append(going, l)
		}
	}
	if err := r.forget(t, gone); err != nil {
		return err
	}
	// What is in a folder goes before it; one that is not empty then stays.
	for _, l := range going {
		for id := l.there.Text("parentId"); to.Name == account.FileNode.Name && there[id] != nil && l.depth < len(there); id = there[id].Text("parentId") {
			l.depth++
		}
	}
	slices.SortStableFunc(going, func(a, b *leaving) int { return cmp.Compare(b.depth, a.depth) })
	for len(going) > 0 {
		n := 1
		for n < len(going) && n < thingsAtOnce && going[n].depth == going[0].depth {
			n++
		}
		if err := r.destroyThings(ctx, t, to, going[:n], there); err != nil {
			return err
		}
		going = going[n:]
	}
	return nil
}

// changed says whether the target's user changed it since it was written.
func (l *leaving) changed() bool {
	if len(l.was.Got) <= 1 { // it was not read back
		return false
	}
	now := marks(l.there.Without(byThemselves...))
	for p := range maps.Keys(l.was.Got) {
		if _, is := now[p]; !is && !slices.Contains(byThemselves, p) {
			return true
		}
	}
	for p, m := range now {
		if l.was.Got[p] != m {
			return true
		}
	}
	return false
}

// byThemselves are properties that change while nobody changes the object.
var byThemselves = slices.Concat(stamped, []string{"accessed", "changed", "modified", "myRights"})

// contactTypes become one another on the way to another server.
var contactTypes = []string{account.ContactCard.Name, account.Contact.Name, account.ContactGroup.Name}

// namedElse are the target ids that entries of other things of a type name.
func (r *run) namedElse(t account.Type, list []*leaving) (map[string]bool, error) {
	going := map[string]bool{}
	for _, l := range list {
		going[l.entry.Type+" "+l.entry.SourceID] = true
	}
	named := map[string]bool{}
	types := []string{t.Name}
	if slices.Contains(contactTypes, t.Name) {
		types = contactTypes
	}
	for _, name := range types {
		for e, err := range r.j.Entries(name, archive.Done) {
			if err != nil {
				return nil, fmt.Errorf("read the journal: %w", err)
			}
			if !going[name+" "+e.SourceID] {
				named[e.TargetID] = true
			}
		}
	}
	return named, nil
}

func (r *run) destroyThings(ctx context.Context, t, to account.Type, list []*leaving, there map[string]account.Object) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	set := jmapclient.SetArgs{Extra: r.quietly(to)}
	byID := map[string]*leaving{}
	for _, l := range list {
		if to.Name == account.FileNode.Name && holdsAny(there, l.there.ID()) {
			r.note("the folder %q is gone from the source and stays: it is not empty", l.there.Text("name"))
			continue
		}
		set.Destroy = append(set.Destroy, l.there.ID())
		byID[l.there.ID()] = l
	}
	if len(set.Destroy) == 0 {
		return nil
	}
	// From here the request is out: an interruption waits for its answer.
	res, err := r.to.Set(context.WithoutCancel(ctx), to, set)
	if err != nil {
		return err
	}
	var gone []*leaving
	for _, id := range set.Destroy {
		l := byID[id]
		if se, ok := res.NotDestroyed[id]; ok && se.Type != "notFound" {
			w := &thing{rec: archive.Record{Object: l.there}}
			r.fail(t, l.entry.SourceID, w.name(), "it is gone from the source, but the server refused to remove it: "+se.String(), "remove it by hand")
			continue
		}
		delete(there, id)
		gone = append(gone, l)
		r.count(t, func(c *Counts) { c.Removed++ })
	}
	return r.forget(t, gone)
}

func holdsAny(there map[string]account.Object, dir string) bool {
	for _, o := range there {
		if o.Text("parentId") == dir {
			return true
		}
	}
	return false
}
