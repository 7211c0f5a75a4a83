package migrate

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"mailhaul/account"
	"mailhaul/internal/progress"
)

// Event is something to tell of a run: of an account's progress as the library
// tells it, or that an account began or ended a step. Account is its name in
// the plan.
type Event struct {
	progress.Event
	Step  Step  `json:"step,omitempty"`
	Phase Phase `json:"phase,omitempty"`
	State State `json:"state,omitempty"` // with an event "account"
}

// AccountEvent is an account that began or ended a step.
const AccountEvent progress.Kind = "account"

// Phase is the half of a step that an account is in.
type Phase string

// The phases.
const (
	Exporting Phase = "export"
	Importing Phase = "import"
	Comparing Phase = "verify"
)

// View is a run at a moment, as a screen shows it.
type View struct {
	At          time.Time     `json:"at"`
	Step        Step          `json:"step"`
	Started     time.Time     `json:"started"` // of the step
	Accounts    int           `json:"accounts"`
	States      map[State]int `json:"states"`
	Messages    int64         `json:"messages"` // done, of both halves the mean
	Total       int64         `json:"total"`    // messages
	Bytes       int64         `json:"bytes"`    // over the wire of mail, both ways
	PerSecond   float64       `json:"perSecond"`
	BytesPerSec float64       `json:"bytesPerSecond"`
	Waiting     string        `json:"waiting,omitempty"`
	Until       time.Time     `json:"until,omitzero"`
	Lines       []Line        `json:"lines"`
	Ended       []Ended       `json:"ended"` // what failed, and the last that was finished
}

// Left is how long the step still takes at the speed that it has, 0: unknown.
func (v *View) Left() time.Duration { return left(v.Total-v.Messages, v.PerSecond) }

// Finished are the accounts that are through with the step, well or not.
func (v *View) Finished() int {
	n := 0
	for state, count := range v.States {
		if state != Working && state != "" {
			n += count
		}
	}
	return n
}

// Line is an account at work.
type Line struct {
	Account     string    `json:"account"`
	Phase       Phase     `json:"phase,omitempty"`
	Stage       string    `json:"stage,omitempty"`
	Done        int64     `json:"done"`
	Total       int64     `json:"total"`
	Bytes       int64     `json:"bytes"`
	PerSecond   float64   `json:"perSecond"`
	BytesPerSec float64   `json:"bytesPerSecond"`
	Waiting     string    `json:"waiting,omitempty"`
	Until       time.Time `json:"until,omitzero"`
}

// Left is how long the stage still takes, 0: unknown.
func (l *Line) Left() time.Duration { return left(l.Total-l.Done, l.PerSecond) }

// Ended is an account that is through.
type Ended struct {
	Account string `json:"account"`
	State   State  `json:"state"`
	Text    string `json:"text,omitempty"`
}

func left(n int64, perSecond float64) time.Duration {
	if n <= 0 || perSecond <= 0 {
		return 0
	}
	return min(time.Duration(float64(n)/perSecond*float64(time.Second)), 1000*time.Hour)
}

// shownEnded is how many accounts that are through are kept for the screen.
const shownEnded = 8

// board gathers what there is to show. Its methods may be called from several
// goroutines.
type board struct {
	mu      sync.Mutex
	step    Step
	started time.Time
	sizes   map[string]int64 // messages, of the step's accounts
	states  map[string]State
	lines   map[string]*lineAt
	failed  []Ended
	well    []Ended
	moved   int64 // messages of accounts that are through
	bytes   int64 // octets of phases that are over
	speed   speed
	waiting string
	until   time.Time
}

// lineAt is a line under way.
type lineAt struct {
	Line
	speed    speed
	halves   map[Phase]int64 // messages
	expected int64
}

// begin starts a step over these accounts, by their sizes in messages.
func (b *board) begin(step Step, sizes map[string]int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.step, b.started, b.sizes = step, time.Now(), sizes
	b.states, b.lines = map[string]State{}, map[string]*lineAt{}
	b.failed, b.well, b.moved, b.bytes, b.speed = nil, nil, 0, 0, speed{}
}

