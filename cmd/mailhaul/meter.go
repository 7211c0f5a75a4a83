package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"

	"mailhaul/internal/progress"
)

// meter follows one stage and says how fast it is and when it will be done.
type meter struct {
	mu      sync.Mutex
	last    progress.Event
	started time.Time
	samples []progress.Event // of the last rateWindow, oldest first
}

// rateWindow is what a rate is the average of.
const rateWindow = 15 * time.Second

func (m *meter) update(e progress.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.started.IsZero() {
		m.started = e.Time
	}
	m.last = e
	// One sample a quarter of a second is enough for a rate.
	if n := len(m.samples); n < 2 || e.Time.Sub(m.samples[n-2].Time) >= time.Second/4 {
		m.samples = append(m.samples, e)
	} else {
		m.samples[n-1] = e
	}
	for len(m.samples) > 2 && e.Time.Sub(m.samples[1].Time) > rateWindow {
		m.samples = m.samples[1:]
	}
}

// line is the stage in one line: with a bar if width is above 0, as a sentence
// otherwise.
func (m *meter) line(width int) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if width > 0 {
		return m.bar(width)
	}
	e := m.last
	text := e.Stage + ": " + m.count(" of ")
	if b := m.bytes(); b != "" {
		text += ", " + b
	}
	if e.Kind == progress.Finished {
		return text + ", done in " + clock(e.Time.Sub(m.started))
	}
	if r := m.rate(); r != "" {
		text += ", " + r
	}
	if left := m.left(); left > 0 {
		text += ", " + clock(left) + " left"
	}
	return text
}

// bar fits into width columns, 80 and fewer; the bar itself gives way first.
func (m *meter) bar(width int) string {
	e := m.last
	when := ""
	if left := m.left(); left > 0 {
		when = clock(left)
	}
	rate := m.rate()
	if e.Kind == progress.Finished {
		when, rate = clock(e.Time.Sub(m.started)), "done in"
	}
	left := fmt.Sprintf("%-19s %13s", runewidth.Truncate(e.Stage, 19, "…"), m.count("/"))
	right := fmt.Sprintf("%9s %10s %8s", m.bytes(), rate, when)
	text := left + " " + right
	if room := width - 1 - len([]rune(text)) - 3; room >= 5 {
		text = left + " " + m.fill(room) + " " + right
	}
	if r := []rune(text); len(r) > width-1 {
		text = string(r[:max(width-1, 0)])
	}
	return text
}

// fill is the bar, of n columns and its two ends.
func (m *meter) fill(n int) string {
	e := m.last
	full := 0
	switch {
	case e.Kind == progress.Finished:
		full = n
	case e.BytesTotal > 0:
		full = int(min(e.Bytes, e.BytesTotal) * int64(n) / e.BytesTotal)
	case e.Total > 0:
		full = int(min(e.Done, e.Total) * int64(n) / e.Total)
	}
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", n-full) + "]"
}

// count is how many items are done, or how many octets in a stage without items.
func (m *meter) count(of string) string {
	switch e := m.last; {
	case e.Total > 0:
		return fmt.Sprintf("%d%s%d", e.Done, of, e.Total)
	case e.Done == 0 && e.BytesTotal > 0:
		return size(e.Bytes) + of + size(e.BytesTotal)
	default:
		return fmt.Sprint(e.Done)
	}
}

// bytes is how many octets went by, "" if count says it or there are none.
func (m *meter) bytes() string {
	e := m.last
	if e.Bytes == 0 || (e.Done == 0 && e.Total == 0 && e.BytesTotal > 0) {
		return ""
	}
	return size(e.Bytes)
}

// perSecond is how many items and octets went by in a second.
func (m *meter) perSecond() (items, bytes float64) {
	if len(m.samples) < 2 {
		return 0, 0
	}
	first := m.samples[0]
	took := m.last.Time.Sub(first.Time).Seconds()
	if took < 0.2 {
		return 0, 0 // too short to tell
	}
	return float64(m.last.Done-first.Done) / took, float64(m.last.Bytes-first.Bytes) / took
}

func (m *meter) rate() string {
	items, bytes := m.perSecond()
	switch {
	case bytes > 0:
		return size(int64(bytes)) + "/s"
	case items > 0:
		return fmt.Sprintf("%.0f/s", items)
	}
	return ""
}

// left is the time still to go, 0 if it can't be told.
func (m *meter) left() time.Duration {
	items, bytes := m.perSecond()
	var seconds float64
	switch e := m.last; {
	case e.BytesTotal > e.Bytes && bytes > 0:
		seconds = float64(e.BytesTotal-e.Bytes) / bytes
	case e.Total > e.Done && items > 0:
		seconds = float64(e.Total-e.Done) / items
	}
	const most = 1000 * time.Hour
	return min(time.Duration(seconds*float64(time.Second)), most)
}
