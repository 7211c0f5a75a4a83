package importer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mailhaul/account"
)

// box is a mailbox of the archive and where it is on the target.
type box struct {
	id     string
	obj    account.Object
	parent *box // nil at the top
	path   string
	level  int

	target string // the mailbox's id on the target, "" while there is none
	how    string // how it was found: "journal", "role", "path", "created"
	was    *boxApplied
}

func (b *box) name() string { return b.obj.Text("name") }

func (b *box) parentTarget() string {
	if b.parent == nil {
		return ""
	}
	return b.parent.target
}

// boxApplied is a mailbox entry's Applied in the journal: what the source had
// when it was written last, and the name it got.
type boxApplied struct {
	Name       string `json:"name"`   // on the target
	Source     string `json:"source"` // on the source
	Parent     string `json:"parent,omitempty"`
	Sort       int64  `json:"sort,omitempty"`
	Subscribed *bool  `json:"subscribed,omitempty"`
	Created    bool   `json:"created,omitempty"` // by an import
	// With whom an import shared it: ids or names on the target, by what the source had.
	Shared     []string `json:"shared,omitempty"`
	SharedMark string   `json:"sharedMark,omitempty"`
}

// boxMap knows where each mailbox of the archive is on the target.
type boxMap struct {
	boxes    []*box // parents before children
	bySource map[string]*box
	targets  map[string]account.Object
	claimed  map[string]*box // by target id
	root     *box            // that an import goes below, nil: to its place

	mu        sync.Mutex
	recovered string // target id of the mailbox for messages in none
}

// recoveredName is the mailbox for messages whose mailboxes the archive lacks.
const recoveredName = "Recovered"

// target is where a source mailbox is, "" if nowhere.
func (m *boxMap) target(sourceID string) string {
	if b := m.bySource[sourceID]; b != nil {
		return b.target
	}
	return ""
}

// recoveredID is the mailbox for messages in none, "" while there is none.
func (m *boxMap) recoveredID() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.recovered
}

// targetPath names a mailbox of the target for a person.
func (m *boxMap) targetPath(id string) string {
	var parts []string
	for depth := 0; id != "" && depth < 100; depth++ {
		o, ok := m.targets[id]
		if !ok {
			break
		}
		parts = append(parts, o.Text("name"))
		id = o.Text("parentId")
	}
	slices.Reverse(parts)
	return strings.Join(parts, "/")
}

// plant makes the tree of the archive's mailboxes. Orphans, whose parent is not
// known or is below them, stand at the top.
func plant(objs []account.Object) (boxes, orphans []*box) {
	by := map[string]*box{}
	for _, o := range objs {
		b := &box{id: o.ID(), obj: o}
		by[b.id] = b
		boxes = append(boxes, b)
	}
	for _, b := range boxes {
		p := b.obj.Text("parentId")
		if p == "" {
			continue
		}
		if b.parent = by[p]; b.parent == nil || below(b.parent, b) {
			b.parent = nil
			orphans = append(orphans, b)
		}
	}
	for _, b := range boxes {
		b.path, b.level = b.name(), 0
		for p := b.parent; p != nil; p = p.parent {
			b.path = p.name() + "/" + b.path
			b.level++
		}
	}
	slices.SortStableFunc(boxes, func(a, b *box) int {
		return cmp.Or(cmp.Compare(a.level, b.level), cmp.Compare(a.path, b.path), cmp.Compare(a.id, b.id))
	})
	return boxes, orphans
}

// below says whether b is top or stands somewhere below it.
func below(b, top *box) bool {
	for ; b != nil; b = b.parent {
		if b == top {
			return true
		}
	}
	return false
}

