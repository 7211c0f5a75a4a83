package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"
	"pgregory.net/rapid"

	"mailhaul/internal/migrate"
)

// Whatever the figures and names are, the board fits into the terminal.
func TestTheBoardFitsIntoTheTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_700_000_000, 0)
		number := rapid.Int64Range(0, 1<<40)
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z]{0,90}`), rapid.Just("注文@例え.example"))
		v := migrate.View{Step: migrate.CopyStep, Accounts: rapid.IntRange(0, 5000).Draw(t, "accounts"), States: map[migrate.State]int{migrate.Done: rapid.IntRange(0, 6000).Draw(t, "done")},
			Messages: number.Draw(t, "messages"), Total: number.Draw(t, "total"), PerSecond: float64(number.Draw(t, "speed")), BytesPerSec: float64(number.Draw(t, "bytes")),
			Waiting: text.Draw(t, "waiting"), Until: now.Add(time.Minute)}
		for range rapid.IntRange(0, 30).Draw(t, "lines") {
			v.Lines = append(v.Lines, migrate.Line{Account: text.Draw(t, "account"), Phase: migrate.Exporting, Stage: "Email",
				Done: number.Draw(t, "n"), Total: number.Draw(t, "of"), Bytes: number.Draw(t, "octets"), PerSecond: 3, Waiting: text.Draw(t, "why"), Until: now.Add(time.Second)})
			v.Ended = append(v.Ended, migrate.Ended{Account: text.Draw(t, "ended"), State: migrate.Failed, Text: text.Draw(t, "text")})
		}
		width, height := rapid.IntRange(19, 200).Draw(t, "width"), rapid.IntRange(1, 60).Draw(t, "height")
		lines := boardLines(v, now, width, height, false)
		if len(lines) > height {
			t.Errorf("%d lines of %d", len(lines), height)
		}
		for _, l := range lines {
			if runewidth.StringWidth(l) > width || strings.ContainsAny(l, "\n\r\x1b\t") {
				t.Errorf("%q has %d columns of %d", l, runewidth.StringWidth(l), width)
			}
		}
	})
}

// Colour is beside the words, never in their place.
func TestTheBoardSaysTheSameWithoutColour(t *testing.T) {
	v := migrate.View{Step: migrate.CopyStep, Accounts: 3, States: map[migrate.State]int{migrate.Done: 1, migrate.Failed: 1},
		Ended: []migrate.Ended{{Account: "alice", State: migrate.Failed, Text: "full"}, {Account: "bob", State: migrate.Done, Text: "3 messages"}}}
	strip := strings.NewReplacer(green, "", red, "", yellow, "", plain, "")
	var stripped []string
	for _, l := range boardLines(v, time.Now(), 79, 24, true) {
		stripped = append(stripped, strip.Replace(l))
	}
	if diff := cmp.Diff(boardLines(v, time.Now(), 79, 24, false), stripped); diff != "" {
		t.Error(diff)
	}
}
