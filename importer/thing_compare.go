package importer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/jscalendar"
	js "mailhaul/internal/jsschema"
	"mailhaul/jmapclient"
)

// stamped are properties that servers write when they please.
var stamped = []string{"updated", "prodId", "sequence", "isSubscribed"}

// plainForm is an object in a form in which two servers' can be compared: blobs
// by what is in them, wherever they are, and without what may be left out.
func plainForm(o account.Object, hash func(blobID string) (string, error)) (map[string]any, error) {
	m, err := js.Decode(nullless(o.Without(stamped...)))
	if err != nil {
		return nil, err
	}
	var walk func(v any) error
	walk = func(v any) error {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				if err := walk(e); err != nil {
					return err
				}
			}
		case map[string]any:
			delete(v, "@type")
			if roles, _ := v["roles"].(map[string]any); len(roles) == 1 && roles["attendee"] == true {
				delete(v, "roles") // it is what a participant is where nothing is said (Stalwart)
			}
			if id, ok := v["blobId"].(string); ok {
				h, err := hash(id)
				if err != nil {
					return err
				}
				v["blobId"] = h
				delete(v, "size")
			}
			for _, p := range []string{"uri", "href"} {
				s, _ := v[p].(string)
				if _, data, err := js.ReadData(s); err == nil {
					sum := sha256.Sum256(data)
					delete(v, p)
					v["blobId"] = "sha256-" + hex.EncodeToString(sum[:])
				}
			}
			for _, e := range v {
				if err := walk(e); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return m, walk(m)
}

// wants is what a thing is to be on the target, in the form to compare.
func (r *run) wants(w *thing) (map[string]any, error) { return r.wanted(w, w.o) }

func (r *run) wanted(w *thing, o account.Object) (map[string]any, error) {
	return plainForm(o, func(id string) (string, error) {
		if data, ok := w.data[id]; ok {
			sum := sha256.Sum256(data)
			return "sha256-" + hex.EncodeToString(sum[:]), nil
		}
		h, ok, err := r.blobOf(id)
		if !ok {
			return id, err
		}
		return "sha256-" + string(h), err
	})
}

// unlike are the properties in which the target's object is not what the archive's
// is to be, as pointers, sorted. What the target has beyond it is its own affair.
func (r *run) unlike(ctx context.Context, w *thing) ([]string, error) {
	diffs, err := r.unlikeIn(ctx, w, w.o, w.target)
	if err != nil || len(diffs) == 0 || w.to.Name != account.CalendarEvent.Name || r.cyrusCalendars() {
		return diffs, err
	}
	want, told, err := jscalendar.ToDraft(w.o) // the target may speak the other dialect
	if err != nil {
		return diffs, nil
	}
	got, _, err := jscalendar.ToDraft(w.target)
	if err != nil {
		return diffs, nil
	}
	if d, err := r.unlikeIn(ctx, w, want, got, told...); err != nil || len(d) < len(diffs) {
		return d, err
	}
	return diffs, nil
}

func (r *run) unlikeIn(ctx context.Context, w *thing, o, target account.Object, told ...js.Problem) ([]string, error) {
	want, err := r.wanted(w, o)
	if err != nil {
		return nil, err
	}
	got, err := plainForm(target, func(id string) (string, error) { return r.targetHash(ctx, id) })
	if err != nil {
		return nil, err
	}
	told = append(told, w.told...)
	for _, p := range w.was.Told {
		told = append(told, js.Problem{Property: p})
	}
	if w.to.Name == account.CalendarEvent.Name && r.cyrusCalendars() {
		told = append(told, js.Problem{Property: "created"}) // Cyrus writes its own
	}
	js.Less(want, told)
	js.Less(got, told)
	if w.byDefault() {
		delete(want, "name")
	}
	var diffs []string
	lacks("", want, got, &diffs)
	slices.Sort(diffs)
	return diffs, nil
}

// byDefault says whether a container's counterpart is so because each is its
// account's default one: their names may differ.
func (w *thing) byDefault() bool {
	return isContainer(w.to) && w.target != nil && isDefault(w.target) && isDefault(w.rec.Object)
}

func isContainer(t account.Type) bool {
	return t.Name == account.AddressBook.Name || t.Name == account.Calendar.Name
}

func isDefault(o account.Object) bool { return o.Bool("isDefault") || o.ID() == cyrusDefault }

// lacks notes where got has not what want has.
func lacks(path string, want, got any, diffs *[]string) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok && len(w) > 0 {
			*diffs = append(*diffs, path)
			return
		}
		for k, v := range w {
			lacks(js.Join(path, k), v, g[k], diffs)
		}
		return
	case []any:
		g, _ := got.([]any)
		if len(g) != len(w) {
			*diffs = append(*diffs, path)
			return
		}
		for i, v := range w {
			lacks(js.Join(path, strconv.Itoa(i)), v, g[i], diffs)
		}
		return
	case json.Number:
		if g, ok := got.(json.Number); ok {
			a, _ := w.Float64()
			b, _ := g.Float64()
			if a == b {
				return
			}
		}
	}
	if !reflect.DeepEqual(want, got) && !(isUnset(want) && got == nil) {
		*diffs = append(*diffs, path)
	}
}

