package exporter

import (
	"mailhaul/account"
)

// contents are the types whose objects lie in those of another, by the other, and
// how they name it.
var contents = map[string]struct {
	t  account.Type
	in func(account.Object) []string
}{
	account.Mailbox.Name:     {account.Email, func(o account.Object) []string { return o.Set("mailboxIds") }},
	account.AddressBook.Name: {account.ContactCard, func(o account.Object) []string { return o.Set("addressBookIds") }},
	account.Calendar.Name: {account.CalendarEvent, func(o account.Object) []string {
		return append(o.Set("calendarIds"), o.Text("calendarId"))
	}},
}

// dropEmptied marks as gone the mailboxes (address books, calendars) that the
// account no longer has. In a narrowed run one is kept, with those that contain it,
// as long as the archive has something in it that lies outside of the scope: that
// is not marked as gone, and could be restored nowhere.
func (e *export) dropEmptied() error {
	if len(e.present) == 0 {
		return nil
	}
	for _, t := range account.Types {
		present, ok := e.present[t.Name]
		if !ok {
			continue
		}
		gone := map[string]account.Object{}
		for rec, err := range e.run.Current(t) {
			if err != nil {
				return kept(err)
			}
			if id := rec.Object.ID(); !present[id] {
				gone[id] = rec.Object
			}
		}
		if len(gone) == 0 {
			continue
		}
		c := contents[t.Name]
		for rec, err := range e.run.Current(c.t) {
			if err != nil {
				return kept(err)
			}
			for _, id := range c.in(rec.Object) {
				for o, ok := gone[id]; ok; o, ok = gone[id] {
					delete(gone, id)
					id = o.Text(t.Parent)
				}
			}
		}
		for _, o := range gone {
			if err := e.drop(t, o.ID()); err != nil {
				return err
			}
		}
	}
	return e.save()
}
