package archive

import (
	"database/sql"
	"iter"
)

// DifferenceKind says how an object differs between two snapshots.
type DifferenceKind string

// The kinds.
const (
	Arrived DifferenceKind = "arrived" // it is in the second alone
	Changed DifferenceKind = "changed" // its properties differ, or its content
	Gone    DifferenceKind = "gone"    // it is in the first alone
)

// Difference is one object that is not the same in two snapshots. What it was
// and what it is [Archive.Object] tells.
type Difference struct {
	Type string // a JMAP type
	ID   string
	Kind DifferenceKind
	// OldBlob and NewBlob are the contents, "" for none. An Email with another
	// content is another message that got the same id.
	OldBlob, NewBlob Hash
}

// Diff yields what differs from snapshot from to snapshot to, type by type, by
// id. Either may be the older one; 0 and negative numbers are as for Objects. It
// reads the catalog alone, in bounded memory, and opens no pack. What changed and
// changed back does not differ.
func (a *Archive) Diff(from, to int) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		fail := func(err error) bool {
			if err != nil {
				yield(Difference{}, err)
			}
			return err != nil
		}
		m, err := a.snapshotAt(from)
		if fail(err) {
			return
		}
		n, err := a.snapshotAt(to)
		if fail(err) {
			return
		}
		types, err := rows(a.cat, func(rs *sql.Rows) (s string, err error) { return s, rs.Scan(&s) }, `SELECT DISTINCT type FROM record ORDER BY type`)
		if fail(a.catalogError("list types", err)) {
			return
		}
		for _, typ := range types {
			for d, err := range a.diff(typ, m, n) {
				if fail(err) || d.Kind != "" && !yield(d, nil) {
					return
				}
			}
		}
		if fail(a.stillThere(m)) {
			return
		}
		fail(a.stillThere(n))
	}
}

// diff yields the objects of a type that have a record from between two
// snapshots. The Kind is "" when one is the same in both.
func (a *Archive) diff(typ string, m, n int) iter.Seq2[Difference, error] {
	return pages(func(last *Difference) ([]Difference, error) {
		after := ""
		if last != nil {
			after = last.ID
		}
		list, err := rows(a.cat, func(rs *sql.Rows) (c Difference, err error) {
			var old, now, oldBlob, newBlob []byte
			err = rs.Scan(&c.ID, &old, &oldBlob, &now, &newBlob)
			c.Type, c.OldBlob, c.NewBlob = typ, hashOf(oldBlob), hashOf(newBlob)
			switch {
			case old == nil && now != nil:
				c.Kind = Arrived
			case old != nil && now == nil:
				c.Kind = Gone
			case string(old) != string(now):
				c.Kind = Changed
			}
			return c, err
		}, `SELECT c.id, x.digest, x.blob, y.digest, y.blob
			FROM (SELECT DISTINCT id FROM record WHERE type = ?1 AND id > ?4 AND snapshot > min(?2, ?3) AND snapshot <= max(?2, ?3) ORDER BY id LIMIT ?5) c
			LEFT JOIN record x ON x.type = ?1 AND x.id = c.id AND x.snapshot <= ?2 AND (x.until IS NULL OR x.until > ?2) AND NOT x.gone
			LEFT JOIN record y ON y.type = ?1 AND y.id = c.id AND y.snapshot <= ?3 AND (y.until IS NULL OR y.until > ?3) AND NOT y.gone
			ORDER BY c.id`, typ, m, n, after, pageRows)
		return list, a.catalogError("compare two snapshots", err)
	})
}
