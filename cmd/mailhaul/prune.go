package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mailhaul/archive"
)

func (a *app) pruneCommand() *cobra.Command {
	var keep archive.Keep
	var within string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "prune ARCHIVE --keep-…",
		Short: "Forget snapshots and free their room",
		Long: `Forget the snapshots of an archive that no rule keeps, and free what only they need.
The newest is always kept. A rule of days, weeks, months or years keeps the newest
snapshot of each of so many of them that have one; days are those of UTC.

What the kept snapshots hold does not change. It may be interrupted or killed at
any time; the same command goes on.`,
		Args: takes(1, 1, "ARCHIVE"),
	}
	flags := cmd.Flags()
	flags.IntVar(&keep.Last, "keep-last", 0, "keep the `N` newest snapshots")
	flags.IntVar(&keep.Daily, "keep-daily", 0, "keep the newest of each of the last `N` days")
	flags.IntVar(&keep.Weekly, "keep-weekly", 0, "keep the newest of each of the last `N` weeks")
	flags.IntVar(&keep.Monthly, "keep-monthly", 0, "keep the newest of each of the last `N` months")
	flags.IntVar(&keep.Yearly, "keep-yearly", 0, "keep the newest of each of the last `N` years")
	flags.StringVar(&within, "keep-within", "", "keep all that were made within this `time` before the newest: 36h, 30d, 2y6m")
	flags.BoolVar(&dryRun, "dry-run", false, "change nothing, say what would be done")
	cmd.RunE = a.does(func(ctx context.Context, cmd *cobra.Command, args []string) (*report, error) {
		var err error
		if within != "" {
			if keep.Within, err = timeSpan(within); err != nil {
				return nil, usage(cmd, err)
			}
		}
		for _, n := range []int{keep.Last, keep.Daily, keep.Weekly, keep.Monthly, keep.Yearly} {
			if n < 0 {
				return nil, usage(cmd, errors.New("a number to keep is less than zero"))
			}
		}
		if keep == (archive.Keep{}) {
			return nil, usage(cmd, errors.New("say what to keep: --keep-last 1 keeps the newest snapshot alone"))
		}
		dir := filepath.Clean(args[0])
		if !isArchive(dir) {
			return nil, notAnArchive(dir)
		}
		ar, err := archive.Open(dir)
		if err != nil {
			return nil, err
		}
		defer ar.Close()
		r, err := ar.Prune(ctx, keep, dryRun, a.reading("packs to be freed"))
		if err != nil {
			return nil, err
		}
		return &report{r, func(w io.Writer) { writePruned(w, dir, r, dryRun) }}, nil
	})
	return cmd
}

func writePruned(w io.Writer, dir string, r *archive.PruneReport, dryRun bool) {
	did := map[bool][3]string{
		false: {"forgotten:", "kept:", "%s: %s were, %s are now; %s removed, %s written anew\n"},
		true:  {"would be forgotten:", "would be kept:", "%s: %s are, about %s would be; %s would be removed, %s written anew\n"},
	}[dryRun]
	fmt.Fprintf(w, "%-20s %s\n", did[0], numbersText(r.Forgotten))
	fmt.Fprintf(w, "%-20s %s\n", did[1], numbersText(r.Kept))
	fmt.Fprintf(w, did[2], dir, size(r.Before), size(r.After), plural(int64(r.Removed), "pack", "packs"), plural(int64(r.Rewritten), "pack", "packs"))
}

// numbersText lists snapshots' numbers, runs of them as 3-7.
func numbersText(list []int) string {
	if len(list) == 0 {
		return "none"
	}
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		switch {
		case j == i:
			parts = append(parts, strconv.Itoa(list[i]))
		case j == i+1:
			parts = append(parts, strconv.Itoa(list[i]), strconv.Itoa(list[j]))
		default:
			parts = append(parts, fmt.Sprintf("%d-%d", list[i], list[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, " ")
}

// spans are the units of a time span. Months and years are of 30 and 365 days.
var spans = map[byte]time.Duration{'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour, 'm': 30 * 24 * time.Hour, 'y': 365 * 24 * time.Hour}

// timeSpan reads a time span like 36h or 2y6m.
func timeSpan(s string) (time.Duration, error) {
	wrong := fmt.Errorf("%q is no time span: it is like 36h, 30d, 8w or 2y6m (hours, days, weeks, months, years)", s)
	var sum time.Duration
	for rest := s; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 || digits == len(rest) || digits > 6 {
			return 0, wrong
		}
		n, err := strconv.Atoi(rest[:digits])
		unit, ok := spans[rest[digits]]
		if err != nil || !ok || n > 100*365*24 || time.Duration(n)*unit > 200*spans['y'] {
			return 0, wrong
		}
		sum += time.Duration(n) * unit
		rest = rest[digits+1:]
	}
	if sum <= 0 || sum > 250*spans['y'] {
		return 0, wrong
	}
	return sum, nil
}
