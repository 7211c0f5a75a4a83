package archive

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"slices"

	"mailhaul/account"
)

// pageRows is how many rows are read of the catalog at a time. No query stays
// open while a caller works on what it yielded.
const pageRows = 500

// pages yields what fetch returns page by page; fetch is given the last item
// of the page before, nil at first, and returns no more items at the end.
func pages[T any](fetch func(last *T) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var last *T
		for {
			list, err := fetch(last)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, v := range list {
				if !yield(v, nil) {
					return
				}
			}
			if len(list) == 0 {
				return
			}
			last = &list[len(list)-1]
		}
	}
}

// found is what is read of the table record to find an object's member.
type found struct {
	received int64
	key, id  string
	snapshot int
	blob     Hash
	place
}

const foundColumns = `r.received, r.match_key, r.id, r.snapshot, r.blob, r.pack, r.start, r.length`

func scanFound(rs *sql.Rows) (f found, err error) {
	var blob []byte
	err = rs.Scan(&f.received, &f.key, &f.id, &f.snapshot, &blob, &f.pack, &f.start, &f.length)
	f.blob = hashOf(blob)
	return f, err
}

// after are the arguments for "(received, match_key, id) > (?, ?, ?)".
func (f *found) after() (int64, string, string) {
	if f == nil {
		return math.MinInt64, "", ""
	}
	return f.received, f.key, f.id
}

// Objects yields a type's objects as snapshot at had them (0: the newest
// finished one; a negative number: whatever is committed, finished or not),
// Email by receivedAt, others by id, in bounded memory. It may be nested, and
// its body may use the archive and its journals. A damaged record is yielded
// as a *DamagedError with a Record that has only the id; iteration goes on.
func (a *Archive) Objects(at int, t account.Type) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		n, err := a.snapshotAt(at)
		if err != nil {
			yield(Record{}, err)
			return
		}
		for f, err := range a.found(n, t) {
			var rec Record
			if err == nil {
				rec, err = a.readRecord(t.Name, f)
			}
			if !yield(rec, err) {
				return
			}
		}
		if err := a.stillThere(n); err != nil {
			yield(Record{}, err)
		}
	}
}

func (a *Archive) found(n int, t account.Type) iter.Seq2[found, error] {
	return pages(func(last *found) ([]found, error) {
		received, key, id := last.after()
		list, err := rows(a.cat, scanFound, `SELECT `+foundColumns+` FROM record r
			WHERE r.type = ? AND (r.received, r.match_key, r.id) > (?, ?, ?) AND r.snapshot <= ? AND (r.until IS NULL OR r.until > ?) AND NOT r.gone
			ORDER BY r.received, r.match_key, r.id LIMIT ?`, t.Name, received, key, id, n, n, pageRows)
		return list, a.catalogError("list "+t.Name+" objects", err)
	})
}

// Object is one object as snapshot at had it; at is as for Objects.
func (a *Archive) Object(at int, t account.Type, id string) (Record, error) {
	n, condition := at, ` AND EXISTS (SELECT 1 FROM snapshot WHERE `+isFinished+` AND n = ?3)`
	if at <= 0 {
		var err error
		if n, err = a.snapshotAt(at); err != nil {
			return Record{}, err
		}
		condition = ""
	}
	list, err := rows(a.cat, scanFound, `SELECT `+foundColumns+` FROM record r
		WHERE r.type = ?1 AND r.id = ?2 AND r.snapshot <= ?3 AND (r.until IS NULL OR r.until > ?3) AND NOT r.gone`+condition, t.Name, id, n)
	if err != nil {
		return Record{}, a.catalogError("find "+t.Name, err)
	}
	if len(list) == 0 {
		if _, err := a.snapshotAt(at); err != nil { // it is the snapshot that is not there
			return Record{}, err
		}
		return Record{}, fmt.Errorf("%s %q: %w", t.Name, id, ErrNotFound)
	}
	return a.readRecord(t.Name, list[0])
}

// Count counts a type's objects as snapshot at had them, and the bytes of
// their blobs; at is as for Objects.
func (a *Archive) Count(at int, t account.Type) (objects, bytes int64, err error) {
	n, err := a.snapshotAt(at)
	if err != nil {
		return 0, 0, err
	}
	c, err := a.typeCounts(t.Name, n)
	return c.Objects, c.Bytes, err
}

// readRecord reads an object from its pack.
func (a *Archive) readRecord(typ string, f found) (Record, error) {
	name := objectName(typ, f.id, f.snapshot)
	rec := Record{Snapshot: f.snapshot, Blob: f.blob, Object: account.Object{"id": account.Marshal(f.id)}}
	file, err := a.openPackAt(&f.place, name, `SELECT pack, start, length FROM record WHERE type = ? AND id = ? AND snapshot = ?`, typ, f.id, f.snapshot)
	if err != nil {
		return rec, err
	}
	defer file.Close()
	data, ok := readWhole(file, f.place, name)
	if !ok {
		m, err := openNamed(file, f.place, name)
		if err != nil {
			return rec, err
		}
		defer m.Close()
		if data, err = readSmall(m); err != nil {
			return rec, damaged(f.place, name, err)
		}
	}
	o, err := parseMember(data)
	if err != nil {
		return rec, damaged(f.place, name, err)
	}
	if h := Hash(o.Text(propBlob)); h.valid() && h != f.blob || !h.valid() && f.blob != "" {
		return rec, a.damagedCatalog(fmt.Errorf("it names another content of %s than that does", name))
	}
	rec.Object = serverObject(o)
	return rec, nil
}

// openPackAt opens the pack at p, which must hold the member with that name. A
// Prune may have moved it since p was read: then it sets p to what the query says.
func (a *Archive) openPackAt(p *place, name, query string, args ...any) (*os.File, error) {
	file, err := os.Open(a.packPath(p.pack))
	for errors.Is(err, os.ErrNotExist) {
		was := *p
		if _, err := a.cat.row(query, args, &p.pack, &p.start, &p.length); err != nil {
			return nil, a.catalogError("find "+name, err)
		}
		if *p == was {
			return nil, &DamagedError{Pack: p.pack, Member: name, Reason: "the pack is missing"}
		}
		file, err = os.Open(a.packPath(p.pack))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return file, nil
}

// openNamed opens the frame at p, which must hold the member with that name.
func openNamed(file *os.File, p place, name string) (*frameReader, error) {
	m, err := openFrame(file, p.start, p.length)
	if err == nil && m.Name != name {
		err = fmt.Errorf("it holds %.200q", m.Name)
		m.Close()
	}
	if err != nil {
		return nil, damaged(p, name, err)
	}
	return m, nil
}

// readWhole reads a small member at once. It says no where that can't be, and
// where anything is wrong: what, openNamed says.
func readWhole(file *os.File, p place, name string) (body []byte, ok bool) {
	if p.length <= 0 || p.length > wholeLength {
		return nil, false
	}
	raw := members.Get().(*[]byte)
	defer members.Put(raw)
	*raw = slices.Grow((*raw)[:0], int(p.length))[:p.length]
	if _, err := file.ReadAt(*raw, p.start); err != nil {
		return nil, false
	}
	w := wholeReaders.Get().(*wholeReader)
	defer wholeReaders.Put(w)
	is, body, ok := w.member(*raw)
	if !ok || is != name {
		return nil, false
	}
	return bytes.Clone(body), true
}

func damaged(p place, name string, err error) error {
	return &DamagedError{Pack: p.pack, Offset: p.start, Member: name, Reason: err.Error()}
}
