package directory_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mailhaul/internal/directory"
	"mailhaul/jmapclient/jmaptest"
)

func problems(list []directory.Problem) string {
	var b strings.Builder
	for _, p := range list {
		fmt.Fprintf(&b, "%s: %s\n", p.Name, p.Text)
	}
	return b.String()
}

func TestWhoIsInTheWayIsNamedAndTheOthersAreMade(t *testing.T) {
	for _, p := range []jmaptest.Profile{jmaptest.Stalwart07, jmaptest.Stalwart015, jmaptest.Stalwart016} {
		t.Run(p.Name, func(t *testing.T) {
			want := read(t, dial(t, source(t, jmaptest.Stalwart06)))
			s := target(t, p)
			at := ""
			if p.Management == jmaptest.ManagementObjects {
				at = "@example.org"
			}
			s.AddUser(jmaptest.User{Login: "staff" + at, Password: "x", Emails: []string{"staff@example.org"}})                // no group
			s.AddUser(jmaptest.User{Login: "zoe" + at, Password: "x", Emails: []string{"zoe@example.org", "bob@example.org"}}) // has bob's address
			c := dial(t, s)
			plan := compare(t, want, read(t, c))
			blocked := problems(plan.InTheWay)
			if !strings.Contains(blocked, "staff"+at+": there it is the name of a user, and this is a group") ||
				!strings.Contains(blocked, "bob"+at+": its address bob@example.org is zoe"+at+"'s there") || len(plan.InTheWay) != 2 {
				t.Errorf("in the way:\n%s", blocked)
			}
			if out, err := plan.Apply(t.Context(), c, nil); err != nil || len(out.Failed) > 0 {
				t.Errorf("%v, failed %v", err, out.Failed)
			}
			var names []string
			for _, u := range s.Users() {
				names = append(names, strings.TrimSuffix(u.Login, at))
			}
			if should := []string{"alice", "all", "root", "staff", "team", "zoe"}; !slices.Equal(names, should) {
				t.Errorf("there are %v, should be %v", names, should)
			}
			if again := compare(t, want, read(t, c)); len(again.Steps) > 0 {
				t.Errorf("done, and yet there is %v to do", again.Steps)
			}
		})
	}
}

func TestWhatIsThereIsLeftAndGetsWhatItLacks(t *testing.T) {
	for _, p := range targets {
		want := read(t, dial(t, source(t, jmaptest.Stalwart06)))
		s := target(t, p)
		at := ""
		if p.Management == jmaptest.ManagementObjects {
			at = "@example.org"
		}
		s.AddUser(jmaptest.User{Login: "alice" + at, Password: "her new one", Description: "Alice A.", Quota: 5, Emails: []string{"alice@example.org", "other@example.org"}})
		s.AddUser(jmaptest.User{Login: "team" + at, List: true, Emails: []string{"team@example.org"}})
		c := dial(t, s)
		plan := provision(t, want, c)
		notes := problems(plan.Notes)
		for _, says := range []string{"its quota there is 5 octets, not 1000000000", `its description there is "Alice A."`} {
			if !strings.Contains(notes, "alice"+at+": "+says) {
				t.Errorf("%s: no note of it: %s\n%s", p.Name, says, notes)
			}
		}
		if p.Management != jmaptest.ManagementObjects && !strings.Contains(notes, "alice: it has another password there") {
			t.Errorf("%s: no note of the password:\n%s", p.Name, notes)
		}
		for _, u := range s.Users() {
			is := fmt.Sprint(u.Login, " ", u.Description, " ", slices.Sorted(slices.Values(u.Emails)), " ", slices.Sorted(slices.Values(u.MemberOf)), " ", u.Quota)
			if should := fmt.Sprintf("alice%[1]s Alice A. [a.alias@example.net alice@example.org other@example.org] [staff%[1]s team%[1]s] 5", at); u.Login == "alice"+at && is != should {
				t.Errorf("%s: %s\nshould be %s", p.Name, is, should)
			}
		}
		if !s.Opens("alice"+at, "her new one") || s.Opens("alice"+at, "secret") {
			t.Errorf("%s: her password was changed", p.Name)
		}
	}
}

