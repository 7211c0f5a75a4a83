package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"mailhaul/internal/migrate"
)

// Colours of what went well and of what did not (ECMA-48 SGR).
const (
	green  = "\x1b[32m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

// boardLines are a migration at a moment in so many columns and at most so many
// lines: the whole, the accounts at work, those that failed, the last that were
// finished.
func boardLines(v migrate.View, now time.Time, width, height int, colour bool) []string {
	if v.Step == "" {
		return nil
	}
	lines := []string{overall(&v, width)}
	for i := range v.Lines {
		lines = append(lines, fit(accountAtWork(&v.Lines[i], now), width))
	}
	if v.Waiting != "" {
		lines = append(lines, fit(fmt.Sprintf("  waiting until %s: %s", v.Until.Local().Format("15:04:05"), oneLine(v.Waiting)), width))
	}
	for _, e := range v.Ended {
		mark, tint := "done  ", green
		switch e.State {
		case migrate.Failed, migrate.Partial, migrate.Differs:
			mark, tint = "FAILED", red
		case migrate.Blocked, migrate.Interrupted:
			mark, tint = "left  ", yellow
		}
		text := fit(fmt.Sprintf("%s  %s: %s", mark, oneLine(e.Account), oneLine(e.Text)), width)
		if colour {
			text = tint + text[:len(mark)] + plain + text[len(mark):]
		}
		lines = append(lines, text)
	}
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return lines[:min(len(lines), max(height, 1))]
}

// overall is the first line: how far the step is.
func overall(v *migrate.View, width int) string {
	when := ""
	if left := v.Left(); left > 0 {
		when = clock(left)
	}
	left := fmt.Sprintf("%-9s", v.Step)
	right := fmt.Sprintf("%d/%d accounts %11s %10s %8s", v.Finished(), v.Accounts, fmt.Sprintf("%d/%d", v.Messages, v.Total), perSecondText(v.BytesPerSec, v.PerSecond), when)
	room := width - len(left) - len(right) - 4
	if room < 5 {
		return fit(left+" "+right, width)
	}
	full := 0
	if v.Total > 0 {
		full = int(min(v.Messages, v.Total) * int64(room) / v.Total)
	} else if v.Accounts > 0 {
		full = v.Finished() * room / v.Accounts
	}
	full = min(max(full, 0), room)
	return left + " [" + strings.Repeat("=", full) + strings.Repeat(" ", room-full) + "] " + right
}

// accountAtWork is an account's line.
func accountAtWork(l *migrate.Line, now time.Time) string {
	name := runewidth.FillRight(runewidth.Truncate(oneLine(l.Account), 22, "…"), 22)
	if l.Waiting != "" && l.Until.After(now) {
		return fmt.Sprintf("  %s waiting until %s: %s", name, l.Until.Local().Format("15:04:05"), oneLine(l.Waiting))
	}
	if l.Phase == "" {
		return "  " + name + " signing in"
	}
	count := fmt.Sprint(l.Done)
	if l.Total > 0 {
		count = fmt.Sprintf("%d/%d", l.Done, l.Total)
	}
	bytes, when := "", ""
	if l.Bytes > 0 {
		bytes = size(l.Bytes)
	}
	if left := l.Left(); left > 0 {
		when = clock(left)
	}
	stage := runewidth.FillRight(runewidth.Truncate(string(l.Phase)+" "+l.Stage, 14, "…"), 14)
	return fmt.Sprintf("  %s %s %11s %8s %10s %6s", name, stage, count, bytes, perSecondText(l.BytesPerSec, l.PerSecond), when)
}

func perSecondText(bytes, items float64) string {
	switch {
	case bytes >= 1:
		return size(int64(bytes)) + "/s"
	case items >= 1:
		return fmt.Sprintf("%.0f/s", items)
	}
	return ""
}

// fit cuts a line to so many columns.
func fit(s string, width int) string { return runewidth.Truncate(s, width, "…") }
