package archive

import "database/sql"

// placedRow is a row of blob, record or snapshot, as what lies at its place.
type placedRow struct {
	kind     kind
	hash     Hash // of the blob, or of the object's content
	typ, id  string
	snapshot int
	gone     bool
	size     int64
	digest   []byte
	text     string // of a snapshot; of an object what is derived for look-ups
	place
}

func (r *placedRow) name() string {
	switch r.kind {
	case kindBlob:
		return blobName(r.hash)
	case kindObject:
		return objectName(r.typ, r.id, r.snapshot)
	}
	return snapshotName(r.snapshot)
}

// placedRows are the rows that point into a pack, by place, in bounded memory.
type placedRows struct {
	a     *Archive
	pack  int
	page  []placedRow
	after int64
	ended bool
}

func (a *Archive) placed(pack int) *placedRows { return &placedRows{a: a, pack: pack, after: -1} }

// before takes the next row if it points before end; nil when it does not.
func (p *placedRows) before(end int64) (*placedRow, error) {
	if len(p.page) == 0 && !p.ended {
		var err error
		if p.page, err = p.read(); err != nil {
			return nil, p.a.catalogError("verify", err)
		}
		p.ended = len(p.page) == 0
	}
	if len(p.page) == 0 || p.page[0].start >= end {
		return nil, nil
	}
	row := &p.page[0]
	p.page, p.after = p.page[1:], row.start
	return row, nil
}

func (p *placedRows) read() ([]placedRow, error) {
	return rows(p.a.cat, func(rs *sql.Rows) (r placedRow, err error) {
		var hash []byte
		err = rs.Scan(&r.kind, &hash, &r.typ, &r.id, &r.snapshot, &r.gone, &r.size, &r.digest, &r.text, &r.pack, &r.start, &r.length)
		r.hash = hashOf(hash)
		return r, err
	}, `SELECT * FROM (SELECT 1, hash, '', '', 0, 0, size, NULL, '', pack, start, length FROM blob WHERE pack = ?1 AND start > ?2 ORDER BY start LIMIT ?3)
		UNION ALL SELECT * FROM (SELECT 2, blob, type, id, snapshot, gone, 0, digest, `+indexText+`, pack, start, length FROM record WHERE pack = ?1 AND start > ?2 ORDER BY start LIMIT ?3)
		UNION ALL SELECT * FROM (SELECT 3, NULL, '', '', n, 0, 0, NULL, record, pack, start, length FROM snapshot WHERE pack = ?1 AND start > ?2 ORDER BY start LIMIT ?3)
		ORDER BY start LIMIT ?3`, p.pack, p.after, pageRows)
}
