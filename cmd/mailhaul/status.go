package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mailhaul/account"
	"mailhaul/archive"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status DIR…",
		Short: "What archives hold, how far they are",
		Long: `Say what archives hold and how far exports and imports are. DIR is an archive or a
directory of archives.`,
		Args: takes(1, -1, "one or more archives, or directories of archives"),
		RunE: a.does(func(ctx context.Context, _ *cobra.Command, args []string) (*report, error) {
			var all []*status
			var errs []error
			for _, dir := range args {
				found, err := a.statusOf(ctx, filepath.Clean(dir))
				all = append(all, found...)
				errs = append(errs, err)
			}
			return &report{all, func(w io.Writer) {
				for i, s := range all {
					if i > 0 {
						fmt.Fprintln(w)
					}
					s.text(w)
				}
			}}, errors.Join(errs...)
		}),
	}
}

// status is what an archive says of itself.
type status struct {
	Archive    string                   `json:"archive"`
	Old        bool                     `json:"oldExport,omitempty"` // of the old command-line tool, not yet an archive
	Manifest   *archive.Manifest        `json:"manifest,omitempty"`
	Snapshots  []archive.SnapshotRecord `json:"snapshots,omitempty"`
	Unfinished *unfinishedRun           `json:"unfinished,omitempty"`
	Journals   []journal                `json:"imports,omitempty"`
}

type unfinishedRun struct {
	Snapshot int              `json:"snapshot"`
	Objects  map[string]int64 `json:"objects"`
}

// journal is how far an import into one account is.
type journal struct {
	Server    string                             `json:"server"`
	AccountID string                             `json:"accountId"`
	Account   string                             `json:"account"`
	Updated   time.Time                          `json:"updated"`
	Counts    map[string]map[archive.State]int64 `json:"counts"`
}

// statusOf tells of an archive, or of every archive in a directory.
func (a *app) statusOf(ctx context.Context, dir string) ([]*status, error) {
	archives, old, err := archivesIn(dir)
	if isArchive(dir) || err != nil || len(archives)+len(old) == 0 {
		ar, err := a.openArchive(ctx, dir)
		if err != nil {
			return nil, err
		}
		s, err := statusFrom(ar)
		return []*status{s}, errors.Join(err, ar.Close())
	}
	var all []*status
	var errs []error
	for _, path := range archives {
		ar, err := a.openArchive(ctx, path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s, err := statusFrom(ar)
		all = append(all, s)
		errs = append(errs, err, ar.Close())
	}
	for _, path := range old {
		all = append(all, &status{Archive: path, Old: true})
	}
	return all, errors.Join(errs...)
}

func statusFrom(ar *opened) (*status, error) {
	m := ar.Manifest()
	s := &status{Archive: ar.path, Manifest: &m}
	var err error
	if s.Snapshots, err = ar.Snapshots(); err != nil {
		return s, err
	}
	n, counts, ok, err := ar.Unfinished()
	if err != nil {
		return s, err
	}
	if ok {
		s.Unfinished = &unfinishedRun{n, counts}
	}
	journals, err := ar.Journals()
	for _, j := range journals {
		s.Journals = append(s.Journals, journal{j.Server, j.AccountID, j.AccountName, j.Updated, j.Counts})
	}
	return s, err
}

func (s *status) text(w io.Writer) {
	fmt.Fprintln(w, s.Archive)
	if s.Old {
		fmt.Fprintln(w, "  an export of the old command-line tool; import, verify and inspect take it as it is")
		return
	}
	fmt.Fprintf(w, "  %s, made %s\n", describeOrigin(s.Manifest.Account), date(s.Manifest.Created))
	if len(s.Snapshots) > 0 {
		writeSnapshots(w, s.Snapshots)
		last := s.Snapshots[len(s.Snapshots)-1]
		failed, n := failedOf(&last)
		listed(w, fmt.Sprintf("  snapshot %d could not take:", last.Snapshot), failed, n, shownItems, "all of them: --json")
	}
	if u := s.Unfinished; u != nil {
		fmt.Fprintf(w, "  snapshot %d is unfinished, with %s so far: the same export goes on\n", u.Snapshot, countsOf(u.Objects))
	}
	for _, j := range s.Journals {
		fmt.Fprintf(w, "  imported into %s, last %s:\n", describeOrigin(archive.Origin{Name: j.Account, ID: j.AccountID, Server: j.Server}), date(j.Updated))
		t := newTable("type", ">done", ">failed", ">in flight")
		t.indent = "    "
		for _, typ := range account.Types {
			if c := j.Counts[typ.Name]; len(c) > 0 {
				t.add(typ.Name, c[archive.Done], c[archive.Failed], c[archive.InFlight])
			}
		}
		t.write(w)
	}
}
