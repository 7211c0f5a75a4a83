package jmapclient

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mailhaul/account"
	"mailhaul/jmapclient/jmaptest"
)

// anyServer is a whole server in memory, with alice's account, signed in to as alice.
func anyServer(t *testing.T, o jmaptest.Options, auth Auth) (*jmaptest.Server, *Client) {
	t.Helper()
	s := jmaptest.New(o)
	t.Cleanup(s.Close)
	s.AddUser(jmaptest.User{Login: "alice", Password: "secret", Description: "Alice", Emails: []string{"alice@example.org", "a.alias@example.org"}})
	s.AddUser(jmaptest.User{Login: "bob", Password: "secret", Emails: []string{"bob@example.org"}})
	c, _, err := dialAs(t, Options{URL: s.URL, Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

var alice = Auth{Username: "alice", Password: "secret"}

func message(i int) []byte {
	return fmt.Appendf(nil, "From: a@example.org\r\nMessage-ID: <%d@x>\r\nSubject: %d\r\n\r\nhello\r\n", i, i)
}

// A message goes up, in, is found, changed, comes down and goes, on every profile.
func TestTheLifeOfAMessage(t *testing.T) {
	for name, profile := range map[string]jmaptest.Profile{"strict": jmaptest.Strict, "Stalwart 0.6": jmaptest.Stalwart06, "Stalwart 0.7": jmaptest.Stalwart07} {
		t.Run(name, func(t *testing.T) {
			_, c := anyServer(t, jmaptest.Options{Profile: profile}, alice)
			a, err := c.Account(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			boxes, err := a.All(t.Context(), mailbox, nil)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(boxes.List, func(o account.Object) bool { return o.Text("role") == "inbox" })
			inbox := boxes.List[i].ID()
			before, err := a.State(t.Context(), account.Email)
			if err != nil {
				t.Fatal(err)
			}
			raw := message(1)
			up, err := a.Upload(t.Context(), "message/rfc822", int64(len(raw)), opener(raw))
			if err != nil {
				t.Fatal(err)
			}
			in, err := a.Import(t.Context(), map[string]EmailImport{
				"k":   {BlobID: up.BlobID, MailboxIDs: account.SetOf(inbox), Keywords: account.SetOf("a<b"), ReceivedAt: "1999-12-31T23:59:59Z"},
				"bad": {BlobID: up.BlobID, MailboxIDs: account.SetOf()},
			})
			if err != nil || in.Created["k"].Size != int64(len(raw)) || in.NotCreated["bad"].Type != "invalidProperties" {
				t.Fatalf("%+v, %v", in, err)
			}
			id := in.Created["k"].ID
			ch, err := a.Changes(t.Context(), account.Email, before)
			if err != nil || !slices.Equal(ch.Created, []string{id}) {
				t.Errorf("%+v, %v", ch, err)
			}
			p, err := a.Page(t.Context(), account.Email, PageArgs{Sort: []Comparator{{"receivedAt", true}}, Total: true})
			if err != nil || !slices.Equal(p.IDs, []string{id}) || p.Total != 1 || !slices.Equal(p.List[0].Set("keywords"), []string{"a<b"}) {
				t.Errorf("%+v, %v", p, err)
			}
			set, err := a.Set(t.Context(), account.Email, SetArgs{Update: map[string]map[string]any{id: {"keywords/$seen": true}}})
			if err != nil || !set.Updated[id] {
				t.Errorf("%+v, %v", set, err)
			}
			var got []byte
			err = a.Download(t.Context(), in.Created["k"].BlobID, int64(len(raw)), func(r io.Reader) (err error) { got, err = io.ReadAll(r); return err })
			if err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%q, %v", got, err)
			}
			set, err = a.Set(t.Context(), account.Email, SetArgs{Destroy: []string{id}})
			if err != nil || !slices.Equal(set.Destroyed, []string{id}) {
				t.Errorf("%+v, %v", set, err)
			}
		})
	}
}

// The account that each name gives an administrator is the one whose mail it is.
func TestAnAdministratorFindsTheRightAccount(t *testing.T) {
	for name, profile := range map[string]jmaptest.Profile{"strict": jmaptest.Strict, "Stalwart 0.6": jmaptest.Stalwart06, "Stalwart 0.7": jmaptest.Stalwart07} {
		t.Run(name, func(t *testing.T) {
			s, c := anyServer(t, jmaptest.Options{Profile: profile, Admin: [2]string{"admin", "secret"}}, Auth{Username: "admin", Password: "secret"})
			for _, login := range []string{"alice", "bob"} {
				for i := range 1 + len(login) {
					s.Deliver(login, jmaptest.Message{Mailboxes: []string{"Inbox"}, Raw: message(i)})
				}
			}
			for who, mails := range map[string]int{"alice": 6, "alice@example.org": 6, "a.alias@example.org": 6, "bob": 4, "Bob": 4, "admin": 0, "": 0} {
				a, err := c.Account(t.Context(), who)
				if err != nil {
					t.Errorf("%q: %v", who, err)
					continue
				}
				p, err := a.Page(t.Context(), account.Email, PageArgs{})
				if err != nil || len(p.IDs) != mails {
					t.Errorf("%q: %d mails, want %d: %v", who, len(p.IDs), mails, err)
				}
			}
			_, err := c.Account(t.Context(), "carol")
			wantKind(t, err, NoAccount)
		})
	}
}

// Whatever goes wrong on the way, what was answered as created is there once,
// what is answered as unknown at most once, and any other failure not at all;
// a download is the whole blob or an error.
func TestAnyFault(t *testing.T) {
	kinds := []jmaptest.FaultKind{jmaptest.DropBefore, jmaptest.DropAfter, jmaptest.Status429, jmaptest.Status503, jmaptest.Status500, jmaptest.CutBody}
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		s := jmaptest.New(jmaptest.Options{})
		defer s.Close()
		s.AddUser(jmaptest.User{Login: "alice", Password: "secret"})
		c, _, err := dialAs(t, Options{URL: s.URL, Auth: alice})
		if err != nil {
			rt.Fatal(err)
		}
		a, err := c.Account(t.Context(), "")
		if err != nil {
			rt.Fatal(err)
		}
		boxes, err := a.All(t.Context(), mailbox, nil)
		if err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(1, 3).Draw(rt, "faults") {
			kind := rapid.SampledFrom([]string{"api", "upload", "download"}).Draw(rt, "request")
			s.Inject(jmaptest.Fault{
				Match: func(r jmaptest.Request) bool { return r.Kind == kind },
				Times: rapid.IntRange(1, 3).Draw(rt, "times"),
				Do:    rapid.SampledFrom(kinds).Draw(rt, "fault"), Bytes: rapid.IntRange(0, 60).Draw(rt, "bytes"),
			})
		}
		n++
		raw := message(n)
		up, err := a.Upload(t.Context(), "", int64(len(raw)), opener(raw))
		if err != nil {
			if KindOf(err) != ServerFault {
				rt.Fatalf("upload: %v", err)
			}
			return // more faults than it puts up with
		}
		in, err := a.Import(t.Context(), map[string]EmailImport{"k": {BlobID: up.BlobID, MailboxIDs: account.SetOf(boxes.List[0].ID())}})
		there := len(s.Messages("alice"))
		switch {
		case err == nil && (there != 1 || in.Created["k"].Size != int64(len(raw))):
			rt.Fatalf("%+v, and %d are there", in, there)
		case err != nil && KindOf(err) != Unknown:
			rt.Fatalf("import: %v, and %d are there", err, there)
		case there > 1:
			rt.Fatalf("%d are there", there)
		case err != nil:
			return
		}
		var got []byte
		err = a.Download(t.Context(), in.Created["k"].BlobID, int64(len(raw)), func(r io.Reader) (err error) { got, err = io.ReadAll(r); return err })
		if err == nil && !bytes.Equal(got, raw) {
			rt.Fatalf("downloaded %q", got)
		}
	})
}
