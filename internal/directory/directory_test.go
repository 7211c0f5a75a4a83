package directory_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mailhaul/internal/directory"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

var admin = [2]string{"admin", "admin-secret"}

// bobHash is the hash that the recordings have, of "secret".
const bobHash = "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG."

// source is a server with some of everything. Where accounts are addresses it has the same ones.
func source(t testing.TB, p jmaptest.Profile) *jmaptest.Server {
	s := jmaptest.New(jmaptest.Options{Profile: p, Admin: admin})
	t.Cleanup(s.Close)
	s.AddDomain("empty.example")
	for _, u := range []jmaptest.User{
		{Login: "staff", Description: "Staff", Group: true, Emails: []string{"staff@example.org"}},
		{Login: "all", Group: true, Emails: []string{"all@example.org"}, MemberOf: []string{"staff"}},
		{Login: "team", List: true, Emails: []string{"team@example.org", "crew@example.net"}},
		{Login: "alice", Password: "secret", Description: "Alice", Emails: []string{"alice@example.org", "a.alias@example.net"},
			MemberOf: []string{"staff", "team"}, Quota: 1_000_000_000},
		{Login: "bob", Password: bobHash, Description: "Bob", Emails: []string{"bob@example.org"}, MemberOf: []string{"team"}},
		{Login: "root", Password: "mighty", Emails: []string{"root@example.org"}, Admin: true},
	} {
		if u.Admin && p.Management == jmaptest.ManagementPrincipals {
			u.Roles = []string{"admin"}
		}
		s.AddUser(u)
	}
	return s
}

func target(t testing.TB, p jmaptest.Profile) *jmaptest.Server {
	s := jmaptest.New(jmaptest.Options{Profile: p, Admin: admin})
	t.Cleanup(s.Close)
	return s
}

