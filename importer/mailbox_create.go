package importer

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

// flattened joins the names of mailboxes that are nested deeper than the server
// allows.
const flattened = " - "

// draft is a mailbox about to be made: what is asked for next, and what was
// given up so far.
type draft struct {
	*box
	above  *draft // is to contain it and not made yet, nil: parent says where
	parent string // target id
	names  []attempt
	suffix int  // " 2", " 3", … after a clash
	role   bool // ask for it
	extras bool // ask for sortOrder and isSubscribed
	again  bool // asked once more the same way, after the server's own failure
	failed bool
	why    string
	tries  int
	key    string // its creation id in the request that is out, "" when it is not in it
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

// create makes those mailboxes that the target lacks, of some of which the
// parents come first.
func (r *run) create(ctx context.Context, boxes []*box) error {
	var missing []*box
	for _, b := range boxes {
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
		if b.target != "" && b.how == "created" && b.id != "" {
			r.count(account.Mailbox, func(c *Counts) { c.Created++ })
		}
	}
	return nil
}

// makeBoxes asks for mailboxes in one Mailbox/set, of which one may contain the
// other (RFC 8620 §5.3), and for what is refused once more in a gentler way until
// the server takes it.
func (r *run) makeBoxes(ctx context.Context, missing []*box) error {
	drafts := make([]*draft, len(missing))
	byBox := map[*box]*draft{}
	for i, b := range missing {
		d := &draft{box: b, parent: b.parentTarget(), names: attempts(b.name()), role: b.obj.Text("role") != "", extras: true}
		if b.parent != nil && b.parent.target == "" {
			if d.above = byBox[b.parent]; d.above == nil {
				d.why = unmadeParent
			}
		}
		if d.above == nil {
			r.fitDepth(d)
		}
		drafts[i], byBox[b] = d, d
	}
	nested := true // in one request
	for lost := 0; len(drafts) > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		create := r.portion(drafts, nested)
		res, err := r.to.Set(ctx, account.Mailbox, jmapclient.SetArgs{Create: create})
		kind := jmapclient.KindOf(err)
		refused := (kind == jmapclient.Invalid || kind == jmapclient.ServerFault) && slices.ContainsFunc(drafts, (*draft).isNested)
		switch {
		case (kind == jmapclient.Unknown || refused) && lost < 3:
			lost++ // names are unique among siblings: what was made is found by its name
			nested = nested && !refused && lost < 2
			err = r.refind(ctx, drafts)
		case err == nil:
			err = r.takeCreated(ctx, drafts, res)
		}
		if err == nil {
			drafts, err = r.leftOf(drafts)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isNested says whether it is asked for in one request with what contains it.
func (d *draft) isNested() bool { return d.key != "" && d.above != nil }

const unmadeParent = "the mailbox that contains it could not be made"

// portion is what one request asks for: as many as the server takes, and each
// after the one that is to contain it.
func (r *run) portion(drafts []*draft, nested bool) map[string]account.Object {
	create := map[string]account.Object{}
	most, deepest := r.to.Client.Limits().MaxObjectsInSet, r.mailLimits().MaxMailboxDepth
	for i, d := range drafts {
		d.key = ""
		// What may be too deep waits until it is known where it would be.
		if d.above != nil && (!nested || d.above.key == "" || deepest != nil && int64(d.level) >= *deepest) {
			continue
		}
		if int64(len(create)) < most {
			d.key = "m" + strconv.Itoa(i)
			create[d.key] = r.draftObject(d)
		}
	}
	return create
}

// leftOf are the drafts that are neither made nor given up. Where the parent of
// one is by now, or that it stays without one, is known to it.
func (r *run) leftOf(drafts []*draft) (left []*draft, err error) {
	for _, d := range drafts {
		if d.target != "" || d.failed {
			continue
		}
		switch {
		case d.above == nil:
		case d.above.failed:
			d.above, d.why = nil, unmadeParent
			r.fitDepth(d)
		case d.above.target != "":
			d.parent = d.above.target
			if d.above.how != "created" { // what it contains may be there as well
				r.boxes.findByPath([]*box{d.box})
			}
			d.above = nil
			r.fitDepth(d)
		}
		if d.target == "" {
			left = append(left, d)
		}
	}
	return left, nil
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
	if d.above != nil {
		o.Put("parentId", "#"+d.above.key)
	} else if d.parent != "" {
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
