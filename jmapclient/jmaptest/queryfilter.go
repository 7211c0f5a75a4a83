package jmaptest

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// emailCondition is RFC 8621 §4.4.1's, or an operator over several.
type emailCondition struct {
	Operator   string            `json:"operator"`
	Conditions []json.RawMessage `json:"conditions"`

	InMailbox          *string  `json:"inMailbox"`
	InMailboxOtherThan []string `json:"inMailboxOtherThan"`
	Before             *string  `json:"before"`
	After              *string  `json:"after"`
	MinSize            *int64   `json:"minSize"`
	MaxSize            *int64   `json:"maxSize"`
	HasKeyword         *string  `json:"hasKeyword"`
	NotKeyword         *string  `json:"notKeyword"`
	HasAttachment      *bool    `json:"hasAttachment"`
	Text               *string  `json:"text"`
	From               *string  `json:"from"`
	To                 *string  `json:"to"`
	Cc                 *string  `json:"cc"`
	Bcc                *string  `json:"bcc"`
	Subject            *string  `json:"subject"`
	Body               *string  `json:"body"`
	Header             []string `json:"header"`
}

// emailFilter makes a test of a filter; nil when everything passes.
func (c *call) emailFilter(raw json.RawMessage) (func(*email) bool, error) {
	if len(raw) == 0 || string(raw) == "null" || string(raw) == "{}" {
		return nil, nil
	}
	var f emailCondition
	if err := strictDecode(raw, &f); err != nil {
		return nil, failed("unsupportedFilter", err.Error())
	}
	if f.Operator != "" {
		return c.emailOperator(f)
	}
	var tests []func(*email) bool
	if f.InMailbox != nil {
		if err := c.checkIDs(*f.InMailbox); err != nil {
			return nil, err
		}
		m := c.a.mailboxes.byID[c.resolveID(*f.InMailbox)]
		tests = append(tests, func(e *email) bool { return e.in[m] })
	}
	if f.InMailboxOtherThan != nil {
		tests = append(tests, func(e *email) bool {
			for m := range e.in {
				if !slices.Contains(f.InMailboxOtherThan, m.id) {
					return true
				}
			}
			return false
		})
	}
	for _, bound := range []struct {
		text *string
		ok   func(e *email, t time.Time) bool
	}{
		{f.Before, func(e *email, t time.Time) bool { return e.received.Before(t) }},
		{f.After, func(e *email, t time.Time) bool { return !e.received.Before(t) }},
	} {
		if bound.text == nil {
			continue
		}
		t, err := time.Parse(time.RFC3339, *bound.text)
		if err != nil {
			return nil, failed("invalidArguments", "It is no date: "+*bound.text)
		}
		tests = append(tests, func(e *email) bool { return bound.ok(e, t) })
	}
	tests = append(tests, func(e *email) bool {
		return (f.MinSize == nil || e.size() >= *f.MinSize) && (f.MaxSize == nil || e.size() < *f.MaxSize) &&
			(f.HasKeyword == nil || e.keywords[*f.HasKeyword]) && (f.NotKeyword == nil || !e.keywords[*f.NotKeyword]) &&
			(f.HasAttachment == nil || e.head.hasAttachment == *f.HasAttachment)
	})
	tests = append(tests, c.textTests(f)...)
	return func(e *email) bool {
		for _, ok := range tests {
			if !ok(e) {
				return false
			}
		}
		return true
	}, nil
}

// textTests are those that a server answers from its text index.
func (c *call) textTests(f emailCondition) []func(*email) bool {
	var tests []func(*email) bool
	has := func(want *string, in func(e *email) string) {
		if want == nil {
			return
		}
		needle := strings.ToLower(*want)
		tests = append(tests, func(e *email) bool { return strings.Contains(strings.ToLower(in(e)), needle) })
	}
	field := func(name string) func(*email) string {
		return func(e *email) string { return headerField(e.blob.data, name) }
	}
	has(f.Text, func(e *email) string { return string(e.blob.data) })
	has(f.Body, func(e *email) string { return string(body(e.blob.data)) })
	has(f.From, field("From"))
	has(f.To, field("To"))
	has(f.Cc, field("Cc"))
	has(f.Bcc, field("Bcc"))
	has(f.Subject, func(e *email) string {
		if e.head.subject == nil {
			return ""
		}
		return *e.head.subject
	})
	switch len(f.Header) {
	case 1:
		tests = append(tests, func(e *email) bool { return headerField(e.blob.data, f.Header[0]) != "" })
	case 2:
		has(&f.Header[1], field(f.Header[0]))
	}
	if lag := c.s.p.TextIndexLag; lag > 0 && len(tests) > 0 {
		now := c.s.now()
		tests = append(tests, func(e *email) bool { return now.Sub(e.arrived) >= lag })
	}
	return tests
}

func (c *call) emailOperator(f emailCondition) (func(*email) bool, error) {
	var tests []func(*email) bool
	for _, raw := range f.Conditions {
		t, err := c.emailFilter(raw)
		if err != nil {
			return nil, err
		}
		if t == nil {
			t = func(*email) bool { return true }
		}
		tests = append(tests, t)
	}
	all := func(e *email, want bool) bool {
		return !slices.ContainsFunc(tests, func(t func(*email) bool) bool { return t(e) != want })
	}
	switch f.Operator {
	case "AND":
		return func(e *email) bool { return all(e, true) }, nil
	case "OR":
		return func(e *email) bool { return !all(e, false) }, nil
	case "NOT":
		return func(e *email) bool { return all(e, false) }, nil
	}
	return nil, failed("unsupportedFilter", "There is no operator "+f.Operator+".")
}

// headerField is the first field of that name, unfolded; "" if there is none.
func headerField(raw []byte, name string) string {
	head := raw
	for _, sep := range []string{"\r\n\r\n", "\n\n"} {
		if before, _, ok := bytes.Cut(raw, []byte(sep)); ok && len(before) < len(head) {
			head = before
		}
	}
	lines := strings.Split(strings.ReplaceAll(string(head), "\r\n", "\n"), "\n")
	for i, line := range lines {
		key, value, ok := strings.Cut(line, ":")
		if !ok || !strings.EqualFold(strings.TrimSpace(key), name) {
			continue
		}
		for _, more := range lines[i+1:] {
			if more == "" || more[0] != ' ' && more[0] != '\t' {
				break
			}
			value += more
		}
		return strings.TrimSpace(value)
	}
	return ""
}
