package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/internal/mailgen"
	"mailhaul/internal/migrate"
	"mailhaul/internal/shacrypt"
	"mailhaul/jmapclient/jmaptest"
)

// trap counts the requests that two servers get, and kills whom it has to at one
// of them.
type trap struct {
	mu    sync.Mutex
	n, at int
	kill  func()
}

func (k *trap) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		if k.n++; k.at > 0 && k.n == k.at {
			k.kill()
		}
		k.mu.Unlock()
		h.ServeHTTP(w, r)
	})
}

// arm has the next run killed after so many requests, 0: not at all.
func (k *trap) arm(after int, kill func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n, k.at, k.kill = 0, after, kill
}

// migrating runs mailhaul migrate and kills it after so many requests.
func (k *trap) migrating(t *testing.T, after int, args ...string) result {
	t.Helper()
	started := make(chan struct{})
	var run *running
	k.arm(after, func() { <-started; run.kill() })
	run = startWith(t, []string{"OLD_CRED=admin:" + adminPassword, "NEW_CRED=admin:" + adminPassword, "NO_COLOR=1"}, nil, append([]string{"migrate"}, args...)...)
	close(started)
	return run.wait(t)
}

// plan writes a plan for two servers and answers its path.
func plan(t *testing.T, from, to, more string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plan.toml")
	text := fmt.Sprintf("%s\n[old]\nurl = %q\n%%s\n[new]\nurl = %q\n%%s\n", "concurrency = 3", from, to)
	credentials := []any{`credentials = "env:OLD_CRED"`, `credentials = "env:NEW_CRED"`}
	if strings.Contains(more, "csv") && !strings.Contains(more, "all = true") {
		credentials = []any{"", ""}
	}
	if err := os.WriteFile(path, []byte(fmt.Sprintf(text, credentials...)+more), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func report(t *testing.T, plan string) *migrate.Report {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(filepath.Dir(plan), "archives", migrate.ReportJSON))
	if err != nil {
		t.Fatal(err)
	}
	var rep migrate.Report
	if err := json.Unmarshal(b, &rep); err != nil {
		t.Fatal(err)
	}
	return &rep
}

// whole is a server's mail and subscriptions, of all these accounts.
func whole(s *jmaptest.Server, login string) (mail []item, subscribed []string) {
	for _, m := range s.Messages(login) {
		for _, box := range m.Mailboxes {
			mail = append(mail, newItem(box, m.Raw, m.Keywords, m.ReceivedAt))
		}
	}
	for _, b := range s.Mailboxes(login) {
		if b.Subscribed {
			subscribed = append(subscribed, b.Path)
		}
	}
	slices.Sort(subscribed)
	return mail, subscribed
}

func secretsOf(s *jmaptest.Server) map[string][]string {
	all := map[string][]string{}
	for _, u := range s.Users() {
		if !u.List && !u.Group && u.Login != "admin" {
			all[u.Login] = u.Secrets
		}
	}
	return all
}

// A whole Stalwart 0.6 goes to 0.7 with one command that is killed five times:
// accounts with the passwords they had, groups, all mail, and the users' own
// subscriptions, without a trace of the sign-ins that were borrowed for them.
func TestMigrateAWholeServerThroughKills(t *testing.T) {
	t.Parallel()
	k := &trap{}
	admin := [2]string{"admin", adminPassword}
	from := jmaptest.New(jmaptest.Options{Profile: jmaptest.Stalwart06, Admin: admin, Transport: k.wrap})
	t.Cleanup(from.Close)
	to := jmaptest.New(jmaptest.Options{Profile: jmaptest.Stalwart07, Admin: admin, Transport: k.wrap})
	t.Cleanup(to.Close)
	users := []string{"alice", "bob", "carol", "dave"}
	logins := append([]string{"sales"}, users...)
	from.AddUser(jmaptest.User{Login: "sales", Group: true, Emails: []string{"sales@example.org"}})
	for i, login := range users {
		from.AddUser(jmaptest.User{Login: login, Emails: []string{login + "@example.org"}, MemberOf: []string{"sales"},
			Secrets: []string{shacrypt.New("secret of " + login)}, Quota: int64(i) * 1_000_000_000})
	}
	for i, login := range logins {
		for m := range mailgen.Account(uint64(60+i), 12+4*i) {
			from.Deliver(login, jmaptest.Message(m))
		}
		twice := jmaptest.Message{Mailboxes: []string{"Projects/2024"}, Raw: []byte("Subject: twice\r\nMessage-ID: <twice@example.org>\r\n\r\ntwice\r\n")}
		from.Deliver(login, twice)
		from.Deliver(login, twice) // 0.7 drops this one as it comes
		from.Subscribe(login, "Projects/2024", i%2 == 0)
		from.Subscribe(login, "Drafts", true)
	}
	before := secretsOf(from)
	p := plan(t, from.URL, to.URL, "[accounts]\nall = true\nexcept = [\"admin\"]\n")
	args := []string{"run", p, "--borrow-sign-in"}

	r := chance(t)
	kills := 0
	for kills < 5 {
		res := k.migrating(t, 20+r.IntN(110), args...)
		if res.code != -1 {
			t.Logf("ended by itself after %d kills", kills)
			break
		}
		kills++
	}
	if kills < 2 {
		t.Errorf("%d kills: hardly anything was tested", kills)
	}
	k.migrating(t, 0, args...).expect(t, 0)
	for _, login := range logins {
		wantMail, wantSubscribed := whole(from, login)
		gotMail, gotSubscribed := whole(to, login)
		expectSameMail(t, wantMail, gotMail)
		if diff := cmp.Diff(wantSubscribed, gotSubscribed); diff != "" && login != "sales" {
			t.Errorf("subscriptions of %s (-old +new):\n%s", login, diff)
		}
	}
	if diff := cmp.Diff(before, secretsOf(from)); diff != "" {
		t.Errorf("secrets on the old server (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before, secretsOf(to)); diff != "" {
		t.Errorf("secrets on the new server (-old +new):\n%s", diff)
	}
	for _, login := range users {
		if !to.Opens(login, "secret of "+login) {
			t.Errorf("%s can't sign in on the new server", login)
		}
	}
	totals := report(t, p).Totals
	want := migrate.Totals{Accounts: len(logins), Verified: len(logins), Messages: totals.Messages, Bytes: totals.Bytes}
	if diff := cmp.Diff(want, totals); diff != "" {
		t.Errorf("totals of the report:\n%s", diff)
	}
	// Nothing is left to do, and that is known without asking much.
	k.migrating(t, 0, "run", p).expect(t, 0)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.n > 8 {
		t.Errorf("%d requests to find that all is done", k.n)
	}
}

// Where nobody may act for others each account signs in by itself, with what a
// spreadsheet has for it.
func TestMigrateWithCredentialsOfEachAccount(t *testing.T) {
	onEachKind(t, func(t *testing.T, k kind) {
		from, to := k.start(t), k.start(t)
		logins := []string{"ada@example.org", "ben@example.org", "cleo@example.org"}
		csv := "old,old-password,new-password\n"
		for i, login := range logins {
			from.AddUser(login)
			to.AddUser(login)
			from.Put(login, slices.Collect(mailgen.Sized(uint64(70+i), 8, 3000))...)
			csv += fmt.Sprintf("%s,%s,%[2]s\n", login, password)
		}
		p := plan(t, from.URL(), to.URL(), "[accounts]\ncsv = \"accounts.csv\"\n")
		if err := os.WriteFile(filepath.Join(filepath.Dir(p), "accounts.csv"), []byte(csv), 0o600); err != nil {
			t.Fatal(err)
		}
		res := mailhaul(t, "migrate", p)
		for _, login := range logins {
			expectSameMail(t, from.Mail(login), to.Mail(login))
		}
		if len(from.Broken()) == 0 {
			res.expect(t, 0)
		} else {
			res.expect(t, 3)
		}
		for _, a := range report(t, p).Accounts {
			for _, i := range a.Steps[migrate.CopyStep].Detail.Items {
				if !slices.Contains(from.Broken(), i.Type) {
					t.Errorf("%s: %s %s: %s", a.Name, i.Type, i.Item, i.Reason)
				}
			}
			if v := a.Steps[migrate.VerifyStep]; v.State != migrate.Done {
				t.Errorf("%s: verify is %s: %v", a.Name, v.State, v.Detail.Items)
			}
		}
	})
}

// One account with a wrong password, one that is missing, one that is full: the
// others are done, each has an advice, and after mending a run does just these.
func TestMigrateGoesAroundWhatFails(t *testing.T) {
	t.Parallel()
	admin := [2]string{"admin", adminPassword}
	from, to := jmaptest.New(jmaptest.Options{Admin: admin}), jmaptest.New(jmaptest.Options{Admin: admin})
	t.Cleanup(from.Close)
	t.Cleanup(to.Close)
	logins := []string{"fine", "full", "missing", "well", "wrong"}
	for i, login := range logins {
		u := jmaptest.User{Login: login, Password: password, Emails: []string{login + "@example.org"}}
		from.AddUser(u)
		if login == "full" {
			u.Quota = 1000
		}
		if login != "missing" {
			to.AddUser(u)
		}
		for m := range mailgen.Sized(uint64(80+i), 6, 2000) {
			from.Deliver(login, jmaptest.Message(m))
		}
	}
	p := plan(t, from.URL, to.URL, "[provision]\nskip = true\n[accounts]\nall = true\nexcept = [\"admin\"]\ncsv = \"own.csv\"\n")
	own := func(secret string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(filepath.Dir(p), "own.csv"), []byte("old,new-password\nwrong,"+secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k := &trap{}
	own("nonsense")
	k.migrating(t, 0, p).expect(t, 3)
	for login, advice := range map[string]string{"wrong": "credentials of wrong", "missing": "make the account missing", "full": "raise the quota of full"} {
		i := slices.IndexFunc(report(t, p).Accounts, func(a *migrate.Account) bool { return a.Name == login })
		if o := report(t, p).Accounts[i].Worst(); o.State != migrate.Failed || !strings.Contains(o.Advice, advice) {
			t.Errorf("%s is %s (%s), with the advice %q", login, o.State, o.Error, o.Advice)
		}
	}
	for _, login := range []string{"fine", "well"} {
		want, _ := whole(from, login)
		got, _ := whole(to, login)
		expectSameMail(t, want, got)
	}

	own(password)
	to.SetQuota("full", 0)
	to.AddUser(jmaptest.User{Login: "missing", Password: password, Emails: []string{"missing@example.org"}})
	res := k.migrating(t, 0, p).expect(t, 0)
	for _, login := range logins {
		want, _ := whole(from, login)
		got, _ := whole(to, login)
		expectSameMail(t, want, got)
	}
	if strings.Contains(res.stderr, "fine copy") || strings.Contains(res.stderr, "well copy") {
		t.Errorf("what was done is done again:\n%s", res.stderr)
	}
}
