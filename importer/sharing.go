package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// sharee is somebody with whom the source shared something.
type sharee struct {
	name string // for a person
	id   string // on the target: a principal's id, or a login where that is what shares go by
	why  string // there is none
}

// shareBoxes shares mailboxes with those of the target's principals that they were
// shared with at the source, and says who is not there. It writes to nobody.
func (r *run) shareBoxes(ctx context.Context) error {
	if r.boxes == nil || r.boxes.root != nil || !r.scope.takes(account.Mailbox) {
		return nil
	}
	left := map[sharee][]string{}
	var shared []*box
	patches := map[string]map[string]any{}
	form := r.to.Sharing(account.Mailbox)
	for _, b := range r.boxes.boxes {
		source := b.obj.Only("acl", "shareWith")
		shares, _ := readShares(source)
		if b.target == "" || b.was == nil || !r.scope.changes(b) || b.was.SharedMark == mark(source) || len(shares)+len(b.was.Shared) == 0 {
			continue
		}
		patch, with, err := r.sharePatch(ctx, b, form, left)
		if err != nil {
			return err
		}
		if len(patch) > 0 {
			patches[b.target] = patch
		}
		was := *b.was
		was.Shared = with
		if was.SharedMark = mark(source); len(with) < len(shares) {
			was.SharedMark = "" // who is not there may come
		}
		b.was = &was
		shared = append(shared, b)
	}
	if len(shared) == 0 {
		return nil
	}
	if err := r.writeShares(ctx, patches, shared); err != nil {
		return err
	}
	for _, s := range slices.SortedFunc(maps.Keys(left), func(a, b sharee) int { return strings.Compare(a.name+a.why, b.name+b.why) }) {
		what := fmt.Sprintf("mailbox %s is", left[s][0])
		if n := len(left[s]); n > 1 {
			what = fmt.Sprintf("%d mailboxes (%s, …) are", n, left[s][0])
		}
		r.warn("%s not shared with %s: %s", what, s.name, s.why)
	}
	return r.rememberBoxes(shared)
}

// sharePatch is what to change of a mailbox, and the ids of those it is shared with
// then. Those who are not there are added to left.
func (r *run) sharePatch(ctx context.Context, b *box, form jmapclient.SharingForm, left map[sharee][]string) (patch map[string]any, with []string, err error) {
	want, err := r.shareWants(ctx, b.obj, func(s sharee) { left[s] = append(left[s], b.path) })
	if err != nil {
		return nil, nil, err
	}
	there := r.boxes.targets[b.target]
	patch = map[string]any{}
	acl := map[string]any{}
	_ = json.Unmarshal(there["acl"], &acl) // of another form: it is written anew
	has, _ := readShares(there)
	for id, g := range want {
		with = append(with, id)
		value, lost := g.as(form)
		if lost {
			r.note("mailbox %s: the server has not all the rights that %s had; who has less may be given more by hand", b.path, id)
		}
		if maps.Equal(has[id], said(g, form)) {
			continue
		}
		acl[id] = value
		patch["shareWith/"+pointer.Replace(id)] = value
	}
	for _, id := range b.was.Shared { // the source takes it back
		if _, ok := want[id]; !ok && has[id] != nil {
			delete(acl, id)
			patch["shareWith/"+pointer.Replace(id)] = nil
		}
	}
	if form == jmapclient.SharedByACL && len(patch) > 0 {
		patch = map[string]any{"acl": acl}
	}
	slices.Sort(with)
	return patch, with, nil
}

// said are rights as a server with that form shows them once they are written.
func said(g rights, form jmapclient.SharingForm) rights {
	value, _ := g.as(form)
	property, key := "shareWith", "x"
	if form == jmapclient.SharedByACL {
		property = "acl"
	}
	o := account.Object{property: account.Marshal(map[string]any{key: value})}
	shares, _ := readShares(o)
	return shares[key]
}

// shareWants is with whom a mailbox is to be shared, by ids of the target. Who is
// not there is shown to absent.
func (r *run) shareWants(ctx context.Context, o account.Object, absent func(sharee)) (map[string]rights, error) {
	want := map[string]rights{}
	shares, byLogin := readShares(o)
	for _, who := range slices.Sorted(maps.Keys(shares)) {
		if len(shares[who]) == 0 {
			continue
		}
		s, err := r.sharee(ctx, who, byLogin)
		if err != nil {
			return nil, err
		}
		if s.id == "" {
			absent(s)
			continue
		}
		want[s.id] = shares[who]
	}
	return want, nil
}

