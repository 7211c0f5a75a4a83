package importer

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// identityProps may be written at any time; email only when an identity is made
// (RFC 8621 §6).
var identityProps = []string{"name", "replyTo", "bcc", "textSignature", "htmlSignature"}

// identityMatch pairs the archive's identities with the target's: the one an
// earlier import made, else the one of the same address and name, else one of
// the same address that nobody has touched. (Servers make default identities.)
type identityMatch struct {
	rec    archive.Record
	target account.Object // nil: there is none
	was    account.Object // what was written last, nil: never
}

// identities makes or completes the target's identities.
func (r *run) identities(ctx context.Context) error {
	list, err := r.matchIdentities(ctx)
	if err != nil {
		return err
	}
	st := r.stage(account.Identity.Name, int64(len(list)), 0)
	defer st.finish()
	var set jmapclient.SetArgs
	set.Create, set.Update = map[string]account.Object{}, map[string]map[string]any{}
	for i, m := range list {
		switch diff := m.diff(); {
		case m.target == nil:
			o := account.Object{}
			for _, p := range account.Identity.Writable {
				if m.rec.Object.Has(p) {
					o[p] = m.rec.Object[p]
				}
			}
			set.Create["i"+strconv.Itoa(i)] = o
		case len(diff) > 0:
			set.Update[m.target.ID()] = patchOf(diff)
		}
	}
	res := &jmapclient.SetResult{}
	if len(set.Create)+len(set.Update) > 0 {
		if res, err = r.to.Set(ctx, account.Identity, set); err != nil {
			if k := jmapclient.KindOf(err); k == jmapclient.Unsupported || k == jmapclient.Forbidden {
				return r.identitiesRefused(list, err)
			}
			return err
		}
	}
	for i, m := range list {
		if err := r.identityDone(m, "i"+strconv.Itoa(i), set, res); err != nil {
			return err
		}
		st.add(1, 0)
	}
	return nil
}

// diff is what to change of the identity on the target.
func (m *identityMatch) diff() account.Object {
	if m.target == nil {
		return nil
	}
	d := changed(m.target, m.rec.Object, identityProps...)
	if m.was != nil { // only what the source changed since: the rest is the user's
		d = d.Only(slices.Collect(keys(changed(m.was, m.rec.Object, identityProps...)))...)
	}
	return d
}

func keys(o account.Object) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range o {
			if !yield(k) {
				return
			}
		}
	}
}

func (r *run) matchIdentities(ctx context.Context) ([]*identityMatch, error) {
	recs, err := r.sources(account.Identity)
	if err != nil {
		return nil, err
	}
	got, err := r.to.All(ctx, account.Identity, nil)
	if err != nil {
		return nil, err
	}
	free := map[string]account.Object{}
	for _, o := range got.List {
		free[o.ID()] = o
	}
	list := make([]*identityMatch, len(recs))
	for i, rec := range recs {
		list[i] = &identityMatch{rec: rec}
		e, ok, err := r.before(account.Identity, rec.Object.ID())
		if err != nil {
			return nil, err
		}
		if o := free[e.TargetID]; ok && o != nil && sameAddress(o, rec.Object) {
			list[i].target = o
			list[i].was, _ = account.ParseObject([]byte(e.Applied))
			delete(free, e.TargetID)
		}
	}
	for _, fits := range []func(t, s account.Object) bool{
		func(t, s account.Object) bool { return t.Text("name") == s.Text("name") },
		func(t, s account.Object) bool { return untouched(t) },
	} {
		for _, m := range list {
			for _, o := range got.List {
				if m.target == nil && free[o.ID()] != nil && sameAddress(o, m.rec.Object) && fits(o, m.rec.Object) {
					m.target = o
					delete(free, o.ID())
				}
			}
		}
	}
	return list, nil
}

func sameAddress(a, b account.Object) bool {
	return strings.EqualFold(a.Text("email"), b.Text("email"))
}

// identityName names an identity for a person.
func identityName(o account.Object) string {
	return strings.TrimSpace(o.Text("name") + " <" + o.Text("email") + ">")
}

// untouched says whether an identity is as a server makes it.
func untouched(o account.Object) bool {
	return len(changed(account.Object{}, o, "replyTo", "bcc", "textSignature", "htmlSignature")) == 0
}

func (r *run) identityDone(m *identityMatch, key string, set jmapclient.SetArgs, res *jmapclient.SetResult) error {
	o := m.rec.Object
	name := identityName(o)
	if m.target == nil {
		made, ok := res.Created[key]
		if !ok {
			r.fail(account.Identity, o.ID(), name, "the server refused to make it: "+res.NotCreated[key].String(),
				"give the account the address "+o.Text("email")+", then run the import again")
			return nil
		}
		r.count(account.Identity, func(c *Counts) { c.Created++ })
		return r.done(account.Identity, m.rec, made.ID(), string(o.Encode()))
	}
	id := m.target.ID()
	if se, ok := res.NotUpdated[id]; ok {
		r.fail(account.Identity, o.ID(), name, "the server refused to change it: "+se.String(), "change it by hand, from what `mailhaul inspect` shows")
		return nil
	}
	if _, ok := set.Update[id]; ok {
		r.count(account.Identity, func(c *Counts) { c.Updated++ })
	} else {
		r.count(account.Identity, func(c *Counts) { c.Present++ })
	}
	return r.done(account.Identity, m.rec, id, string(o.Encode()))
}

// identitiesRefused reports a server that can't change identities at all
// (Cyrus has no Identity/set): those that are as they were are fine.
func (r *run) identitiesRefused(list []*identityMatch, cause error) error {
	for _, m := range list {
		if m.target != nil && len(m.diff()) == 0 {
			r.count(account.Identity, func(c *Counts) { c.Present++ })
			continue
		}
		o := m.rec.Object
		r.fail(account.Identity, o.ID(), identityName(o), cause.Error(), "set it up by hand, or in the mail program")
	}
	return nil
}
