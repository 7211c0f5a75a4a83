package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"mailhaul/archive"
)

func (a *app) reindexCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reindex ARCHIVE",
		Short: "Rebuild the catalog from the packs",
		Long: `Rebuild catalog.db, which may be lost or damaged, from the packs alone. What is
damaged in the packs is left out and named. Journals of imports are kept if the
old catalog can still be read; without them an import looks for what is there
already on the server itself.`,
		Args: takes(1, 1, "ARCHIVE"),
		RunE: a.does(func(ctx context.Context, _ *cobra.Command, args []string) (*report, error) {
			dir := filepath.Clean(args[0])
			if !isArchive(dir) {
				return nil, notAnArchive(dir)
			}
			r, err := archive.Reindex(ctx, dir, a.reading("packs"))
			if err != nil {
				return nil, err
			}
			if len(r.Problems) > 0 {
				err = damaged(dir, r, "the export again")
			}
			return &report{r, func(w io.Writer) {
				fmt.Fprintf(w, "Rebuilt the catalog of %s.\n", dir)
				writeArchiveCheck(w, dir, r)
			}}, err
		}),
	}
}
