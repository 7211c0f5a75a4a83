package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"mailhaul/account"
	"mailhaul/archive"
)

func (a *app) snapshotsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "snapshots ARCHIVE",
		Short: "List the snapshots of an archive",
		Long: `List the snapshots of an archive: when each export ended, what there was then, and
what it wrote that the one before did not have. --at of other commands takes a
snapshot's number, or a date. Below the table are those that are partial.`,
		Args: takes(1, 1, "ARCHIVE"),
		RunE: a.does(func(ctx context.Context, _ *cobra.Command, args []string) (*report, error) {
			ar, err := a.openArchive(ctx, filepath.Clean(args[0]))
			if err != nil {
				return nil, err
			}
			defer ar.Close()
			list, err := ar.Snapshots()
			if err != nil {
				return nil, err
			}
			return &report{list, func(w io.Writer) { writeSnapshots(w, list) }}, nil
		}),
	}
}

func writeSnapshots(w io.Writer, list []archive.SnapshotRecord) {
	if len(list) == 0 {
		fmt.Fprintln(w, "no export into this archive is finished")
		return
	}
	t := newTable(">no.", "finished", ">boxes", ">messages", ">size", ">other", ">changed", ">gone", ">failed")
	for _, s := range list {
		t.add(snapshotRow(&s)...)
	}
	t.write(w)
	for _, s := range list {
		if s.Scope != nil {
			fmt.Fprintf(w, "  %d is %s\n", s.Snapshot, partial(s.Scope))
		}
	}
}

// snapshotRow is a snapshot's line in a table.
func snapshotRow(s *archive.SnapshotRecord) []any {
	var other, changed, gone int64
	for name, typ := range s.Types {
		changed += typ.Changed
		gone += typ.Gone
		if name != account.Mailbox.Name && name != account.Email.Name {
			other += typ.Objects
		}
	}
	_, failed := failedOf(s)
	mail := s.Types[account.Email.Name]
	return []any{s.Snapshot, date(s.Finished), s.Types[account.Mailbox.Name].Objects, mail.Objects, size(mail.Bytes), other, changed, gone, failed}
}
