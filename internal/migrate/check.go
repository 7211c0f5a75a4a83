package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	Green  Level = "green"  // as it should be
	Yellow Level = "yellow" // it works, but not all of it comes over as it is
	Red    Level = "red"    // it will fail
)

// Finding is something that check found of an account, or of a server.
type Finding struct {
	Level  Level  `json:"level"`
	What   string `json:"what"` // "rights", "oversized", …
	Text   string `json:"text"`
	Advice string `json:"advice,omitempty"`
}

// Worst is the worst level there is among findings.
func Worst(findings []Finding) Level {
	worst := Green
	for _, f := range findings {
		if f.Level == Red || f.Level == Yellow && worst == Green {
			worst = f.Level
		}
	}
	return worst
}

// checking is an account that is checked.
type checking struct {
	run      *Run
	job      *job
	from, to *opened
	found    []Finding
}

func (c *checking) find(level Level, what, advice, format string, args ...any) {
	c.found = append(c.found, Finding{level, what, fmt.Sprintf(format, args...), advice})
}

// check looks for whatever will be in an account's way. It changes nothing.
func (r *Run) check(ctx context.Context, j *job, o *Outcome) error {
	c := &checking{run: r, job: j}
	err := c.all(ctx)
	o.Detail.Findings, o.Messages = c.found, j.Messages
	if err != nil && (ctx.Err() != nil || jmapclient.KindOf(err) == jmapclient.Unreachable) {
		return err
	}
	if err != nil {
		c.find(Red, "rights", r.advice(j, err), "%v", err)
		o.Detail.Findings = c.found
	}
	if Worst(c.found) == Red {
		o.State = Failed
		for _, f := range c.found {
			if f.Level == Red {
				o.Error, o.Advice = f.Text, f.Advice
				break
			}
		}
	}
	return nil
}

func (c *checking) all(ctx context.Context) (err error) {
	if c.from, err = c.run.old.open(ctx, c.job.Wanted); err != nil {
		return err
	}
	defer c.from.close()
	boxes, err := c.from.All(ctx, account.Mailbox, []string{"id", "name", "parentId", "role"})
	if err != nil {
		return &sideError{"old", err}
	}
	if err := c.measure(ctx); err != nil {
		return err
	}
	if c.to, err = c.run.new.open(ctx, c.job.Wanted); err != nil {
		if jmapclient.KindOf(err) == jmapclient.NoAccount && c.run.provisions(ctx) {
			c.find(Yellow, "missing", "", "not on the new server yet: provision is going to make it")
			return nil
		}
		return err
	}
	defer c.to.close()
	// Changing nothing takes the right to change something (RFC 8620 §5.3).
	if _, err := c.to.Call(ctx, []string{coreURN, mailURN}, "Mailbox/set", map[string]any{"update": map[string]any{}}, true); c.to.ReadOnly || jmapclient.KindOf(err) == jmapclient.Forbidden {
		c.find(Red, "rights", "give the credentials of an administrator, or those of "+c.job.New, "this sign-in may not write to %s on the new server", c.job.New)
	} else if k := jmapclient.KindOf(err); ctx.Err() != nil || k == jmapclient.Unreachable {
		return &sideError{"new", err}
	}
	if err := c.mailboxes(ctx, boxes.List); err != nil {
		return &sideError{"new", err}
	}
	c.types()
	c.quota(ctx)
	for _, look := range []func(context.Context) error{c.oversized, c.repeats} {
		if err := look(ctx); err != nil {
			return &sideError{"old", err}
		}
	}
	if !c.from.Group && (!c.from.Own || !c.to.Own) {
		if c.run.borrow == nil {
			c.find(Yellow, "subscriptions", "give the user's own credentials on both sides, or run with --borrow-sign-in",
				"which folders are subscribed is each user's own and can't be carried over by an administrator")
		}
	}
	return nil
}

// measure finds out how much mail there is: the number of messages, and their
// size by those that came first.
func (c *checking) measure(ctx context.Context) error {
	page, err := c.from.Page(ctx, account.Email, jmapclient.PageArgs{Total: true, Props: []string{"id", "size"}})
	if err != nil {
		return &sideError{"old", err}
	}
	var bytes int64
	for _, o := range page.List {
		bytes += number(o, "size")
	}
	messages := max(page.Total, int64(len(page.List)))
	if n := int64(len(page.List)); n > 0 && messages > n {
		bytes = int64(float64(bytes) / float64(n) * float64(messages))
	}
	c.job.Messages, c.job.Bytes, c.job.Group = messages, bytes, c.from.Group
	if err := c.run.store.sized(c.job.Old, c.from.Group, messages, bytes); err != nil {
		return &stateError{err}
	}
	return nil
}

