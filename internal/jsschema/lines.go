package jsschema

import (
	"bytes"
	"strings"
)

// Line is a content line, of which vCards (RFC 6350 §3.3) and iCalendar objects
// (RFC 5545 §3.1) are made.
type Line struct {
	Name   string // in capitals, without a vCard's group
	Params string // as written, "" or ";TZID=Europe/Berlin"
	Value  string // as written, escapes and all
}

// Lines reads content lines and unfolds them. What is none is left out.
func Lines(data []byte) []Line {
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	for _, fold := range []string{"\n ", "\n\t"} {
		data = bytes.ReplaceAll(data, []byte(fold), nil)
	}
	var lines []Line
	for s := range strings.SplitSeq(strings.ToValidUTF8(string(data), "\uFFFD"), "\n") {
		if l, ok := line(s); ok {
			lines = append(lines, l)
		}
	}
	return lines
}

// line splits at the first colon that is not in quotes.
func line(s string) (Line, bool) {
	quoted, colon := false, -1
	for i, r := range s {
		if r == '"' {
			quoted = !quoted
		} else if r == ':' && !quoted {
			colon = i
			break
		}
	}
	if colon < 0 {
		return Line{}, false
	}
	name, _, _ := strings.Cut(s[:colon], ";")
	params := s[len(name):colon]
	if _, rest, grouped := strings.Cut(name, "."); grouped {
		name = rest
	}
	return Line{strings.ToUpper(strings.TrimSpace(name)), params, s[colon+1:]}, name != ""
}
