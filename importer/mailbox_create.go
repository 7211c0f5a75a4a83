package importer

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// flattened joins the names of mailboxes that are nested deeper than the server
// allows.
const flattened = " - "

// draft is a mailbox about to be made: what is asked for next, and what was
// given up so far.
type draft struct {
	*box
	parent string // target id
	names  []attempt
	suffix int  // " 2", " 3", … after a clash
	role   bool // ask for it
	extras bool // ask for sortOrder and isSubscribed
	again  bool // asked once more the same way, after the server's own failure
	why    string
	tries  int
}

// mostTries bounds how often one mailbox is asked for in different ways.
const mostTries = 30

func (d *draft) nameNow() string {
	name := d.names[0].name
	if d.suffix > 0 {
		tail := " " + strconv.Itoa(d.suffix)
		name = shorten(name, mostNameBytes-len(tail)) + tail
	}
	return name
}

// mailLimits are what the account says of mailboxes (RFC 8621 §1.3.1).
type mailLimits struct {
	MaxMailboxDepth    *int64 `json:"maxMailboxDepth"`
	MaxSizeMailboxName int64  `json:"maxSizeMailboxName"`
}

func (r *run) mailLimits() mailLimits {
	var l mailLimits
	_ = json.Unmarshal(r.to.Capabilities[account.Mailbox.Capabilities[0]], &l) // silence means no limit
	return l
}

