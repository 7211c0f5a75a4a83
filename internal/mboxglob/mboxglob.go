// Package mboxglob matches mailboxes by patterns as a person types them on a
// command line.
//
// A pattern is a path: the names from the top, joined by "/".
//
//	Projects          that mailbox alone
//	Projects/*        those right below it ("*" is any text within one name)
//	Projects/**       it and all below it ("**" is any number of whole levels)
//	**/2024           one of that name at any level
//	Projects/202?     "?" is any one character of a name
//	role:inbox        the one with that role (RFC 8621 §2; IANA "IMAP Mailbox Name Attributes")
//	!Projects/Old/**  leading "!": leaves out what it matches
//	\!urgent          "\" takes the character after it as it is
//
// Brackets and braces are ordinary characters: "[Gmail]/All Mail" is a common
// mailbox. Upper and lower case differ, but for a first level INBOX, in which
// they do not (RFC 9051 §5.1).
package mboxglob

import (
	"fmt"
	"regexp"
	"strings"
)

// Glob is a list of patterns. The zero Glob matches every mailbox.
type Glob struct {
	in, out []pattern
}

// pattern matches by role, or else by path.
type pattern struct {
	text string // as it was given
	role string
	path *regexp.Regexp
}

// Compile makes a Glob of patterns. With none, or none but such that leave out
// ("!"), every mailbox is in that is not left out. An error names the pattern
// and what is wrong in it.
func Compile(patterns []string) (*Glob, error) {
	g := &Glob{}
	for _, text := range patterns {
		rest, out := strings.CutPrefix(text, "!")
		p := pattern{text: text}
		if role, ok := strings.CutPrefix(rest, "role:"); ok {
			if role == "" {
				return nil, fmt.Errorf("mailbox pattern %q names no role: role:inbox, role:sent, …", text)
			}
			p.role = strings.ToLower(role)
		} else {
			expr, err := translate(rest)
			if err != nil {
				return nil, fmt.Errorf("mailbox pattern %q %w", text, err)
			}
			if p.path, err = regexp.Compile(expr); err != nil {
				return nil, fmt.Errorf("mailbox pattern %q is too large: %w", text, err)
			}
		}
		if out {
			g.out = append(g.out, p)
		} else {
			g.in = append(g.in, p)
		}
	}
	return g, nil
}

// Match says whether the mailbox of that path (names from the top, joined by
// "/") and role ("" for none) is in. What one pattern leaves out stays out,
// whatever the order.
func (g *Glob) Match(path, role string) bool {
	if g == nil {
		return true
	}
	return (len(g.in) == 0 || matchAny(g.in, path, role)) && !matchAny(g.out, path, role)
}

// Unmatched are the patterns that match none of the mailboxes that each yields:
// most likely they are mistyped.
func (g *Glob) Unmatched(each func(yield func(path, role string) bool)) []string {
	if g == nil {
		return nil
	}
	open := append(append([]pattern{}, g.in...), g.out...)
	each(func(path, role string) bool {
		kept := open[:0]
		for _, p := range open {
			if !p.match(path, role) {
				kept = append(kept, p)
			}
		}
		open = kept
		return len(open) > 0
	})
	var texts []string
	for _, p := range open {
		texts = append(texts, p.text)
	}
	return texts
}

func matchAny(ps []pattern, path, role string) bool {
	for _, p := range ps {
		if p.match(path, role) {
			return true
		}
	}
	return false
}

func (p pattern) match(path, role string) bool {
	if p.path == nil {
		return p.role == strings.ToLower(role)
	}
	return p.path.MatchString(path)
}

// translate makes a regular expression (RE2: linear in the path's length) of a
// pattern.
func translate(text string) (string, error) {
	if text == "" {
		return "", fmt.Errorf("is empty")
	}
	levels := split(text)
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for i, level := range levels {
		last := i == len(levels)-1
		switch {
		case level == "":
			return "", fmt.Errorf("has an empty level: no \"/\" at its start or end, and not two in a row")
		case level == "**" && i == 0 && last:
			b.WriteString(`.*`)
		case level == "**" && last: // the "/" before it is part of what may be missing
			b.WriteString(`(?:/.*)?`)
		case level == "**" && i == 0:
			b.WriteString(`(?:.*/)?`)
		case level == "**":
			b.WriteString(`/(?:.*/)?`)
		default:
			if i > 0 && (levels[i-1] != "**") {
				b.WriteString("/")
			}
			if err := translateLevel(&b, level, i == 0); err != nil {
				return "", err
			}
		}
	}
	b.WriteString(`\z`)
	return b.String(), nil
}

// split is a pattern's levels; "a/**/**/b" has one "**". A "/" after a "\"
// belongs to a name.
func split(text string) []string {
	var levels []string
	start, escaped := 0, false
	for i := 0; i <= len(text); i++ {
		if i < len(text) && (escaped || text[i] != '/') {
			escaped = !escaped && text[i] == '\\'
			continue
		}
		level := text[start:i]
		start = i + 1
		if level == "**" && len(levels) > 0 && levels[len(levels)-1] == "**" {
			continue
		}
		levels = append(levels, level)
	}
	return levels
}

func translateLevel(b *strings.Builder, level string, top bool) error {
	if top && strings.EqualFold(level, "INBOX") {
		b.WriteString(`(?i:INBOX)`)
		return nil
	}
	escaped, afterStar := false, false
	for _, r := range level {
		star := r == '*' && !escaped
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case star && afterStar:
			return fmt.Errorf("has ** within a name: ** stands for whole levels, as in a/**/b")
		case star:
			b.WriteString(`[^/]*`)
		case r == '?':
			b.WriteString(`[^/]`)
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
		afterStar = star
	}
	if escaped {
		return fmt.Errorf("ends in \"\\\", which takes the character after it as it is: there is none")
	}
	return nil
}
