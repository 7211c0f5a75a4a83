package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mailhaul/archive"
	"mailhaul/exporter"
	"mailhaul/internal/progress"
)

// opened is an archive that a command was given.
type opened struct {
	*archive.Archive
	path string // as the user named it, or what was made beside it
	// failed counts what could not be taken over from the directory that the
	// archive was made of, 0 where it was an archive to begin with.
	failed int64
	tell   func(progress.Event) // the screen
}

// openArchive opens an archive, or the directory that the old command-line tool
// exported: that is brought into an archive beside it first.
func (a *app) openArchive(ctx context.Context, path string) (*opened, error) {
	path = filepath.Clean(path)
	switch {
	case isArchive(path):
		ar, err := archive.Open(path)
		if err != nil {
			return nil, err
		}
		return &opened{Archive: ar, path: path, tell: a.screen.emit}, nil
	case exporter.IsOldCLI(path):
		return a.convert(ctx, path)
	}
	return nil, notAnArchive(path)
}

// isArchive says whether a directory claims to be an archive.
func isArchive(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "mailhaul.json"))
	return err == nil
}

// convert brings the archive PATH.mailhaul up to date with PATH.
func (a *app) convert(ctx context.Context, path string) (*opened, error) {
	src, err := exporter.OldCLI(path)
	if err != nil {
		return nil, err
	}
	to := path + ".mailhaul"
	again := isArchive(to)
	ar, err := openOrCreate(to, src.Origin())
	if err != nil {
		return nil, err
	}
	a.screen.emit(progress.Event{Kind: progress.Note, Text: fmt.Sprintf(
		"%s is an export of the old command-line tool: taking it over into the archive %s", path, to)})
	res, err := exporter.Export(ctx, src, ar, exporter.Options{Events: func(e progress.Event) {
		wrong := e.Kind == progress.Warning || e.Kind == progress.Failure
		if again && !wrong && !a.flags.verbose {
			return // it was told the first time
		}
		if e.Stage != "" {
			e.Stage = "read " + e.Stage // the command has stages of the same names
		}
		a.screen.event(e)
	}})
	if err != nil {
		return nil, errors.Join(err, ar.Close())
	}
	return &opened{Archive: ar, path: to, failed: int64(res.Failed), tell: a.screen.emit}, nil
}

// openOrCreate opens the archive of an account, or makes it. One of another
// account is refused: mixed, neither could be told from the other again.
func openOrCreate(dir string, origin archive.Origin) (*archive.Archive, error) {
	if !isArchive(dir) {
		if exporter.IsOldCLI(dir) {
			return nil, fmt.Errorf("%s holds an export of the old command-line tool: export into another directory", dir)
		}
		if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
			return nil, fmt.Errorf("could not make the directory to export into: %w", err)
		}
		return archive.Create(dir, origin)
	}
	ar, err := archive.Open(dir)
	if err != nil {
		return nil, err
	}
	if m := ar.Manifest().Account; m.Server != origin.Server || m.ID != origin.ID || m.Source != origin.Source {
		return nil, errors.Join(fmt.Errorf("%s is the archive of %s; this is %s. Export into another directory",
			dir, describeOrigin(m), describeOrigin(origin)), ar.Close())
	}
	return ar, nil
}

func describeOrigin(o archive.Origin) string {
	s := o.Name
	if o.ID != "" && o.ID != o.Name {
		s += " (id " + o.ID + ")"
	}
	if o.Server != "" {
		s += " on " + o.Server
	}
	return s
}

// notAnArchive says what was looked for at a path, and what is there.
func notAnArchive(path string) error {
	const wanted = "no mailhaul.json (an archive) and no emails.json (an export of the old command-line tool)"
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s does not exist", archive.ErrNotArchive, path)
	case err != nil:
		return fmt.Errorf("%w: %w", archive.ErrNotArchive, err)
	case !st.IsDir():
		return fmt.Errorf("%w: %s is a file, an archive is a directory", archive.ErrNotArchive, path)
	}
	inside, _, err := archivesIn(path)
	if err != nil {
		return fmt.Errorf("%w: %w", archive.ErrNotArchive, err)
	}
	if len(inside) > 0 {
		const most = 5
		names := strings.Join(inside[:min(most, len(inside))], ", ")
		return fmt.Errorf("%w: %s holds archives and is none itself: name one of %s", archive.ErrNotArchive, path, names)
	}
	return fmt.Errorf("%w: %s holds %s", archive.ErrNotArchive, path, wanted)
}

// archivesIn lists the archives right below a directory, and the exports of the
// old command-line tool there.
func archivesIn(dir string) (archives, old []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case isArchive(path):
			archives = append(archives, path)
		case e.IsDir() && exporter.IsOldCLI(path):
			old = append(old, path)
		}
	}
	return archives, old, nil
}
