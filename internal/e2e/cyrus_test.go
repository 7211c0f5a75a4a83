package e2e

import (
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailhaul/internal/cyrustest"
	"mailhaul/internal/jsschema/jstest"
	"mailhaul/internal/mailgen"
)

// cyrus is a real Cyrus, filled and judged over IMAP.
type cyrus struct {
	t *testing.T
	*cyrustest.Server
}

func startCyrus(t *testing.T) server { return cyrus{t, cyrustest.Start(t)} }

func (c cyrus) URL() string { return c.Server.URL }

func (c cyrus) Importer(login string) []string { return signIn(c.URL(), login) }

// Broken: VacationResponse/get ends the connection, and there is no Identity/set.
func (c cyrus) Broken() []string { return []string{"VacationResponse", "Identity"} }

func (c cyrus) AddUser(login string) {
	c.Server.AddUser(c.t, cyrustest.User{Login: login, Password: password})
}

func (c cyrus) imap(login string) *imapclient.Client {
	return c.IMAP(c.t, cyrustest.User{Login: login, Password: password})
}

func (c cyrus) MakeMailbox(login, path string) bool {
	conn := c.imap(login)
	defer conn.Close()
	return conn.Create(path, nil).Wait() == nil
}

func (c cyrus) Put(login string, messages ...mailgen.Message) {
	c.t.Helper()
	conn := c.imap(login)
	defer conn.Close()
	there := map[string]bool{}
	for _, m := range c.Mailboxes(login) {
		there[m.Path] = true
	}
	for _, m := range messages {
		for _, path := range m.Mailboxes {
			if !there[path] {
				if err := conn.Create(path, nil).Wait(); err != nil {
					c.t.Fatalf("creating %q: %v", path, err)
				}
				there[path] = true
			}
			if err := cyrustest.Append(conn, path, m); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

func (c cyrus) Subscribe(login, path string, on bool) {
	c.t.Helper()
	conn := c.imap(login)
	defer conn.Close()
	change := conn.Subscribe
	if !on {
		change = conn.Unsubscribe
	}
	if err := change(path).Wait(); err != nil {
		c.t.Fatalf("subscription of %q: %v", path, err)
	}
}

func (c cyrus) Change(login string) {
	c.t.Helper()
	conn := c.imap(login)
	defer conn.Close()
	_, err := conn.Select(mailgen.Inbox, nil).Wait()
	for _, change := range []struct {
		from, to uint32
		op       imap.StoreFlagsOp
		flag     imap.Flag
	}{
		{1, 4, imap.StoreFlagsAdd, imap.FlagFlagged},
		{3, 6, imap.StoreFlagsDel, imap.FlagSeen},
		{5, 8, imap.StoreFlagsAdd, label},
	} {
		if err == nil {
			set := imap.SeqSet{imap.SeqRange{Start: change.from, Stop: change.to}}
			err = conn.Store(set, &imap.StoreFlags{Op: change.op, Silent: true, Flags: []imap.Flag{change.flag}}, nil).Close()
		}
	}
	if err == nil {
		_, err = conn.Move(imap.SeqSetNum(9), "Archive").Wait()
	}
	if err != nil {
		c.t.Fatalf("changing the mail of %s: %v", login, err)
	}
}

func (c cyrus) Mail(login string) []item {
	c.t.Helper()
	conn := c.imap(login)
	defer conn.Close()
	var items []item
	for _, m := range c.Mailboxes(login) {
		status, err := conn.Select(m.Path, &imap.SelectOptions{ReadOnly: true}).Wait()
		if err != nil {
			c.t.Fatalf("selecting %q: %v", m.Path, err)
		}
		if status.NumMessages == 0 {
			continue
		}
		whole := &imap.FetchItemBodySection{Peek: true}
		fetch := conn.Fetch(imap.SeqSet{imap.SeqRange{Start: 1, Stop: 0}},
			&imap.FetchOptions{Flags: true, InternalDate: true, BodySection: []*imap.FetchItemBodySection{whole}})
		for msg := fetch.Next(); msg != nil; msg = fetch.Next() {
			b, err := msg.Collect()
			if err != nil {
				c.t.Fatalf("reading %q: %v", m.Path, err)
			}
			items = append(items, newItem(m.Path, b.FindBodySection(whole), keywordsOf(b.Flags), b.InternalDate))
		}
		if err := fetch.Close(); err != nil {
			c.t.Fatalf("reading %q: %v", m.Path, err)
		}
	}
	return items
}

func (c cyrus) Mailboxes(login string) []mailbox {
	c.t.Helper()
	conn := c.imap(login)
	defer conn.Close()
	list := func(o *imap.ListOptions) []*imap.ListData {
		l, err := conn.List("", "*", o).Collect()
		if err != nil {
			c.t.Fatalf("listing the mailboxes of %s: %v", login, err)
		}
		return l
	}
	subscribed := map[string]bool{}
	for _, l := range list(&imap.ListOptions{SelectSubscribed: true}) {
		subscribed[l.Mailbox] = true
	}
	var boxes []mailbox
	for _, l := range list(nil) {
		boxes = append(boxes, mailbox{l.Mailbox, roleOf(l), subscribed[l.Mailbox]})
	}
	return boxes
}

func roleOf(l *imap.ListData) string {
	if l.Mailbox == mailgen.Inbox {
		return "inbox"
	}
	for _, a := range l.Attrs {
		switch a {
		case imap.MailboxAttrArchive, imap.MailboxAttrDrafts, imap.MailboxAttrJunk, imap.MailboxAttrSent, imap.MailboxAttrTrash:
			return strings.ToLower(strings.TrimPrefix(string(a), `\`))
		}
	}
	return ""
}

func keywordsOf(flags []imap.Flag) []string {
	var keywords []string
	for _, f := range flags {
		switch {
		case f == `\Recent`: // of the connection, not of the message
		case strings.HasPrefix(string(f), `\`) && f != imap.FlagDeleted:
			keywords = append(keywords, "$"+strings.TrimPrefix(string(f), `\`))
		default:
			keywords = append(keywords, string(f))
		}
	}
	return keywords
}

// dav is the account over CardDAV, CalDAV, and JMAP by hand.
func (c cyrus) dav(login string) jstest.Account {
	return jstest.Account{Server: c.Server, User: cyrustest.User{Login: login, Password: password}}
}
