package archive

import (
	"database/sql"
	"fmt"
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
