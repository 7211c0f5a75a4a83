package jmapclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"mailhaul/account"
)

const (
	// maxDepth bounds how deep an answer nests; bodyStructure goes deepest.
	maxDepth = 200
	// maxMarks bounds how many brackets, colons and commas an answer has: of
	// three of them Go makes a map of 400 octets. A page of 5 000 messages with
	// all that is asked of them has some 250 000.
	maxMarks = 1_000_000
)

// errTooMuch is an answer beyond what is taken into memory.
var errTooMuch = errors.New("the answer is beyond all bounds")

// errNoJSON is what does not have JSON's form (RFC 8259).
var errNoJSON = errors.New("it is not JSON, or cut short")

// scanner walks JSON where it lies, once, and hands parts of it out without
// copying them: most of an answer may be base64 that nothing else needs to look
// at. It finds where values end and bounds how deep and how many they are;
// whether a value is JSON to the letter is for whoever decodes it.
type scanner struct {
	data  []byte
	at    int
	depth int
	marks int
	keys  map[string]string // met so far: a list says the same few in each of its objects
}

// next is the first octet that is not white space, 0 at the end.
func (s *scanner) next() byte {
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// mark takes c, which must come next.
func (s *scanner) mark(c byte) error {
	if s.next() != c {
		return errNoJSON
	}
	s.at++
	return s.count()
}

func (s *scanner) count() error {
	if s.marks++; s.marks > maxMarks {
		return fmt.Errorf("%w: more than %d values", errTooMuch, maxMarks)
	}
	return nil
}

// ends says what ends a number, true, false or null.
var ends = [256]bool{' ': true, '\t': true, '\r': true, '\n': true, ',': true, ':': true, ']': true, '}': true, '"': true, '[': true, '{': true}

// value passes the next value and answers where it lies.
func (s *scanner) value() ([]byte, error) {
	c := s.next()
	start := s.at
	switch c {
	case '"':
		end := stringEnd(s.data, start)
		if end < 0 {
			return nil, errNoJSON
		}
		s.at = end
	case '{', '[':
		if err := s.nested(); err != nil {
			return nil, err
		}
	default:
		for s.at < len(s.data) && !ends[s.data[s.at]] {
			s.at++
		}
		if s.at == start {
			return nil, errNoJSON
		}
	}
	return s.data[start:s.at], nil
}

// nested passes an object or array with all that is in it.
func (s *scanner) nested() error {
	outside := s.depth
	for ; s.at < len(s.data); s.at++ {
		switch s.data[s.at] {
		case '"':
			end := stringEnd(s.data, s.at)
			if end < 0 {
				return errNoJSON
			}
			s.at = end - 1
		case '{', '[':
			if s.depth++; s.depth > maxDepth {
				return fmt.Errorf("the JSON nests deeper than %d levels", maxDepth)
			}
			if err := s.count(); err != nil {
				return err
			}
		case ',', ':':
			if err := s.count(); err != nil {
				return err
			}
		case '}', ']':
			if s.depth--; s.depth <= outside {
				s.depth = outside
				s.at++
				return nil
			}
		}
	}
	return errNoJSON
}

// stringEnd is where the string ends that begins at i, behind its quote, -1 if
// it does not. It looks for quotes, and only before a quote for backslashes.
func stringEnd(data []byte, i int) int {
	for i++; ; {
		n := bytes.IndexByte(data[i:], '"')
		if n < 0 {
			return -1
		}
		quote := i + n
		i = quote + 1
		escaped := false
		for b := quote - 1; data[b] == '\\'; b-- { // ends at the string's own quote at the latest
			escaped = !escaped
		}
		if !escaped {
			return i
		}
	}
}

// object calls f with the key of each member of the object that comes next; f
// passes the value.
func (s *scanner) object(f func(key string) error) error {
	return s.list('{', '}', func() error {
		if s.next() != '"' {
			return errNoJSON
		}
		raw, err := s.value()
		if err != nil {
			return err
		}
		key, known := s.keys[string(raw)]
		if !known {
			if key, err = text(raw); err != nil {
				return err
			}
			if s.keys == nil {
				s.keys = map[string]string{}
			}
			s.keys[string(raw)] = key
		}
		if err := s.mark(':'); err != nil {
			return err
		}
		return f(key)
	})
}

// array calls f at each element of the array that comes next; f passes it.
func (s *scanner) array(f func() error) error { return s.list('[', ']', f) }

func (s *scanner) list(first, last byte, f func() error) error {
	if err := s.mark(first); err != nil {
		return err
	}
	s.depth++
	defer func() { s.depth-- }()
	if s.next() == last {
		s.at++
		return nil
	}
	for {
		if err := f(); err != nil {
			return err
		}
		if s.next() == last {
			s.at++
			return nil
		}
		if err := s.mark(','); err != nil {
			return err
		}
	}
}

// objects are the objects of the array that comes next, or none of a null. Each
// has a copy of its text, so that to keep one does not keep the whole answer.
func (s *scanner) objects() (list []account.Object, err error) {
	if s.next() == 'n' {
		_, err := s.value()
		return nil, err
	}
	list = []account.Object{}
	err = s.array(func() error {
		raw, err := s.value()
		if err != nil || string(raw) == "null" {
			list = append(list, nil)
			return err
		}
		o := account.Object{}
		one := &scanner{data: bytes.Clone(raw), keys: s.keys}
		err = one.object(func(key string) error {
			value, err := one.value()
			o[key] = value[:len(value):len(value)]
			return err
		})
		list, s.keys = append(list, o), one.keys
		return err
	})
	return list, err
}

// plain is what stands between the quotes of a string in which nothing is escaped.
func plain(raw []byte) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != '"' || bytes.IndexByte(raw, '\\') >= 0 {
		return nil, false
	}
	return raw[1 : len(raw)-1], true
}

// text is a string's value; null reads as "".
func text(raw []byte) (string, error) {
	if s, ok := plain(raw); ok {
		simple := true
		for _, c := range s {
			simple = simple && c >= ' ' && c < 0x80
		}
		if simple {
			return string(s), nil
		}
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

// checkShape bounds depth and number of values of what is decoded as a whole.
// What it cannot walk is no JSON, as the decoder finds before it takes memory.
func checkShape(data []byte) error {
	s := &scanner{data: data}
	for s.next() != 0 {
		if _, err := s.value(); err != nil {
			if errors.Is(err, errNoJSON) {
				return nil
			}
			return err
		}
	}
	return nil
}