// sharee finds whom the source means: by name, then by address, then by name in the
// domain that the target's account is in.
func (r *run) sharee(ctx context.Context, who string, byLogin bool) (sharee, error) {
	if s, ok := r.sharees[who]; ok {
		return s, nil
	}
	names := []string{who}
	s := sharee{name: who, why: "there is no such account here"}
	if !byLogin {
		rec, err := r.ar.Object(r.at, account.Principal, who)
		var damaged *archive.DamagedError
		switch {
		case errors.Is(err, archive.ErrNotFound) || errors.As(err, &damaged):
			names, s.name, s.why = nil, "principal "+who, "the archive does not say who that is (whoever exported it was not told)"
		case err != nil:
			return s, fmt.Errorf("read principal %s of the archive: %w", who, err)
		default:
			names = []string{rec.Object.Text("name"), rec.Object.Text("email")}
			s.name = names[0]
		}
	}
	if _, domain, ok := strings.Cut(r.to.Name, "@"); ok && len(names) > 0 && names[0] != "" && !strings.Contains(names[0], "@") {
		names = append(names, names[0]+"@"+domain)
	}
	form := r.to.Sharing(account.Mailbox)
	if form == jmapclient.NoSharing {
		names, s.why = nil, "the server does not share mailboxes over JMAP"
	}
	for _, name := range names {
		if name == "" || s.id != "" {
			continue
		}
		id, told, err := r.to.Client.PrincipalID(ctx, name)
		if endsRun(err) && err != nil {
			return s, err
		}
		switch {
		case err != nil:
			s.why = "the server could not be asked for that account: " + err.Error()
		case !told:
			s.why = "the server does not tell whether there is such an account; share it by hand, or import as administrator"
		case id == r.to.ID:
			s.why = "that is the account itself"
		case id != "" && form == jmapclient.SharedByACL:
			s.id = name // it goes by logins
		default:
			s.id = id
		}
	}
	if r.sharees == nil {
		r.sharees = map[string]sharee{}
	}
	r.sharees[who] = s
	return s, nil
}

// writeShares shares; what is refused of a mailbox is tried one by one.
func (r *run) writeShares(ctx context.Context, patches map[string]map[string]any, boxes []*box) error {
	if len(patches) == 0 {
		return nil
	}
	res, err := r.to.Set(ctx, account.Mailbox, jmapclient.SetArgs{Update: patches})
	if err != nil {
		if endsRun(err) {
			return err
		}
		r.warn("the server refused to share mailboxes: %v", err)
		for _, b := range boxes {
			b.was.SharedMark = ""
		}
		return nil
	}
	for _, b := range boxes {
		se, refused := res.NotUpdated[b.target]
		patch := patches[b.target]
		switch {
		case !refused:
		case len(patch) > 1:
			for p, v := range patch {
				if err := r.writeShares(ctx, map[string]map[string]any{b.target: {p: v}}, []*box{b}); err != nil {
					return err
				}
			}
			continue
		default:
			r.warn("mailbox %s: the server refused to share it (%s): %s", b.path, strings.Join(keysOf(patch), ", "), se)
			b.was.SharedMark = ""
			continue
		}
		if len(patch) > 0 {
			r.note("mailbox %s is shared as it was", b.path)
		}
	}
	return nil
}

// sharing compares with whom mailboxes are shared, as far as they are there.
func (v *verifier) sharing(ctx context.Context) error {
	form := v.to.Sharing(account.Mailbox)
	for _, b := range v.boxes.boxes {
		if b.target == "" || form == jmapclient.NoSharing {
			continue
		}
		want, err := v.shareWants(ctx, b.obj, func(s sharee) { v.note("mailbox %s was shared with %s: %s", b.path, s.name, s.why) })
		if err != nil {
			return err
		}
		has, _ := readShares(v.boxes.targets[b.target])
		for _, id := range slices.Sorted(maps.Keys(want)) {
			if g := said(want[id], form); !maps.Equal(g, has[id]) {
				v.differs(account.Mailbox, b.id, b.path, "sharing", "%s may %s in the archive, %s on the server", id, g, has[id])
			}
		}
	}
	return nil
}

// String lists rights for a person.
func (g rights) String() string {
	words := slices.Sorted(maps.Keys(g))
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}
