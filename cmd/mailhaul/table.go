package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// table is rows under a head, aligned by display columns. A head that begins
// with ">" is of a column of numbers.
type table struct {
	head   []string
	rows   [][]string
	indent string
}

// widest is how many display columns a cell of text may take.
const widest = 44

func newTable(head ...string) *table { return &table{head: head, indent: "  "} }

func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = runewidth.Truncate(clean(fmt.Sprint(c)), widest, "…")
	}
	t.rows = append(t.rows, row)
}

func (t *table) write(w io.Writer) {
	head := make([]string, len(t.head))
	widths := make([]int, len(t.head))
	for i, h := range t.head {
		head[i] = strings.TrimPrefix(h, ">")
	}
	for _, row := range append([][]string{head}, t.rows...) {
		for i, c := range row {
			widths[i] = max(widths[i], runewidth.StringWidth(c))
		}
	}
	for _, row := range append([][]string{head}, t.rows...) {
		var line strings.Builder
		line.WriteString(t.indent)
		for i, c := range row {
			pad := strings.Repeat(" ", widths[i]-runewidth.StringWidth(c))
			if strings.HasPrefix(t.head[i], ">") {
				c = pad + c
			} else {
				c += pad
			}
			if i > 0 {
				c = "  " + c
			}
			line.WriteString(c)
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// clean is text from outside made fit for a terminal: what would move the
// cursor, change colours or turn the direction of writing becomes visible.
// Line breaks stay.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return unicode.ReplacementChar
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// oneLine is clean text without line breaks.
func oneLine(s string) string { return strings.ReplaceAll(clean(s), "\n", " ") }

// size is a number of octets for a person, in powers of 1000.
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB", "PB"} {
		if f /= 1000; f < 999.95 {
			return fmt.Sprintf("%.1f %s", f, unit)
		}
	}
	return fmt.Sprintf("%.1f EB", f/1000)
}

// clock is a duration as a clock shows it, 0:07 or 1:02:03.
func clock(d time.Duration) string {
	s := int64(d.Round(time.Second).Seconds())
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// date is a moment for a person, in the local time zone.
func date(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.Local().Format("2006-01-02 15:04")
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// listed writes the first few of many under a heading.
func listed(w io.Writer, heading string, items []string, total int64, most int, rest string) {
	if total == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", heading)
	for _, item := range items[:min(most, len(items))] {
		fmt.Fprintln(w, "  "+strings.ReplaceAll(clean(item), "\n", "\n    "))
	}
	if more := total - int64(min(most, len(items))); more > 0 {
		fmt.Fprintf(w, "  and %d more (%s)\n", more, rest)
	}
}

// shellWord is an argument as it can be pasted into a shell.
func shellWord(s string) string {
	safe := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("@%+=:,./_-~\\", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 && (!strings.Contains(s, `\`) || filepath.Separator == '\\') {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
