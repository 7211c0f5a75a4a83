package archive

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mailhaul/account"
)

// Scope is what a snapshot was narrowed to: what its run brought up to date. The
// rest is in the snapshot as the ones before have it, and may be old or missing.
// A nil Scope is the whole account.
type Scope struct {
	// Types are the names of those that were read, in the order of account.Types;
	// none means all.
	Types []string `json:"types,omitempty"`
	// Mailboxes are the patterns (internal/mboxglob) of which an Email had to be in
	// a mailbox, as they were given; none means any.
	Mailboxes []string `json:"mailboxes,omitempty"`
	// MailboxIDs are what these patterns matched when the run began, sorted.
	MailboxIDs []string `json:"mailboxIds,omitempty"`
	// Since and Before bound an Email's receivedAt: since then, and before then.
	Since  *time.Time `json:"since,omitempty"`
	Before *time.Time `json:"before,omitempty"`
	// MaxSize bounds an Email's size in octets; 0 is no bound.
	MaxSize int64 `json:"maxSize,omitempty"`
}

// HasType says whether objects of the type were read, perhaps not all.
func (s *Scope) HasType(t account.Type) bool {
	return s == nil || len(s.Types) == 0 || slices.Contains(s.Types, t.Name)
}

// Whole says whether all objects of the type were read.
func (s *Scope) Whole(t account.Type) bool {
	return s.HasType(t) && (t.Name != account.Email.Name || !s.narrowsEmail())
}

func (s *Scope) narrowsEmail() bool {
	return s != nil && (len(s.Mailboxes) > 0 || s.Since != nil || s.Before != nil || s.MaxSize > 0)
}

// HasEmail says whether an Email with these mailboxIds, receivedAt and size was read.
func (s *Scope) HasEmail(o account.Object) bool {
	if s == nil {
		return true
	}
	if !s.HasType(account.Email) {
		return false
	}
	received := o.Time("receivedAt")
	switch {
	case s.Since != nil && received.Before(*s.Since), s.Before != nil && !received.Before(*s.Before),
		s.MaxSize > 0 && o.Int("size") > s.MaxSize:
		return false
	case len(s.Mailboxes) == 0:
		return true
	}
	return slices.ContainsFunc(o.Set("mailboxIds"), func(id string) bool {
		_, found := slices.BinarySearch(s.MailboxIDs, id)
		return found
	})
}

// Covers says whether all objects of the type that other has are in s, too.
func (s *Scope) Covers(t account.Type, other *Scope) bool {
	if !other.HasType(t) || s.Whole(t) {
		return true
	}
	if !s.HasType(t) || other.Whole(t) {
		return false
	}
	within := func(mine, theirs *time.Time, ok func(theirs, mine time.Time) bool) bool {
		return mine == nil || theirs != nil && (theirs.Equal(*mine) || ok(*theirs, *mine))
	}
	return (len(s.Mailboxes) == 0 || len(other.Mailboxes) > 0 && isSubset(other.MailboxIDs, s.MailboxIDs)) &&
		within(s.Since, other.Since, time.Time.After) && within(s.Before, other.Before, time.Time.Before) &&
		(s.MaxSize == 0 || other.MaxSize > 0 && other.MaxSize <= s.MaxSize)
}

func isSubset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(v string) bool { return !slices.Contains(all, v) })
}

// CoversAll says whether all that other has is in s, too.
func (s *Scope) CoversAll(other *Scope) bool {
	return !slices.ContainsFunc(account.Types, func(t account.Type) bool { return !s.Covers(t, other) })
}

// String words the scope for a person: "only Mailbox, Email in Projects/**".
func (s *Scope) String() string {
	if s == nil {
		return "the whole account"
	}
	types, last := s.typeWords()
	mail := ""
	if s.HasType(account.Email) {
		mail = s.emailWords()
	}
	switch {
	case mail == "":
		return types
	case types == "":
		return "messages only " + mail
	case last == account.Email.Name:
		return types + " " + mail
	}
	return types + "; messages only " + mail
}

// typeWords say which types there are, or which are not if these are fewer, and
// which is named last.
func (s *Scope) typeWords() (words, last string) {
	var in, out []string
	for _, t := range account.Types {
		switch {
		case t.Named: // it comes with others
		case s.HasType(t):
			in = append(in, t.Name)
		default:
			out = append(out, t.Name)
		}
	}
	switch {
	case len(out) == 0:
		return "", ""
	case len(out) < len(in):
		return "all but " + strings.Join(out, ", "), ""
	}
	return "only " + strings.Join(in, ", "), in[len(in)-1]
}

func (s *Scope) emailWords() string {
	var in, out, words []string
	for _, p := range s.Mailboxes {
		if left, ok := strings.CutPrefix(p, "!"); ok {
			out = append(out, left)
		} else {
			in = append(in, p)
		}
	}
	if len(in) > 0 {
		words = append(words, "in "+strings.Join(in, ", "))
	}
	if len(out) > 0 {
		words = append(words, "not in "+strings.Join(out, ", "))
	}
	if s.Since != nil {
		words = append(words, "received since "+dateWords(*s.Since))
	}
	if s.Before != nil {
		words = append(words, "received before "+dateWords(*s.Before))
	}
	if s.MaxSize > 0 {
		words = append(words, "of at most "+sizeWords(s.MaxSize))
	}
	return strings.Join(words, ", ")
}

// dateWords is a moment in local time, a day where it is the day's beginning.
func dateWords(t time.Time) string {
	t = t.Local()
	if h, m, sec := t.Clock(); h+m+sec == 0 {
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02 15:04")
}

func sizeWords(n int64) string {
	for _, unit := range []struct {
		n    int64
		name string
	}{{1e9, "GB"}, {1e6, "MB"}, {1e3, "KB"}} {
		if n%unit.n == 0 {
			return fmt.Sprintf("%d %s", n/unit.n, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
