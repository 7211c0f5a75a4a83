package importer

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// sharedRights are rights of one kind of server, and what of each the other ones have.
var sharedRights = map[jmapclient.SharingForm][]string{
	jmapclient.SharedByACL:   {"addItems", "modifyItems", "read", "readItems", "removeItems"},
	jmapclient.SharedWith:    {"mayAddItems", "mayReadItems", "mayRemoveItems", "maySetKeywords", "maySetSeen"},
	jmapclient.SharedByCyrus: {"mayRead", "mayWrite"},
}

func TestSharesAreRestoredForWhoIsThereInTheFormOfTheServer(t *testing.T) {
	profiles := []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart06, jmaptest.Stalwart015, jmaptest.Cyrus36}
	for _, from := range profiles {
		for _, to := range profiles {
			if raced && from.Name != jmaptest.Stalwart06.Name {
				continue
			}
			t.Run(cmp.Or(from.Name, "strict")+" → "+cmp.Or(to.Name, "strict"), func(t *testing.T) {
				source, s := newShared(t, from), newShared(t, to)
				source.AddUser(jmaptest.User{Login: "carol", Password: "pw", Emails: []string{"carol@example.org"}})
				source.ShareMailbox("alice", "Inbox", map[string][]string{"bob": sharedRights[source.form()], "carol": sharedRights[source.form()]})
				ar := source.exported(newArchive(t))
				res, err := Import(t.Context(), ar, s.asAdmin(), Options{})
				must(t, err)
				want := map[string][]string{"bob": sharedRights[s.form()]}
				same(t, "shares", s.MailboxShares("alice", "Inbox"), want)
				if !slices.ContainsFunc(res.Warnings, func(w string) bool {
					return strings.Contains(w, "mailbox Inbox is not shared with carol") && strings.Contains(w, "account")
				}) {
					t.Errorf("warnings: %q", res.Warnings)
				}
				verified := func() {
					t.Helper()
					rep, err := Verify(t.Context(), ar, s.asAdmin(), VerifyOptions{})
					must(t, err)
					for _, d := range rep.Differences {
						if d.What == "sharing" {
							t.Errorf("verify: %+v", d)
						}
					}
				}
				verified()
				// Who was not there comes, and gets the share with the next import.
				s.AddUser(jmaptest.User{Login: "carol", Password: "pw", Emails: []string{"carol@example.org"}})
				_, err = Import(t.Context(), ar, s.asAdmin(), Options{})
				must(t, err)
				want["carol"] = want["bob"]
				same(t, "shares when all are there", s.MailboxShares("alice", "Inbox"), want)
				verified()
				admin := s.asAdmin()
				s.ResetCounts()
				_, err = Import(t.Context(), ar, admin, Options{})
				must(t, err)
				if n := s.Requests()["Mailbox/set"] + s.Requests()["Principal/query"]; n != 0 {
					t.Errorf("%d requests about shares with nothing new", n)
				}
				// The source takes one back; the other one is the target's affair.
				source.ShareMailbox("alice", "Inbox", map[string][]string{"carol": sharedRights[source.form()]})
				_, err = Import(t.Context(), source.exported(ar), s.asAdmin(), Options{})
				must(t, err)
				delete(want, "bob")
				same(t, "shares after one was taken back", s.MailboxShares("alice", "Inbox"), want)
			})
		}
	}
}

// newShared is a server with alice and bob.
func newShared(t *testing.T, p jmaptest.Profile) *target {
	p.VacationCloses = false
	s := newTarget(t, p)
	s.AddUser(jmaptest.User{Login: "bob", Password: "pw", Emails: []string{"bob@example.org"}})
	return s
}

func (s *target) form() jmapclient.SharingForm { return s.asAdmin().Sharing(account.Mailbox) }

func TestVerifyFindsAShareThatIsAnother(t *testing.T) {
	source, s := newShared(t, jmaptest.Strict), newShared(t, jmaptest.Strict)
	source.ShareMailbox("alice", "Inbox", map[string][]string{"bob": {"mayReadItems"}})
	ar := source.exported(newArchive(t))
	s.imports(ar, Options{})
	s.ShareMailbox("alice", "Inbox", map[string][]string{"bob": {"mayReadItems", "mayShare"}})
	rep, err := Verify(t.Context(), ar, s.account(), VerifyOptions{})
	must(t, err)
	if len(rep.Differences) != 1 || rep.Differences[0].What != "sharing" {
		t.Errorf("differences: %+v", rep.Differences)
	}
}

// On Stalwart, ids are short: one may be the login of somebody else.
func TestAPrincipalsIDIsNoName(t *testing.T) {
	s := newShared(t, jmaptest.Stalwart015)
	ids := map[string]bool{}
	for _, who := range []string{"alice", "bob"} {
		id, told, err := s.asAdmin().Client.PrincipalID(t.Context(), who)
		must(t, err)
		if id == "" || !told || ids[id] {
			t.Fatalf("%s has the id %q", who, id)
		}
		ids[id] = true
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if got, _, err := s.asAdmin().Client.PrincipalID(t.Context(), id); got != "" || err != nil {
			t.Errorf("the id %q was taken for the name of %q (%v)", id, got, err)
		}
	}
}

func TestRightsNeverBecomeMore(t *testing.T) {
	for _, form := range []jmapclient.SharingForm{jmapclient.SharedByACL, jmapclient.SharedWith, jmapclient.SharedByCyrus} {
		all := []string{"mayReadItems", "mayAddItems", "mayRemoveItems", "maySetSeen", "maySetKeywords", "mayCreateChild", "mayRename", "mayDelete", "maySubmit", "mayShare"}
		for set := range 1 << len(all) {
			g := rights{}
			for i, r := range all {
				if set&(1<<i) != 0 {
					g[r] = true
				}
			}
			_, lost := g.as(form)
			got := said(g, form)
			for r := range got {
				if !g[r] {
					t.Fatalf("%s: %s becomes %s", form, g, got)
				}
			}
			if lost == maps.Equal(got, g) {
				t.Fatalf("%s: %s becomes %s, lost: %t", form, g, got, lost)
			}
		}
	}
}
