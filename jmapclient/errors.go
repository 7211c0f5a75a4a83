package jmapclient

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Kind tells errors apart for what to do next.
type Kind int

// The kinds of errors.
const (
	// Unauthorized: the credentials were refused.
	Unauthorized Kind = iota + 1
	// Forbidden: signed in, but no right to this.
	Forbidden
	// Unreachable: no connection, or given up after trying again.
	Unreachable
	// NotJMAP: something answers, but it is no JMAP server.
	NotJMAP
	// NoAccount: no such account, or several that might be meant.
	NoAccount
	// NotFound: a blob or an object that is not there.
	NotFound
	// AnchorNotFound: the anchor of a page is no longer in the list (RFC 8620 §5.5).
	AnchorNotFound
	// CannotCalculateChanges: the history does not reach back to that state,
	// or the server does not know the state.
	CannotCalculateChanges
	// Limit: a limit of the server (maxSizeRequest, requestTooLarge, …).
	Limit
	// OverQuota: the account's quota or the upload quota is used up.
	OverQuota
	// Unsupported: a method, capability, filter or sort the server does not have.
	Unsupported
	// Unknown: the request may or may not have been carried out.
	Unknown
	// ServerFault: the server failed, or its answer makes no sense.
	ServerFault
	// Invalid: the server does not understand the request; asking again is no use.
	Invalid
	// Cancelled: the context ended.
	Cancelled
)

// kinds words each kind: what happened, and what a person can do about it.
var kinds = map[Kind]struct{ name, says, advice string }{
	Unauthorized:           {"unauthorized", "the server refused the credentials", "check the login and the password or token"},
	Forbidden:              {"forbidden", "the server refuses access", "sign in as a user who may do this"},
	Unreachable:            {"unreachable", "the server could not be reached", "check the network and the URL, then run the same command again"},
	NotJMAP:                {"not a JMAP server", "no JMAP server there", "give the URL of the JMAP server or of its session"},
	NoAccount:              {"no account", "no single account of that name", ""},
	NotFound:               {"not found", "not found on the server", ""},
	AnchorNotFound:         {"anchor not found", "the list changed while it was read", ""},
	CannotCalculateChanges: {"cannot calculate changes", "the server cannot tell what changed since that state", ""},
	Limit:                  {"limit", "a limit of the server is exceeded", ""},
	OverQuota:              {"over quota", "a quota is used up", "raise the quota or make room, then run the same command again"},
	Unsupported:            {"unsupported", "the server does not support this", ""},
	Unknown:                {"unknown outcome", "it is unknown whether the server carried this out", "look at what is there before sending it again"},
	ServerFault:            {"server fault", "the server failed", "see the server's log"},
	Invalid:                {"invalid", "the server does not accept the request", ""},
	Cancelled:              {"cancelled", "interrupted", ""},
}

// String names the kind.
func (k Kind) String() string {
	if w, ok := kinds[k]; ok {
		return w.name
	}
	return fmt.Sprintf("kind %d", int(k))
}

// Error is what every method of this package returns when it fails, but for
// errors of the caller's own readers and writers, which come back as they are.
type Error struct {
	Kind    Kind
	Op      string // what was being done: "Email/import", "upload", "session"
	Account string // name or id, "" before there is one
	Item    string // blob or object id
	Status  int    // HTTP status, 0 when there was no answer
	Type    string // JMAP error type, without the URN prefix
	Detail  string // what the server said, or what is wrong
	Err     error
}

// Error words the error for a person: what was being done, to which account
// and item, what the server said, what to do next.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Item != "" {
		b.WriteString(" of " + e.Item)
	}
	if e.Account != "" {
		b.WriteString(" (account " + e.Account + ")")
	}
	words := kinds[e.Kind]
	b.WriteString(": " + words.says)
	said := e.Detail
	if e.Type != "" {
		said = strings.TrimSuffix(e.Type+": "+said, ": ")
	}
	if said == "" && e.Err != nil {
		said = e.Err.Error()
	}
	if said != "" {
		b.WriteString(": " + said)
	}
	if e.Status >= 300 {
		fmt.Fprintf(&b, " (HTTP %d)", e.Status)
	}
	if words.advice != "" {
		b.WriteString("; " + words.advice)
	}
	return b.String()
}

// Unwrap is the error beneath, if any.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the Kind of err, 0 when it is no *Error.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

// maxSaid bounds, in characters, what is quoted of a server's words.
const maxSaid = 400

// quote makes a server's words fit for an error: one line, bounded, printable.
func quote(s string) string {
	if len(s) > 8*maxSaid {
		s = s[:8*maxSaid]
	}
	s = strings.ToValidUTF8(s, "�")
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxSaid {
		s = string(r[:maxSaid]) + "…"
	}
	return s
}

// unknownMethod is RFC 8620 §3.6.2's: the server has no such method, whatever
// its capabilities announce.
const unknownMethod = "unknownMethod"

// NoMethod says whether an error is that the server does not have the method.
func NoMethod(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Type == unknownMethod
}
