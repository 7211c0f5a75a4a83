package importer

import (
	"context"
	"maps"
	"slices"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// contain puts the target's containers in the place of the archive's.
func (r *run) contain(ctx context.Context, w *thing) error {
	var box account.Type
	var set, one string
	switch w.to.Name {
	case account.ContactCard.Name:
		box, set = account.AddressBook, "addressBookIds"
	case account.Contact.Name, account.ContactGroup.Name:
		if book := w.o.Text("addressbookId"); w.t.Name == account.ContactCard.Name && book != "" || book != "" && book != cyrusDefault {
			w.told = append(w.told, js.Problem{Property: "addressbookId", Reason: "goes into the default address book: Cyrus has no others over JMAP"})
		}
		w.o = w.o.Without("addressbookId") // one that it does not know costs the contact
		return nil
	case account.CalendarEvent.Name:
		box, set = account.Calendar, "calendarIds"
		if r.cyrusCalendars() {
			set, one = "", "calendarId"
		}
	default:
		return nil
	}
	ids, def, err := r.containers(ctx, box)
	if err != nil {
		return err
	}
	in := map[string]bool{}
	from := w.o.Set(set)
	if one != "" {
		from = []string{w.o.Text(one)}
	}
	for _, id := range from {
		if to := ids[id]; to != "" {
			in[to] = true
		}
	}
	if len(in) == 0 && def != "" {
		in[def] = true
	}
	w.o = w.o.Without("calendarId", "addressbookId")
	switch {
	case one != "" && len(in) > 0:
		w.o.Put(one, slices.Min(slices.Collect(maps.Keys(in))))
	case one == "":
		w.o.Put(set, in)
	}
	return nil
}

// cyrusDefault is the id of Cyrus's default calendar and address book.
const cyrusDefault = "Default"

// containers are the target's containers by the archive's, and its default one.
func (r *run) containers(ctx context.Context, t account.Type) (map[string]string, string, error) {
	if ids, ok := r.things.ids[t.Name]; ok {
		return ids, r.things.def[t.Name], nil
	}
	if _, ok := r.to.Using(t); !ok {
		return nil, "", nil
	}
	list, err := r.match(ctx, t)
	if err != nil {
		return nil, "", err
	}
	return r.contained(ctx, t, list)
}

// contained remembers them.
func (r *run) contained(ctx context.Context, t account.Type, list []*thing) (map[string]string, string, error) {
	got, err := r.to.All(ctx, t, nil)
	if err != nil {
		return nil, "", err
	}
	ids, def := map[string]string{}, ""
	for _, w := range list {
		if w.target != nil {
			ids[w.rec.Object.ID()] = w.target.ID()
		}
	}
	for _, o := range got.List {
		if def == "" || isDefault(o) {
			def = o.ID()
		}
	}
	if r.things.ids == nil {
		r.things.ids, r.things.def = map[string]map[string]string{}, map[string]string{}
	}
	r.things.ids[t.Name], r.things.def[t.Name] = ids, def
	return ids, def, nil
}
