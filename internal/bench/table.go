package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// tableHead begins the table, in Markdown, of which each scenario is a few rows.
const tableHead = `| | messages/s | MB/s | requests | to the ceiling | s | of them processor | MB resident at most |
|---|---|---|---|---|---|---|---|
`

// table measures the lines in turns, round after round, and prints the median
// of each. What the loops that lost were able to do when tried goes to standard
// error.
func (s *scenario) table(ctx context.Context, what string, lines []line, tried []trial) error {
	for _, l := range tried {
		fmt.Fprintf(os.Stderr, "%s, %s, %s, %v: tried %s, %d at once: %.0f messages/s\n", what, s.name, s.class.name, s.rtt, l.name, l.connections, l.rate())
	}
	list := make([]measured, len(lines))
	for range s.rounds {
		for i, l := range lines {
			f, err := l.run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			list[i].name = l.name
			list[i].figures = append(list[i].figures, f)
		}
	}
	for i, m := range list {
		name := m.name
		if i == 0 {
			name = fmt.Sprintf("**%s**, %s, %v, %d %s messages: %s", what, s.name, s.rtt, s.n, s.class.name, name)
		}
		row(s.out, name, m.median(), fmt.Sprintf("%.2f", m.ratio(&list[1])))
	}
	return nil
}

// row prints one line of the table.
func row(out io.Writer, name string, f figure, ratio string) {
	requests, took, cpu, peak := "", "", "", ""
	if f.requests > 0 {
		requests = fmt.Sprint(f.requests)
	}
	if f.peak > 0 { // a process of its own
		took, cpu, peak = fmt.Sprintf("%.1f", f.took.Seconds()), fmt.Sprintf("%.1f", f.cpu.Seconds()), fmt.Sprint(f.peak>>20)
	}
	fmt.Fprintf(out, "| %s | %.0f | %.1f | %s | %s | %s | %s | %s |\n", name, f.rate(), f.megabytes(), requests, ratio, took, cpu, peak)
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
