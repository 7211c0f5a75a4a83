package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"
	"pgregory.net/rapid"

	"mailhaul/archive"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

func TestEveryErrorHasItsExitCode(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("export of alice: %w", errors.Join(nil, err)) }
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("disk on fire"), 1},
		{&jmapclient.Error{Kind: jmapclient.NoAccount}, 1},
		{&jmapclient.Error{Kind: jmapclient.NotJMAP}, 1},
		{&jmapclient.Error{Kind: jmapclient.OverQuota}, 1},
		{&archive.LockedError{}, 1},
		{&usageError{"mailhaul", errors.New("no")}, 2},
		{&itemsError{3}, 3},
		{&differencesError{3}, 4},
		{&jmapclient.Error{Kind: jmapclient.Unauthorized}, 5},
		{&jmapclient.Error{Kind: jmapclient.Forbidden}, 5},
		{&jmapclient.Error{Kind: jmapclient.Unreachable}, 6},
		{archive.ErrNotArchive, 7},
		{&archive.DamagedError{}, 7},
		{&damageError{}, 7},
		{context.Canceled, 130},
		{&jmapclient.Error{Kind: jmapclient.Cancelled}, 130},
		{&interruptedError{&jmapclient.Error{Kind: jmapclient.Unreachable}}, 130},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%T exits with %d, want %d", c.err, got, c.want)
		}
		if c.err == nil {
			continue
		}
		if got := exitCode(wrap(c.err)); got != c.want {
			t.Errorf("wrapped %T exits with %d, want %d", c.err, got, c.want)
		}
	}
}

func TestCredentials(t *testing.T) {
	for _, c := range []struct {
		in     string
		bearer bool
		want   jmapclient.Auth
	}{
		{"secret", false, jmapclient.Auth{Username: "admin", Password: "secret"}},
		{"alice:secret", false, jmapclient.Auth{Username: "alice", Password: "secret"}},
		{"alice@example.org:a:b", false, jmapclient.Auth{Username: "alice@example.org", Password: "a:b"}},
		{"to:ken", true, jmapclient.Auth{Token: "to:ken"}},
	} {
		if got := parseCredentials(c.in, c.bearer); got != c.want {
			t.Errorf("%q, bearer %t: read wrong", c.in, c.bearer)
		}
	}
}

func TestFolderNamesStayInTheirFolder(t *testing.T) {
	for in, want := range map[string]string{
		"alice":             "alice",
		"alice@example.org": "alice@example.org",
		"..":                "%2E%2E",
		"../../etc/passwd":  "%2E.%2F..%2Fetc%2Fpasswd",
		`a\b`:               "a%5Cb",
		"alice%master":      "alice%25master",
		"NUL":               "%4EUL",
		"com1.txt":          "%63om1.txt",
		"jürgen":            "jürgen",
	} {
		if got := folderName(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		if a == "" || b == "" {
			return
		}
		name := folderName(a)
		if filepath.Base(name) != name || name == "." || name == ".." || !filepath.IsLocal(name) {
			t.Fatalf("%q becomes %q, which is no plain name", a, name)
		}
		if a != b && folderName(b) == name {
			t.Fatalf("%q and %q share the folder %q", a, b, name)
		}
	})
}

func TestTextFromOutsideCannotSteerTheTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain, ünïcode 田中": "plain, ünïcode 田中",
		"\x1b[31mred\x07":   "\uFFFD[31mred\uFFFD",
		"a\u202Eb":          "a\uFFFDb",
		"tab\tand\nline":    "tab and\nline",
		"bad \xff":          "bad \uFFFD",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestTableIsAlignedByColumnsOfTheTerminal(t *testing.T) {
	tab := newTable("mailbox", ">messages", "remark")
	tab.add("田中", 5, "x")
	tab.add("Inbox", 12345, "")
	var b bytes.Buffer
	tab.write(&b)
	want := "" +
		"  mailbox  messages  remark\n" +
		"  田中            5  x\n" +
		"  Inbox       12345\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

func TestSizesAndClocks(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 5e12: "5.0 TB"} {
		if got := size(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0:00", 61 * time.Second: "1:01", 3*time.Hour + 62*time.Second: "3:01:02"} {
		if got := clock(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestABarFitsItsTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m meter
		now := time.Now()
		for range rapid.IntRange(1, 5).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 1e10).Draw(t, "later")))
			m.update(progress.Event{
				Time: now, Kind: rapid.SampledFrom([]progress.Kind{progress.Stage, progress.Finished}).Draw(t, "kind"),
				Stage: rapid.SampledFrom([]string{"Email", "VacationResponse", "verify VacationResponse"}).Draw(t, "stage"),
				Done:  rapid.Int64Range(0, 1e7).Draw(t, "done"), Total: rapid.Int64Range(0, 1e7).Draw(t, "total"),
				Bytes: rapid.Int64Range(0, 1e15).Draw(t, "bytes"), BytesTotal: rapid.Int64Range(0, 1e15).Draw(t, "bytesTotal"),
			})
		}
		width := rapid.IntRange(1, 120).Draw(t, "width")
		line := m.line(width)
		if w := runewidth.StringWidth(line); w >= width && w > 0 || strings.Contains(line, "\n") {
			t.Fatalf("%d columns in a terminal of %d: %q", w, width, line)
		}
	})
}

