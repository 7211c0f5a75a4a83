package importer

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
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
}

// boxMap knows where each mailbox of the archive is on the target.
type boxMap struct {
	boxes    []*box // parents before children
	bySource map[string]*box
	targets  map[string]account.Object
	claimed  map[string]*box // by target id

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
		r.mappedTo(b.path, b.name(), "the archive does not hold the mailbox that contains it")
	}
	for _, b := range m.boxes {
		m.bySource[b.id] = b
	}
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
	for id, o := range m.targets {
		if o.Text("parentId") == "" && o.Text("name") == recoveredName && m.claimed[id] == nil {
			m.recovered = id
		}
	}
	r.boxes = m
	return nil
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

// mailboxes maps every mailbox of the archive to one on the target, and makes
// those that are missing, level by level.
func (r *run) mailboxes(ctx context.Context) error {
	m, err := r.loadBoxes(ctx)
	if err != nil {
		return err
	}
	r.boxes = m
	st := r.stage(account.Mailbox.Name, int64(len(m.boxes)), 0)
	defer st.finish()
	for level := range levels(m.boxes) {
		m.findByPath(level)
		if err := r.createLevel(ctx, level); err != nil {
			return err
		}
		if err := r.updateLevel(ctx, level); err != nil {
			return err
		}
		st.add(int64(len(level)), 0)
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
		if b.obj.Bool("isSubscribed") && (b.was == nil || b.was.Subscribed == nil) {
			n++
		}
	}
	if n > 0 {
		r.warn("%d subscribed mailboxes could not be subscribed: subscriptions are kept per user; "+
			"run the import again signed in as %s to set them", n, r.to.Name)
	}
}

// recoveredBox is the mailbox for messages that are in none the archive knows.
func (r *run) recoveredBox(ctx context.Context) (string, error) {
	m := r.boxes
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.recovered != "" {
		return m.recovered, nil
	}
	b := &box{obj: account.Object{"name": account.Marshal(recoveredName)}, path: recoveredName}
	m.findByPath([]*box{b})
	if b.target == "" {
		if err := r.makeBoxes(ctx, []*box{b}); err != nil {
			return "", err
		}
	}
	if b.target == "" {
		return "", &jmapclient.Error{Kind: jmapclient.Invalid, Op: "Mailbox/set", Account: r.to.Name, Item: recoveredName,
			Detail: "the mailbox for messages that are in no known mailbox could not be made; make one of that name by hand"}
	}
	m.recovered = b.target
	return b.target, nil
}
