package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mostNameBytes is the length of a mailbox name that servers commonly take.
const mostNameBytes = 255

// gentler are the steps by which a name that a server refuses becomes one that
// it takes: each goes on from what the one before it made. What a server
// refuses is its own affair (RFC 8621 §2 leaves it open beyond Net-Unicode).
var gentler = []struct {
	why  string
	make func(string) string
}{
	{"the server refuses control characters", func(s string) string {
		return mapRunes(s, func(c rune) bool { return !unicode.IsControl(c) && c != utf8.RuneError })
	}},
	{"the server refuses '/'", func(s string) string { return strings.ReplaceAll(s, "/", "-") }},
	{"the server refuses '%'", func(s string) string { return strings.ReplaceAll(s, "%", "_") }},
	{"the server refuses some of its characters", without("\"\\<>|;`{}")}, // Cyrus 3.6
	{"the server refuses some of its characters", without("*&~[]()#^$:?!'")},
	{"the server refuses spaces around a name", strings.TrimSpace},
	{"the server refuses names of more than 255 bytes", func(s string) string { return shorten(s, mostNameBytes) }},
	{"the server refuses some of its characters", func(s string) string {
		return mapRunes(s, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune(" -_,", c) })
	}},
	{"the server refuses letters other than ASCII", func(s string) string {
		return shorten(mapRunes(s, func(c rune) bool { return c < utf8.RuneSelf }), 100)
	}},
	{"the server refuses its name", func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "Folder-" + hex.EncodeToString(sum[:4])
	}},
}

// attempt is one name to try, and why it differs from the one that was wanted.
type attempt struct{ name, why string }

// attempts are the names to try for a mailbox, the wanted one first.
func attempts(name string) []attempt {
	list := []attempt{{name: name}}
	for _, g := range gentler {
		name = g.make(name)
		is := func(a attempt) bool { return a.name == name }
		if name != "" && !slices.ContainsFunc(list, is) {
			list = append(list, attempt{name, g.why})
		}
	}
	if list[0].name == "" {
		list = list[1:]
	}
	return list
}

func without(chars string) func(string) string {
	return func(s string) string {
		return mapRunes(s, func(c rune) bool { return !strings.ContainsRune(chars, c) })
	}
}

func mapRunes(s string, keep func(rune) bool) string {
	return strings.Map(func(c rune) rune {
		if keep(c) {
			return c
		}
		return '_'
	}, s)
}

// shorten cuts s to at most n bytes, between two characters.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.TrimRight(s[:n], " ")
}
