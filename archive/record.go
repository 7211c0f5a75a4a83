package archive

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"mailhaul/account"
)

const (
	// propPrefix begins the properties that are ours in an object's member.
	propPrefix = "mailhaul:"
	propBlob   = propPrefix + "blob" // the SHA-256 of the object's content
	propGone   = propPrefix + "gone" // true: the object is no longer there
	// maxObject bounds the JSON of one object.
	maxObject = 64 << 20
)

// Record is one object as a snapshot has it.
type Record struct {
	Snapshot int            // that wrote it
	Object   account.Object // as the server gave it
	Blob     Hash           // of its content, "" if it has none or that could not be had
}

// row is a row of the table record, see docs/archive-format.md.
type row struct {
	typ, id    string
	snapshot   int
	gone       bool
	blob       Hash
	blobID     string
	size       int64
	received   int64
	key        string
	messageIDs string
	digest     []byte
	replaces   bool // there is an earlier row of the object, or may be
	place
}

// newRow derives a row from what an object's member holds. All that the
// catalog knows of an object comes from here, for a run and for Reindex alike.
func newRow(typ string, o account.Object, snapshot int) *row {
	return memberRow(typ, o, account.Marshal(o), snapshot)
}

// rowProps are the properties that a row is made of.
var rowProps = []string{"id", propGone, propBlob, "blobId", "size", "receivedAt", "messageId"}

// memberRow is newRow where the member's JSON is at hand. o need not have more
// than rowProps.
func memberRow(typ string, o account.Object, data []byte, snapshot int) *row {
	r := &row{typ: typ, id: o.ID(), snapshot: snapshot, gone: o.Bool(propGone), digest: digest(data), replaces: true}
	if r.gone {
		return r
	}
	if h := Hash(o.Text(propBlob)); h.valid() {
		r.blob = h
	}
	r.blobID = o.Text(blobProperty(typ))
	if typ == account.Email.Name {
		r.size = o.Int("size")
		r.received = o.Time("receivedAt").Unix()
		r.key = account.MatchKey(o)
		r.messageIDs = account.MessageIDs(o)
	}
	return r
}

// parseRow makes the catalog's row anew from an object's member.
func parseRow(m member, data []byte, p place) (*row, error) {
	o, ok := pick(data)
	if !ok || blobProperty(m.typ) != "blobId" && blobProperty(m.typ) != "" {
		var err error
		if o, err = account.ParseObject(data); err != nil {
			return nil, err
		}
	}
	if encodeID(o.ID()) != m.id || m.id == "" {
		return nil, fmt.Errorf("it holds an object with the id %.80q", o.ID())
	}
	r := memberRow(m.typ, o, data, m.snapshot)
	r.place = p
	return r, nil
}

// pick takes rowProps out of the JSON of an object, without making anything of
// the rest. It says no to what is no object, and to names that have escapes.
func pick(data []byte) (o account.Object, ok bool) {
	if !json.Valid(data) {
		return nil, false
	}
	if data = space(data); data[0] != '{' {
		return nil, false
	}
	o = make(account.Object, len(rowProps))
	data = space(data[1:])
	for data[0] != '}' {
		n := bytes.IndexByte(data[1:], '"') + 1
		name := data[1:n]
		if bytes.IndexByte(name, '\\') >= 0 {
			return nil, false
		}
		data = space(space(data[n+1:])[1:]) // the colon
		value := data[:valueLength(data)]
		for _, want := range rowProps {
			if string(name) == want {
				o[want] = value
			}
		}
		if data = space(data[len(value):]); data[0] == ',' {
			data = space(data[1:])
		}
	}
	return o, true
}

// valueLength is how long the value is that valid JSON begins with.
func valueLength(data []byte) int {
	depth := 0
	for i := 0; ; i++ {
		switch data[i] {
		case '"':
			for i++; data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			for i+1 < len(data) && bytes.IndexByte(ends, data[i+1]) < 0 && (depth == 0 || data[i+1] != '"') {
				i++
			}
		}
		if depth == 0 {
			return i + 1
		}
	}
}

