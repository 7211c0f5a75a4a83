package archive

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"math"
	"os"

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
	n, err := a.snapshotAt(at)
	if err != nil {
		return Record{}, err
	}
	list, err := rows(a.cat, scanFound, `SELECT `+foundColumns+` FROM record r
		WHERE r.type = ? AND r.id = ? AND r.snapshot <= ? AND (r.until IS NULL OR r.until > ?) AND NOT r.gone`, t.Name, id, n, n)
	if err != nil {
		return Record{}, a.catalogError("find "+t.Name, err)
	}
	if len(list) == 0 {
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
	file, m, err := a.openMember(&f.place, name, `SELECT pack, start, length FROM record WHERE type = ? AND id = ? AND snapshot = ?`, typ, f.id, f.snapshot)
	if err != nil {
		return rec, err
	}
	defer file.Close()
	defer m.Close()
	o, err := readObject(m)
	if err != nil {
		return rec, damaged(f.place, name, err)
	}
	if h := Hash(o.Text(propBlob)); h.valid() && h != f.blob || !h.valid() && f.blob != "" {
		return rec, a.damagedCatalog(fmt.Errorf("it names another content of %s than that does", name))
	}
	rec.Object = serverObject(o)
	return rec, nil
}

// openMember opens the frame at p, which must hold the member with that name. A
// Prune may have moved it since p was read: then it sets p to what the query says.
func (a *Archive) openMember(p *place, name, query string, args ...any) (*os.File, *frameReader, error) {
	file, err := os.Open(a.packPath(p.pack))
	for errors.Is(err, os.ErrNotExist) {
		was := *p
		if _, err := a.cat.row(query, args, &p.pack, &p.start, &p.length); err != nil {
			return nil, nil, a.catalogError("find "+name, err)
		}
		if *p == was {
			return nil, nil, &DamagedError{Pack: p.pack, Member: name, Reason: "the pack is missing"}
		}
		file, err = os.Open(a.packPath(p.pack))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	m, err := openFrame(file, p.start, p.length)
	if err == nil && m.Name != name {
		err = fmt.Errorf("it holds %.200q", m.Name)
		m.Close()
	}
	if err != nil {
		_ = file.Close()
		return nil, nil, damaged(*p, name, err)
	}
	return file, m, nil
}

func damaged(p place, name string, err error) error {
	return &DamagedError{Pack: p.pack, Offset: p.start, Member: name, Reason: err.Error()}
}

// OpenBlob reads one blob by a seek. The last bytes are handed out only after
// the whole was checked against its hash: a damaged blob ends in a
// *DamagedError, never in io.EOF.
func (a *Archive) OpenBlob(h Hash) (io.ReadCloser, int64, error) {
	var b blobRow
	ok, err := a.cat.row(`SELECT size, pack, start, length FROM blob WHERE hash = ?`, []any{h.bytes()}, &b.size, &b.pack, &b.start, &b.length)
	if err != nil {
		return nil, 0, a.catalogError("find blob", err)
	}
	if !ok {
		return nil, 0, fmt.Errorf("blob %.80s: %w", h, ErrNotFound)
	}
	file, m, err := a.openMember(&b.place, blobName(h), `SELECT pack, start, length FROM blob WHERE hash = ?`, h.bytes())
	if err != nil {
		return nil, 0, err
	}
	if m.Size != b.size {
		m.Close()
		_ = file.Close()
		return nil, 0, damaged(b.place, blobName(h), fmt.Errorf("it has %d bytes, not %d", m.Size, b.size))
	}
	return &blobReader{file: file, frame: m, place: b.place, want: h, sum: sha256.New()}, b.size, nil
}

// blobReader reads a blob and always holds back the last piece it has read,
// until it knows whether the blob is good.
type blobReader struct {
	file  *os.File
	frame *frameReader
	place place
	want  Hash
	sum   hash.Hash

	ready, held []byte // ready is to be handed out, held is not yet
	spare       []byte
	err         error // after ready
}

const holdBack = 64 << 10

func (b *blobReader) Read(p []byte) (int, error) {
	for len(b.ready) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.fill()
	}
	n := copy(p, b.ready)
	b.ready = b.ready[n:]
	return n, nil
}

func (b *blobReader) fill() {
	if b.spare == nil {
		size := min(b.frame.Size, holdBack) + 1
		b.spare, b.held = make([]byte, size), make([]byte, 0, size)
	}
	buf := b.spare[:cap(b.spare)]
	n, err := io.ReadFull(b.frame, buf)
	b.sum.Write(buf[:n])
	switch {
	case err == nil:
		b.ready, b.held, b.spare = b.held, buf[:n], b.held
	case b.frame.done:
		if hashOf(b.sum.Sum(nil)) != b.want {
			b.fail(errors.New("its bytes do not match its SHA-256"))
			return
		}
		b.ready, b.err = bytes.Join([][]byte{b.held, buf[:n]}, nil), io.EOF
	default:
		b.fail(err)
	}
}

func (b *blobReader) fail(err error) { b.err = damaged(b.place, blobName(b.want), err) }

func (b *blobReader) Close() error {
	if b.frame != nil {
		b.frame.Close()
		b.frame = nil
		b.ready, b.err = nil, os.ErrClosed
	}
	return b.file.Close()
}
