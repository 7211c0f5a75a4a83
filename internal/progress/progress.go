// Package progress carries what a run has to tell a person: how far it is, what
// it waits for, what failed. The library emits events; the command line draws
// them as bars, as lines, or as JSON.
package progress

import "time"

// Kind says what an Event is about.
type Kind string

// The kinds of events.
const (
	// Stage: a stage is at work; Done of Total items and Bytes of BytesTotal.
	Stage Kind = "stage"
	// Finished: the stage has ended, with its last figures.
	Finished Kind = "finished"
	// Note: something the user should know, nothing went wrong.
	Note Kind = "note"
	// Warning: something was changed, left out or could not be kept.
	Warning Kind = "warning"
	// Failure: one item could not be moved; the run goes on.
	Failure Kind = "failure"
	// Wait: the run waits for the server until Until, because of Text.
	Wait Kind = "wait"
)

// Event is one thing to tell. Fields that do not apply are zero. It is one line
// of --json output as it stands.
type Event struct {
	Kind    Kind      `json:"event"`
	Time    time.Time `json:"time"`
	Account string    `json:"account,omitempty"`
	// Stage is a short name: "Email", "SieveScript", "verify Email".
	Stage string `json:"stage,omitempty"`
	// Done and Total count items, Bytes and BytesTotal count octets; a total of
	// 0 is not known yet.
	Done       int64 `json:"done,omitempty"`
	Total      int64 `json:"total,omitempty"`
	Bytes      int64 `json:"bytes,omitempty"`
	BytesTotal int64 `json:"bytesTotal,omitempty"`
	// Item names what failed, as a person would look for it.
	Item string `json:"item,omitempty"`
	// Text is the message; Advice says what to do about it.
	Text   string    `json:"text,omitempty"`
	Advice string    `json:"advice,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

// Func receives events; it may be called from several goroutines at once and
// must not block for long. A nil Func drops them.
type Func func(Event)

// Emit stamps an event with the time and hands it on.
func (f Func) Emit(e Event) {
	if f == nil {
		return
	}
	e.Time = time.Now().UTC()
	f(e)
}