func TestWhatATargetCannotHaveIsNoted(t *testing.T) {
	want := &directory.Directory{Accounts: []directory.Account{
		{Name: "nemo", Kind: directory.Individual, Secrets: []string{"x"}},
		{Name: "boss", Kind: directory.Admin, Secrets: []string{"x"}},
		{Name: "two", Kind: directory.Individual, Emails: []string{"two@example.org", "@example.org"}, Secrets: []string{"one", "other"}, Roles: []string{"auditor"}, MemberOf: []string{"gone"}},
		{Name: "app", Kind: directory.Individual, Emails: []string{"app@example.org"}, Secrets: []string{"otpauth://totp/x", "plain", "$app$phone$x"}},
		{Name: "none", Kind: directory.Individual, Emails: []string{"none@example.org"}},
		{Name: "list", Kind: directory.List, Emails: []string{"list@example.org"}, Members: []string{"two", "far@elsewhere.example", "app@example.org", "gone"}},
	}}
	secondFactor, catchAll := "app: its second factor is not carried", "two@example.org: it takes what nobody else at example.org does"
	cases := map[directory.Version][]string{
		directory.V07: {"list: its member far@elsewhere.example is no account there", "list: its member gone is no account", "app: its 1 app passwords are not carried",
			secondFactor, "none: its password is not known", "two: its role auditor", "two: it is a member of gone"},
		directory.V010: {"two: it has 2 passwords", "list: its member gone", "none: its password is not known"},
		directory.V016: {"boss: it is an administrator without an address", "two@example.org: it has 2 passwords", catchAll, strings.Replace(secondFactor, "app:", "app@example.org:", 1)},
	}
	for v, says := range cases {
		plan, err := directory.Compare(want, &directory.Directory{Version: v}, v)
		if err != nil {
			t.Fatal(err)
		}
		notes := problems(plan.Notes)
		for _, s := range says {
			if !strings.Contains(notes, s) {
				t.Errorf("%s: no note %q among\n%s", v, s, notes)
			}
		}
		if blocked := problems(plan.InTheWay); v == directory.V016 != strings.Contains(blocked, "nemo: it has no address") {
			t.Errorf("%s: in the way:\n%s", v, blocked)
		}
		for _, s := range plan.Steps {
			if text := fmt.Sprintf("%+v", s.Details); strings.Contains(text, "plain") || strings.Contains(text, "other") {
				t.Errorf("%s: a password is in %s", v, text)
			}
		}
	}
}

func TestAccountsAreMadeOnNoVersionThatIsNotKnown(t *testing.T) {
	for _, v := range []directory.Version{"", directory.V05, "0.17"} {
		if _, err := directory.Compare(&directory.Directory{}, &directory.Directory{}, v); err == nil {
			t.Errorf("a plan was made for %q", v)
		}
	}
}

func TestWeakAndPlainPasswordsGoTo016AsHashes(t *testing.T) {
	want, err := directory.FromCSV(strings.NewReader("name,email,password\nalice,alice@example.org,secret\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := target(t, jmaptest.Stalwart016)
	provision(t, want, dial(t, s))
	if u := s.Users()[0]; !s.Opens("alice@example.org", "secret") || !strings.HasPrefix(u.Secrets[0], "$6$") {
		t.Errorf("her secrets are %q", u.Secrets)
	}
}

// some draws a directory with names, addresses and memberships that meet each other.
func some(t *rapid.T) *directory.Directory {
	d := &directory.Directory{}
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}), 1, 6, rapid.ID[string]).Draw(t, "names")
	taken := map[string]bool{}
	for _, n := range names {
		a := directory.Account{Name: n, Kind: rapid.SampledFrom([]directory.Kind{directory.Individual, directory.Admin, directory.Group, directory.List}).Draw(t, "kind")}
		for _, e := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a@x.example", "b@x.example", "c@x.example", "d@y.example", "@y.example"}), 0, 3, rapid.ID[string]).Draw(t, "emails") {
			if !taken[e] || rapid.Bool().Draw(t, "clash") {
				a.Emails = append(a.Emails, e)
				taken[e] = true
			}
		}
		if a.Kind != directory.List {
			a.MemberOf = rapid.SliceOfN(rapid.SampledFrom(append(names, "gone")), 0, 3).Draw(t, "memberOf")
		} else {
			a.Members = rapid.SliceOfN(rapid.SampledFrom(append(names, "gone", "far@z.example", "a@x.example")), 0, 3).Draw(t, "members")
		}
		if a.Kind == directory.Individual {
			a.Secrets = rapid.SliceOfN(rapid.SampledFrom([]string{"plain", "$6$a$b", "$app$x$y"}), 0, 3).Draw(t, "secrets")
		}
		// Memberships of lists and of what is no group are the file's to mend.
		d.Accounts = append(d.Accounts, a)
	}
	kinds := map[string]directory.Kind{}
	for _, a := range d.Accounts {
		kinds[a.Name] = a.Kind
	}
	for i := range d.Accounts {
		a := &d.Accounts[i]
		a.MemberOf = slices.DeleteFunc(a.MemberOf, func(n string) bool { return n == a.Name || kinds[n] != directory.Group && n != "gone" })
	}
	return d
}

func TestAppliedTwiceTheSecondTimeChangesNothing(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue { // each is some dozens of requests; -rapid.checks asks for more
		if err := flag.Set(f.Name, "10"); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = flag.Set(f.Name, f.DefValue) }()
	}
	for _, p := range []jmaptest.Profile{jmaptest.Stalwart07, jmaptest.Stalwart015, jmaptest.Stalwart016} {
		t.Run(p.Name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				s := jmaptest.New(jmaptest.Options{Profile: p, Admin: admin})
				defer s.Close()
				c := dial(t, s)
				for range 2 { // the second meets what the first has made
					want := some(rt)
					plan := compare(t, want, read(t, c))
					if out, err := plan.Apply(t.Context(), c, nil); err != nil || len(out.Failed) > 0 {
						rt.Fatalf("%v, failed %v\nof %+v", err, out.Failed, plan.Steps)
					}
					once := fmt.Sprint(s.Users())
					again := compare(t, want, read(t, c))
					if len(again.Steps) > 0 {
						rt.Fatalf("done, and yet there is %v to do", again.Steps)
					}
					if _, err := again.Apply(t.Context(), c, nil); err != nil || fmt.Sprint(s.Users()) != once {
						rt.Fatalf("the second time it changed: %v", err)
					}
				}
			})
		})
	}
}
