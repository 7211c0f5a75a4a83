package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"mailhaul/internal/migrate"
	"mailhaul/internal/progress"
)

// newMigrateScreen is a screen for many accounts at work at once: on a terminal
// lines that are drawn again and again below what is said.
func (a *app) newMigrateScreen() *screen {
	s := a.newScreenOf(func(s *screen) { a.showBoard(s) })
	if s.json == nil && !s.drawn {
		s.showLines(a.stderr)
	}
	return s
}

// migration takes what a migration has to tell.
func (s *screen) migration(e migrate.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.json != nil {
		s.json.write(e)
	}
	item := e.Event
	item.Item = strings.TrimSuffix(e.Account+" "+e.Item, " ")
	switch e.Kind {
	case migrate.AccountEvent:
		s.accountLine(e)
	case progress.Failure:
		s.message(&s.failures, "failed: ", item)
	case progress.Warning:
		if s.verbose {
			s.message(&s.warnings, "warning: ", item)
		}
	case progress.Wait:
		if !s.drawn { // else it stands in the account's line
			s.wait(item)
		}
	case progress.Note:
		if s.verbose {
			s.print(clean(withAdvice(item)))
		}
	}
}

// accountLine tells that an account is through with a step. What went well is
// told off a terminal only: on it the board shows it.
func (s *screen) accountLine(e migrate.Event) {
	switch bad := e.State == migrate.Failed || e.State == migrate.Partial || e.State == migrate.Differs; {
	case e.State == migrate.Working || s.drawn && !bad:
	case bad:
		s.print(fmt.Sprintf("%s %s: %s", e.Account, e.Step, oneLine(e.Text)))
	default:
		s.print(fmt.Sprintf("%s %s: %s", e.Account, e.Step, oneLine(strings.TrimSpace(string(e.State)+", "+e.Text))))
	}
}

// showBoard draws the board of the migration at work below whatever is said.
func (a *app) showBoard(s *screen) {
	f, ok := a.stderr.(*os.File)
	if !ok || !enableANSI(f) {
		return
	}
	s.drawn = true
	live := &liveArea{w: a.stderr}
	colour := a.env("NO_COLOR") == ""
	lines := func() []string {
		run := a.migration.Load()
		if run == nil {
			return nil
		}
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil || width < 20 {
			width, height = 80, 24
		}
		return boardLines(run.View(), time.Now(), width-1, height-2, colour)
	}
	s.stage = func(progress.Event) {}
	s.print = func(line string) { live.say(line, lines()) }
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(barRefresh * 2)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				s.mu.Lock()
				live.draw(lines())
				s.mu.Unlock()
			case <-over:
				return
			}
		}
	}()
	s.stop = func() { // with mu held, which the drawing may wait for
		close(over)
		s.mu.Unlock()
		<-done
		s.mu.Lock()
		live.draw(nil)
	}
}

// liveArea are lines at the end of a terminal that are drawn again in place.
type liveArea struct {
	w     io.Writer
	drawn int // lines that are there
}

func (l *liveArea) draw(lines []string) { l.say("", lines) }

// say writes a line for good, if there is one, and the live ones below it.
func (l *liveArea) say(line string, lines []string) {
	var b strings.Builder
	b.WriteString(lineStart)
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", l.drawn)
	}
	b.WriteString("\x1b[J") // what is below goes
	if line != "" {
		b.WriteString(line + "\r\n")
	}
	for _, text := range lines {
		b.WriteString(text + "\r\n")
	}
	l.drawn = len(lines)
	_, _ = io.WriteString(l.w, b.String()) // a terminal that is gone is no reason to stop
}
