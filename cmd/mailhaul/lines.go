package main

import (
	"fmt"
	"io"
	"time"

	"mailhaul/internal/progress"
)

// showLines writes a line when a stage starts and when it ends, and between
// them one every ten seconds or ten per cent, whichever is later. A stage that
// is over in a moment has the last line only, one with nothing in it none: most
// servers lack most types, and the report says what was there.
func (s *screen) showLines(w io.Writer) {
	stages := map[string]*lineStage{}
	s.print = func(line string) { fmt.Fprintln(w, line) }
	s.stop = func() {}
	s.stage = func(e progress.Event) {
		st, known := stages[e.Stage]
		if !known {
			st = &lineStage{}
			stages[e.Stage] = st
		}
		st.meter.update(e)
		if e.Kind == progress.Finished {
			delete(stages, e.Stage)
		}
		if e.Kind == progress.Finished && (e.Done > 0 || !st.shown.IsZero()) || e.Kind != progress.Finished && st.due(e) {
			fmt.Fprintln(w, st.meter.line(0))
		}
	}
}

// lineStage is a stage as lines show it.
type lineStage struct {
	meter   meter
	shown   time.Time
	percent int64 // when it was last shown
}

const (
	lineEvery = 10 * time.Second
	manyItems = 100 // take more than a moment
)

// due says whether it is time for another line.
func (st *lineStage) due(e progress.Event) bool {
	percent := int64(0)
	if e.Total > 0 {
		percent = e.Done * 100 / e.Total
	}
	if st.shown.IsZero() && e.Total < manyItems && e.Time.Sub(st.meter.started) < time.Second {
		return false
	}
	if !st.shown.IsZero() && (e.Time.Sub(st.shown) < lineEvery || (e.Total > 0 && percent < st.percent+10 && e.Time.Sub(st.shown) < time.Minute)) {
		return false
	}
	st.shown, st.percent = e.Time, percent
	return true
}
