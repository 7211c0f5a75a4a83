package importer

import (
	"context"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
)

// An import into a mailbox of its own ([Options].Into) puts everything beside
// what is there. It has a journal of its own: what it knows of a message is
// nothing that another import, which restores that message to its place, may
// take for done. And it recognises only what lies below that mailbox: messages
// that are elsewhere are somebody else's, and stay as they are.

// intoPath are the names of the mailboxes that an import goes below.
func intoPath(into string) ([]string, error) {
	if into == "" {
		return nil, nil
	}
	names := strings.Split(strings.TrimSuffix(into, "/"), "/")
	if slices.ContainsFunc(names, func(s string) bool { return strings.TrimSpace(s) == "" }) {
		return nil, scopeError("--into %q names no mailbox: give its path, like Restored or Archive/2026", into)
	}
	return names, nil
}

// journalName is what the journal of a target goes by. An account's id has no
// space (RFC 8620 §1.2).
func (r *run) journalName() (id, name string) {
	if r.o.Into == "" {
		return r.to.ID, r.to.Name
	}
	return r.to.ID + " into " + r.o.Into, r.to.Name + ", below " + r.o.Into
}

// transplant puts the tree of the archive's mailboxes below the one that the
// import goes into.
func (m *boxMap) transplant(into string) {
	names, _ := intoPath(into) // checked before
	var above []*box
	for i, name := range names {
		b := &box{obj: account.Object{"name": account.Marshal(name)}, path: strings.Join(names[:i+1], "/"), level: i, parent: m.root}
		if i == 0 && strings.EqualFold(name, "INBOX") {
			b.obj.Put("role", "inbox")
		}
		m.root = b
		above = append(above, b)
	}
	if m.root == nil {
		return
	}
	for _, b := range m.boxes {
		b.obj = b.obj.Without("role")
		if b.parent == nil {
			b.parent = m.root
		}
		b.path, b.level = m.root.path+"/"+b.path, b.level+len(names)
	}
	m.boxes = append(above, m.boxes...)
}

// within says whether a message that is in these mailboxes of the target is one
// that this import may recognise.
func (m *boxMap) within(mailboxes []string) bool {
	if m == nil || m.root == nil {
		return true
	}
	return m.root.target != "" && slices.ContainsFunc(mailboxes, m.belowRoot)
}

func (m *boxMap) belowRoot(id string) bool {
	for depth := 0; id != "" && depth < 1000; depth++ {
		if id == m.root.target {
			return true
		}
		id = m.targets[id].Text("parentId")
	}
	return false
}

// ours takes out of groups what is in no scope, and listed messages that this
// import may not recognise. A message that is out of scope stays where one in scope has the
// same key: it may be the one that is there.
func (r *run) ours(ctx context.Context, groups []group, open func(archive.Candidate) bool) ([]group, error) {
	groups = slices.DeleteFunc(groups, func(g group) bool { return !slices.ContainsFunc(g.sources, open) })
	if r.boxes == nil || r.boxes.root == nil || len(groups) == 0 {
		return groups, nil
	}
	var ids []string
	for _, g := range groups {
		for _, l := range g.listed {
			ids = append(ids, l.ID)
		}
	}
	there := map[string]bool{}
	for part := range slices.Chunk(ids, r.pageSize()) {
		got, err := r.to.Get(ctx, account.Email, part, []string{"id", "mailboxIds"})
		if err != nil {
			return nil, err
		}
		for _, o := range got.List {
			there[o.ID()] = r.boxes.within(o.Set("mailboxIds"))
		}
	}
	for i, g := range groups {
		groups[i].listed = slices.DeleteFunc(slices.Clone(g.listed), func(l archive.Listed) bool { return !there[l.ID] })
	}
	return slices.DeleteFunc(groups, func(g group) bool { return len(g.listed) == 0 }), nil
}
