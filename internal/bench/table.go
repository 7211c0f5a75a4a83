package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"
)

// table measures the lines in turns, round after round, and prints the median
// of each, beside what the loops that lost were able to do when tried.
func (s *scenario) table(ctx context.Context, what string, lines []line, tried []trial) error {
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
	fmt.Fprintf(s.out, "\n%s · %s · %d messages, %s · round trip %v\n", what, s.name, s.n, s.class.name, s.rtt)
	t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "messages/s\tMB/s\trequests\tto ceiling\t\n")
	for _, m := range list {
		f := m.median()
		requests := "–"
		if f.requests > 0 {
			requests = fmt.Sprint(f.requests)
		}
		fmt.Fprintf(t, "%.0f\t%.1f\t%s\t%.2f\t  %s%s\n", f.rate(), f.megabytes(), requests, m.ratio(&list[1]), m.name, aside(f))
	}
	for _, l := range tried[1:] {
		fmt.Fprintf(t, "%.0f\t%.1f\t\t\t  (tried: %s, %d at once)\n", l.rate(), l.megabytes(), l.name, l.connections)
	}
	return t.Flush()
}

func aside(f figure) string {
	if f.peak == 0 {
		return ""
	}
	return fmt.Sprintf(" (%.1f s, of them processor %.1f s; %d MB resident at most)", f.took.Seconds(), f.cpu.Seconds(), f.peak>>20)
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
