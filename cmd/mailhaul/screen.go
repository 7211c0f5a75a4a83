package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"mailhaul/internal/progress"
)

// screen shows a run while it goes on: as bars on a terminal, as lines off it,
// as JSON when asked for. It also remembers what went wrong for the summary.
type screen struct {
	mu      sync.Mutex
	verbose bool

	// What differs between the three ways. Called with mu held.
	stage func(progress.Event) // a Stage or Finished event
	print func(line string)    // a line for a person
	stop  func()
	json  *jsonLines // nil unless events go out as JSON

	failures, warnings tally
	lastWait           progress.Event
	closed             bool
	drawn              bool // accounts at work are drawn: what they say of themselves need not be told
}

// tally keeps the first few of a kind and counts the rest.
type tally struct {
	first []string
	n     int64
}

// shownItems is how many failures, and how many warnings, are shown by name.
const shownItems = 20

func (t *tally) add(s string) (shown bool) {
	t.n++
	if shown = len(t.first) < shownItems; shown {
		t.first = append(t.first, s)
	}
	return shown
}

func (a *app) newScreen() *screen {
	return a.newScreenOf(func(s *screen) { s.showBars(a.stderr) })
}

// newScreenOf is a screen with what a command shows on a terminal.
func (a *app) newScreenOf(onTerminal func(*screen)) *screen {
	s := &screen{verbose: a.flags.verbose}
	switch {
	case a.flags.json:
		s.showJSON(a.stdout, a.stderr)
	case isTerminal(a.stderr) && a.env("TERM") != "dumb":
		onTerminal(s)
	default:
		s.showLines(a.stderr)
	}
	return s
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// event takes what a library has to tell. It is a progress.Func.
func (s *screen) event(e progress.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.json != nil {
		s.json.write(e)
	}
	switch e.Kind {
	case progress.Stage, progress.Finished:
		s.stage(e)
	case progress.Failure:
		s.message(&s.failures, "failed: ", e)
	case progress.Warning:
		s.message(&s.warnings, "warning: ", e)
	case progress.Note:
		s.print(clean(withAdvice(e)))
	case progress.Wait:
		s.wait(e)
	}
}

// emit tells something of the command line's own.
func (s *screen) emit(e progress.Event) { progress.Func(s.event).Emit(e) }

// say shows a line for a person, whatever the way.
func (s *screen) say(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.print(line)
}

// message shows a failure or a warning as long as there are few of them.
func (s *screen) message(t *tally, prefix string, e progress.Event) {
	text := clean(withAdvice(e))
	if t.add(text) {
		s.print(prefix + text)
	} else if t.n == shownItems+1 {
		s.print(prefix + "there are more of these; they are counted from here on (all of them: --json)")
	}
}

// shortWait is a pause that nobody needs to be told of.
const shortWait = 2 * time.Second

// wait shows a pause once, though every request in flight reports it.
func (s *screen) wait(e progress.Event) {
	short := e.Until.Sub(e.Time) < shortWait
	again := e.Text == s.lastWait.Text && e.Until.Sub(s.lastWait.Until) < 5*time.Second
	if (short || again) && !s.verbose {
		return
	}
	s.lastWait = e
	s.print(fmt.Sprintf("waiting until %s: %s", e.Until.Local().Format("15:04:05"), clean(e.Text)))
}

func withAdvice(e progress.Event) string {
	text := e.Text
	if e.Item != "" {
		text = e.Item + ": " + e.Text
	}
	if e.Advice != "" {
		text += " (" + e.Advice + ")"
	}
	return text
}

// close takes the bars away. What is told afterwards is still shown.
func (s *screen) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		s.stop()
	}
}
