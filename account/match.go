package account

import (
	"fmt"
	"slices"
	"strings"
)

// MatchKey is the first sieve when an Email is looked for on another server or
// under another id: size in octets and received date (whole seconds, as most
// servers keep it), which every server reports alike. Different messages may
// share a key: [MessageIDs] and, where those leave a doubt, the bytes decide.
func MatchKey(email Object) string {
	return fmt.Sprintf("%d/%d", email.Time("receivedAt").Unix(), email.Int("size"))
}

// MessageIDs are the Message-IDs of an Email in one comparable form, "" when it
// has none. Servers parse broken headers differently: equal ids speak for the
// same message, unequal ones do not speak against it.
func MessageIDs(email Object) string {
	ids := email.Strings("messageId")
	for i, id := range ids {
		ids[i] = strings.Trim(strings.TrimSpace(id), "<>")
	}
	slices.Sort(ids)
	return strings.Join(ids, "\n")
}

// Describe names an Email for a person: its subject, sender, Message-ID, size
// and id, as far as they are known.
func Describe(email Object) string {
	var b strings.Builder
	if s := email.Text("subject"); s != "" {
		fmt.Fprintf(&b, "%q", short(s))
	} else {
		b.WriteString("(no subject)")
	}
	if ids := email.Strings("messageId"); len(ids) > 0 {
		fmt.Fprintf(&b, " <%s>", short(ids[0]))
	}
	if t := email.Time("receivedAt"); !t.IsZero() {
		fmt.Fprintf(&b, ", received %s", t.Format("2006-01-02 15:04"))
	}
	if n := email.Int("size"); n > 0 {
		fmt.Fprintf(&b, ", %d bytes", n)
	}
	fmt.Fprintf(&b, ", id %s", email.ID())
	return b.String()
}

func short(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
