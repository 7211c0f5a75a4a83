package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"mailhaul/archive"
	"mailhaul/internal/progress"
)

// unfinished stands for whatever an archive holds, finished or not.
const unfinished = -1

// snapshotAt finds the snapshot that --at names: a number, or a date, which
// means the last one finished by then. "" is the newest. One that is partial is
// told of.
func snapshotAt(cmd *cobra.Command, ar *opened, at string) (int, error) {
	n, err := findSnapshot(cmd, ar, at)
	if err == nil {
		err = ar.tellPartial(n)
	}
	return n, err
}

// tellPartial warns of a snapshot that is not of the whole account.
func (o *opened) tellPartial(at int) error {
	s, err := o.recordAt(at)
	if err == nil && s != nil && s.Scope != nil && o.tell != nil {
		o.tell(progress.Event{Kind: progress.Warning, Text: fmt.Sprintf("snapshot %d is %s", s.Snapshot, partial(s.Scope)),
			Advice: "what it leaves out is as earlier snapshots have it, or missing"})
	}
	return err
}

// recordAt is the record of a snapshot, of the newest for 0; nil for one that is
// unfinished.
func (o *opened) recordAt(at int) (*archive.SnapshotRecord, error) {
	snapshots, err := o.Snapshots()
	for _, s := range slices.Backward(snapshots) {
		if at == 0 || s.Snapshot == at {
			return &s, err
		}
	}
	return nil, err
}

func findSnapshot(cmd *cobra.Command, ar *opened, at string) (int, error) {
	snapshots, err := ar.Snapshots()
	if err != nil {
		return 0, err
	}
	if len(snapshots) == 0 {
		return 0, fmt.Errorf("%s has no finished snapshot: its first export was interrupted. Run the export again, "+
			"or take what is there with `import account --incomplete`", ar.path)
	}
	if at == "" {
		return 0, nil
	}
	if n, err := strconv.Atoi(at); err == nil {
		for _, s := range snapshots {
			if s.Snapshot == n {
				return n, nil
			}
		}
		return 0, usage(cmd, fmt.Errorf("there is no snapshot %d in %s: it has %s", n, ar.path, snapshotRange(snapshots)))
	}
	when, err := endOf(at)
	if err != nil {
		return 0, usage(cmd, fmt.Errorf("--at takes a snapshot's number or a date like 2026-01-31 or 2026-01-31T18:00:00Z, not %q", at))
	}
	found := 0
	for _, s := range snapshots {
		if !s.Finished.After(when) {
			found = s.Snapshot
		}
	}
	if found == 0 {
		return 0, usage(cmd, fmt.Errorf("no snapshot in %s is as old as %s: it has %s", ar.path, at, snapshotRange(snapshots)))
	}
	return found, nil
}

// endOf is a moment, or the last one of a local day.
func endOf(s string) (time.Time, error) {
	if day, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return day.AddDate(0, 0, 1).Add(-time.Nanosecond), nil
	}
	return time.Parse(time.RFC3339, s)
}

func snapshotRange(snapshots []archive.SnapshotRecord) string {
	first, last := snapshots[0], snapshots[len(snapshots)-1]
	if first.Snapshot == last.Snapshot {
		return fmt.Sprintf("snapshot %d of %s", first.Snapshot, date(first.Finished))
	}
	return fmt.Sprintf("snapshots %d of %s to %d of %s", first.Snapshot, date(first.Finished), last.Snapshot, date(last.Finished))
}
