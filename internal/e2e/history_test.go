package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailhaul/archive"
	"mailhaul/exporter"
	"mailhaul/importer"
	"mailhaul/internal/bubble"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// state is what an account holds, as the judge sees it.
type state struct {
	mail   map[item]int
	boxes  map[mailbox]bool
	things things
}

func stateOf(s interface {
	server
	Things(login string) things
}, login string) state {
	st := state{map[item]int{}, map[mailbox]bool{}, s.Things(login)}
	for _, i := range s.Mail(login) {
		st.mail[i]++
	}
	for _, b := range s.Mailboxes(login) {
		st.boxes[b] = true
	}
	return st
}

// expectState fails unless an account holds exactly what another one did.
func expectState(t *testing.T, what string, want, got state) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.AllowUnexported(state{})); d != "" {
		t.Errorf("%s (- as it was, + restored):\n%.8000s", what, d)
	}
}

// indoors is the way to a server where there is no network: in a bubble.
type indoors struct{ *jmaptest.Server }

func (s indoors) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := bubble.Body(req)
	if err != nil {
		return nil, err
	}
	bubble.Connected(req)
	return bubble.Serve(s.Handler(), req, body)
}

// inside is alice's account of a server in a bubble, which has a name.
func (m memory) inside(host string) *jmapclient.Account {
	m.t.Helper()
	c, err := jmapclient.Dial(context.Background(), jmapclient.Options{URL: "http://" + host, Transport: indoors{m.Server},
		Auth: jmapclient.Auth{Username: alice, Password: password}})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(c.Close)
	a, err := c.Account(context.Background(), alice)
	if err != nil {
		m.t.Fatal(err)
	}
	return a
}

// startInside starts a server without a network, where alice has an account.
func startInside(t *testing.T, p jmaptest.Profile) memory {
	m := startMemoryWith(t, jmaptest.Options{Profile: p})
	m.Close() // its handler serves all the same
	m.AddUser(alice)
	return m
}

// historyProfiles are servers with all types of the standards, with Stalwart's, and Cyrus's own.
var historyProfiles = []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart016, jmaptest.Cyrus36}

const exports = 10

// history exports an account of a server ten times, with the user at work in
// between and days apart, and answers what there was each time.
func history(t *testing.T, r *rand.Rand, m memory, dir string) (states []state) {
	t.Helper()
	from := m.inside("old.example.org")
	u := newUser(r, m, from)
	ar, err := archive.Create(dir, exporter.JMAP(from).Origin())
	if err != nil {
		t.Fatal(err)
	}
	defer ar.Close()
	for n := range exports {
		u.works(12)
		u.getsLarge()
		res, err := exporter.Export(context.Background(), exporter.JMAP(from), ar, exporter.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if res.Failed > 0 || res.Snapshot.Snapshot != n+1 {
			t.Fatalf("export %d: %+v", n+1, res)
		}
		states = append(states, stateOf(m, alice))
		time.Sleep(time.Duration(5+n) * 24 * time.Hour)
	}
	return states
}

// Ten exports with all kinds of changes between them: each of the ten states can
// be restored, and is that state, object by object; verify agrees with it, and
// not with another one.
func TestEachStateOfAHistoryIsRestored(t *testing.T) {
	for _, p := range historyProfiles {
		p.VacationCloses = false // another test's
		t.Run(p.Name, func(t *testing.T) {
			r, step := chance(t), 1
			switch {
			case p.Name != jmaptest.Strict.Name && raced:
				return
			case p.Name != jmaptest.Strict.Name, raced:
				step = exports - 1
			}
			bubble.Test(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "alice")
				states := history(t, r, startInside(t, p), dir)
				ar, err := archive.Open(dir)
				if err != nil {
					t.Fatal(err)
				}
				defer ar.Close()
				for n := 1; n <= exports; n += step {
					fresh := startInside(t, p)
					to := fresh.inside(fmt.Sprintf("new%d.example.org", n))
					res, err := importer.Import(t.Context(), ar, to, importer.Options{At: n})
					if err != nil || res.Snapshot != n {
						t.Fatal(res, err)
					}
					for _, f := range res.Failures {
						if !slices.Contains(fresh.Broken(), f.Type) {
							t.Errorf("snapshot %d: %+v", n, f)
						}
					}
					expectState(t, fmt.Sprint("snapshot ", n), states[n-1], stateOf(fresh, alice))
					differences(t, ar, to, n, fresh.Broken(), 0)
					if n == 1 {
						differences(t, ar, to, exports, fresh.Broken(), 1)
					}
				}
			})
		})
	}
}

// differences fails unless a snapshot and an account differ in at least so many
// things, or for 0 in none.
func differences(t *testing.T, ar *archive.Archive, to *jmapclient.Account, at int, broken []string, least int) {
	t.Helper()
	rep, err := importer.Verify(t.Context(), ar, to, importer.VerifyOptions{At: at, Full: true})
	if err != nil {
		t.Fatal(err)
	}
	found := int(rep.Extra)
	for _, d := range rep.Differences {
		if slices.Contains(broken, d.Type) {
			continue
		}
		if found++; least == 0 {
			t.Errorf("snapshot %d: %+v", at, d)
		}
	}
	if found < least {
		t.Errorf("verify finds no difference to snapshot %d", at)
	}
}