func TestABarTellsRateAndTimeLeft(t *testing.T) {
	var m meter
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range int64(11) {
		m.update(progress.Event{Time: start.Add(time.Duration(i) * time.Second), Kind: progress.Stage, Stage: "Email",
			Done: i * 100, Total: 3000, Bytes: i * 1_500_000, BytesTotal: 45_000_000})
	}
	want := "Email                   1000/3000 [====         ]   15.0 MB   1.5 MB/s     0:20"
	if d := cmp.Diff(want, m.line(80)); d != "" {
		t.Error(d)
	}
	if got, want := m.line(0), "Email: 1000 of 3000, 15.0 MB, 1.5 MB/s, 0:20 left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOffATerminalLinesAreFew(t *testing.T) {
	var b bytes.Buffer
	s := &screen{}
	s.showLines(&b)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range int64(1001) {
		s.event(progress.Event{Time: now.Add(time.Duration(i) * 100 * time.Millisecond), Kind: progress.Stage, Stage: "Email", Done: i, Total: 1000})
	}
	s.event(progress.Event{Time: now, Kind: progress.Stage, Stage: "Mailbox", Total: 5})
	s.event(progress.Event{Time: now, Kind: progress.Finished, Stage: "Mailbox", Done: 5, Total: 5})
	s.event(progress.Event{Time: now.Add(101 * time.Second), Kind: progress.Finished, Stage: "Email", Done: 1000, Total: 1000})
	if n := strings.Count(b.String(), "\n"); n != 13 { // the first, one every ten per cent, the last, and one for the mailboxes
		t.Errorf("%d lines:\n%s", n, b.String())
	}
}

func TestFailuresAreShownByNameAndThenCounted(t *testing.T) {
	var b bytes.Buffer
	s := &screen{}
	s.showLines(&b)
	for i := range 100 {
		s.event(progress.Event{Kind: progress.Failure, Item: fmt.Sprintf("message %d", i), Text: "refused"})
	}
	if n := strings.Count(b.String(), "\n"); n != shownItems+1 || s.failures.n != 100 {
		t.Errorf("%d lines for 100 failures, counted %d:\n%s", n, s.failures.n, b.String())
	}
}

func TestAPauseIsShownOnceForAllWhoWait(t *testing.T) {
	var b bytes.Buffer
	s := &screen{}
	s.showLines(&b)
	now := time.Now()
	for i := range time.Duration(8) {
		s.event(progress.Event{Time: now, Kind: progress.Wait, Text: "too many requests", Until: now.Add(time.Minute + i*time.Millisecond)})
	}
	s.event(progress.Event{Time: now, Kind: progress.Wait, Text: "a moment", Until: now.Add(time.Second)})
	if n := strings.Count(b.String(), "\n"); n != 1 {
		t.Errorf("%d lines:\n%s", n, b.String())
	}
}

func TestADateMeansItsWholeDay(t *testing.T) {
	got, err := endOf("2026-03-14")
	if want := time.Date(2026, 3, 14, 23, 59, 59, 999999999, time.Local); err != nil || !got.Equal(want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	got, err = endOf("2026-03-14T10:00:00+02:00")
	if want := time.Date(2026, 3, 14, 8, 0, 0, 0, time.UTC); err != nil || !got.Equal(want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if _, err := endOf("yesterday"); err == nil {
		t.Error("yesterday was taken")
	}
}

func TestHintsCanBePasted(t *testing.T) {
	for in, want := range map[string]string{
		"/home/a/exports/alice": "/home/a/exports/alice", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$HOME": "'$HOME'",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("%q is shown as %s, want %s", in, got, want)
		}
	}
}

func TestTimeSpans(t *testing.T) {
	for in, want := range map[string]string{"36h": "36h0m0s", "2d": "48h0m0s", "1w1d": "192h0m0s", "1m": "720h0m0s", "1y": "8760h0m0s"} {
		if got, err := timeSpan(in); err != nil || got.String() != want {
			t.Errorf("%s is %v (%v), want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "1", "h", "1s", "1.5d", "-1d", "0d", "d1", "999999y", "1d ", "99999999999999999999h"} {
		if got, err := timeSpan(in); err == nil {
			t.Errorf("%q is taken for %v", in, got)
		}
	}
}

func TestNumbersAreListedAsRuns(t *testing.T) {
	for want, in := range map[string][]int{"none": nil, "3": {3}, "1 2": {1, 2}, "1-3 5": {1, 2, 3, 5}, "1 4 5 7-9": {1, 4, 5, 7, 8, 9}} {
		if got := numbersText(in); got != want {
			t.Errorf("%v is shown as %s, want %s", in, got, want)
		}
	}
}
