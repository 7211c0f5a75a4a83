package archive

import (
	"testing"
	"time"

	"mailhaul/account"
)

func TestScopesInWordsAndWhatTheyCover(t *testing.T) {
	day := func(n int) *time.Time { at := time.Date(2024, 1, n, 0, 0, 0, 0, time.Local); return &at }
	mail := []string{"Mailbox", "Email", "Principal"}
	all := map[string]*Scope{
		"the whole account":            nil,
		"only Mailbox, Email":          {Types: mail},
		"only Mailbox, Identity":       {Types: []string{"Mailbox", "Identity", "Principal"}},
		"messages only in a, not in b": {Mailboxes: []string{"a", "!b"}, MailboxIDs: []string{"1", "2"}},
		"only Mailbox, Email in a":     {Types: mail, Mailboxes: []string{"a"}, MailboxIDs: []string{"1"}},
		"messages only received since 2024-01-05, received before 2024-01-09": {Since: day(5), Before: day(9)},
		"messages only received since 2024-01-06":                             {Since: day(6)},
		"messages only received since 2024-01-05":                             {Since: day(5)},
		"messages only of at most 25 MB":                                      {MaxSize: 25e6},
		"messages only of at most 1025 bytes":                                 {MaxSize: 1025},
		"only Mailbox, Email, Identity; messages only of at most 3 KB":        {Types: []string{"Mailbox", "Email", "Identity"}, MaxSize: 3000},
	}
	for want, s := range all {
		if got := s.String(); got != want {
			t.Errorf("%+v is %q, want %q", s, got, want)
		}
		if !s.CoversAll(s) || !(*Scope)(nil).CoversAll(s) || s != nil && s.CoversAll(nil) {
			t.Errorf("%s: covers itself %t, the account covers it %t, it covers the account %t", want, s.CoversAll(s), (*Scope)(nil).CoversAll(s), s.CoversAll(nil))
		}
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"messages only received since 2024-01-05", "messages only received since 2024-01-06", true},
		{"messages only received since 2024-01-06", "messages only received since 2024-01-05", false},
		{"messages only received since 2024-01-05", "messages only received since 2024-01-05, received before 2024-01-09", true},
		{"messages only received since 2024-01-05, received before 2024-01-09", "messages only received since 2024-01-05", false},
		{"messages only in a, not in b", "only Mailbox, Email in a", true},
		{"only Mailbox, Email in a", "messages only in a, not in b", false},
		{"messages only of at most 25 MB", "messages only of at most 1025 bytes", true},
		{"messages only of at most 1025 bytes", "messages only of at most 25 MB", false},
		{"only Mailbox, Email", "messages only in a, not in b", true},
		{"only Mailbox, Identity", "only Mailbox, Email in a", false},
		{"only Mailbox, Email in a", "only Mailbox, Identity", true},
	} {
		if got := all[c.a].Covers(account.Email, all[c.b]); got != c.want {
			t.Errorf("the messages of %q cover those of %q: %t", c.a, c.b, got)
		}
	}
}

func TestWhatIsInAScope(t *testing.T) {
	at := time.Date(2024, 1, 5, 0, 0, 0, 0, time.UTC)
	o := account.Object{}
	o.Put("id", "m")
	o.Put("mailboxIds", account.SetOf("1", "2"))
	o.Put("receivedAt", "2024-01-05T00:00:00Z")
	o.Put("size", 100)
	second := at.Add(time.Second)
	for _, c := range []struct {
		s    *Scope
		want bool
	}{
		{nil, true},
		{&Scope{Types: []string{"Mailbox"}}, false},
		{&Scope{Mailboxes: []string{"x"}, MailboxIDs: []string{"2", "3"}}, true},
		{&Scope{Mailboxes: []string{"x"}, MailboxIDs: []string{"3"}}, false},
		{&Scope{Mailboxes: []string{"x"}}, false},
		{&Scope{Since: &at}, true},
		{&Scope{Since: &second}, false},
		{&Scope{Before: &second}, true},
		{&Scope{Before: &at}, false},
		{&Scope{MaxSize: 100}, true},
		{&Scope{MaxSize: 99}, false},
	} {
		if got := c.s.HasEmail(o); got != c.want {
			t.Errorf("%+v: %t", c.s, got)
		}
	}
}

// Of what an import brought there, a snapshot that is partial calls gone only what
// it or an earlier one had.
func TestWhatAPartialSnapshotNeverHadIsNotRemoved(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	putEmail(t, r, 1)
	putEmail(t, r, 2)
	must(t, r.Finish(SnapshotRecord{}))
	r = begin(t, a)
	must(t, r.MarkGone(account.Email, "M1"))
	must(t, r.Finish(SnapshotRecord{Scope: &Scope{Types: []string{"Email"}}}))
	r = begin(t, a)
	putEmail(t, r, 3)
	must(t, r.Finish(SnapshotRecord{}))
	j, err := a.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	defer j.Close()
	for _, id := range []string{"M1", "M2", "M3"} {
		must(t, j.Put(Entry{Type: "Email", SourceID: id, State: Done, TargetID: "N" + id}))
	}
	for at, want := range map[int]string{1: "M3", 2: "M1", 3: "M1"} {
		got := ""
		for _, e := range collect(t, j.Removed(at, account.Email)) {
			got += e.SourceID
		}
		if got != want {
			t.Errorf("at snapshot %d %q is removed, want %q", at, got, want)
		}
	}
}
