package exporter

import (
	"context"
	"errors"
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

// held says whether the archive has a live Email of that id, and whether that is
// in the scope as the archive knows it.
func (m *mail) held(id string) (known, in bool, err error) {
	rec, err := m.run.Get(account.Email, id)
	if errors.Is(err, archive.ErrNotFound) {
		return false, false, nil
	}
	return err == nil, err == nil && m.scope.HasEmail(rec.Object), kept(err)
}

// concerning are those of the Emails that the source handed out that belong into
// the archive now: they are in the scope, or the archive has them as if they were,
// and they have left it. An id of the scope that names another message outside of
// it by now is gone: what is received and how large never changes.
func (m *mail) concerning(list []account.Object) (some []account.Object, err error) {
	for _, o := range list {
		if m.scope.HasEmail(o) {
			some = append(some, o)
			continue
		}
		rec, err := m.run.Get(account.Email, o.ID())
		switch {
		case errors.Is(err, archive.ErrNotFound):
		case err != nil:
			return nil, kept(err)
		case !m.scope.HasEmail(rec.Object):
		case account.MatchKey(o) == account.MatchKey(rec.Object):
			some = append(some, o)
		default:
			if err := m.drop(account.Email, o.ID()); err != nil {
				return nil, err
			}
		}
	}
	return some, nil
}

// tryable are ids but for those of Emails that the archive has outside of the scope.
func (m *mail) tryable(ids []string) (some []string, err error) {
	if m.scope == nil {
		return ids, nil
	}
	for _, id := range ids {
		known, in, err := m.held(id)
		if err != nil {
			return nil, err
		}
		if !known || in {
			some = append(some, id)
		}
	}
	return some, nil
}

// confirm asks for Emails by their ids, of which the archive has each: what is
// there is taken as it is now, what is not has gone.
func (m *mail) confirm(ctx context.Context, ids []string) error {
	for some := range slices.Chunk(ids, getAtOnce) {
		list, err := m.src.Get(ctx, account.Email, some)
		if err != nil {
			return err
		}
		there := map[string]bool{}
		for _, o := range list {
			there[o.ID()] = true
		}
		if list, err = m.concerning(list); err != nil {
			return err
		}
		l := &lot{}
		feedErr := m.take.feed(l, list)
		if err := m.take.finish(l); err != nil {
			return err
		}
		if feedErr != nil {
			return feedErr
		}
		for _, id := range some {
			if there[id] {
				continue
			}
			if err := m.drop(account.Email, id); err != nil {
				return err
			}
		}
	}
	return m.savePlace()
}

// settleDoubt looks after what runs put after the place's base that saw less than
// this one, or did not end: of what came after the base and went since, the
// changes may say nothing (RFC 8620 §5.2). It says whether changes are to be asked
// for again.
func (m *mail) settleDoubt(ctx context.Context) (again bool, err error) {
	if !m.p.Doubt || m.p.Passes > 0 {
		return false, nil
	}
	var ids []string
	for id, err := range m.run.PutSince(account.Email, m.p.Base) {
		if err != nil {
			return false, kept(err)
		}
		ids = append(ids, id)
	}
	if ids, err = m.tryable(ids); err != nil {
		return false, err
	}
	m.p.Doubt = false
	return len(ids) > 0, m.confirm(ctx, ids)
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
