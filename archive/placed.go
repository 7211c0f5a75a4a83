package archive

import "database/sql"

// placedRow is a row of blob, record or snapshot, as what lies at its place.
type placedRow struct {
	kind kind
	row         // of a blob: blob, size and place; of a snapshot: snapshot and place
	text string // of a snapshot
}

func (r *placedRow) name() string {
	switch r.kind {
	case kindBlob:
		return blobName(r.blob)
	case kindObject:
		return objectName(r.typ, r.id, r.snapshot)
	}
	return snapshotName(r.snapshot)
}

// placedRows are the rows that point into a pack, by place, in bounded memory.
type placedRows struct {
	a      *Archive
	pack   int
	tables []placedTable
}

// placedTable is what is read of one of the tables.
type placedTable struct {
	kind  kind
	query string // for a page of rows that begin after a place
	scan  func(*sql.Rows, *placedRow) error
	page  []placedRow
	after int64
	ended bool
}

func (a *Archive) placed(pack int) *placedRows {
	const order = ` WHERE pack = ? AND start > ? ORDER BY start LIMIT ?`
	return &placedRows{a: a, pack: pack, tables: []placedTable{
		{kind: kindBlob, after: -1, query: `SELECT hash, size, start, length FROM blob` + order,
			scan: func(rs *sql.Rows, r *placedRow) error {
				var hash sql.RawBytes
				err := rs.Scan(&hash, &r.size, &r.start, &r.length)
				r.blob = hashOf(hash)
				return err
			}},
		{kind: kindObject, after: -1, query: `SELECT type, id, snapshot, gone, blob, coalesce(blob_id, ''), size, received, match_key, message_ids, digest, start, length FROM record` + order,
			scan: func(rs *sql.Rows, r *placedRow) error {
				var hash sql.RawBytes
				err := rs.Scan(&r.typ, &r.id, &r.snapshot, &r.gone, &hash, &r.blobID, &r.size, &r.received, &r.key, &r.messageIDs, &r.digest, &r.start, &r.length)
				r.blob = hashOf(hash)
				return err
			}},
		{kind: kindSnapshot, after: -1, query: `SELECT n, record, start, length FROM snapshot` + order,
			scan: func(rs *sql.Rows, r *placedRow) error { return rs.Scan(&r.snapshot, &r.text, &r.start, &r.length) }},
	}}
}

// before takes the next row if it points before end; nil when it does not.
func (p *placedRows) before(end int64) (*placedRow, error) {
	var next *placedTable
	for i := range p.tables {
		t := &p.tables[i]
		if err := p.fill(t); err != nil {
			return nil, p.a.catalogError("verify", err)
		}
		if len(t.page) > 0 && (next == nil || t.page[0].start < next.page[0].start) {
			next = t
		}
	}
	if next == nil || next.page[0].start >= end {
		return nil, nil
	}
	row := &next.page[0]
	next.page, next.after = next.page[1:], row.start
	return row, nil
}

// fill sees to it that the next row of a table is there, if there is one.
func (p *placedRows) fill(t *placedTable) (err error) {
	if len(t.page) > 0 || t.ended {
		return nil
	}
	t.page, err = rows(p.a.cat, func(rs *sql.Rows) (r placedRow, err error) {
		r.kind, r.pack = t.kind, p.pack
		return r, t.scan(rs, &r)
	}, t.query, p.pack, t.after, pageRows)
	t.ended = len(t.page) == 0
	return err
}
