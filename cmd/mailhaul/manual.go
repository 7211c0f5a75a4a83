package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manualCommand is for the build and for packagers.
func (a *app) manualCommand() *cobra.Command {
	return &cobra.Command{
		Use: "manual DIR", Short: "Write man pages and completions", Hidden: true,
		Args: takes(1, 1, "a directory"),
		RunE: a.does(func(_ context.Context, cmd *cobra.Command, args []string) (*report, error) {
			if err := writeManual(cmd.Root(), args[0]); err != nil {
				return nil, err
			}
			return &report{args[0], func(w io.Writer) { fmt.Fprintf(w, "Wrote man pages and completions into %s.\n", args[0]) }}, nil
		}),
	}
}

// writeManual writes DIR/man1 and DIR/completions.
func writeManual(root *cobra.Command, dir string) error {
	man, completions := filepath.Join(dir, "man1"), filepath.Join(dir, "completions")
	for _, d := range []string{man, completions} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	root.DisableAutoGenTag = true // the pages are the same whenever they are made
	return errors.Join(
		doc.GenManTree(root, &doc.GenManHeader{Title: "MAILHAUL", Section: "1", Source: "mailhaul " + buildVersion(), Manual: "mailhaul"}, man),
		root.GenBashCompletionFileV2(filepath.Join(completions, "mailhaul.bash"), true),
		root.GenZshCompletionFile(filepath.Join(completions, "_mailhaul")),
		root.GenFishCompletionFile(filepath.Join(completions, "mailhaul.fish"), true),
	)
}
