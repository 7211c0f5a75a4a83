package exporter

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/mboxglob"
)

// needs are the types without which objects of another are of no use.
var needs = map[string][]account.Type{
	account.ContactCard.Name:   {account.AddressBook},
	account.CalendarEvent.Name: {account.Calendar},
}

// Completed is a scope with the types that those in it need; nil if it leaves
// nothing out. Mailboxes are few and always taken: messages name them.
func Completed(s *archive.Scope) *archive.Scope {
	if s == nil {
		return nil
	}
	c := *s
	wanted := map[string]bool{account.Mailbox.Name: true, account.Principal.Name: true}
	for _, t := range account.Types {
		if !t.Named && s.HasType(t) {
			wanted[t.Name] = true
			for _, need := range needs[t.Name] {
				wanted[need.Name] = true
			}
		}
		wanted[account.Blob.Name] = wanted[account.Blob.Name] || wanted[t.Name] && blobsOf[t.Name] != nil
	}
	c.Types = nil
	if len(wanted) < len(account.Types) || !wanted[account.Blob.Name] {
		for _, t := range account.Types {
			if wanted[t.Name] {
				c.Types = append(c.Types, t.Name)
			}
		}
	}
	if c.Types == nil && c.Whole(account.Email) {
		return nil
	}
	return &c
}

// inScope are those of the types that are to be read.
func (e *export) inScope(types []account.Type) []account.Type {
	return slices.DeleteFunc(slices.Clone(types), func(t account.Type) bool { return !e.scope.HasType(t) })
}

// NoMailboxError is a pattern that is in no mailbox's name: most likely a mistake.
type NoMailboxError struct {
	Patterns []string
	There    []string // the account's mailboxes, sorted
}

func (e *NoMailboxError) Error() string {
	const most = 30
	there := strings.Join(e.There[:min(most, len(e.There))], ", ")
	if n := len(e.There) - most; n > 0 {
		there += fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("no mailbox matches %s: there are %s", strings.Join(e.Patterns, ", "), there)
}

// narrow makes the scope ready: it finds the mailboxes that the patterns mean,
// and lets the source list no more than is wanted, if it can.
func (e *export) narrow(ctx context.Context) error {
	n, can := e.src.(narrower)
	if e.scope.Whole(account.Email) || !e.scope.HasType(account.Email) {
		if can {
			n.narrow(nil, nil)
		}
		return nil
	}
	if len(e.scope.Mailboxes) > 0 {
		list, state, err := e.src.All(ctx, account.Mailbox)
		if err != nil {
			return fmt.Errorf("reading the mailboxes of %s, to find those that are wanted: %w", e.report.account, err)
		}
		e.ahead[account.Mailbox.Name] = &listed{list: list, state: state}
		if e.living, err = e.chooseMailboxes(list); err != nil {
			return err
		}
	}
	if can {
		n.narrow(e.scope, e.living)
	}
	return nil
}

// chooseMailboxes finds the mailboxes in the scope, and answers those that there
// are. A mailbox that the archive has and the account no longer has may be in the
// scope, too: so what was in it is found gone.
func (e *export) chooseMailboxes(list []account.Object) (living []string, err error) {
	glob, err := mboxglob.Compile(e.scope.Mailboxes)
	if err != nil {
		return nil, err
	}
	there := mailboxPaths(list)
	in := map[string]bool{}
	for id, m := range there {
		if glob.Match(m.path, m.role) {
			in[id] = true
		}
	}
	unmatched := slices.DeleteFunc(glob.Unmatched(each(there)), func(p string) bool { return strings.HasPrefix(p, "!") })
	if len(in) == 0 && len(unmatched) == 0 {
		unmatched = e.scope.Mailboxes
	}
	if len(unmatched) > 0 {
		none := &NoMailboxError{Patterns: unmatched}
		for path := range each(there) {
			none.There = append(none.There, path)
		}
		slices.Sort(none.There)
		return nil, none
	}
	living = slices.Sorted(maps.Keys(in))
	var held []account.Object
	for rec, err := range e.run.Current(account.Mailbox) {
		if err != nil {
			return nil, kept(err)
		}
		held = append(held, rec.Object)
	}
	for id, m := range mailboxPaths(held) {
		if _, ok := there[id]; !ok && glob.Match(m.path, m.role) {
			in[id] = true
		}
	}
	e.scope.MailboxIDs = slices.Sorted(maps.Keys(in))
	return living, nil
}

// named is a mailbox as a person knows it.
type namedMailbox struct{ path, role string }

func each(m map[string]namedMailbox) iter.Seq2[string, string] {
	return func(yield func(path, role string) bool) {
		for _, box := range m {
			if !yield(box.path, box.role) {
				return
			}
		}
	}
}

// mailboxPaths are the paths and roles of mailboxes by id. One whose parent is
// not among them stands at the top.
func mailboxPaths(list []account.Object) map[string]namedMailbox {
	byID := map[string]account.Object{}
	for _, o := range list {
		byID[o.ID()] = o
	}
	all := map[string]namedMailbox{}
	for id, o := range byID {
		m := namedMailbox{o.Text("name"), o.Text("role")}
		for range byID { // no more levels than there are mailboxes
			parent, ok := byID[o.Text(account.Mailbox.Parent)]
			if !ok {
				break
			}
			m.path, o = parent.Text("name")+"/"+m.path, parent
		}
		all[id] = m
	}
	return all
}

// base is the newest snapshot that was brought up to date for all Emails in the
// scope, nil if there is none.
func (e *export) base() *archive.SnapshotRecord {
	for _, s := range slices.Backward(e.snapshots) {
		if s.Scope.Covers(account.Email, e.scope) {
			return &s
		}
	}
	return nil
}

// lastRead is the newest snapshot whose run read the type, nil if there is none.
func (e *export) lastRead(t account.Type) *archive.SnapshotRecord {
	for _, s := range slices.Backward(e.snapshots) {
		if !s.Types[t.Name].Outside {
			return &s
		}
	}
	return nil
}
