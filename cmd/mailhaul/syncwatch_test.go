package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mailhaul/jmapclient"
)

// fakeSource is a server whose states change at a time, and which tells so by
// events or not.
type fakeSource struct {
	changes time.Time
	asked   int
	tells   bool
	breaks  time.Duration // after which the stream of events ends, 0 never
	streams int
}

func (s *fakeSource) states(context.Context) (string, error) {
	s.asked++
	if time.Now().Before(s.changes) {
		return "before", nil
	}
	return "after", nil
}

func (s *fakeSource) events(ctx context.Context, heard func(bool)) error {
	if !s.tells {
		return &jmapclient.Error{Kind: jmapclient.Unsupported}
	}
	s.streams++
	heard(false) // a ping
	var broken <-chan time.Time
	if s.breaks > 0 {
		broken = time.After(s.breaks)
	}
	select {
	case <-time.After(time.Until(s.changes)):
		heard(true)
		<-ctx.Done()
	case <-broken:
	case <-ctx.Done():
	}
	return &jmapclient.Error{Kind: jmapclient.Unreachable}
}

// watched waits for a change that comes after so long, and answers how long it
// took to be noticed, and how often the server was asked.
func watched(t *testing.T, s *fakeSource, after time.Duration) (late time.Duration, asked int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.changes = time.Now().Add(after)
		w := &watcher{states: s.states, events: s.events}
		stop := w.listen(t.Context())
		defer stop()
		if _, err := w.await(t.Context(), "before"); err != nil {
			t.Fatal(err)
		}
		late, asked = time.Since(s.changes), s.asked
	})
	return late, asked
}

func TestWatchAsksEverLessOften(t *testing.T) {
	late, asked := watched(t, &fakeSource{}, 10*time.Hour)
	if late > watchMost {
		t.Errorf("the change was noticed %v after it came, want at most %v", late, watchMost)
	}
	if most := int(10*time.Hour/watchMost) + 10; asked > most {
		t.Errorf("the states were asked for %d times in ten hours, want at most %d", asked, most)
	}
	if late, _ := watched(t, &fakeSource{}, 3*time.Second); late > watchFirst {
		t.Errorf("a change right after the pass was noticed %v later", late)
	}
}

func TestWatchHearsOfChanges(t *testing.T) {
	late, asked := watched(t, &fakeSource{tells: true}, 10*time.Hour)
	if late > watchGather {
		t.Errorf("the change was noticed %v after the server told of it", late)
	}
	if most := int(10*time.Hour/watchHeard) + 10; asked > most {
		t.Errorf("the states were asked for %d times in ten hours of quiet, want at most %d", asked, most)
	}
}

// What changes while the stream is broken is told to nobody.
func TestWatchDoesWithoutBrokenEvents(t *testing.T) {
	s := &fakeSource{tells: true, breaks: 10 * time.Minute}
	late, _ := watched(t, s, 10*time.Minute+30*time.Second)
	if late > watchHeard {
		t.Errorf("the change was noticed %v after it came", late)
	}
	if s.streams < 2 {
		t.Errorf("events were asked for %d times, though they broke off", s.streams)
	}
}

func TestWatchEndsWhenToldTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSource{changes: time.Now().Add(time.Hour)}
		w := &watcher{states: s.states, events: s.events}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		stop := w.listen(ctx)
		defer stop()
		if _, err := w.await(ctx, "before"); err == nil || ctx.Err() == nil {
			t.Errorf("it waited on, and then: %v", err)
		}
	})
}
