package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"mailhaul/archive"
)

// damage is what befalls an archive while nobody works with it.
type damage struct {
	What  string
	Where int // of a thousand
}

var damages = []string{"catalog gone", "catalog overwritten", "pack gone", "pack cut", "bit flipped"}

// damaged does the damage, and what a person does about it: a reindex.
func (w *way) damaged(d damage) error {
	if d.What == "" {
		return nil
	}
	count(d.What)
	if err := w.ar.Close(); err != nil {
		return err
	}
	w.ar = nil
	if err := d.do(w.home); err != nil {
		return err
	}
	if _, err := archive.Reindex(context.Background(), w.home, nil); err != nil {
		return fmt.Errorf("reindex after damage (%s): %w", d.What, err)
	}
	w.holed = true
	w.blind = w.blind || w.target != nil && (d.What == "catalog gone" || d.What == "catalog overwritten")
	var err error
	w.ar, err = archive.Open(w.home)
	return err
}

func (d damage) do(home string) error {
	catalog := filepath.Join(home, "catalog.db")
	packs, err := filepath.Glob(filepath.Join(home, "packs", "*"))
	if err != nil {
		return err
	}
	slices.Sort(packs)
	if len(packs) == 0 || d.What == "catalog gone" {
		return os.Remove(catalog)
	}
	pack := packs[d.Where%len(packs)]
	if d.What == "catalog overwritten" {
		pack = catalog
	}
	data, err := os.ReadFile(pack)
	if err != nil || len(data) == 0 {
		return err
	}
	at := len(data) * d.Where / 1001
	switch d.What {
	case "pack gone":
		return os.Remove(pack)
	case "pack cut":
		return os.Truncate(pack, int64(at))
	case "catalog overwritten":
		clear(data[:min(len(data), 4096*(1+d.Where%4))])
	default:
		data[at] ^= byte(1 << (d.Where % 8))
	}
	return os.WriteFile(pack, data, 0o600)
}

// there is what the target's owner does between two imports.
func (w *way) there(d deed) {
	ids, before := w.to.EmailIDs(login), lettersOf(w.to)
	if len(ids) == 0 {
		return
	}
	id := ids[d.Which%len(ids)]
	if d.Do == "destroy" {
		w.to.Destroy(login, id)
	} else {
		boxes := w.to.Mailboxes(login)
		w.to.Modify(login, id, []string{boxes[d.Second%len(boxes)].Path}, d.Keywords)
	}
	count("owner's " + d.Do)
	after := lettersOf(w.to)
	for _, l := range slices.Concat(less(before, after), less(after, before)) {
		w.touched[l.raw] = true
	}
}