// createLevel makes those mailboxes of one level that the target lacks.
func (r *run) createLevel(ctx context.Context, level []*box) error {
	var missing []*box
	for _, b := range level {
		if b.target == "" {
			missing = append(missing, b)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := r.makeBoxes(ctx, missing); err != nil {
		return err
	}
	for _, b := range missing {
		if b.target != "" && b.how == "created" {
			r.count(account.Mailbox, func(c *Counts) { c.Created++ })
		}
	}
	return nil
}

// makeBoxes asks for mailboxes in one Mailbox/set, and for what is refused once
// more in a gentler way until the server takes it.
func (r *run) makeBoxes(ctx context.Context, missing []*box) error {
	var drafts []*draft
	for _, b := range missing {
		d := &draft{box: b, parent: b.parentTarget(), names: attempts(b.name()), role: b.obj.Text("role") != "", extras: true}
		if b.parent != nil && b.parent.target == "" { // its parent could not be made
			d.why = "the mailbox that contains it could not be made"
		}
		r.fitDepth(d)
		drafts = append(drafts, d)
	}
	lost := 0
	for len(drafts) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		create := map[string]account.Object{}
		for i, d := range drafts {
			create["m"+strconv.Itoa(i)] = r.draftObject(d)
		}
		res, err := r.to.Set(ctx, account.Mailbox, jmapclient.SetArgs{Create: create})
		if jmapclient.KindOf(err) == jmapclient.Unknown && lost < 3 {
			lost++ // names are unique among siblings: what was made is found by its name
			if drafts, err = r.refind(ctx, drafts); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if drafts, err = r.takeCreated(ctx, drafts, res); err != nil {
			return err
		}
	}
	return nil
}

// fitDepth keeps within a depth that the server announces.
func (r *run) fitDepth(d *draft) {
	max := r.mailLimits().MaxMailboxDepth
	if max == nil || *max < 1 {
		return
	}
	for d.parent != "" && r.boxes.depth(d.parent)+1 > *max {
		r.flatten(d)
	}
}

func (m *boxMap) depth(id string) (n int64) {
	for ; id != "" && n < 1000; n++ {
		id = m.targets[id].Text("parentId")
	}
	return n
}

// flatten moves a draft beside its parent, under a name that says both.
func (r *run) flatten(d *draft) {
	p := r.boxes.targets[d.parent]
	d.parent = p.Text("parentId")
	d.names = attempts(p.Text("name") + flattened + d.names[0].name)
	d.suffix = 0
	d.why = "the server does not nest mailboxes as deep"
}

func (r *run) draftObject(d *draft) account.Object {
	o := account.Object{}
	o.Put("name", d.nameNow())
	if d.parent != "" {
		o.Put("parentId", d.parent)
	}
	if d.role {
		o.Put("role", roleOf(d.obj))
	}
	if d.extras {
		if d.obj.Has("sortOrder") {
			o["sortOrder"] = d.obj["sortOrder"]
		}
		if sub := r.subscription(d.obj); sub != nil {
			o.Put("isSubscribed", *sub)
		}
	}
	return o
}

// subscription is what to set, nil where it is not known or not ours to set.
func (r *run) subscription(o account.Object) *bool {
	if !r.to.Own || !r.knowsSubscriptions() || !o.Has("isSubscribed") {
		return nil
	}
	b := o.Bool("isSubscribed")
	return &b
}

// refind looks for drafts on the target after an answer was lost.
func (r *run) refind(ctx context.Context, drafts []*draft) (left []*draft, err error) {
	before := r.boxes.targets
	if err := r.loadTargets(ctx, r.boxes); err != nil {
		return nil, err
	}
	for _, d := range drafts {
		for _, id := range r.boxes.targetIDs() {
			o := r.boxes.targets[id]
			if _, old := before[id]; !old && r.boxes.claimed[id] == nil &&
				o.Text("parentId") == d.parent && slices.Contains([]string{d.nameNow(), attempts(d.nameNow())[0].name}, o.Text("name")) {
				if err := r.placed(d, id, "created"); err != nil {
					return nil, err
				}
				break
			}
		}
		if d.target == "" {
			left = append(left, d)
		}
	}
	return left, nil
}

// takeCreated reads an answer: what was made is read back (servers trim names),
// what was refused is prepared for the next try.
func (r *run) takeCreated(ctx context.Context, drafts []*draft, res *jmapclient.SetResult) (again []*draft, err error) {
	made := map[string]*draft{}
	var ids []string
	for i, d := range drafts {
		key := "m" + strconv.Itoa(i)
		if o, ok := res.Created[key]; ok && o.ID() != "" {
			made[o.ID()] = d
			ids = append(ids, o.ID())
			continue
		}
		e, ok := res.NotCreated[key]
		if !ok {
			e = jmapclient.SetError{Type: "serverFail", Description: "the server did not say what became of it"}
		}
		if id := e.ExistingID; id != "" && r.boxes.claimed[id] == nil {
			made[id] = d
			ids = append(ids, id)
			d.how = "path"
		} else if r.gentler(d, e) {
			again = append(again, d)
		}
	}
	if len(ids) == 0 {
		return again, nil
	}
	got, err := r.to.Get(ctx, account.Mailbox, ids, nil)
	if err != nil {
		return nil, err
	}
	for _, o := range got.List {
		r.boxes.targets[o.ID()] = o
	}
	for _, id := range ids {
		if r.boxes.targets[id] == nil {
			return nil, &jmapclient.Error{Kind: jmapclient.ServerFault, Op: "Mailbox/get", Account: r.to.Name, Item: made[id].path,
				Detail: "the mailbox that was just made is not there; run the import again"}
		}
		how := made[id].how
		if how == "" {
			how = "created"
		}
		if err := r.placed(made[id], id, how); err != nil {
			return nil, err
		}
	}
	return again, nil
}

// placed notes where a mailbox went, and says so if it is not as it was.
func (r *run) placed(d *draft, id, how string) error {
	r.boxes.claim(d.box, id, how)
	got := r.boxes.targets[id].Text("name")
	why := d.why
	if why == "" && d.suffix > 0 {
		why = "another mailbox has that name"
	}
	if why == "" && got != d.name() {
		if why = d.names[0].why; why == "" {
			why = "the server changed the name"
		}
	}
	if why != "" {
		r.mappedTo(d.path, r.boxes.targetPath(id), why)
	}
	return r.rememberBox(d.box, how == "created")
}

// rememberBox journals where a mailbox is and what was written for it.
func (r *run) rememberBox(b *box, created bool) error {
	if b.id == "" { // the Recovered mailbox has no source
		return nil
	}
	sub := r.subscription(b.obj)
	if sub == nil && b.was != nil { // an administrator does not see it
		sub = b.was.Subscribed
	}
	b.was = &boxApplied{
		Name:       r.boxes.targets[b.target].Text("name"),
		Source:     b.name(),
		Parent:     b.obj.Text("parentId"),
		Sort:       b.obj.Int("sortOrder"),
		Subscribed: sub,
		Created:    created || (b.was != nil && b.was.Created),
	}
	return r.j.Put(archive.Entry{Type: account.Mailbox.Name, SourceID: b.id, State: archive.Done, TargetID: b.target,
		Applied: string(account.Marshal(b.was)), Checked: true})
}
