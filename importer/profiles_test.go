package importer

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/internal/bubble"
	"mailhaul/jmapclient/jmaptest"
)

// TestAMoveToEveryServer imports all kinds of things into each server that is
// known, as the user and as an administrator, with an answer lost on the way;
// verify finds no difference, and a second import changes nothing.
func TestAMoveToEveryServer(t *testing.T) {
	for _, p := range jmaptest.Profiles {
		for _, login := range []string{"alice", "admin"} {
			t.Run(cmp.Or(p.Name, "strict")+" as "+login, func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) { moveTo(t, p, login) })
			})
		}
	}
}

// cannot are the types that a server can't take, and which are named.
func cannot(p jmaptest.Profile) (types []string) {
	if p.NoIdentitySet {
		types = append(types, account.Identity.Name)
	}
	if p.VacationCloses {
		types = append(types, account.VacationResponse.Name)
	}
	return types
}

func moveTo(t *testing.T, p jmaptest.Profile, login string) {
	s, ar := newQuietTarget(t, p), newArchive(t)
	ls := mails(moveMails)
	ls[3].boxes, ls[4].boxes = []string{"p", "inbox"}, []string{"deep"}
	ls[5].keywords = []string{"$flagged", "work"}
	if p.AnyKeywords || p.RawKeywords {
		ls[5].keywords = []string{"$flagged", "a<b&c", "ä"}
	}
	ls[6].raw = "X-Spam-Status: Yes\r\n" + ls[6].raw
	folders := []folder{inbox, {id: "s", name: "Sent Mail", role: "sent"}, {id: "p", name: " lead/slash", order: 3}, {id: "deep", name: "deep", parent: "p"}}
	snapshot(t, ar, contents{folders: folders, letters: ls, scripts: []script{{"mine", "keep;\r\n", true}},
		identities: []account.Object{identity("Alice A.", "alice@example.org", "-- \nA")}, vacation: vacationOf(false, "away")})
	s.Inject(jmaptest.Fault{Match: nth(1, "Email/import"), Times: 1, Do: jmaptest.DropAfter})
	acc, err := s.dial(login, map[string]string{"alice": "pw", "admin": "adminpw"}[login]).Client.Account(context.Background(), "alice")
	must(t, err)
	res, err := Import(context.Background(), ar, acc, Options{})
	must(t, err)
	for _, f := range res.Failures {
		if !slices.Contains(cannot(p), f.Type) || f.Reason == "" || f.Advice == "" {
			t.Errorf("failure: %+v", f)
		}
	}
	emailCounts(t, res, Counts{Total: moveMails, Created: moveMails, Updated: res.Types["Email"].Updated})
	rep, err := Verify(context.Background(), ar, acc, VerifyOptions{Full: true})
	must(t, err)
	for _, d := range rep.Differences {
		if !slices.Contains(cannot(p), d.Type) {
			t.Errorf("difference: %+v", d)
		}
	}
	s.ResetCounts()
	_, err = Import(context.Background(), ar, acc, Options{})
	must(t, err)
	for _, method := range []string{"Email/import", "Email/set", "Mailbox/set", "Identity/set", "SieveScript/set", "VacationResponse/set"} {
		if n := s.Requests()[method]; n != 0 && !slices.Contains(cannot(p), strings.TrimSuffix(method, "/set")) {
			t.Errorf("a second import sends %d %s", n, method)
		}
	}
	if t.Failed() {
		t.Log(res.Mapped, res.Warnings)
	}
}