func isUnset(v any) bool {
	n, isNumber := v.(json.Number)
	return v == "" || v == false || isNumber && n.String() == "0"
}

// targetHash is the hash of a blob on the target.
func (r *run) targetHash(ctx context.Context, id string) (string, error) {
	if h, ok := r.things.hashes[id]; ok {
		return "sha256-" + string(h), nil
	}
	h, err := r.hashOf(ctx, id, -1)
	if jmapclient.KindOf(err) == jmapclient.NotFound {
		return "gone", nil
	}
	if err != nil {
		return "", err
	}
	if r.things.hashes == nil {
		r.things.hashes = map[string]archive.Hash{}
	}
	r.things.hashes[id] = h
	return "sha256-" + string(h), nil
}

// compareThings compares a type of things: how many of the archive's objects are on
// the target as they are to be, and what differs.
func (r *run) compareThings(ctx context.Context, t account.Type) (diffs []Difference, same int64, err error) {
	list, err := r.match(ctx, t)
	if err != nil {
		return nil, 0, err
	}
	for _, w := range list {
		d := Difference{Type: t.Name, ID: w.rec.Object.ID(), Item: w.name()}
		switch {
		case w.bad != "":
			d.What, d.Detail = "missing", w.bad
		case w.target == nil:
			d.What, d.Detail = "missing", fmt.Sprintf("there is no such %s on the server", singular[t.Name])
		default:
			props, err := r.unlike(ctx, w)
			if err != nil {
				return nil, 0, err
			}
			if len(props) == 0 {
				same++
				continue
			}
			d.What, d.Detail = strings.Join(props[:min(len(props), 10)], ", "), "it differs on the server"
		}
		diffs = append(diffs, d)
	}
	return diffs, same, nil
}

// name names a thing for a person.
func (w *thing) name() string {
	o := w.rec.Object
	if n, err := account.ParseObject(o["name"]); err == nil { // a card's
		if s := n.Text("full"); s != "" {
			return s
		}
	}
	for _, p := range []string{"name", "title"} {
		if s := o.Text(p); s != "" {
			return s
		}
	}
	if s := strings.TrimSpace(o.Text("firstName") + " " + o.Text("lastName")); s != "" {
		return s
	}
	for _, p := range []string{"calendarAddress", "uid"} {
		if s := o.Text(p); s != "" {
			return s
		}
	}
	return o.ID()
}

// marks are hashes of an object's properties: by them a later import sees
// what the target's user changed.
func marks(o account.Object) map[string]string {
	m := map[string]string{}
	for p := range maps.Keys(o) {
		m[p] = mark(o.Only(p))
	}
	return m
}

// mark is a short hash of an object.
func mark(o account.Object) string {
	sum := sha256.Sum256(o.Encode())
	return hex.EncodeToString(sum[:8])
}
