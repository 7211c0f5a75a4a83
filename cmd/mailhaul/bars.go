package main

import (
	"fmt"
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"mailhaul/internal/progress"
)

// barRefresh is how often the bars are drawn.
const barRefresh = 150 * time.Millisecond

// lineStart brings the cursor back to the first column: the terminal's echo of
// a Ctrl-C moves it.
const lineStart = "\r"

// showBars draws a bar for each stage at work, below whatever else there is to
// say. The library places and redraws the lines; what stands in them is the
// meter's, read when the line is drawn, so that an event costs no drawing.
func (s *screen) showBars(w io.Writer) {
	tick, ended := make(chan any), make(chan any)
	p := mpb.New(mpb.WithOutput(w), mpb.PopCompletedMode(), mpb.WithManualRefresh(tick), mpb.WithShutdownNotifier(ended))
	draw := func() {
		select {
		case tick <- time.Now():
		case <-ended:
		}
	}
	go func() {
		t := time.NewTicker(barRefresh)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				draw()
			case <-ended:
				return
			}
		}
	}()

	meters, bars := map[string]*meter{}, map[string]*mpb.Bar{}
	s.stage = func(e progress.Event) {
		m := meters[e.Stage]
		if m == nil {
			m = &meter{}
			meters[e.Stage] = m
		}
		m.update(e)
		if bars[e.Stage] == nil && (e.Done > 0 || e.Total > 0 || e.BytesTotal > 0) { // most servers lack most types: they take no line
			bar, err := p.Add(0, mpb.BarFillerFunc(func(out io.Writer, st decor.Statistics) error {
				_, err := io.WriteString(out, lineStart+m.line(st.AvailableWidth))
				return err
			}), mpb.BarFillerTrim())
			if err != nil {
				return // the screen is closed
			}
			bars[e.Stage] = bar
		}
		if e.Kind == progress.Finished {
			if bars[e.Stage] != nil {
				bars[e.Stage].SetTotal(-1, true)
			}
			delete(meters, e.Stage)
			delete(bars, e.Stage)
		}
	}
	s.print = func(line string) {
		if _, err := fmt.Fprintln(p, lineStart+line); err != nil { // closed
			fmt.Fprintln(w, line)
		}
	}
	s.stop = func() {
		for _, bar := range bars {
			bar.Abort(false)
		}
		// A line that was said is drawn at the next tick; the third tick is taken
		// only after the first was drawn.
		for range 3 {
			draw()
		}
		p.Wait()
	}
}
