package jmaptest

import (
	"container/heap"
	"crypto/sha1"
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"strings"
)

// IDStyle is how a server writes ids, blob ids and states.
type IDStyle string

const (
	// LongIDs say what they are: "M1z", "G" and the SHA-256 of a blob in hexadecimal.
	LongIDs IDStyle = ""
	// ShortIDs are numbers in letters; an Email's id holds its thread's, and a
	// blob's holds where it is used.
	ShortIDs IDStyle = "short"
	// ContentIDs are LongIDs, but a blob's and an Email's hold the SHA-1 of the
	// bytes: an account has one Email of the same bytes, and it keeps its id.
	ContentIDs IDStyle = "content"
)

// digits are ShortIDs' in their order.
const digits = "abcdefghijklmnopqrstuvwxyz792013"

var base32ID = base32.NewEncoding(digits).WithPadding(base32.NoPadding)

// hashDigits is the length of a SHA-256 in ShortIDs' digits.
const hashDigits = 52

// id writes the id of the n-th object of a kind (a letter).
func (s *Server) id(kind byte, n uint64) string {
	if s.p.IDs != ShortIDs {
		return string(kind) + strconv.FormatUint(n, 36)
	}
	if n == 0 {
		return digits[:1]
	}
	var b [13]byte
	i := len(b)
	for ; n > 0; n >>= 5 {
		i--
		b[i] = digits[n&31]
	}
	return string(b[i:])
}

// emailID writes an Email's id.
func (s *Server) emailID(thread *thread, e *email) string {
	if s.p.IDs == ContentIDs {
		return "M" + s.uploadBlobID(e.blob.hash)[1:25]
	}
	return s.numberedEmailID(thread.n, e.doc)
}

func (s *Server) numberedEmailID(thread, doc uint32) string {
	if s.p.IDs != ShortIDs {
		return s.id('M', uint64(doc))
	}
	return s.id('M', uint64(thread)<<32|uint64(doc))
}

// wellFormed says whether the server would take it for an id at all.
func (s *Server) wellFormed(id string) bool {
	if s.p.IDs != ShortIDs {
		return id != "" && len(id) <= 255
	}
	return id != "" && len(id) <= 13 && strings.Trim(id, digits) == ""
}

// uploadBlobID and storedBlobID write the id of a blob that lies uploaded, and
// of one that the object number doc of an account holds.
func (s *Server) uploadBlobID(h hash) string {
	if s.p.NumberedBlobs {
		return s.numberBlob("i", h)
	}
	if s.p.IDs == ContentIDs {
		sum := sha1.Sum(s.blobs[h].data)
		id := "G" + hex.EncodeToString(sum[:])
		s.numbered[id] = h
		return id
	}
	if s.p.IDs != ShortIDs {
		return "G" + hex.EncodeToString(h[:])
	}
	return "e" + base32ID.EncodeToString(h[:]) + "up"
}

func (s *Server) storedBlobID(h hash, a *account, doc uint32) string {
	if s.p.NumberedBlobs {
		return s.numberBlob("e", h)
	}
	if s.p.IDs != ShortIDs {
		return s.uploadBlobID(h)
	}
	return "c" + base32ID.EncodeToString(h[:]) + a.id + "a" + s.id('M', uint64(doc))
}

// numberBlob gives a blob the next number for an id.
func (s *Server) numberBlob(prefix string, h hash) string {
	number := s.id('B', uint64(len(s.numbered)))
	id := prefix + strings.Repeat(digits[:1], max(0, 4-len(number))) + number
	s.numbered[id] = h
	return id
}

// parseBlobID reads the hash out of a blob id; false when it is not well formed.
func (s *Server) parseBlobID(id string) (h hash, ok bool) {
	if s.p.NumberedBlobs {
		return s.numbered[id], len(id) > 4 && (id[0] == 'i' || id[0] == 'e') && strings.Trim(id, digits) == ""
	}
	if s.p.IDs == ContentIDs {
		h, ok = s.numbered[id]
		return h, ok
	}
	if s.p.IDs != ShortIDs {
		if len(id) != 1+2*len(h) || id[0] != 'G' {
			return h, false
		}
		n, err := hex.Decode(h[:], []byte(id[1:]))
		return h, err == nil && n == len(h)
	}
	if len(id) < 1+hashDigits || id[0] != 'c' && id[0] != 'e' || strings.Trim(id, digits) != "" {
		return h, false
	}
	b, err := base32ID.DecodeString(id[1 : 1+hashDigits])
	if err != nil || len(b) != len(h) {
		return h, false
	}
	copy(h[:], b)
	return h, true
}

// state writes the state after change number n, and parseState reads it.
func (s *Server) state(n int64) string {
	if s.p.IDs != ShortIDs {
		return strconv.FormatInt(n, 10)
	}
	if n == 0 {
		return "n"
	}
	return "s" + s.id('S', uint64(n))
}

func (s *Server) parseState(st string) (int64, bool) {
	if s.p.IDs != ShortIDs {
		n, err := strconv.ParseInt(st, 10, 64)
		return n, err == nil && n >= 0
	}
	if st == "n" {
		return 0, true
	}
	if len(st) < 2 || len(st) > 12 || st[0] != 's' || strings.Trim(st[1:], digits) != "" {
		return 0, false
	}
	var n int64
	for _, c := range st[1:] {
		n = n<<5 | int64(strings.IndexRune(digits, c))
	}
	return n, true
}

// numbers hands out the numbers that ids are made of.
type numbers struct {
	next uint32
	free freeList
}

func (n *numbers) take() uint32 {
	if len(n.free) > 0 {
		return heap.Pop(&n.free).(uint32)
	}
	n.next++
	return n.next - 1
}

// giveBack lets a number be taken again, the lowest first.
func (n *numbers) giveBack(v uint32) { heap.Push(&n.free, v) }

type freeList []uint32

func (f freeList) Len() int           { return len(f) }
func (f freeList) Less(i, j int) bool { return f[i] < f[j] }
func (f freeList) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *freeList) Push(v any)        { *f = append(*f, v.(uint32)) }
func (f *freeList) Pop() any {
	old := *f
	v := old[len(old)-1]
	*f = old[:len(old)-1]
	return v
}
