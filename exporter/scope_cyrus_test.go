package exporter

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/cyrustest"
	"mailhaul/internal/mailgen"
	"mailhaul/jmapclient"
)

// subjects are those of the messages in the newest snapshot, sorted.
func subjects(t *testing.T, ar *archive.Archive) []string {
	t.Helper()
	var list []string
	for rec, err := range ar.Objects(0, account.Email) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Blob == "" {
			t.Errorf("%s has no content", account.Describe(rec.Object))
		}
		list = append(list, rec.Object.Text("subject"))
	}
	slices.Sort(list)
	return list
}

// On a real Cyrus each way to narrow takes just what it means, and the server lists
// no more than that; what leaves the scope is not taken for gone.
func TestNarrowedExportsOfARealCyrus(t *testing.T) {
	user := cyrustest.User{Login: "alice", Password: "one"}
	s := cyrustest.Start(t, user)
	conn := s.IMAP(t, user)
	defer conn.Close()
	for i, path := range []string{"INBOX", "Projects", "Projects.2024", "Projects.2024.Deep", "Lists"} {
		path = strings.ReplaceAll(path, ".", "/")
		if i > 0 {
			if err := conn.Create(path, nil).Wait(); err != nil {
				t.Fatal(err)
			}
		}
		for j := range 2 { // the first of a mailbox is small and old, the second large and new
			raw := fmt.Appendf(nil, "From: a@example.org\r\nMessage-ID: <%d.%d@x>\r\nSubject: %s %d\r\n\r\n%s\r\n", i, j, path, j, strings.Repeat("x", 3000*j))
			if err := cyrustest.Append(conn, path, mailgen.Message{ReceivedAt: day(10 * j), Raw: raw}); err != nil {
				t.Fatal(err)
			}
		}
	}
	src := func() *jmapSource {
		c, err := jmapclient.Dial(t.Context(), jmapclient.Options{URL: s.URL, GiveUpAfter: 2 * time.Second, Auth: jmapclient.Auth{Username: "alice", Password: "one"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		acc, err := c.Account(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		return &jmapSource{a: acc}
	}
	old, late := day(5), day(10)
	for _, c := range []struct {
		scope archive.Scope
		want  []string
	}{
		{archive.Scope{Mailboxes: []string{"Projects/**"}}, []string{"Projects 0", "Projects 1", "Projects/2024 0", "Projects/2024 1", "Projects/2024/Deep 0", "Projects/2024/Deep 1"}},
		{archive.Scope{Mailboxes: []string{"Projects/*"}}, []string{"Projects/2024 0", "Projects/2024 1"}},
		{archive.Scope{Mailboxes: []string{"role:inbox", "!Lists"}}, []string{"INBOX 0", "INBOX 1"}},
		{archive.Scope{Mailboxes: []string{"!Projects/**"}}, []string{"INBOX 0", "INBOX 1", "Lists 0", "Lists 1"}},
		{archive.Scope{Mailboxes: []string{"Projects", "Lists"}, Since: &old}, []string{"Lists 1", "Projects 1"}},
		{archive.Scope{Since: &late, Mailboxes: []string{"Lists"}}, []string{"Lists 1"}}, // received at that very moment
		{archive.Scope{Before: &late, Mailboxes: []string{"Lists"}}, []string{"Lists 0"}},
		{archive.Scope{MaxSize: 1000}, []string{"INBOX 0", "Lists 0", "Projects 0", "Projects/2024 0", "Projects/2024/Deep 0"}},
		{archive.Scope{Types: []string{"Email"}, Since: &old, MaxSize: 1000}, nil},
		{archive.Scope{Types: []string{"Mailbox"}}, nil},
	} {
		if c.scope.Types == nil { // each time that one is asked for costs seconds
			c.scope.Types = []string{"Email", "Identity", "Contact", "CalendarEvent"}
		}
		from := src()
		ar := newArchive(t, from)
		res, err := Export(context.Background(), from, ar, Options{Scope: &c.scope})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, subjects(t, ar)); d != "" || res.Snapshot.Types["Mailbox"].Objects < 5 {
			t.Errorf("%s: %s", c.scope.String(), d)
		}
		if !res.Scope.HasType(account.Email) {
			continue
		}
		n, err := from.Count(t.Context(), account.Email)
		more := int64(0)
		if c.scope.Before != nil {
			more = 1 // Cyrus means that moment, too; what comes is looked at once more
		}
		if err != nil || n != int64(len(c.want))+more {
			t.Errorf("%s: the server lists %d messages, %v", c.scope.String(), n, err)
		}
	}

	// A message that is moved out is there still, one that is expunged is not.
	from := src()
	ar := newArchive(t, from)
	lists := &archive.Scope{Types: []string{"Email"}, Mailboxes: []string{"Lists"}}
	take := func(want ...string) *Result {
		t.Helper()
		res, err := Export(context.Background(), src(), ar, Options{Scope: lists})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, subjects(t, ar)); d != "" {
			t.Error(d)
		}
		return res
	}
	take("Lists 0", "Lists 1")
	do := func(box string, f func() error) {
		t.Helper()
		if _, err := conn.Select(box, nil).Wait(); err != nil {
			t.Fatal(err)
		}
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	do("Lists", func() error { _, err := conn.Move(imap.SeqSetNum(1), "INBOX").Wait(); return err })
	if r := take("Lists 0", "Lists 1").Snapshot.Types["Email"]; r.Changed != 1 || r.Gone != 0 {
		t.Errorf("a message that was moved: %+v", r)
	}
	do("Lists", func() error {
		return conn.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close()
	})
	do("Lists", func() error { return conn.Expunge().Close() })
	if r := take("Lists 0").Snapshot.Types["Email"]; r.Gone != 1 {
		t.Errorf("a message that was expunged: %+v", r)
	}
	// The whole takes what is missing.
	res := mustExport(t, src(), ar)
	if got := subjects(t, ar); len(got) != 9 || res.Fetched != 8 || res.Snapshot.Scope != nil {
		t.Errorf("the whole account fetched %d and holds %q", res.Fetched, got)
	}
}
