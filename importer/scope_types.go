package importer

import (
	"slices"
	"strings"

	"mailhaul/account"
)

// needs are the types whose objects a type's lie in.
var needs = map[string]account.Type{
	account.Email.Name:         account.Mailbox,
	account.ContactCard.Name:   account.AddressBook,
	account.CalendarEvent.Name: account.Calendar,
}

// checkOptions refuses what contradicts itself.
func (r *run) checkOptions() error {
	o := r.o
	mailOnly := o.Scope.isPart() || o.Into != ""
	switch {
	case mailOnly && o.Delete:
		return scopeError("what is restored in part, or beside what is there, removes nothing: leave out --delete, or --mailbox, --message and --into")
	case o.Into != "" && o.ResetFlags:
		return scopeError("--into leaves alone what is there, and --reset-flags changes it: give one of them")
	}
	if _, err := intoPath(o.Into); err != nil {
		return err
	}
	types, err := scopeTypes(o.Scope)
	if err != nil {
		return err
	}
	if mailOnly {
		for name := range types {
			if name != account.Mailbox.Name && name != account.Email.Name {
				return scopeError("--mailbox, --message and --into restore mail, and %s is none: restore it by itself", name)
			}
		}
		if types == nil || types[account.Email.Name] {
			types = account.SetOf(account.Mailbox.Name, account.Email.Name)
		}
	}
	r.scope.types = types
	return nil
}

// scopeTypes are the types that are in, nil for all.
func scopeTypes(s Scope) (map[string]bool, error) {
	var all []string
	for _, t := range account.Types {
		if !t.Informational && !t.Named {
			all = append(all, t.Name)
		}
	}
	for _, name := range slices.Concat(s.Types, s.SkipTypes) {
		if !slices.Contains(all, name) {
			return nil, scopeError("%q is no type that is restored; there are %s", name, strings.Join(all, ", "))
		}
	}
	if len(s.Types)+len(s.SkipTypes) == 0 {
		return nil, nil
	}
	in := account.SetOf(s.Types...)
	if len(s.Types) == 0 {
		in = account.SetOf(all...)
	}
	for t, in2 := range needs {
		if len(s.Types) > 0 && in[t] {
			in[in2.Name] = true
		}
	}
	for _, name := range s.SkipTypes {
		delete(in, name)
	}
	if in[account.Email.Name] && !in[account.Mailbox.Name] {
		return nil, scopeError("messages need their mailboxes: skip the type Email as well, or do not skip Mailbox")
	}
	if len(in) == 0 {
		return nil, scopeError("no type is left to restore")
	}
	return in, nil
}
