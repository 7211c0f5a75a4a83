package jmaptest

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// A request can carry megabytes of base64 and is found valid once, as a whole.
// What is here takes such JSON apart without reading every octet again.

// members splits an object; false when it is none, null included. A name that
// is there twice has its last value.
func members(raw json.RawMessage) (fields, bool) {
	f := fields{}
	ok := split(raw, '{', func(key []byte, value json.RawMessage) {
		f[unquoted(key)] = value
	})
	return f, ok
}

// elements splits an array; false when it is none, null included.
func elements(raw json.RawMessage) ([]json.RawMessage, bool) {
	list := []json.RawMessage{}
	ok := split(raw, '[', func(_ []byte, value json.RawMessage) {
		list = append(list, value)
	})
	return list, ok
}

// split tells each member or element of valid JSON that begins with open.
func split(raw json.RawMessage, open byte, tell func(key []byte, value json.RawMessage)) bool {
	at := space(raw, 0)
	if at == len(raw) || raw[at] != open {
		return false
	}
	for at = space(raw, at+1); raw[at] != '}' && raw[at] != ']'; at = space(raw, at) {
		var key []byte
		if open == '{' {
			end := skip(raw, at)
			key = raw[at:end]
			at = space(raw, space(raw, end)+1) // the colon
		}
		end := skip(raw, at)
		tell(key, raw[at:end:end])
		if at = space(raw, end); raw[at] == ',' {
			at = space(raw, at+1)
		}
	}
	return true
}

// space is where the white space at i ends.
func space(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\n' || raw[i] == '\r') {
		i++
	}
	return i
}

// skip is where the value at i ends.
func skip(raw []byte, i int) int {
	depth := 0
	for i < len(raw) {
		switch raw[i] {
		case '"':
			i = skipString(raw, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // of what a number is in
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}

// skipString is where the string at i ends: behind a quote with an even number of backslashes before it.
func skipString(raw []byte, i int) int {
	for i++; ; i++ {
		i += bytes.IndexByte(raw[i:], '"')
		escapes := 0
		for raw[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
}

// unquoted is what a valid string says.
func unquoted(raw []byte) string {
	plain := raw[1 : len(raw)-1]
	if bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
		return string(plain)
	}
	var s string
	_ = json.Unmarshal(raw, &s) // it is valid
	return s
}

// text is a value that is a string; false when it is none.
func text(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return unquoted(raw), true
}