func number(o account.Object, property string) int64 {
	var n int64
	_ = json.Unmarshal(o[property], &n) // what is no number counts as none
	return n
}

// shownNames is how many things are named in one finding.
const shownNames = 10

func names(list []string, all int64) string {
	text := strings.Join(list[:min(len(list), shownNames)], ", ")
	if more := all - int64(min(len(list), shownNames)); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// mailboxes finds those that the new server says it will not take as they are.
func (c *checking) mailboxes(ctx context.Context, list []account.Object) error {
	var limits struct {
		MaxMailboxDepth    int64 `json:"maxMailboxDepth"`
		MaxSizeMailboxName int64 `json:"maxSizeMailboxName"`
	}
	// An account that the session does not list tells nothing of itself; then the
	// administrator's own speaks for it. None told, none checked.
	own, err := c.to.Client.Account(ctx, "")
	if err != nil && jmapclient.KindOf(err) != jmapclient.NoAccount {
		return err
	} else if err == nil {
		_ = json.Unmarshal(own.Capabilities[mailURN], &limits)
	}
	_ = json.Unmarshal(c.to.Capabilities[mailURN], &limits)
	byID := map[string]account.Object{}
	for _, o := range list {
		byID[o.ID()] = o
	}
	var deep, long, odd []string
	for _, o := range list {
		path, depth := o.Text("name"), int64(1)
		for p := byID[o.Text("parentId")]; p != nil && depth < 1000; p = byID[p.Text("parentId")] {
			path, depth = p.Text("name")+"/"+path, depth+1
		}
		if limits.MaxMailboxDepth > 0 && depth > limits.MaxMailboxDepth {
			deep = append(deep, path)
		}
		if name := o.Text("name"); limits.MaxSizeMailboxName > 0 && int64(len(name)) > limits.MaxSizeMailboxName {
			long = append(long, path)
		} else if isCyrus(c.to) && strings.ContainsAny(name, cyrusRefuses) {
			odd = append(odd, path)
		}
	}
	const nearest = "they get the nearest name that the server takes, and are listed"
	for _, f := range []struct {
		paths     []string
		what, why string
	}{
		{deep, "too deep", fmt.Sprintf("have more than the %d levels that the new server takes", limits.MaxMailboxDepth)},
		{long, "long names", fmt.Sprintf("have names longer than the %d bytes that the new server takes", limits.MaxSizeMailboxName)},
		{odd, "refused names", "have characters in their names that Cyrus refuses"},
	} {
		if n := int64(len(f.paths)); n > 0 {
			slices.Sort(f.paths)
			c.find(Yellow, f.what, nearest, "%s %s: %s", plural(n, "folder", "folders"), f.why, names(f.paths, n))
		}
	}
	return nil
}

// cyrusRefuses are characters that Cyrus refuses in a mailbox's name.
const cyrusRefuses = "/%\"\\<>|;`{}"

func isCyrus(a *opened) bool {
	for urn := range a.Client.Session().Capabilities {
		if strings.HasPrefix(urn, "https://cyrusimap.org/") {
			return true
		}
	}
	return false
}

// types finds what kinds of data the new server has no place for.
func (c *checking) types() {
	var lacking []string
	for _, t := range account.Types {
		if t.Informational || t.Named {
			continue
		}
		_, here := c.from.Using(t)
		_, there := c.to.Using(t)
		if here && !there && !c.otherForm(t) {
			lacking = append(lacking, t.Name)
		}
	}
	if len(lacking) > 0 {
		c.find(Yellow, "missing types", "it stays in the archive", "the new server has no place for %s", strings.Join(lacking, ", "))
	}
}

// otherForms are types that become others: contacts were Cyrus's own before
// there was a standard.
var otherForms = map[string]account.Type{
	account.Contact.Name: account.ContactCard, account.ContactGroup.Name: account.ContactCard,
	account.ContactCard.Name: account.Contact, account.AddressBook.Name: account.Contact,
}

func (c *checking) otherForm(t account.Type) bool {
	other, ok := otherForms[t.Name]
	if !ok {
		return false
	}
	_, there := c.to.Using(other)
	return there
}

// quota compares what there is with what the account on the new server may
// hold, where the server tells that of the account and not of whoever asks.
func (c *checking) quota(ctx context.Context) {
	if _, ok := c.to.Capabilities[quotaURN]; !ok {
		return
	}
	raw, err := c.to.Call(ctx, []string{coreURN, quotaURN}, "Quota/get", map[string]any{"ids": nil}, true)
	var got struct {
		List []struct {
			ResourceType           string
			Used, HardLimit, Limit int64
		}
	}
	if err != nil || json.Unmarshal(raw, &got) != nil {
		return // importing comes to it
	}
	for _, q := range got.List {
		limit := max(q.HardLimit, q.Limit)
		missing := c.job.Bytes - (limit - q.Used)
		if q.ResourceType != "octets" || limit <= 0 || missing <= 0 {
			continue
		}
		level := Red
		if !c.to.Own {
			level = Yellow // Stalwart up to 0.11 answers the administrator's
		}
		c.find(level, "quota", "raise the quota of "+c.job.New+" on the new server", "%s may hold %s and holds %s; %s are to come: %s are missing",
			c.job.New, Size(limit), Size(q.Used), Size(c.job.Bytes), Size(missing))
	}
}

// oversized finds messages that the new server will not take, by name.
func (c *checking) oversized(ctx context.Context) error {
	limit := c.to.Client.Limits().MaxSizeUpload
	page, err := c.from.Page(ctx, account.Email, jmapclient.PageArgs{Filter: map[string]any{"minSize": limit + 1}, Limit: shownNames,
		Total: true, Props: []string{"id", "size", "subject", "receivedAt"}})
	switch jmapclient.KindOf(err) {
	case jmapclient.Unsupported, jmapclient.Invalid:
		return nil // exporting comes to it
	}
	if err != nil {
		return err
	}
	var list []string
	for _, o := range page.List {
		if n := number(o, "size"); n > limit { // there are servers that ignore filters
			list = append(list, fmt.Sprintf("%q of %s (%s)", o.Text("subject"), o.Text("receivedAt"), Size(n)))
		}
	}
	if len(list) > 0 {
		all := max(page.Total, int64(len(list)))
		c.find(Yellow, "oversized", "raise the upload limit of the new server, or they stay in the archive alone",
			"%s larger than the %s that the new server takes: %s", plural(all, "message is", "messages are"), Size(limit), names(list, all))
	}
	return nil
}

// mostRepeats is how many messages are looked through for Message-IDs.
const mostRepeats = 1_000_000

// repeats finds messages whose Message-ID the account has more than once, where
// the new server would drop them.
func (c *checking) repeats(ctx context.Context) error {
	if !dropsRepeats(c.to.Client.Session()) || c.job.Messages > mostRepeats {
		return nil
	}
	seen, seed := map[uint64]bool{}, maphash.MakeSeed()
	var repeated int64
	var list []string
	after := ""
	for {
		page, err := c.from.Page(ctx, account.Email, jmapclient.PageArgs{Sort: []jmapclient.Comparator{{Property: "receivedAt", IsAscending: true}},
			After: after, Props: []string{"id", "messageId", "subject"}})
		if err != nil {
			return err
		}
		if len(page.IDs) == 0 || after == page.IDs[len(page.IDs)-1] || len(seen) > mostRepeats {
			break
		}
		after = page.IDs[len(page.IDs)-1]
		for _, o := range page.List {
			var ids []string
			if json.Unmarshal(o["messageId"], &ids) != nil || len(ids) == 0 {
				continue
			}
			key := maphash.String(seed, ids[0])
			if seen[key] {
				if repeated++; len(list) < shownNames {
					list = append(list, fmt.Sprintf("%q", o.Text("subject")))
				}
			}
			seen[key] = true
		}
	}
	if repeated == 0 {
		return nil
	}
	level, advice := Yellow, "they come in another way, through the administrator's own account"
	switch {
	case c.to.auth == (jmapclient.Auth{}):
	case c.run.Plan.New.IMAPURL != "":
		advice = "they come in over IMAP"
	default:
		level, advice = Red, "give [new] the credentials of an administrator, or imap-url"
	}
	c.find(level, "Message-IDs", advice, "%s a Message-ID that another one has, too; this version of the new server drops such: %s",
		plural(repeated, "message has", "messages have"), names(list, repeated))
	return nil
}

// implementation is how a server names its software, "" if it does not.
func implementation(s *jmapclient.Session) string {
	for _, urn := range slices.Sorted(maps.Keys(s.Capabilities)) {
		var c struct {
			Implementation string `json:"implementation"`
		}
		if json.Unmarshal(s.Capabilities[urn], &c) == nil && c.Implementation != "" {
			return c.Implementation
		}
	}
	return ""
}

// dropsRepeats says whether a server may drop messages whose Message-ID it has:
// Stalwart 0.5 to 0.8.1 do, and call themselves so. (0.7 and 0.8 say 0.1.0.)
func dropsRepeats(s *jmapclient.Session) bool {
	software := implementation(s)
	for _, version := range []string{"v0.5.", "v0.6.", "v0.7.", "v0.8.0", "v0.8.1", "v0.1.0"} {
		if strings.HasPrefix(software, "Stalwart JMAP "+version) {
			return true
		}
	}
	return false
}
