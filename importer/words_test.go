package importer

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient/jmaptest"
)

// TestEveryStageEndsWithItsTotal: what is there already counts as done.
func TestEveryStageEndsWithItsTotal(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Stalwart07), newArchive(t)
	ls := fewRepeated()
	snapshot(t, ar, contents{folders: inboxAndProject, letters: ls, scripts: []script{{"main", "keep;\r\n", true}},
		identities: []account.Object{identity("", "alice@example.org", "-- A")}, vacation: vacationOf(false, "away")})
	for range 2 {
		var ended atomic.Int64
		_, err := Import(context.Background(), ar, s.asAdmin(), Options{Events: func(e progress.Event) {
			if e.Kind != progress.Finished {
				return
			}
			ended.Add(1)
			if e.Total > 0 && e.Done != e.Total || e.Bytes != e.BytesTotal {
				t.Errorf("%s ended at %d/%d, %d/%d bytes", e.Stage, e.Done, e.Total, e.Bytes, e.BytesTotal)
			}
		}})
		must(t, err)
		if n := ended.Load(); n < 4 {
			t.Errorf("%d stages ended", n)
		}
	}
}

func TestOneThingIsNotWordedAsMany(t *testing.T) {
	for n, want := range map[int]string{1: "1 message could not be exported as a whole", 2: "2 messages could not be exported as a whole"} {
		s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
		run, err := ar.Begin()
		must(t, err)
		must(t, run.Finish(archive.SnapshotRecord{Types: map[string]archive.TypeRecord{"Email": {Failed: make([]archive.Failure, n)}}}))
		must(t, run.Close())
		same(t, "warnings", s.imports(ar, Options{}).Warnings, []string{want})
	}
}

func TestAnIdentityWithoutANameIsItsAddress(t *testing.T) {
	if got := identityName(identity("", "alice@example.org", "")); got != "<alice@example.org>" {
		t.Errorf("%q", got)
	}
	if got := identityName(identity("Alice", "alice@example.org", "")); got != "Alice <alice@example.org>" {
		t.Errorf("%q", got)
	}
}

func TestAReadOnlyTargetIsOneAdvice(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	snapshot(t, ar, onlyInbox(mails(1)))
	s.AddUser(jmaptest.User{Login: "reader", Password: "pw", ReadOnly: true})
	_, err := Import(context.Background(), ar, dial(t, s.URL, "reader", "pw"), Options{})
	if err == nil || !strings.Contains(err.Error(), "read-only") || strings.Count(err.Error(), "sign in as") != 1 {
		t.Errorf("%v", err)
	}
}
