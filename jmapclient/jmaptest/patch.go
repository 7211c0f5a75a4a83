package jmaptest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// emailPatch reads mailboxIds and keywords, whole or by pointers such as
// "keywords/$seen" (RFC 8620 §5.3), on top of what there is.
func (c *call) emailPatch(f fields, in map[*mailbox]bool, keywords map[string]bool) (map[*mailbox]bool, map[string]bool, *setError) {
	in, keywords = maps.Clone(in), maps.Clone(keywords)
	if keywords == nil {
		keywords = map[string]bool{}
	}
	if in == nil {
		in = map[*mailbox]bool{}
	}
	for pointer, raw := range f {
		prop, key, one := strings.Cut(pointer, "/")
		if prop != "mailboxIds" && prop != "keywords" {
			return nil, nil, invalid("The property cannot be set.", prop)
		}
		values := map[string]*bool{}
		if one {
			key = strings.ReplaceAll(strings.ReplaceAll(key, "~1", "/"), "~0", "~")
			var v *bool
			if json.Unmarshal(raw, &v) != nil {
				return nil, nil, invalid("It is no boolean.", pointer)
			}
			values[key] = v
		} else {
			if prop == "mailboxIds" {
				clear(in)
			} else {
				clear(keywords)
			}
			if json.Unmarshal(c.keysAsSent(raw), &values) != nil {
				return nil, nil, invalid("It is no set.", prop)
			}
		}
		for key, v := range values {
			on := v != nil && *v
			if v != nil && !*v && !c.s.p.LenientSets {
				return nil, nil, invalid("The values of a set are true.", prop)
			}
			var bad *setError
			if prop == "mailboxIds" {
				bad = c.putMailbox(in, key, on)
			} else {
				bad = c.putKeyword(keywords, key, on)
			}
			if bad != nil {
				return nil, nil, bad
			}
		}
	}
	if len(in) == 0 {
		return nil, nil, invalid("A message is in one mailbox at least.", "mailboxIds")
	}
	return in, keywords, nil
}

func (c *call) putMailbox(in map[*mailbox]bool, id string, on bool) *setError {
	m := c.a.mailboxes.byID[c.resolveID(id)]
	switch {
	case m == nil:
		return invalid("There is no mailbox "+id+".", "mailboxIds")
	case on:
		in[m] = true
	default:
		delete(in, m)
	}
	return nil
}

// keywordMarks are the printable characters that no keyword has (RFC 8621 §4.1.1).
const keywordMarks = `(){]%*"\`

func (c *call) putKeyword(keywords map[string]bool, k string, on bool) *setError {
	p := &c.s.p
	if slices.ContainsFunc(p.FoldKnownKeywords, func(known string) bool { return strings.EqualFold(known, k) }) {
		k = strings.ToLower(k)
	}
	if !p.RawKeywords && !p.AnyKeywords {
		k = strings.ToLower(k)
		bad := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(keywordMarks, r) }
		if k == "" || strings.ContainsFunc(k, bad) {
			return invalid("It is no keyword: "+k, "keywords")
		}
	}
	if p.MaxKeyword > 0 && len(k) > p.MaxKeyword {
		k = k[:p.MaxKeyword]
	} else if len(k) > 255 && !p.RawKeywords && !p.AnyKeywords {
		return invalid("A keyword has at most 255 characters.", "keywords")
	}
	if on {
		keywords[k] = true
	} else {
		delete(keywords, k)
	}
	return nil
}

// keysAsSent doubles the escapes in an object's keys where the profile keeps
// keywords as they stand in the JSON, so that reading it yields them raw.
func (c *call) keysAsSent(raw json.RawMessage) json.RawMessage {
	if !c.s.p.RawKeywords {
		return raw
	}
	f := rawFields(raw)
	if f == nil {
		return raw
	}
	return encode(f)
}

// rawFields reads an object whose keys keep their escapes as they stand in the
// JSON; nil when it is no object. The JSON has been found valid before.
func rawFields(raw json.RawMessage) fields {
	var plain map[string]json.RawMessage
	if json.Unmarshal(raw, &plain) != nil || plain == nil {
		return nil
	}
	f := make(fields, len(plain))
	text := string(raw)
	depth, keyed := 0, false // keyed: at the top, the next string is a key
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			depth++
			keyed = depth == 1
		case '}', ']':
			depth--
		case ',':
			keyed = depth == 1
		case '"':
			end := i + 1
			for text[end] != '"' {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			if keyed {
				var key string
				_ = json.Unmarshal([]byte(text[i:end+1]), &key) // valid as a part of what is
				f[text[i+1:end]] = plain[key]
				keyed = false
			}
			i = end
		}
	}
	return f
}

// receivedAt reads an import's date; a nil text is the newest Received field or now.
func (c *call) receivedAt(text *string, head *parsed) (time.Time, *setError) {
	if text == nil {
		if !c.s.p.ReceivedNow && !head.received.IsZero() {
			return head.received, nil
		}
		now := c.s.now()
		return now.Truncate(time.Second), nil
	}
	t, err := time.Parse(time.RFC3339Nano, *text)
	switch {
	case err != nil:
		return t, invalid("It is no date: "+*text, "receivedAt")
	case c.s.p.LenientDates:
		return t.UTC().Truncate(time.Second), nil
	case !strings.HasSuffix(*text, "Z"):
		return t, invalid("A UTCDate ends in Z: "+*text, "receivedAt")
	}
	return t.UTC(), nil
}
