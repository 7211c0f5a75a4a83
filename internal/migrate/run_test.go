package migrate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mailhaul/internal/borrow"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient/jmaptest"
)

// Two runs on one plan would fight over the same archives.
func TestTwoRunsOnOnePlanExcludeEachOther(t *testing.T) {
	p, err := ReadPlan(planOf(t, servers+"[accounts]\nlist = [\"alice\"]", ""))
	if err != nil {
		t.Fatal(err)
	}
	first, err := Open(p, hooks(func(Event) {}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(p, hooks(func(Event) {})); err == nil || !errorsAs[*BusyError](err) {
		t.Errorf("the second run: %v", err)
	}
	if st, err := ReadStatus(p); err != nil || !st.Running {
		t.Errorf("status while it runs: %+v, %v", st, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if st, err := ReadStatus(p); err != nil || st.Running {
		t.Errorf("status afterwards: %+v, %v", st, err)
	}
	again, err := Open(p, hooks(func(Event) {}))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func errorsAs[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// The state is readable for its owner alone, and a borrowed sign-in is in it
// until it is given back, whoever opens it.
func TestTheLedgerOfBorrowedSignIns(t *testing.T) {
	dir := t.TempDir()
	open := func() *store {
		t.Helper()
		s, err := openStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	a, b := borrow.Loan{Account: "alice", Server: "https://a", Token: "1"}, borrow.Loan{Account: "alice", Server: "https://b", Token: "2"}
	for _, l := range []borrow.Loan{a, a, b} {
		if err := (ledger{s}).Plan(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	if st, err := os.Stat(filepath.Join(dir, stateFile)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the state: %v, %v", st.Mode(), err)
	}
	if got, err := (ledger{s}).Open("https://a"); err != nil || len(got) != 1 || got[0] != a {
		t.Errorf("open: %v, %v", got, err)
	}
	if err := (ledger{s}).Done(a); err != nil {
		t.Fatal(err)
	}
	if got, err := s.loans(); err != nil || len(got) != 1 || got[0] != b {
		t.Errorf("left: %v, %v", got, err)
	}
}

// A server that is gone ends the step for all: three accounts find it out, the
// others are as they were.
func TestAServerThatIsGoneEndsTheStep(t *testing.T) {
	from, to := jmaptest.New(jmaptest.Options{Admin: administrator}), jmaptest.New(jmaptest.Options{Admin: administrator})
	defer to.Close()
	for _, login := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		for _, s := range []*jmaptest.Server{from, to} {
			s.AddUser(jmaptest.User{Login: login, Emails: []string{login + "@example.org"}})
		}
	}
	r := running(t, from, to, "")
	r.Plan.Concurrency = 1
	from.Close()
	tally, err := r.Do(t.Context(), CutoverStep, nil, true)
	if err == nil || tally[Failed] != 3 || tally[Done] != 0 {
		t.Errorf("ended: %v, %v", tally, err)
	}
	for _, j := range r.jobs {
		if o := j.Steps[CutoverStep]; o.State == Failed && !strings.Contains(o.Advice, "when the old server can be reached") {
			t.Errorf("%s: %q", j.Old, o.Advice)
		}
	}
}

// A step that is done again makes what came after it old.
func TestAStepMakesLaterOnesOld(t *testing.T) {
	from, to := jmaptest.New(jmaptest.Options{Admin: administrator}), jmaptest.New(jmaptest.Options{Admin: administrator})
	defer from.Close()
	defer to.Close()
	for _, s := range []*jmaptest.Server{from, to} {
		s.AddUser(jmaptest.User{Login: "alice", Emails: []string{"alice@example.org"}})
	}
	r := running(t, from, to, "")
	for _, step := range []Step{CheckStep, CopyStep, CutoverStep, VerifyStep} {
		if _, err := r.Do(t.Context(), step, nil, false); err != nil {
			t.Fatal(err)
		}
	}
	verdict := func() string {
		rep, err := MakeReport(r.Plan)
		if err != nil {
			t.Fatal(err)
		}
		return rep.Accounts[0].Verdict()
	}
	if got := verdict(); got != "verified" {
		t.Errorf("it is %s", got)
	}
	if _, err := r.Do(t.Context(), CopyStep, []string{"alice"}, true); err != nil {
		t.Fatal(err)
	}
	if got := verdict(); got != "copied" {
		t.Errorf("after another copy it is %s", got)
	}
	if err := writeMetrics(filepath.Join(t.TempDir(), "m.prom"), &View{Step: CopyStep, States: map[State]int{Done: 1}}); err != nil {
		t.Error(err)
	}
}

// The board takes events from all sides at once and keeps to what they say.
func TestTheBoardCountsWhatEventsSay(t *testing.T) {
	var b board
	b.begin(CopyStep, map[string]int64{"alice": 100, "bob": 50, "carol": 0})
	b.account("alice", Working, "")
	b.account("bob", Working, "")
	now := time.Now()
	var group sync.WaitGroup
	for _, name := range []string{"alice", "bob"} {
		group.Go(func() {
			for n := range int64(50) {
				b.event(Event{Event: progress.Event{Kind: progress.Stage, Time: now, Account: name, Stage: "Email", Done: n + 1, Total: 50, Bytes: n * 10}, Phase: Exporting})
				b.event(Event{Event: progress.Event{Kind: progress.Finished, Time: now, Account: name, Stage: "Identity"}, Phase: Exporting})
			}
		})
	}
	group.Wait()
	v := b.view(now)
	if v.Messages != 50 || v.Total != 150 || len(v.Lines) != 2 || v.Lines[0].Stage != "Email" || v.Lines[0].Done != 50 {
		t.Errorf("half of two accounts: %+v", v)
	}
	b.event(Event{Event: progress.Event{Kind: progress.Wait, Account: "bob", Text: "busy", Until: now.Add(time.Minute)}})
	if v = b.view(now); v.Lines[1].Waiting != "busy" {
		t.Errorf("waiting: %+v", v.Lines)
	}
	b.account("alice", Done, "100 messages")
	b.account("bob", Failed, "full")
	b.account("carol", Done, "")
	v = b.view(now)
	if v.Messages != 100 || v.Total != 100 || v.Finished() != 3 || v.Ended[0].Account != "bob" {
		t.Errorf("at the end: %+v", v)
	}
}

// A plan that names types of data moves these, and says that it is not all.
func TestAPlanOfSomeTypesSaysSo(t *testing.T) {
	from, to := jmaptest.New(jmaptest.Options{Admin: administrator}), jmaptest.New(jmaptest.Options{Admin: administrator})
	defer from.Close()
	defer to.Close()
	for _, s := range []*jmaptest.Server{from, to} {
		s.AddUser(jmaptest.User{Login: "alice", Emails: []string{"alice@example.org"}})
	}
	from.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Inbox"}, Raw: []byte("Subject: x\r\n\r\nx\r\n")})
	from.AddScript("alice", "rules", "keep;", true)
	r := running(t, from, to, "[[account]]\nold = \"alice\"\ntypes = [\"Email\"]\n")
	for _, step := range []Step{CopyStep, VerifyStep} {
		if tally, err := r.Do(t.Context(), step, nil, false); err != nil || tally[Done] != 1 {
			t.Fatalf("%s: %v, %v", step, tally, err)
		}
	}
	if len(to.Messages("alice")) != 1 || len(to.Scripts("alice")) != 0 {
		t.Errorf("there are %d messages and %d scripts", len(to.Messages("alice")), len(to.Scripts("alice")))
	}
	if text := r.jobs[0].Steps[CopyStep].Summary(); !strings.Contains(text, "partial: ") {
		t.Errorf("it is told as %q", text)
	}
}
