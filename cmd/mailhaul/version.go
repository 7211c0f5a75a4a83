package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"mailhaul/archive"
)

// build is what is known of how the program was made.
type build struct {
	Version       string `json:"version"`
	Go            string `json:"go"`
	Platform      string `json:"platform"`
	Commit        string `json:"commit,omitempty"`
	Modified      bool   `json:"modified,omitempty"` // built from more than the commit
	ArchiveFormat int    `json:"archiveFormat"`
}

func buildInfo() build {
	b := build{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, ArchiveFormat: archive.FormatVersion}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func buildVersion() string { return buildInfo().Version }

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which mailhaul this is",
		Args:  takes(0, 0, "no arguments"),
		RunE: a.does(func(context.Context, *cobra.Command, []string) (*report, error) {
			b := buildInfo()
			return &report{value: b, text: func(w io.Writer) {
				fmt.Fprintf(w, "mailhaul %s (%s, %s, archive format %d)\n", b.Version, b.Go, b.Platform, b.ArchiveFormat)
				if b.Commit != "" {
					fmt.Fprintf(w, "commit %s", b.Commit)
					if b.Modified {
						fmt.Fprint(w, ", with changes")
					}
					fmt.Fprintln(w)
				}
			}}, nil
		}),
	}
}