// account notes that an account began or ended the step.
func (b *board) account(name string, state State, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.states[name] = state
	if state == Working {
		b.lines[name] = &lineAt{Line: Line{Account: name}, halves: map[Phase]int64{}}
		return
	}
	if l := b.lines[name]; l != nil {
		b.bytes += l.Bytes
		b.sizes[name] = max(b.sizes[name], l.expected)
		delete(b.lines, name)
	}
	switch state {
	case Done, Partial, Differs:
		b.moved += b.sizes[name]
	default:
		b.sizes[name] = 0 // they are not going to come
	}
	if end := (Ended{name, state, text}); state.bad() || state == Interrupted {
		b.failed = append(b.failed, end)
	} else if b.well = append(b.well, end); len(b.well) > shownEnded {
		b.well = b.well[1:]
	}
}

// event takes in what the library tells of an account.
func (b *board) event(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Kind == progress.Wait && e.Account == "" {
		b.waiting, b.until = e.Text, e.Until
		return
	}
	l := b.lines[e.Account]
	switch {
	case l == nil:
	case e.Kind == progress.Wait:
		l.Waiting, l.Until = e.Text, e.Until
	case e.Kind == progress.Stage || e.Kind == progress.Finished:
		// Types go side by side; the messages are what people wait for.
		mail := e.Stage == account.Email.Name
		if !mail && (e.Total == 0 || e.Total == e.Done) && l.Phase == e.Phase {
			return // over in a moment
		}
		if !mail && l.Stage == account.Email.Name && l.Phase == e.Phase && l.Done < l.Total {
			return
		}
		if l.Phase != e.Phase || l.Stage != e.Stage {
			b.bytes += l.Bytes
			l.speed = speed{}
		}
		l.Phase, l.Stage, l.Done, l.Total, l.Bytes = e.Phase, e.Stage, e.Done, e.Total, e.Bytes
		l.Waiting, l.Until = "", time.Time{}
		l.speed.add(e.Time, e.Done, e.Bytes)
		if mail {
			l.halves[e.Phase] = e.Done
			l.expected = max(l.expected, e.Total)
		}
	}
}

// view is the board at a moment.
func (b *board) view(now time.Time) View {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := View{At: now.UTC(), Step: b.step, Started: b.started.UTC(), Accounts: len(b.sizes), States: map[State]int{},
		Messages: b.moved, Bytes: b.bytes}
	for _, s := range b.states {
		v.States[s]++
	}
	for name, n := range b.sizes {
		if l := b.lines[name]; l != nil {
			n = max(n, l.expected)
		}
		v.Total += n
	}
	phases := map[Step]int64{CopyStep: 2, CutoverStep: 2}
	for _, name := range slices.Sorted(maps.Keys(b.lines)) {
		l := b.lines[name]
		l.PerSecond, l.BytesPerSec = l.speed.rate()
		if now.After(l.Until) {
			l.Waiting, l.Until = "", time.Time{}
		}
		v.Lines = append(v.Lines, l.Line)
		v.Bytes += l.Bytes
		var halves int64
		for _, n := range l.halves {
			halves += n
		}
		v.Messages += halves / cmp.Or(phases[b.step], 1)
	}
	if now.Before(b.until) {
		v.Waiting, v.Until = b.waiting, b.until
	}
	b.speed.add(now, v.Messages, v.Bytes)
	v.PerSecond, v.BytesPerSec = b.speed.rate()
	v.Ended = slices.Concat(b.failed[max(0, len(b.failed)-shownEnded):], b.well[max(0, len(b.well)-2):])
	return v
}

// speed is what was done in a second, as a mean of the last while.
type speed struct{ at []sample }

type sample struct {
	at    time.Time
	items int64
	bytes int64
}

const speedWindow = 15 * time.Second

func (s *speed) add(at time.Time, items, bytes int64) {
	now := sample{at, items, bytes}
	if n := len(s.at); n < 2 || at.Sub(s.at[n-2].at) >= time.Second/4 {
		s.at = append(s.at, now)
	} else {
		s.at[n-1] = now
	}
	for len(s.at) > 2 && at.Sub(s.at[1].at) > speedWindow {
		s.at = s.at[1:]
	}
}

func (s *speed) rate() (items, bytes float64) {
	if len(s.at) < 2 {
		return 0, 0
	}
	first, last := s.at[0], s.at[len(s.at)-1]
	took := last.at.Sub(first.at).Seconds()
	if took < 0.2 {
		return 0, 0 // too short to tell
	}
	return max(float64(last.items-first.items)/took, 0), max(float64(last.bytes-first.bytes)/took, 0)
}