var ends = []byte(",:]}{[\" \t\r\n")

// blobProperty names the property with the server's id of the content.
func blobProperty(typ string) string {
	if t, ok := account.TypeByName(typ); ok {
		return t.Blob
	}
	return "blobId" // a type from a later mailhaul; RFC 8620 §6 names it so throughout
}

// encodeObject is the content of an object's member. Values stay as the server
// wrote them.
func encodeObject(o account.Object) ([]byte, error) {
	var b bytes.Buffer
	sep := byte('{')
	for _, name := range slices.Sorted(maps.Keys(o)) {
		b.WriteByte(sep)
		writeName(&b, name)
		b.WriteByte(':')
		if err := json.Compact(&b, o[name]); err != nil {
			return nil, fmt.Errorf("property %q of object %q is no JSON", name, o.ID())
		}
		sep = ','
	}
	if len(o) == 0 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	if b.Len() > maxObject {
		return nil, fmt.Errorf("object %q has %d bytes of JSON, more than %d", o.ID(), b.Len(), maxObject)
	}
	return b.Bytes(), nil
}

// writeName writes the name of a property.
func writeName(b *bytes.Buffer, name string) {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			b.Write(account.Marshal(name))
			return
		}
	}
	b.WriteByte('"')
	b.WriteString(name)
	b.WriteByte('"')
}

// parseMember reads an object's member as it is, our properties included.
func parseMember(data []byte) (account.Object, error) {
	o, err := account.ParseObject(data)
	if err == nil && o.ID() == "" {
		err = fmt.Errorf("the object has no id")
	}
	return o, err
}

// readSmall reads a member that is not a blob.
func readSmall(f *frameReader) ([]byte, error) {
	if f.Size > maxObject {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", f.Name, f.Size, maxObject)
	}
	return io.ReadAll(f)
}

// serverObject removes the properties that are not the server's.
func serverObject(o account.Object) account.Object {
	c := make(account.Object, len(o))
	for name, v := range o {
		if !strings.HasPrefix(name, propPrefix) {
			c[name] = v
		}
	}
	return c
}

// inserts are the statements that put rows into the catalog in one transaction.
type inserts struct {
	blob, supersede, record *sql.Stmt
}

func prepareInserts(tx *sql.Tx) (*inserts, error) {
	var s inserts
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&s.blob, `INSERT OR IGNORE INTO blob (hash, size, pack, start, length) VALUES (?, ?, ?, ?, ?)`},
		{&s.supersede, `UPDATE record SET until = ? WHERE type = ? AND id = ? AND snapshot < ? AND until IS NULL`},
		{&s.record, `INSERT OR REPLACE INTO record (type, id, snapshot, until, gone, blob, blob_id, size, received, match_key, message_ids, digest, pack, start, length)
			VALUES (?, ?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
	} {
		var err error
		if *p.stmt, err = tx.Prepare(p.text); err != nil {
			return nil, err
		}
	}
	return &s, nil
}

func (s *inserts) putBlob(h Hash, b blobRow) error {
	_, err := s.blob.Exec(h.bytes(), b.size, b.pack, b.start, b.length)
	return err
}

func (s *inserts) putRecord(r *row) error {
	if r.replaces {
		if _, err := s.supersede.Exec(r.snapshot, r.typ, r.id, r.snapshot); err != nil {
			return err
		}
	}
	blobID := sql.NullString{String: r.blobID, Valid: r.blobID != ""}
	_, err := s.record.Exec(r.typ, r.id, r.snapshot, r.gone, r.blob.bytes(), blobID, r.size, r.received, r.key, r.messageIDs, r.digest, r.pack, r.start, r.length)
	return err
}

// blobRow is a row of the table blob, but for the hash.
type blobRow struct {
	size int64
	place
}