// loadBoxes reads both sides' mailboxes and finds those that are known by the
// journal and by role. The others are found level by level, see findByPath.
func (r *run) loadBoxes(ctx context.Context) (*boxMap, error) {
	var objs []account.Object
	for rec, err := range r.ar.Objects(r.at, account.Mailbox) {
		if err != nil {
			return nil, fmt.Errorf("read the archive's mailboxes: %w", err)
		}
		objs = append(objs, rec.Object)
	}
	m := &boxMap{bySource: map[string]*box{}, claimed: map[string]*box{}}
	var orphans []*box
	m.boxes, orphans = plant(objs)
	for _, b := range orphans {
		if !r.scope.makes(b) {
			continue
		}
		r.mappedTo(b.path, b.name(), "the archive does not hold the mailbox that contains it")
	}
	for _, b := range m.boxes {
		m.bySource[b.id] = b
	}
	m.transplant(r.o.Into)
	if err := r.loadTargets(ctx, m); err != nil {
		return nil, err
	}
	if err := r.findByJournal(m); err != nil {
		return nil, err
	}
	m.findByRole()
	return m, nil
}

func (r *run) loadTargets(ctx context.Context, m *boxMap) error {
	got, err := r.to.All(ctx, account.Mailbox, nil)
	if err != nil {
		return err
	}
	m.targets = make(map[string]account.Object, len(got.List))
	for _, o := range got.List {
		m.targets[o.ID()] = o
	}
	return nil
}

func (m *boxMap) claim(b *box, target, how string) {
	b.target, b.how = target, how
	m.claimed[target] = b
}

// levels yields the mailboxes level by level, the top first.
func levels(boxes []*box) func(yield func([]*box) bool) {
	return func(yield func([]*box) bool) {
		for from := 0; from < len(boxes); {
			to := from
			for to < len(boxes) && boxes[to].level == boxes[from].level {
				to++
			}
			if !yield(boxes[from:to]) {
				return
			}
			from = to
		}
	}
}

// steps are the mailboxes that are made and changed together, parents first:
// all of them, or level by level where one that is there already goes elsewhere
// or gets another name, which makes room for others.
func (m *boxMap) steps() func(yield func([]*box) bool) {
	moves := func(b *box) bool {
		return b.was != nil && (b.name() != b.was.Source || b.obj.Text("parentId") != b.was.Parent)
	}
	if slices.ContainsFunc(m.boxes, moves) {
		return levels(m.boxes)
	}
	return func(yield func([]*box) bool) { yield(m.boxes) }
}

// mailboxes maps every mailbox of the archive to one on the target, and makes
// those that are missing.
func (r *run) mailboxes(ctx context.Context) error {
	m, err := r.loadBoxes(ctx)
	if err != nil {
		return err
	}
	r.boxes = m
	st := r.stage(account.Mailbox.Name, int64(len(m.boxes)), 0)
	defer st.finish()
	for step := range m.steps() {
		for level := range levels(step) {
			m.findByPath(level)
		}
		if err := r.create(ctx, slices.DeleteFunc(slices.Clone(step), func(b *box) bool { return !r.scope.makes(b) })); err != nil {
			return err
		}
		for level := range levels(step) {
			if err := r.updateLevel(ctx, level); err != nil {
				return err
			}
		}
		st.add(int64(len(step)), 0)
	}
	r.tellSubscriptions()
	return nil
}

// knowsSubscriptions says whether the archive has the owner's subscriptions.
func (r *run) knowsSubscriptions() bool {
	return !slices.Contains(r.snap.Unknown, "Mailbox.isSubscribed")
}

// tellSubscriptions warns when subscriptions, which are kept per user, can't be
// carried over by whoever is signed in.
func (r *run) tellSubscriptions() {
	if r.to.Own || !r.knowsSubscriptions() {
		return
	}
	var n int
	for _, b := range r.boxes.boxes {
		if b.obj.Bool("isSubscribed") && r.scope.changes(b) && (b.was == nil || b.was.Subscribed == nil) {
			n++
		}
	}
	if n > 0 {
		r.warn("%s not subscribed: subscriptions are kept per user; run the import again signed in as %s to set them",
			counted(int64(n), "subscribed mailbox is", "subscribed mailboxes are"), r.to.Name)
	}
}
