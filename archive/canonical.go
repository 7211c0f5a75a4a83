package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"mailhaul/account"
)

// mostDepth is how deep JSON may be nested for canonical to be at home with it.
const mostDepth = 32

// canonical writes JSON in the form of account.Object.Encode: properties
// sorted, no white space, nothing escaped that need not be. It reads once what
// that would decode, sort and encode. JSON that it is not at home with is odd:
// then what it wrote means nothing.
type canonical struct {
	out  []byte
	odd  bool
	tmp  []byte
	segs []segment // of the objects that are being written, outer ones first
}

// segment is where in out a property was written.
type segment struct {
	key        string
	start, end int
}

var canonicals = sync.Pool{New: func() any { return new(canonical) }}

// digest is what the catalog keeps of an object to see whether it changed. data
// is any writing of it.
func digest(data []byte) []byte {
	c := canonicals.Get().(*canonical)
	defer canonicals.Put(c)
	c.out, c.odd, c.segs = c.out[:0], false, c.segs[:0]
	rest := c.value(data, 0)
	if c.odd || len(space(rest)) > 0 {
		o, _ := account.ParseObject(data) // it was read, or written, before
		c.out = append(c.out[:0], o.Encode()...)
	}
	sum := sha256.Sum256(c.out)
	return slices.Clone(sum[:16])
}

// value writes the first value of src and returns what is behind it.
func (c *canonical) value(src []byte, depth int) []byte {
	src = space(src)
	if len(src) == 0 || depth > mostDepth {
		c.odd = true
		return nil
	}
	switch src[0] {
	case '{':
		return c.object(src[1:], depth+1)
	case '[':
		return c.array(src[1:], depth+1)
	case '"':
		_, rest := c.text(src)
		return rest
	}
	n := bytes.IndexAny(src, ",]} \t\r\n") // a number, true, false or null
	if n < 0 {
		n = len(src)
	}
	c.out = append(c.out, src[:n]...)
	return src[n:]
}

func (c *canonical) array(src []byte, depth int) []byte {
	c.out = append(c.out, '[')
	for first := true; !c.odd; first = false {
		src = space(src)
		switch {
		case len(src) > 0 && src[0] == ']':
			c.out = append(c.out, ']')
			return src[1:]
		case !first:
			if src = c.skip(src, ','); c.odd {
				return nil
			}
			c.out = append(c.out, ',')
		}
		src = c.value(src, depth)
	}
	return nil
}

func (c *canonical) object(src []byte, depth int) []byte {
	start, mine := len(c.out), len(c.segs)
	sorted := true
	for first := true; !c.odd; first = false {
		src = space(src)
		if len(src) > 0 && src[0] == '}' {
			c.close(start, mine, sorted)
			return src[1:]
		}
		if !first {
			src = c.skip(src, ',')
		}
		s := segment{start: len(c.out) + 1}
		c.out = append(c.out, ',') // of the first it becomes the brace
		if s.key, src = c.text(space(src)); c.odd {
			return nil
		}
		c.out = append(c.out, ':')
		src = c.value(c.skip(src, ':'), depth)
		s.end = len(c.out)
		sorted = sorted && (first || c.segs[len(c.segs)-1].key < s.key)
		c.segs = append(c.segs, s)
	}
	return nil
}

// close ends an object whose properties were written from start on, each with a
// comma before it.
func (c *canonical) close(start, mine int, sorted bool) {
	segs := c.segs[mine:]
	switch {
	case len(segs) == 0:
		c.out = append(c.out, '{')
	case sorted:
		c.out[start] = '{'
	default:
		slices.SortStableFunc(segs, func(a, b segment) int { return strings.Compare(a.key, b.key) })
		c.tmp = append(c.tmp[:0], c.out[start:]...)
		c.out = c.out[:start]
		for i, s := range segs {
			if i+1 < len(segs) && segs[i+1].key == s.key {
				continue // the last of a name counts
			}
			c.out = append(append(c.out, ','), c.tmp[s.start-start:s.end-start]...)
		}
		c.out[start] = '{'
	}
	c.out = append(c.out, '}')
	c.segs = c.segs[:mine]
}

// text writes a string and answers it, as it was written.
func (c *canonical) text(src []byte) (string, []byte) {
	if len(src) == 0 || src[0] != '"' {
		c.odd = true
		return "", nil
	}
	n := bytes.IndexByte(src[1:], '"')
	if n < 0 || bytes.IndexByte(src[:n+1], '\\') >= 0 {
		return c.escaped(src)
	}
	raw := src[:n+2]
	if !plain(raw) {
		return c.escaped(src)
	}
	c.out = append(c.out, raw...)
	return string(raw[1 : n+1]), src[n+2:]
}

// plain says whether encoding/json writes a string without escapes as it is.
func plain(raw []byte) bool {
	ascii := true
	for _, b := range raw {
		if b < ' ' {
			return false
		}
		ascii = ascii && b < utf8.RuneSelf
	}
	return ascii || utf8.Valid(raw) && !bytes.Contains(raw, []byte("\u2028")) && !bytes.Contains(raw, []byte("\u2029"))
}

// escaped is text for one that has to be decoded.
func (c *canonical) escaped(src []byte) (string, []byte) {
	n := 1
	for n < len(src) && src[n] != '"' {
		if src[n] == '\\' {
			n++
		}
		n++
	}
	var s string
	if n >= len(src) || json.Unmarshal(src[:n+1], &s) != nil {
		c.odd = true
		return "", nil
	}
	c.out = append(c.out, account.Marshal(s)...)
	return s, src[n+1:]
}

// skip passes over a sign that must be there.
func (c *canonical) skip(src []byte, sign byte) []byte {
	src = space(src)
	if len(src) == 0 || src[0] != sign {
		c.odd = true
		return nil
	}
	return src[1:]
}

func space(src []byte) []byte {
	for len(src) > 0 && (src[0] == ' ' || src[0] == '\n' || src[0] == '\r' || src[0] == '\t') {
		src = src[1:]
	}
	return src
}
