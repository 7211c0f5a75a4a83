package importer

import (
	"cmp"
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

// Scope is the part of an archive that an import restores. The zero Scope is
// all of it.
type Scope struct {
	// Mailboxes are patterns (see package mboxglob): only what lies in mailboxes
	// that they match is restored, and only into those.
	Mailboxes []string
	// Messages are Email ids of the archive, or Message-IDs in "<>": only these.
	Messages []string
	// Types and SkipTypes name data types: only these, all but these. What contains a type's
	// objects comes with it.
	Types, SkipTypes []string
}

// isPart says whether it is less than all messages.
func (s Scope) isPart() bool { return len(s.Mailboxes)+len(s.Messages) > 0 }

// IsPart says whether it is less than all of an archive.
func (s Scope) IsPart() bool { return s.isPart() || len(s.Types)+len(s.SkipTypes) > 0 }

// ScopeError says that a Scope is not of this archive, or contradicts itself.
type ScopeError struct{ text string }

func (e *ScopeError) Error() string { return e.text }

func scopeError(format string, args ...any) error { return &ScopeError{fmt.Sprintf(format, args...)} }

// scope is what a Scope means for a snapshot. A nil map is everything.
type scope struct {
	types  map[string]bool
	boxes  map[string]bool // source ids of the mailboxes that messages are restored into
	made   map[string]bool // of those that are made where they lack: boxes, and what contains them
	emails map[string]bool // source ids
	few    bool            // messages were named: mailboxes that are there stay as they are
}

// narrow finds what of the snapshot is in scope.
func (r *run) narrow() error {
	s := r.o.Scope
	if !s.isPart() {
		return nil
	}
	var objs []account.Object
	for rec, err := range r.ar.Objects(r.at, account.Mailbox) {
		if err != nil {
			return fmt.Errorf("read the archive's mailboxes: %w", err)
		}
		objs = append(objs, rec.Object)
	}
	boxes, _ := plant(objs)
	if len(s.Mailboxes) > 0 {
		if err := r.narrowBoxes(boxes); err != nil {
			return err
		}
	}
	into, err := r.narrowEmails()
	if err != nil {
		return err
	}
	if len(s.Messages) == 0 {
		into = r.scope.boxes
	}
	r.scope.few = len(s.Messages) > 0
	r.scope.made = map[string]bool{}
	for _, b := range boxes {
		for in := b; into[b.id] && in != nil; in = in.parent {
			r.scope.made[in.id] = true
		}
	}
	return nil
}

// mostNamed is how many mailboxes an error names.
const mostNamed = 30

func (r *run) narrowBoxes(boxes []*box) error {
	glob, err := mboxglob.Compile(r.o.Scope.Mailboxes)
	if err != nil {
		return &ScopeError{err.Error()}
	}
	r.scope.boxes = map[string]bool{}
	for _, b := range boxes {
		if glob.Match(b.path, roleOf(b.obj)) {
			r.scope.boxes[b.id] = true
		}
	}
	unmatched := glob.Unmatched(func(yield func(path, role string) bool) {
		for _, b := range boxes {
			if !yield(b.path, roleOf(b.obj)) {
				return
			}
		}
	})
	if len(unmatched) == 0 && len(r.scope.boxes) > 0 {
		return nil
	}
	var names []string
	for _, b := range boxes[:min(len(boxes), mostNamed)] {
		names = append(names, fmt.Sprintf("%q", b.path))
	}
	if n := len(boxes) - len(names); n > 0 {
		names = append(names, fmt.Sprintf("and %d more", n))
	}
	return scopeError("no mailbox of snapshot %d is matched by %q; there are %s", r.res.Snapshot,
		strings.Join(cmpOr(unmatched, r.o.Scope.Mailboxes), `", "`), cmp.Or(strings.Join(names, ", "), "none"))
}

func cmpOr(a, b []string) []string {
	if len(a) > 0 {
		return a
	}
	return b
}

// narrowEmails finds the messages in scope. It answers the mailboxes that they
// go into.
func (r *run) narrowEmails() (into map[string]bool, err error) {
	ids, msgIDs := map[string]bool{}, map[string]bool{} // false: not found
	for _, m := range r.o.Scope.Messages {
		if id, ok := strings.CutPrefix(m, "<"); ok {
			msgIDs[strings.TrimSuffix(id, ">")] = false
		} else {
			ids[m] = false
		}
	}
	into, r.scope.emails = map[string]bool{}, map[string]bool{}
	for rec, err := range r.ar.Objects(r.at, account.Email) {
		var damaged *archive.DamagedError
		if errors.As(err, &damaged) {
			r.warn("a damaged message of the archive may belong to what is restored: %v", err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the archive's messages: %w", err)
		}
		o := rec.Object
		if len(r.o.Scope.Messages) > 0 {
			_, named := ids[o.ID()]
			if named {
				ids[o.ID()] = true
			}
			for _, id := range strings.Split(account.MessageIDs(o), "\n") {
				if _, ok := msgIDs[id]; ok {
					msgIDs[id], named = true, true
				}
			}
			if !named {
				continue
			}
		}
		boxes := r.scope.inside(o.Set("mailboxIds"))
		if r.scope.boxes != nil && len(boxes) == 0 {
			if len(r.o.Scope.Messages) > 0 {
				return nil, scopeError("%s is in no mailbox that %q matches", account.Describe(o), r.o.Scope.Mailboxes)
			}
			continue
		}
		r.scope.emails[o.ID()] = true
		for _, id := range boxes {
			into[id] = true
		}
	}
	for _, found := range []map[string]bool{ids, msgIDs} {
		for _, id := range slices.Sorted(maps.Keys(found)) {
			if !found[id] {
				return nil, scopeError("snapshot %d has no message %s: `mailhaul inspect … ls MAILBOX` and `inspect … search` show ids; a Message-ID goes in <>", r.res.Snapshot, id)
			}
		}
	}
	return into, nil
}

// takes says whether a type is in scope.
func (s *scope) takes(t account.Type) bool { return s.types == nil || s.types[t.Name] }

// has says whether a message is in scope.
func (s *scope) has(sourceID string) bool { return s.emails == nil || s.emails[sourceID] }

// makes says whether a mailbox is made where it lacks.
func (s *scope) makes(b *box) bool { return s.made == nil || b.id == "" || s.made[b.id] }

// changes says whether a mailbox that is there is changed.
func (s *scope) changes(b *box) bool {
	return b.id != "" && !s.few && (s.boxes == nil || s.boxes[b.id])
}

// inside are those of a message's mailboxes that are in scope, outside the others.
func (s *scope) inside(mailboxes []string) []string {
	if s.boxes == nil {
		return mailboxes
	}
	return slices.DeleteFunc(slices.Clone(mailboxes), func(id string) bool { return !s.boxes[id] })
}

func (s *scope) outside(mailboxes []string) []string {
	if s.boxes == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(mailboxes), func(id string) bool { return s.boxes[id] })
}

// email is a message as far as it is in scope: it belongs to no other mailboxes.
// One that is not in scope is whole.
func (s *scope) email(o account.Object) account.Object {
	if s.boxes == nil || !s.has(o.ID()) {
		return o
	}
	o = o.Without()
	o.Put("mailboxIds", account.SetOf(s.inside(o.Set("mailboxIds"))...))
	return o
}

// readEmail reads a message of the archive as far as it is in scope.
func (r *run) readEmail(sourceID string) (archive.Record, error) {
	rec, err := r.ar.Object(r.at, account.Email, sourceID)
	if err == nil {
		rec.Object = r.scope.email(rec.Object)
	}
	return rec, err
}

// pending yields the messages in scope that are left to send.
func (r *run) pending() iter.Seq2[archive.PendingItem, error] { return r.inScope(r.j.Pending(r.at)) }

func (r *run) inScope(items iter.Seq2[archive.PendingItem, error]) iter.Seq2[archive.PendingItem, error] {
	if r.scope.emails == nil {
		return items
	}
	return func(yield func(archive.PendingItem, error) bool) {
		for p, err := range items {
			if (err != nil || r.scope.has(p.SourceID)) && !yield(p, err) {
				return
			}
		}
	}
}

// pendingCount counts them and their bytes.
func (r *run) pendingCount() (items, bytes int64, err error) {
	if r.scope.emails == nil {
		return r.j.PendingCount(r.at)
	}
	for p, err := range r.pending() {
		if err != nil {
			return 0, 0, err
		}
		items, bytes = items+1, bytes+p.Size
	}
	return items, bytes, nil
}
