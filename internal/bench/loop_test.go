package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"mailhaul/internal/mailgen"
	"mailhaul/jmapclient/jmaptest"
)

func TestBatchesHoldAllMailInOrderWithinBounds(t *testing.T) {
	var mail []mailgen.Message
	for c := range classes[1].mail(400) {
		mail = append(mail, c)
	}
	var again []mailgen.Message
	for _, b := range batches(mail, 50, importOctets) {
		if len(b) > 50 || len(b) > 1 && octetsOf(b) > importOctets {
			t.Errorf("a batch of %d messages, %d octets", len(b), octetsOf(b))
		}
		again = append(again, b...)
	}
	same := func(a, b mailgen.Message) bool { return bytes.Equal(a.Raw, b.Raw) }
	if !slices.EqualFunc(mail, again, same) {
		t.Errorf("%d messages became %d, or others", len(mail), len(again))
	}
}

func TestRunDoesEachJobOnceAndTellsTheFirstError(t *testing.T) {
	done := make([]int, 100)
	jobs := make([]job, len(done))
	for i := range jobs {
		jobs[i] = func(context.Context) (int, int64, error) {
			done[i]++
			return 1, 10, nil
		}
	}
	f, err := run(t.Context(), &wire{}, jobs, 4, time.Hour)
	if err != nil || f.messages != 100 || f.octets != 1000 {
		t.Errorf("%+v, %v", f, err)
	}
	for i, n := range done {
		if n != 1 {
			t.Errorf("job %d was done %d times", i, n)
		}
	}
	broken := errors.New("broken")
	jobs[50] = func(context.Context) (int, int64, error) { return 0, 0, broken }
	if _, err := run(t.Context(), &wire{}, jobs, 4, time.Hour); !errors.Is(err, broken) {
		t.Errorf("the error was %v", err)
	}
}

// The whole benchmark in small: every loop carries every message, mailhaul too.
func TestAScenario(t *testing.T) {
	for _, name := range []string{"jmaptest", "stalwart-0.15"} {
		m := startHere(t, name)
		c := classes[0]
		const n = 120
		if err := m.Fill(c, n); err != nil {
			t.Fatal(err)
		}
		w, err := dial(t.Context(), "http://"+m.Addr(), source)
		if err != nil {
			t.Fatal(err)
		}
		defer w.close()
		all, err := w.list(t.Context())
		if err != nil || len(all) != n {
			t.Fatalf("%d messages, %v", len(all), err)
		}
		for _, l := range append(exportLoops(w, all), listLoop(all, 1)) {
			jobs, err := l.jobs(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			if f, err := run(t.Context(), w, jobs, l.most, time.Hour); err != nil || f.messages != n {
				t.Errorf("%s, %s: %d messages, %v", name, l.name, f.messages, err)
			}
		}
		var mail []mailgen.Message
		for message := range c.mail(n) {
			mail = append(mail, message)
		}
		s := &scenario{server: accounts{server: m}, url: "http://" + m.Addr(), mail: mail, n: n}
		for _, l := range importLoops(w, mail) {
			f, err := s.bareImport(t.Context(), tuned{l, 2}, time.Hour)
			// Stalwart's creation ids do not resolve in blobId.
			if refused := name != "jmaptest" && f.messages == 0; err != nil || f.messages != n && !refused {
				t.Errorf("%s, %s: %d messages, %v", name, l.name, f.messages, err)
			}
		}
	}
}

// here is jmaptest in this process.
type here struct {
	*jmaptest.Server
}

func startHere(t *testing.T, name string) here {
	t.Helper()
	p, err := profileNamed(name)
	if err != nil {
		t.Fatal(err)
	}
	h := here{jmaptest.New(jmaptest.Options{Profile: p})}
	t.Cleanup(h.Close)
	return h
}

func (h here) Addr() string {
	addr, _ := hostOf(h.URL)
	return addr
}

func (h here) IMAPAddr() string { return "" }

func (h here) Fill(c class, n int) error {
	return obey(h.Server, []string{"fill", c.name, strconv.Itoa(n)})
}

func (h here) AddUser(login string) error { return obey(h.Server, []string{"user", login}) }
