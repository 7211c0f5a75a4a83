package importer

import (
	"context"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

// updateLevel carries over what mailboxes that were there already lack: order
// and subscription, the first time and when the source changed; and a new name
// or parent, where the target's user has not given another one.
func (r *run) updateLevel(ctx context.Context, level []*box) error {
	patches := map[string]map[string]any{}
	var touched []*box
	for _, b := range level {
		if b.target == "" || b.how == "created" {
			continue
		}
		if !r.scope.changes(b) {
			if b.id != "" && r.scope.makes(b) {
				r.count(account.Mailbox, func(c *Counts) { c.Present++ })
			}
			continue
		}
		p := r.boxPatch(b)
		if len(p) > 0 {
			patches[b.target] = p
		}
		// A subscription that an administrator could not see is remembered now, so
		// that what the user changes from here on stays.
		unseen := b.was != nil && b.was.Subscribed == nil && r.subscription(b.obj) != nil
		if len(p) > 0 || b.was == nil || unseen {
			touched = append(touched, b)
		} else {
			r.count(account.Mailbox, func(c *Counts) { c.Present++ })
		}
	}
	if len(touched) == 0 {
		return nil
	}
	res := &jmapclient.SetResult{}
	if len(patches) > 0 {
		var err error
		if res, err = r.to.Set(ctx, account.Mailbox, jmapclient.SetArgs{Update: patches}); err != nil {
			return err
		}
	}
	for _, b := range touched {
		r.boxUpdated(b, patches[b.target], res)
	}
	return r.rememberBoxes(touched)
}

func (r *run) boxUpdated(b *box, patch map[string]any, res *jmapclient.SetResult) {
	e, refused := res.NotUpdated[b.target]
	switch {
	case refused:
		r.warn("mailbox %s: the server refused to change %v: %s", b.path, keysOf(patch), e)
		r.count(account.Mailbox, func(c *Counts) { c.Present++ })
	case len(patch) == 0:
		r.count(account.Mailbox, func(c *Counts) { c.Present++ })
	default:
		o := r.boxes.targets[b.target]
		for k, v := range patch {
			o.Put(k, v)
		}
		r.count(account.Mailbox, func(c *Counts) { c.Updated++ })
	}
	if b.how == "role" && b.was == nil {
		if to := r.boxes.targetPath(b.target); to != b.path {
			r.note("mailbox %s is %s on the target: it has the role %s", b.path, to, roleOf(b.obj))
		}
	}
	if b.how == "path" && b.was == nil && r.boxes.targets[b.target].Text("name") != b.name() {
		r.mappedTo(b.path, r.boxes.targetPath(b.target), "a mailbox of that name is there already")
	}
}

// boxPatch is what to change of a mailbox on the target.
func (r *run) boxPatch(b *box) map[string]any {
	t, p := r.boxes.targets[b.target], map[string]any{}
	first := b.was == nil
	if n := b.obj.Int("sortOrder"); b.obj.Has("sortOrder") && n != t.Int("sortOrder") && (first || n != b.was.Sort) {
		p["sortOrder"] = n
	}
	sub := r.subscription(b.obj)
	if sub != nil && *sub != t.Bool("isSubscribed") && (first || b.was.Subscribed == nil || *b.was.Subscribed != *sub) {
		p["isSubscribed"] = *sub
	}
	if role := roleOf(b.obj); first && role != "" && b.how == "path" && roleOf(t) == "" && !r.roleTaken(role) {
		p["role"] = role
	}
	if first || roleOf(t) != "" {
		return p
	}
	if b.name() != b.was.Source && t.Text("name") == b.was.Name {
		p["name"] = b.name()
	}
	if b.obj.Text("parentId") != b.was.Parent && b.reachable() && b.parentTarget() != t.Text("parentId") {
		p["parentId"] = nil
		if id := b.parentTarget(); id != "" {
			p["parentId"] = id
		}
	}
	return p
}

func (r *run) roleTaken(role string) bool {
	for _, o := range r.boxes.targets {
		if roleOf(o) == role {
			return true
		}
	}
	return false
}

func keysOf[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}
