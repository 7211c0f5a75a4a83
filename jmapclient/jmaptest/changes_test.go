package jmaptest_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/jmapclient/jmaptest"
)

// A client that follows Email/changes page by page has what the server has,
// whatever happens in between, also where ids are used again and threads merge.
func TestFollowingChangesKeepsACopyTrue(t *testing.T) {
	for _, p := range []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart07, jmaptest.Stalwart015, jmaptest.Stalwart016, jmaptest.Cyrus36} {
		t.Run(p.Name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				s := jmaptest.New(jmaptest.Options{Profile: p})
				defer s.Close()
				account := s.AddUser(jmaptest.User{Login: "alice", Password: "secret"})
				f := &follower{c: &client{t, s, "alice", "secret", account, mailOnly}, state: firstState(p), has: map[string]string{}}
				n := 0
				rt.Repeat(map[string]func(*rapid.T){
					"deliver": func(rt *rapid.T) {
						n++
						reply := rapid.IntRange(1, n).Draw(rt, "reply to")
						other := rapid.IntRange(1, n).Draw(rt, "and to")
						s.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Inbox"}, ReceivedAt: time.Unix(int64(n), 0), Raw: []byte(message("t",
							fmt.Sprintf("Message-ID: <%d@x>", n), fmt.Sprintf("References: <%d@x> <%d@x>", reply, other)))})
					},
					"destroy": func(rt *rapid.T) {
						if ids := s.EmailIDs("alice"); len(ids) > 0 {
							s.Destroy("alice", rapid.SampledFrom(ids).Draw(rt, "id"))
						}
					},
					"modify": func(rt *rapid.T) {
						if ids := s.EmailIDs("alice"); len(ids) > 0 {
							s.Modify("alice", rapid.SampledFrom(ids).Draw(rt, "id"), []string{"Sent"}, []string{"$seen"})
						}
					},
					"page": func(rt *rapid.T) { f.page(rapid.IntRange(1, 3).Draw(rt, "most")) },
				})
				for f.page(2) {
				}
				if d := cmp.Diff(f.listed(), f.has); d != "" {
					rt.Fatalf("the copy (-server +copy):\n%s", d)
				}
			})
		})
	}
}

func firstState(p jmaptest.Profile) string {
	if p.IDs == jmaptest.ShortIDs {
		return "n"
	}
	return "0"
}

// follower keeps ids and what is behind them up to date by Email/changes.
type follower struct {
	c     *client
	state string
	has   map[string]string
}

// page takes one page of changes, and says whether there are more.
func (f *follower) page(most int) bool {
	r := f.c.call("Email/changes", m{"sinceState": f.state, "maxChanges": most})
	if r.name != "Email/changes" {
		f.c.t.Fatalf("changes since %s: %v", f.state, r)
	}
	list := func(name string) (ids []string) {
		for _, v := range r.get(name).([]any) {
			ids = append(ids, v.(string))
		}
		return ids
	}
	if n := len(slices.Compact(slices.Sorted(slices.Values(slices.Concat(list("created"), list("updated"), list("destroyed")))))); n > most {
		f.c.t.Fatalf("%d ids, at most %d were asked for", n, most)
	}
	for _, id := range list("destroyed") {
		delete(f.has, id)
	}
	maps.Copy(f.has, f.look(slices.Concat(list("created"), list("updated"))))
	f.state = r.text("newState")
	return r.get("hasMoreChanges") == true
}

func (f *follower) look(ids []string) map[string]string {
	got := map[string]string{}
	if ids == nil {
		return got // null would ask for all
	}
	r := f.c.call("Email/get", m{"ids": ids, "properties": []string{"blobId", "mailboxIds"}})
	for _, v := range r.get("list").([]any) {
		o := v.(m)
		got[o["id"].(string)] = fmt.Sprint(o["blobId"], o["mailboxIds"])
	}
	return got
}

func (f *follower) listed() map[string]string { return f.look(f.c.s.EmailIDs("alice")) }
