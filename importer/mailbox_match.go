package importer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
)

// findByJournal takes what an earlier import found or made, if it is still
// plausible: Stalwart 0.6 and 0.7 give ids of destroyed mailboxes again.
func (r *run) findByJournal(m *boxMap) error {
	if r.j == nil {
		return nil
	}
	for e, err := range r.j.Entries(account.Mailbox.Name, archive.Done) {
		if err != nil {
			return fmt.Errorf("read the journal's mailboxes: %w", err)
		}
		b, t := m.bySource[e.SourceID], m.targets[e.TargetID]
		if b == nil || t == nil || m.claimed[e.TargetID] != nil {
			continue
		}
		var was boxApplied
		if json.Unmarshal([]byte(e.Applied), &was) != nil {
			continue
		}
		role := roleOf(b.obj)
		if t.Text("name") == was.Name || (role != "" && role == roleOf(t)) {
			m.claim(b, e.TargetID, "journal")
			b.was = &was
		}
	}
	return nil
}

// roleOf is a mailbox's role in the registry's word for it.
func roleOf(o account.Object) string {
	role := strings.ToLower(o.Text("role"))
	if role == "spam" { // an older word of Stalwart's
		return "junk"
	}
	return role
}

func (m *boxMap) findByRole() {
	for _, b := range m.boxes {
		role := roleOf(b.obj)
		if b.target != "" || role == "" {
			continue
		}
		for _, id := range m.targetIDs() {
			if m.claimed[id] == nil && roleOf(m.targets[id]) == role {
				m.claim(b, id, "role")
				break
			}
		}
	}
}

func (m *boxMap) targetIDs() []string {
	ids := make([]string, 0, len(m.targets))
	for id := range m.targets {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// findByPath finds the mailboxes of one level among the children of their
// parents: by name, then by the names they might have got from an import whose
// journal is lost. The inbox is found by role only (RFC 8621 §2).
func (m *boxMap) findByPath(level []*box) {
	children := map[string]map[string][]string{} // parent → name → ids
	for _, id := range m.targetIDs() {
		o := m.targets[id]
		p := o.Text("parentId")
		if children[p] == nil {
			children[p] = map[string][]string{}
		}
		children[p][o.Text("name")] = append(children[p][o.Text("name")], id)
	}
	try := func(b *box, parent, name string) {
		for _, id := range children[parent][name] {
			if b.target == "" && m.claimed[id] == nil && roleOf(m.targets[id]) != "inbox" {
				m.claim(b, id, "path")
			}
		}
	}
	for _, b := range level {
		if b.target == "" && b.reachable() {
			try(b, b.parentTarget(), b.name())
		}
	}
	for _, b := range level {
		if b.target != "" || !b.reachable() {
			continue
		}
		for _, a := range attempts(b.name()) {
			try(b, b.parentTarget(), a.name)
		}
		if b.parent != nil {
			p := m.targets[b.parent.target]
			try(b, p.Text("parentId"), p.Text("name")+flattened+b.name())
		}
	}
}

// reachable says whether the mailbox that contains it is there.
func (b *box) reachable() bool { return b.parent == nil || b.parent.target != "" }

// findBoxes maps mailboxes without making any, for a plan or a comparison.
func (r *run) findBoxes(ctx context.Context) error {
	m, err := r.loadBoxes(ctx)
	if err != nil {
		return err
	}
	for level := range levels(m.boxes) {
		m.findByPath(level)
	}
	top := ""
	if m.root != nil {
		top = m.root.target
	}
	for id, o := range m.targets {
		if o.Text("parentId") == top && (m.root == nil || top != "") && o.Text("name") == recoveredName && m.claimed[id] == nil {
			m.recovered = id
		}
	}
	r.boxes = m
	return nil
}
