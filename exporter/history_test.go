package exporter

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mailhaul/archive"
)

// fewer makes rapid check so many cases where nobody asked for a number.
func fewer(t *testing.T, n int) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() != checks.DefValue {
		return
	}
	if err := flag.Set(checks.Name, fmt.Sprint(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(checks.Name, checks.DefValue) })
}

// Whatever happens to an account between and during exports, and wherever they
// are cut off: the next whole export is the account.
func TestAnyHistory(t *testing.T) {
	fewer(t, 20) // each makes an archive; -rapid.checks asks for more
	dir := quickDir(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		s := newMemory()
		s.noHistory = rapid.Bool().Draw(t, "noHistory") && rapid.Bool().Draw(t, "really")
		s.pageSize = rapid.IntRange(1, 5).Draw(t, "page")
		n++
		ar, err := archive.Create(fmt.Sprint(dir, "/", n), s.Origin())
		if err != nil {
			t.Fatal(err)
		}
		defer ar.Close()
		raws := rapid.SampledFrom([]string{"one", "two", "three", "four", "five", "six"})
		anyID := func() string {
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.mails) == 0 {
				return "none"
			}
			return s.mails[rapid.IntRange(0, len(s.mails)-1).Draw(t, "which")].ID()
		}
		// What happens to the account is drawn beforehand where it happens
		// during an export: that draws from one goroutine only.
		act := func() {
			switch rapid.IntRange(0, 4).Draw(t, "act") {
			case 0, 1:
				s.add("", raws.Draw(t, "raw"), rapid.IntRange(0, 90).Draw(t, "minute"))
			case 2:
				s.remove(anyID())
			case 3:
				s.flag(anyID(), rapid.SampledFrom([]string{"$seen", "$flagged"}).Draw(t, "keyword"))
			case 4:
				id := anyID()
				s.remove(id)
				s.add(id, raws.Draw(t, "raw"), rapid.IntRange(0, 90).Draw(t, "minute"))
			}
		}
		for range rapid.IntRange(0, 15).Draw(t, "mails") {
			s.add("", raws.Draw(t, "raw"), rapid.IntRange(0, 90).Draw(t, "minute"))
		}
		for range rapid.IntRange(1, 4).Draw(t, "exports") {
			for range rapid.IntRange(0, 6).Draw(t, "acts") {
				act()
			}
			if rapid.Bool().Draw(t, "purge") {
				s.purged = len(s.history)
			}
			// An export that is cut off after a number of calls, while one thing
			// or another is added or removed.
			ctx, cancel := context.WithCancel(context.Background())
			last := rapid.IntRange(1, 40).Draw(t, "calls")
			meanwhile := rapid.SliceOfN(rapid.IntRange(0, 20), 0, 4).Draw(t, "meanwhile")
			s.calls = map[string]int{}
			s.onCall = func(method string, _ int) error {
				s.mu.Lock()
				now := s.calls[""]
				var gone string
				if len(s.mails) > 0 {
					gone = s.mails[now%len(s.mails)].ID()
				}
				s.mu.Unlock()
				if now == last {
					cancel()
				}
				if slices.Contains(meanwhile, now) {
					if now%2 == 0 {
						s.add("", fmt.Sprint("meanwhile ", now), now*3)
					} else {
						s.remove(gone)
					}
				}
				return nil
			}
			if _, err := Export(ctx, s, ar, Options{Concurrency: 2}); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("export that is cut off: %v", err)
			}
			cancel()
			s.onCall = nil
			if rapid.Bool().Draw(t, "go on") {
				res, err := Export(context.Background(), s, ar, Options{})
				if err != nil || res.Failed != 0 {
					t.Fatalf("export: %+v, %v", res, err)
				}
				s.has(t, ar)
			}
		}
	})
}
