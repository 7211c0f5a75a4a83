package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Hash is the SHA-256 of a blob, in lower-case hexadecimal.
type Hash string

// bytes is the hash as the catalog keeps it: 32 bytes, or nil for no hash.
func (h Hash) bytes() []byte {
	b, err := hex.DecodeString(string(h))
	if err != nil || len(b) != sha256.Size {
		return nil
	}
	return b
}

func hashOf(sum []byte) Hash { return Hash(hex.EncodeToString(sum)) }

// valid says whether h is a hash in the one form there is.
func (h Hash) valid() bool {
	for i := range len(h) {
		if c := h[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(h) == hex.EncodedLen(sha256.Size)
}

// validType says whether a name is one of a JMAP type: 1 to 64 letters.
func validType(name string) bool {
	for i := range len(name) {
		if c := name[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return len(name) >= 1 && len(name) <= 64
}

// kind says what a member of a pack is.
type kind int

const (
	kindBlob kind = iota + 1
	kindObject
	kindSnapshot
)

// member is what a member's name says.
type member struct {
	kind     kind
	hash     Hash   // of a blob
	typ      string // of an object
	id       string // of an object, encoded
	snapshot int    // of an object or a snapshot
}

func blobName(h Hash) string { return "blob/" + string(h) }

func objectName(typ, id string, snapshot int) string {
	return "object/" + typ + "/" + encodeID(id) + "/" + strconv.Itoa(snapshot) + ".json"
}

func snapshotName(n int) string { return fmt.Sprintf("snapshot/%d.json", n) }

// parseName reads a member's name; ok is false for one that no archive has.
func parseName(name string) (m member, ok bool) {
	kind, rest, _ := strings.Cut(name, "/")
	switch kind {
	case "blob":
		m = member{kind: kindBlob, hash: Hash(rest)}
		return m, m.hash.valid()
	case "snapshot":
		n, ok := parseNumber(rest)
		return member{kind: kindSnapshot, snapshot: n}, ok
	case "object":
		typ, rest, _ := strings.Cut(rest, "/")
		id, file, _ := strings.Cut(rest, "/")
		n, ok := parseNumber(file)
		return member{kind: kindObject, typ: typ, id: id, snapshot: n}, ok && validType(typ) && id != ""
	}
	return member{}, false
}

func parseNumber(file string) (int, bool) {
	digits, ok := strings.CutSuffix(file, ".json")
	n, err := strconv.ParseInt(digits, 10, 32)
	return int(n), ok && err == nil && n > 0 && strconv.FormatInt(n, 10) == digits
}

// maxIDName is the longest encoded id that is used as it is: file systems take
// names of 255 bytes.
const maxIDName = 250

// encodeID makes a name of an id, which is whatever a server sent: every byte
// outside A-Z a-z 0-9 _ - becomes %XX, and an id whose name would be too long
// is named after its SHA-256, "%-" and 64 digits. The id itself is in the object.
func encodeID(id string) string {
	if len(id) <= maxIDName && isPlainID(id) {
		return id
	}
	var b strings.Builder
	for i := range len(id) {
		if c := id[i]; plainInID(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() > maxIDName {
		sum := sha256.Sum256([]byte(id))
		return "%-" + hex.EncodeToString(sum[:])
	}
	return b.String()
}

func plainInID(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

func isPlainID(id string) bool {
	for i := range len(id) {
		if !plainInID(id[i]) {
			return false
		}
	}
	return true
}