func dial(t testing.TB, s *jmaptest.Server) *jmapclient.Client {
	t.Helper()
	c, err := jmapclient.Dial(t.Context(), jmapclient.Options{URL: s.URL, Auth: jmapclient.Auth{Username: admin[0], Password: admin[1]}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func read(t testing.TB, c *jmapclient.Client) *directory.Directory {
	t.Helper()
	d, err := directory.Read(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func compare(t testing.TB, want, have *directory.Directory) *directory.Plan {
	t.Helper()
	p, err := directory.Compare(want, have, have.Version)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// provision does what a run does, and it must go well.
func provision(t testing.TB, want *directory.Directory, c *jmapclient.Client) *directory.Plan {
	t.Helper()
	p := compare(t, want, read(t, c))
	if len(p.InTheWay) > 0 {
		t.Fatalf("in the way: %v", p.InTheWay)
	}
	out, err := p.Apply(t.Context(), c, nil)
	if err != nil || len(out.Failed) > 0 {
		t.Fatalf("%v, failed %v", err, out.Failed)
	}
	return p
}

// sources and targets are all that differ in their management.
var sources = []jmaptest.Profile{jmaptest.Stalwart05, jmaptest.Stalwart06, jmaptest.Stalwart07, jmaptest.Stalwart085, jmaptest.Stalwart011, jmaptest.Stalwart015}

var targets = []jmaptest.Profile{jmaptest.Stalwart07, jmaptest.Stalwart085, jmaptest.Stalwart011, jmaptest.Stalwart015, jmaptest.Stalwart016}

// should is what the source's accounts are on a target.
func should(p jmaptest.Profile) []jmaptest.User {
	users := []jmaptest.User{
		{Login: "alice", Description: "Alice", Emails: []string{"alice@example.org", "a.alias@example.net"}, MemberOf: []string{"staff", "team"}, Quota: 1_000_000_000},
		{Login: "all", Group: true, Emails: []string{"all@example.org"}, MemberOf: []string{"staff"}},
		{Login: "bob", Description: "Bob", Emails: []string{"bob@example.org"}, MemberOf: []string{"team"}},
		{Login: "root", Emails: []string{"root@example.org"}, Admin: true},
		{Login: "staff", Description: "Staff", Group: true, Emails: []string{"staff@example.org"}},
		{Login: "team", List: true, Emails: []string{"team@example.org", "crew@example.net"}},
	}
	if p.Management == jmaptest.ManagementObjects {
		for i := range users {
			u := &users[i]
			u.Login += "@example.org"
			if u.Group {
				u.MemberOf = nil // groups of 0.16 have no groups in them
			}
			for j := range u.MemberOf {
				u.MemberOf[j] += "@example.org"
			}
		}
	}
	return users
}

// same says how the accounts of a server differ from those that it should have.
func same(s *jmaptest.Server, p jmaptest.Profile) string {
	return cmp.Diff(should(p), s.Users(), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(jmaptest.User{}, "Secrets", "Roles", "Password"),
		cmpopts.SortSlices(strings.Compare))
}

func TestEveryVersionsAccountsAreMadeOnEveryLaterOne(t *testing.T) {
	for _, from := range sources {
		for _, to := range targets {
			if slices.IndexFunc(targets, func(p jmaptest.Profile) bool { return p.Name == from.Name }) > slices.IndexFunc(targets, func(p jmaptest.Profile) bool { return p.Name == to.Name }) {
				continue
			}
			t.Run(from.Name+" to "+to.Name, func(t *testing.T) {
				want := read(t, dial(t, source(t, from)))
				s := target(t, to)
				c := dial(t, s)
				provision(t, want, c)
				if d := same(s, to); d != "" {
					t.Errorf("the accounts are not those of the source (-should +are):\n%s", d)
				}
				if got := slices.Sorted(slices.Values(s.Domains())); !slices.Equal(got, []string{"empty.example", "example.net", "example.org"}) {
					t.Errorf("domains %q", got)
				}
				at := ""
				if to.Management == jmaptest.ManagementObjects {
					at = "@example.org"
				}
				if !s.Opens("alice"+at, "secret") || !s.Opens("bob"+at, "secret") || !s.Opens("root"+at, "mighty") || s.Opens("alice"+at, "wrong") {
					t.Error("the users' passwords do not sign in")
				}
				if again := compare(t, want, read(t, c)); len(again.Steps)+len(again.InTheWay) > 0 {
					t.Errorf("applied, and yet there is %v to do, and %v in the way", again.Steps, again.InTheWay)
				}
			})
		}
	}
}

// provisionUnder provisions while the n-th request of the server befalls a fault;
// with kill that is the end of the run. It says whether there was an n-th request.
func provisionUnder(t *testing.T, want *directory.Directory, s *jmaptest.Server, n int, do jmaptest.FaultKind, kill bool) bool {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := dial(t, s)
	count, hit := 0, false
	s.Inject(jmaptest.Fault{Do: do, Match: func(jmaptest.Request) bool {
		if count++; count != n {
			return false
		}
		hit = true
		if kill {
			cancel()
		}
		return true
	}})
	defer s.ClearFaults()
	have, err := directory.Read(ctx, c)
	if err == nil {
		var plan *directory.Plan
		if plan, err = directory.Compare(want, have, have.Version); err != nil {
			t.Fatal(err)
		}
		var out *directory.Outcome
		if out, err = plan.Apply(ctx, c, nil); err == nil && len(out.Failed) > 0 {
			t.Errorf("request %d, %s: failed %v", n, do, out.Failed)
		}
	}
	if err != nil && !kill {
		t.Errorf("request %d, %s: %v", n, do, err)
	}
	return hit
}

func TestKilledAtAnyRequestAndDoneAgainItIsTheSameDirectory(t *testing.T) {
	want := read(t, dial(t, source(t, jmaptest.Stalwart06)))
	for _, to := range []jmaptest.Profile{jmaptest.Stalwart07, jmaptest.Stalwart015, jmaptest.Stalwart016} {
		t.Run(to.Name, func(t *testing.T) {
			// Killed after a request was carried out is what is left of being killed before the next, too.
			for n := 1; ; n++ {
				s := target(t, to)
				hit := provisionUnder(t, want, s, n, jmaptest.DropAfter, true)
				provision(t, want, dial(t, s))
				if d := same(s, to); d != "" {
					t.Fatalf("killed at request %d, and done again (-should +are):\n%s", n, d)
				}
				s.Close()
				if !hit {
					if n < 10 {
						t.Errorf("only %d requests", n)
					}
					break
				}
			}
		})
	}
}

func TestALostAnswerMakesNoAccountTwiceAndFailsNone(t *testing.T) {
	want := read(t, dial(t, source(t, jmaptest.Stalwart06)))
	for _, to := range []jmaptest.Profile{jmaptest.Stalwart07, jmaptest.Stalwart015, jmaptest.Stalwart016} {
		for n := 1; ; n++ {
			s := target(t, to)
			hit := provisionUnder(t, want, s, n, jmaptest.DropAfter, false)
			if d := same(s, to); d != "" {
				t.Fatalf("%s: the answer to request %d was lost (-should +are):\n%s", to.Name, n, d)
			}
			s.Close()
			if !hit {
				break
			}
		}
	}
}

func TestAUserWhoIsNoAdministratorIsToldSo(t *testing.T) {
	for _, p := range append(slices.Clone(sources), jmaptest.Stalwart016, jmaptest.Stalwart04) {
		s := jmaptest.New(jmaptest.Options{Profile: p, Admin: admin})
		t.Cleanup(s.Close)
		s.AddUser(jmaptest.User{Login: "alice", Password: "secret"})
		c, err := jmapclient.Dial(t.Context(), jmapclient.Options{URL: s.URL, Auth: jmapclient.Auth{Username: "alice", Password: "secret"}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = directory.Read(t.Context(), c)
		if k := jmapclient.KindOf(err); k != jmapclient.Forbidden && k != jmapclient.Unsupported || !strings.Contains(fmt.Sprint(err), "administrator") && k != jmapclient.Forbidden {
			t.Errorf("%s: %v", p.Name, err)
		}
		c.Close()
	}
}
