package importer

import (
	"encoding/json"
	"fmt"

	"mailhaul/account"
	"mailhaul/archive"
)

// sources reads all objects of a small type from the archive.
func (r *run) sources(t account.Type) ([]archive.Record, error) {
	var list []archive.Record
	for rec, err := range r.ar.Objects(r.at, t) {
		if err != nil {
			return nil, fmt.Errorf("read the archive's %s: %w", plural[t.Name], err)
		}
		list = append(list, rec)
	}
	return list, nil
}

// before is what an earlier import wrote for an object of a small type.
func (r *run) before(t account.Type, id string) (archive.Entry, bool, error) {
	if r.j == nil {
		return archive.Entry{}, false, nil
	}
	e, ok, err := r.j.Get(t.Name, id)
	return e, ok && e.State == archive.Done, err
}

// done journals what was written for an object of a small type.
func (r *run) done(t account.Type, rec archive.Record, targetID, applied string) error {
	return r.j.Put(archive.Entry{Type: t.Name, SourceID: rec.Object.ID(), Blob: rec.Blob, State: archive.Done,
		TargetID: targetID, Applied: applied, Checked: true})
}

// changed says which of these properties differ, with the value to write. A
// property that is left out counts as null, and null as empty: servers differ
// in that.
func changed(from, to account.Object, props ...string) account.Object {
	diff := account.Object{}
	for _, p := range props {
		a, b := account.Object{p: plain(from, p)}, account.Object{p: plain(to, p)}
		if a.Equal(b) {
			continue
		}
		diff[p] = to[p]
		if !to.Has(p) {
			diff[p] = json.RawMessage(unset[p])
		}
		if len(diff[p]) == 0 {
			diff[p] = json.RawMessage("null")
		}
	}
	return diff
}

// unset are the values that say "none" where null is not allowed (RFC 8621 §6, §8).
var unset = map[string]string{"name": `""`, "textSignature": `""`, "htmlSignature": `""`, "isEnabled": "false"}

func plain(o account.Object, prop string) json.RawMessage {
	v := o[prop]
	switch string(v) {
	case "", "null", `""`, "[]", "{}", "false", "0":
		return json.RawMessage("null")
	}
	return v
}

// readJSON reads what this package wrote into the journal; what it can't read
// counts as never written.
func readJSON(s string, into any) { _ = json.Unmarshal([]byte(s), into) }

// patchOf is an object's properties as an update.
func patchOf(o account.Object) map[string]any {
	p := make(map[string]any, len(o))
	for k, v := range o {
		p[k] = v
	}
	return p
}
