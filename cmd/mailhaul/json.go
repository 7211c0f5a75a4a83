package main

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"mailhaul/account"
	"mailhaul/internal/progress"
)

// jsonLines writes events to standard output as they come.
type jsonLines struct {
	w   io.Writer
	err error // the first one; nothing is written after it
}

func (j *jsonLines) write(value any) {
	if j.err == nil {
		_, j.err = j.w.Write(append(account.Marshal(value), '\n'))
	}
}

// showJSON sends events to out; a person's lines go to standard error.
func (s *screen) showJSON(out, person io.Writer) {
	s.json = &jsonLines{w: out}
	s.stage = func(progress.Event) {}
	s.print = func(line string) { fmt.Fprintln(person, line) }
	s.stop = func() {}
}

// failedWriting is the error that ended the JSON output, if one did.
func (s *screen) failedWriting() error {
	if s.json == nil {
		return nil
	}
	return s.json.err
}

// resultLine is the last line of --json output.
type resultLine struct {
	Event   string    `json:"event"` // "result"
	Time    time.Time `json:"time"`
	Command string    `json:"command"`
	Exit    int       `json:"exit"`
	Error   string    `json:"error,omitempty"`
	Result  any       `json:"result,omitempty"`
}

func (s *screen) result(b *bytes.Buffer, command string, rep *report, err error) {
	line := resultLine{Event: "result", Time: time.Now().UTC(), Command: command, Exit: exitCode(err)}
	if err != nil {
		line.Error = err.Error()
	}
	if rep != nil {
		line.Result = rep.value
	}
	b.Write(append(account.Marshal(line), '\n'))
}
