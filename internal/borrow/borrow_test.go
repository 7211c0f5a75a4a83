package borrow_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"mailhaul/internal/borrow"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

const bobHash = "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG."

// profiles are all versions with a way to borrow.
var profiles = []jmaptest.Profile{jmaptest.Stalwart05, jmaptest.Stalwart06, jmaptest.Stalwart07, jmaptest.Stalwart080, jmaptest.Stalwart085,
	jmaptest.Stalwart011, jmaptest.Stalwart013, jmaptest.Stalwart015, jmaptest.Stalwart016}

// server has two users with passwords of their own.
func server(t testing.TB, p jmaptest.Profile) *jmaptest.Server {
	s := jmaptest.New(jmaptest.Options{Profile: p, Admin: [2]string{"admin", "admin-secret"}})
	t.Cleanup(s.Close)
	s.AddUser(jmaptest.User{Login: "alice", Password: "her own", Secrets: own(p)})
	s.AddUser(jmaptest.User{Login: "bob", Password: bobHash})
	return s
}

// own are secrets that alice has beside her password, as her version has them.
func own(p jmaptest.Profile) []string {
	switch {
	case p.Management == jmaptest.ManagementObjects:
		return nil
	case p.Secrets == jmaptest.SecretsAreList:
		return []string{"her second"}
	}
	return []string{"$app$phone$her phone's"}
}

func secrets(s *jmaptest.Server) map[string][]string {
	m := map[string][]string{}
	for _, u := range s.Users() {
		m[u.Login] = u.Secrets
	}
	return m
}

func dial(t testing.TB, s *jmaptest.Server, auth jmapclient.Auth) *jmapclient.Client {
	t.Helper()
	c, err := jmapclient.Dial(t.Context(), jmapclient.Options{URL: s.URL, Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var admin = jmapclient.Auth{Username: "admin", Password: "admin-secret"}

// ledger outlives who writes it.
type ledger struct {
	t  testing.TB
	s  *jmaptest.Server
	mu sync.Mutex
	is []borrow.Loan
}

func (l *ledger) Plan(n borrow.Loan) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Contains(secrets(l.s)[n.Account], n.Token) {
		l.t.Error("the server knew of it before the ledger did")
	}
	l.is = append(l.is, n)
	return nil
}

func (l *ledger) Done(n borrow.Loan) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Contains(secrets(l.s)[n.Account], n.Token) {
		l.t.Error("the ledger forgot of it before the server did")
	}
	l.is = slices.DeleteFunc(l.is, func(o borrow.Loan) bool { return o == n })
	return nil
}

func (l *ledger) Open(server string) ([]borrow.Loan, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.is), func(o borrow.Loan) bool { return o.Server != server }), nil
}

