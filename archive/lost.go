package archive

import (
	"database/sql"
	"fmt"
	"os"
	"slices"

	"mailhaul/account"
)

// missingBlobs finds records whose content the catalog does not know at all.
func (v *verification) missingBlobs() error {
	for h, err := range pages(func(last *Hash) ([]Hash, error) {
		after := []byte{}
		if last != nil {
			after = last.bytes()
		}
		return rows(v.a.cat, func(rs *sql.Rows) (Hash, error) {
			var b []byte
			err := rs.Scan(&b)
			return hashOf(b), err
		}, `SELECT DISTINCT r.blob FROM record r WHERE r.blob > ? AND NOT EXISTS (SELECT 1 FROM blob b WHERE b.hash = r.blob) ORDER BY r.blob LIMIT ?`, after, pageRows)
	}) {
		if err != nil {
			return v.a.catalogError("look for missing blobs", err)
		}
		v.lost[h] = len(v.report.Problems)
		v.problem(Problem{Member: blobName(h), Reason: "the archive does not hold it"})
	}
	return nil
}

// user is an object whose content is lost.
type user struct {
	typ string
	found
}

// nameLost names the objects that lost blobs were the content of.
func (v *verification) nameLost() error {
	var all []string
	for h := range v.lost {
		all = append(all, string(h))
	}
	slices.Sort(all)
	for hashes := range slices.Chunk(all, pageRows) {
		users, err := rows(v.a.cat, func(rs *sql.Rows) (u user, err error) {
			var blob []byte
			err = rs.Scan(&u.typ, &u.id, &u.snapshot, &blob, &u.pack, &u.start, &u.length)
			u.blob = hashOf(blob)
			return u, err
		}, `SELECT type, id, max(snapshot), blob, pack, start, length FROM record
			WHERE lower(hex(blob)) IN (SELECT value FROM json_each(?)) GROUP BY type, id, blob`, string(account.Marshal(hashes)))
		if err != nil {
			return v.a.catalogError("name what is lost", err)
		}
		for _, u := range users {
			p := &v.report.Problems[v.lost[u.blob]]
			p.Items = append(p.Items, v.describe(u))
		}
	}
	return nil
}

// describe names an object for a person.
func (v *verification) describe(u user) string {
	rec, err := v.a.readRecord(u.typ, u.found)
	switch {
	case err == nil && u.typ == account.Email.Name:
		return account.Describe(rec.Object)
	case err == nil && rec.Object.Has("name"):
		return fmt.Sprintf("%s %q, id %s", u.typ, rec.Object.Text("name"), u.id)
	}
	return fmt.Sprintf("%s with the id %s", u.typ, u.id)
}

// needless says whether a Prune may have had no more need of a member.
func (v *verification) needless(m member) bool {
	return v.forgotten[m.snapshot] || len(v.forgotten) > 0 && m.kind == kindBlob
}

// unrowed judges a whole member that no row points at. That is right for an
// object which the same snapshot wrote again later, for a blob's second copy, and
// for what a Prune moved, or had no more need of.
func (v *verification) unrowed(f frame) error {
	m, _ := parseName(f.name)
	if v.needless(m) {
		return nil
	}
	known := false
	var err error
	switch m.kind {
	case kindBlob:
		known, err = v.a.cat.row(`SELECT 1 FROM blob WHERE hash = ?`, []any{m.hash.bytes()}, new(int))
	case kindSnapshot:
		known, err = v.a.cat.row(`SELECT 1 FROM snapshot WHERE n = ? AND (pack, start) > (?, ?)`, []any{m.snapshot, f.pack, f.start}, new(int))
	case kindObject:
		if r := f.row; r != nil {
			known, err = v.a.cat.row(`SELECT 1 FROM record WHERE type = ? AND id = ? AND snapshot = ? AND (pack, start) > (?, ?)`,
				[]any{m.typ, r.id, m.snapshot, f.pack, f.start}, new(int))
		}
	}
	if err != nil {
		return v.a.catalogError("verify", err)
	}
	if known {
		return nil
	}
	if err := v.readForgotten(); err != nil { // a Prune may have been at it meanwhile
		return err
	}
	if !v.needless(m) {
		v.problem(Problem{Pack: f.pack, Offset: f.start, Member: f.name,
			Reason: fmt.Sprintf("the catalog does not know it; `mailhaul archive reindex %s` builds it again", v.a.dir)})
	}
	return nil
}

// strayPacks reports packs that the catalog does not know.
func (v *verification) strayPacks() error {
	files, err := v.a.packFiles()
	if err != nil {
		return err
	}
	packs, err := v.a.packRows()
	if err != nil {
		return err
	}
	known := map[int]bool{}
	for _, p := range packs {
		known[p.n] = true
	}
	for _, n := range files {
		info, err := os.Stat(v.a.packPath(n))
		if err == nil && !known[n] && !v.removed[n] && info.Size() > 0 {
			v.problem(Problem{Pack: n, Reason: fmt.Sprintf("the catalog does not know this pack; `mailhaul archive reindex %s` builds it again", v.a.dir)})
		}
	}
	return nil
}

// counts compares what the snapshots say of themselves with their records.
func (v *verification) counts() error {
	list, err := v.a.Snapshots()
	if err != nil {
		return err
	}
	for _, s := range list {
		for name, t := range s.Types {
			c, err := v.a.typeCounts(name, s.Snapshot)
			if err != nil {
				return err
			}
			if c.Objects != t.Objects || c.Changed != t.Changed || c.Gone != t.Gone {
				v.problem(Problem{Member: snapshotName(s.Snapshot), Reason: fmt.Sprintf(
					"it says %d %s objects, %d changed, %d gone; the archive has %d, %d, %d", t.Objects, name, t.Changed, t.Gone, c.Objects, c.Changed, c.Gone)})
			} else if c.Bytes != t.Bytes && len(v.lost) == 0 {
				v.problem(Problem{Member: snapshotName(s.Snapshot), Reason: fmt.Sprintf("it says %d bytes of %s, the archive has %d", t.Bytes, name, c.Bytes)})
			}
		}
	}
	return nil
}
