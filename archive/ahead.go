package archive

import (
	"database/sql"
	"iter"
	"time"
)

// Place is a place in the packs, and with that a moment: what was committed
// earlier lies before what was committed later. The zero Place is before all.
type Place struct{ place }

// End is the place of the object that was committed last.
func (a *Archive) End() (Place, error) {
	var p Place
	_, err := a.cat.row(`SELECT pack, start FROM record ORDER BY pack DESC, start DESC LIMIT 1`, nil, &p.pack, &p.start)
	return p, a.catalogError("look how far the export is", err)
}

// After is a place behind which lies all that was written after a snapshot, 0 for
// before the first.
func (a *Archive) After(snapshot int) (Place, error) {
	p, err := a.behind(snapshot)
	return Place{p}, err
}

// CommitEvery has a run commit at least as often while something is put, for
// those who read what it has put so far. It is called before Begin.
func (a *Archive) CommitEvery(d time.Duration) { a.groupTime = d }

// Ahead yields the Emails that an import may send although their snapshot is
// not finished, in the order of writing: those written behind one place and up
// to another, about which nothing can be learnt later that would let them arrive
// otherwise. So there is no entry for their id, and no message in the listing,
// nor any other Email in the archive, that might be the same one: of the same
// size and received at the same time.
func (j *Journal) Ahead(after, upTo Place) iter.Seq2[PendingItem, error] {
	type row struct {
		PendingItem
		place
	}
	scan := func(rs *sql.Rows) (r row, err error) {
		var blob []byte
		err = rs.Scan(&r.SourceID, &blob, &r.Size, &r.pack, &r.start)
		r.Blob = hashOf(blob)
		return r, err
	}
	return func(yield func(PendingItem, error) bool) {
		for r, err := range pages(func(last *row) ([]row, error) {
			from := after.place
			if last != nil {
				from = last.place
			}
			list, err := rows(j.a.cat, scan, aheadEmails, j.n, from.pack, from.start, upTo.pack, upTo.start, pageRows)
			return list, j.a.catalogError("read what the export has written", err)
		}) {
			if !yield(r.PendingItem, err) {
				return
			}
		}
	}
}

const aheadEmails = `SELECT r.id, r.blob, b.size, r.pack, r.start FROM record r INDEXED BY record_place CROSS JOIN blob b ON b.hash = r.blob
	WHERE (r.pack, r.start) > (?2, ?3) AND (r.pack, r.start) <= (?4, ?5) AND r.type = 'Email' AND r.until IS NULL AND NOT r.gone
		AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.journal = ?1 AND e.type = 'Email' AND e.source_id = r.id)
		AND NOT EXISTS (SELECT 1 FROM listed l INDEXED BY listed_key WHERE l.journal = ?1 AND l.match_key = r.match_key)
		AND NOT EXISTS (SELECT 1 FROM record o INDEXED BY record_order WHERE o.type = 'Email' AND o.received = r.received AND o.match_key = r.match_key AND o.id <> r.id)
	ORDER BY r.pack, r.start LIMIT ?6`