func TestABorrowedSignInIsTheUsersAndIsGivenBack(t *testing.T) {
	for _, p := range profiles {
		t.Run(p.Name, func(t *testing.T) {
			s := server(t, p)
			before := secrets(s)
			l := &ledger{t: t, s: s}
			b := borrow.New(dial(t, s, admin), l)
			var back []func(context.Context) error
			for _, who := range []string{"alice", "bob"} {
				creds, giveBack, err := b.For(t.Context(), who)
				if err != nil {
					t.Fatal(err)
				}
				back = append(back, giveBack)
				as := dial(t, s, creds)
				if _, err := as.Account(t.Context(), who); err != nil || as.Session().Username != who {
					t.Errorf("signed in as %q, not %s: %v", as.Session().Username, who, err)
				}
				for _, loan := range l.is {
					if s.Opens(loan.Account, loan.Token) {
						t.Error("what the ledger has signs in")
					}
				}
			}
			if !s.Opens("alice", "her own") || !s.Opens("bob", "secret") || len(own(p)) > 0 && !s.Opens("alice", strings.TrimPrefix(own(p)[0], "$app$phone$")) {
				t.Error("a user's own password does not sign in any more")
			}
			for _, giveBack := range back {
				if err := giveBack(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if now := secrets(s); fmt.Sprint(now) != fmt.Sprint(before) || len(l.is) > 0 {
				t.Errorf("secrets were %v and are %v; %d are left in the ledger", before, now, len(l.is))
			}
		})
	}
}

// story borrows a sign-in and gives it back, and is killed at the n-th request of
// the server. It says whether there was an n-th.
func story(t *testing.T, s *jmaptest.Server, l *ledger, n int, do jmaptest.FaultKind) bool {
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	c := dial(t, s, admin)
	count, hit := 0, false
	s.Inject(jmaptest.Fault{Do: do, Match: func(jmaptest.Request) bool {
		if count++; count == n {
			hit = true
			kill()
		}
		return count == n
	}})
	defer s.ClearFaults()
	if _, giveBack, err := borrow.New(c, l).For(ctx, "alice"); err == nil {
		_ = giveBack(ctx) // it may have been killed in the middle
	}
	return hit
}

func TestKilledAtAnyRequestNothingIsLeft(t *testing.T) {
	// One for each way, and the one that is found out by trying.
	for _, p := range []jmaptest.Profile{jmaptest.Stalwart06, jmaptest.Stalwart07, jmaptest.Stalwart085, jmaptest.Stalwart015, jmaptest.Stalwart016} {
		for _, do := range []jmaptest.FaultKind{jmaptest.DropBefore, jmaptest.DropAfter} {
			left, most := 0, 0
			for n := 1; ; n++ {
				s := server(t, p)
				before := secrets(s)
				l := &ledger{t: t, s: s}
				hit := story(t, s, l, n, do)
				left += len(l.is)
				if err := borrow.New(dial(t, s, admin), l).ReturnAll(t.Context()); err != nil {
					t.Errorf("%s, killed at request %d (%s): %v", p.Name, n, do, err)
				}
				if now := secrets(s); fmt.Sprint(now) != fmt.Sprint(before) || len(l.is) > 0 {
					t.Errorf("%s, killed at request %d (%s): secrets were %v and are %v; %d are left in the ledger", p.Name, n, do, before, now, len(l.is))
				}
				s.Close()
				if !hit {
					break
				}
				most = n
			}
			if p.Management != jmaptest.ManagementObjects && (left == 0 || most < 7) {
				t.Errorf("%s: of %d kills none left anything to give back", p.Name, most)
			}
		}
	}
}

func TestAnUnknownServerIsRefusedAndNothingChanges(t *testing.T) {
	// One that keeps a single password of what is set as a whole.
	keepsOne := jmaptest.Stalwart06
	keepsOne.Name, keepsOne.Secrets = "keeps one", jmaptest.SecretOneWithApps
	for _, p := range []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart04, keepsOne} {
		s := server(t, p)
		s.SetSecrets("alice", "her own")
		before := secrets(s)
		l := &ledger{t: t, s: s}
		if _, _, err := borrow.New(dial(t, s, admin), l).For(t.Context(), "alice"); err == nil {
			t.Errorf("%s: a sign-in was borrowed", p.Name)
		} else if strings.Contains(err.Error(), "$6$") || strings.Contains(err.Error(), "her own") {
			t.Errorf("%s: a secret is in the error: %v", p.Name, err)
		}
		if now := secrets(s); fmt.Sprint(now) != fmt.Sprint(before) || len(l.is) > 0 {
			t.Errorf("%s: secrets were %v and are %v; %d are left in the ledger", p.Name, before, now, len(l.is))
		}
	}
}

func TestAPasswordThatTheUserChangesMeanwhileStays(t *testing.T) {
	for _, p := range profiles {
		if p.Management == jmaptest.ManagementObjects {
			continue // nothing is added there
		}
		s := server(t, p)
		l := &ledger{t: t, s: s}
		_, giveBack, err := borrow.New(dial(t, s, admin), l).For(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		s.SetSecrets("alice", append([]string{"her new one"}, l.is[0].Token)...)
		if err := giveBack(t.Context()); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if now := secrets(s)["alice"]; !slices.Equal(now, []string{"her new one"}) || len(l.is) > 0 {
			t.Errorf("%s: her secrets are %v; %d are left in the ledger", p.Name, now, len(l.is))
		}
	}
}

func TestWithoutAnAccountOrARightTheErrorSaysSo(t *testing.T) {
	for _, p := range profiles {
		if p.Management == jmaptest.ManagementObjects {
			continue // it is at the sign-in that it shows there
		}
		s := server(t, p)
		l := &ledger{t: t, s: s}
		if _, _, err := borrow.New(dial(t, s, admin), l).For(t.Context(), "nobody"); jmapclient.KindOf(err) != jmapclient.NotFound {
			t.Errorf("%s: %v", p.Name, err)
		}
		alice := dial(t, s, jmapclient.Auth{Username: "alice", Password: "her own"})
		if _, _, err := borrow.New(alice, l).For(t.Context(), "bob"); err == nil {
			t.Errorf("%s: a user borrowed another's sign-in", p.Name)
		}
	}
}
