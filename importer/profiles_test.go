package importer

import (
	"context"
	"testing"

	"mailhaul/account"
	"mailhaul/jmapclient/jmaptest"
)

// TestAMoveToEveryServer imports all kinds of things into each server that is
// known, as the user and as an administrator, with a fault on the way.
func TestAMoveToEveryServer(t *testing.T) {
	for name, p := range map[string]jmaptest.Profile{"strict": jmaptest.Strict, "Stalwart 0.6": jmaptest.Stalwart06, "Stalwart 0.7": jmaptest.Stalwart07} {
		for _, login := range []string{"alice", "admin"} {
			t.Run(name+" as "+login, func(t *testing.T) {
				t.Parallel()
				s, ar := newTarget(t, p), newArchive(t)
				ls := mails(120)
				ls[3].boxes, ls[4].boxes = []string{"p", "inbox"}, []string{"deep"}
				ls[5].keywords = []string{"$flagged", "a<b&c", "ä"}
				if name == "strict" {
					ls[5].keywords = []string{"$flagged", "work"}
				}
				ls[6].raw = "X-Spam-Status: Yes\r\n" + ls[6].raw
				folders := []folder{inbox, {id: "s", name: "Sent Mail", role: "sent"}, {id: "p", name: " lead/slash", order: 3}, {id: "deep", name: "deep", parent: "p"}}
				snapshot(t, ar, contents{folders: folders, letters: ls, scripts: []script{{"mine", "keep;\r\n", true}},
					identities: []account.Object{identity("Alice A.", "alice@example.org", "-- \nA")}, vacation: vacationOf(false, "away")})
				s.Inject(jmaptest.Fault{Match: nth(2, "Email/import"), Times: 1, Do: jmaptest.DropAfter})
				c := dial(t, s.URL, login, map[string]string{"alice": "pw", "admin": "adminpw"}[login]).Client
				acc, err := c.Account(context.Background(), "alice")
				must(t, err)
				res, err := Import(context.Background(), ar, acc, Options{})
				must(t, err)
				same(t, "failures", res.Failures, []Failure(nil))
				rep, err := Verify(context.Background(), ar, acc, VerifyOptions{Full: true})
				must(t, err)
				same(t, "differences", rep.Differences, []Difference(nil))
				s.ResetCounts()
				_, err = Import(context.Background(), ar, acc, Options{})
				must(t, err)
				for _, method := range []string{"Email/import", "Email/set", "Mailbox/set", "Identity/set", "SieveScript/set", "VacationResponse/set"} {
					if n := s.Requests()[method]; n != 0 {
						t.Errorf("a second import sends %d %s", n, method)
					}
				}
				if t.Failed() {
					t.Log(res.Mapped, res.Warnings)
				}
			})
		}
	}
}
