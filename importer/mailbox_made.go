package importer

import (
	"context"
	"slices"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// refind looks for what was asked for on the target after an answer was lost.
func (r *run) refind(ctx context.Context, drafts []*draft) error {
	before := r.boxes.targets
	if err := r.loadTargets(ctx, r.boxes); err != nil {
		return err
	}
	var made []*draft
	for _, d := range drafts {
		if d.key == "" || d.above != nil && d.above.target == "" {
			continue
		}
		parent := d.parent
		if d.above != nil {
			parent = d.above.target
		}
		for _, id := range r.boxes.targetIDs() {
			o := r.boxes.targets[id]
			if _, old := before[id]; !old && r.boxes.claimed[id] == nil &&
				o.Text("parentId") == parent && slices.Contains([]string{d.nameNow(), attempts(d.nameNow())[0].name}, o.Text("name")) {
				r.placed(d, id, "created")
				made = append(made, d)
				break
			}
		}
	}
	return r.remember(made)
}

// takeCreated reads an answer: what was made is read back (servers trim names),
// what was refused is prepared for the next try.
func (r *run) takeCreated(ctx context.Context, drafts []*draft, res *jmapclient.SetResult) error {
	var made []*draft
	var ids []string
	taken := map[string]bool{}
	for _, d := range drafts {
		if d.key == "" {
			continue
		}
		e, refused := res.NotCreated[d.key]
		id := res.Created[d.key].ID()
		switch {
		case id != "":
		case !refused:
			e = jmapclient.SetError{Type: "serverFail", Description: "the server did not say what became of it"}
		case e.ExistingID != "" && r.boxes.claimed[e.ExistingID] == nil && !taken[e.ExistingID]:
			id, d.how = e.ExistingID, "path"
		}
		if id != "" {
			made, ids, taken[id] = append(made, d), append(ids, id), true
		} else if d.above == nil { // else perhaps for its parent, which is asked for anew, or known then
			d.failed = !r.gentler(d, e)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	got, err := r.to.Get(ctx, account.Mailbox, ids, nil)
	if err != nil {
		return err
	}
	for _, o := range got.List {
		r.boxes.targets[o.ID()] = o
	}
	for i, id := range ids {
		if r.boxes.targets[id] == nil {
			return &jmapclient.Error{Kind: jmapclient.ServerFault, Op: "Mailbox/get", Account: r.to.Name, Item: made[i].path,
				Detail: "the mailbox that was just made is not there; run the import again"}
		}
		how := made[i].how
		if how == "" {
			how = "created"
		}
		r.placed(made[i], id, how)
	}
	return r.remember(made)
}

// placed notes where a mailbox went, and says so if it is not as it was.
func (r *run) placed(d *draft, id, how string) {
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
}

// remember journals where drafts went.
func (r *run) remember(made []*draft) error {
	boxes := make([]*box, len(made))
	for i, d := range made {
		boxes[i] = d.box
	}
	return r.rememberBoxes(boxes)
}

// rememberBoxes journals where mailboxes are and what was written for them.
func (r *run) rememberBoxes(boxes []*box) error {
	var entries []archive.Entry
	for _, b := range boxes {
		if b.id == "" { // the Recovered mailbox has no source
			continue
		}
		sub := r.subscription(b.obj)
		if sub == nil && b.was != nil { // an administrator does not see it
			sub = b.was.Subscribed
		}
		var shared []string
		var sharedMark string
		if b.was != nil {
			shared, sharedMark = b.was.Shared, b.was.SharedMark
		}
		b.was = &boxApplied{
			Shared:     shared,
			SharedMark: sharedMark,
			Name:       r.boxes.targets[b.target].Text("name"),
			Source:     b.name(),
			Parent:     b.obj.Text("parentId"),
			Sort:       b.obj.Int("sortOrder"),
			Subscribed: sub,
			Created:    b.how == "created" || (b.was != nil && b.was.Created),
		}
		entries = append(entries, archive.Entry{Type: account.Mailbox.Name, SourceID: b.id, State: archive.Done, TargetID: b.target,
			Applied: string(account.Marshal(b.was)), Checked: true})
	}
	if len(entries) == 0 {
		return nil
	}
	return r.j.Put(entries...)
}
