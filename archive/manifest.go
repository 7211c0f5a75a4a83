package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// FormatVersion is the version of the format that this package writes.
const FormatVersion = 1

const (
	manifestFile = "mailhaul.json"
	formatName   = "mailhaul"
	// maxManifest bounds what is read of a manifest; one has a few hundred bytes.
	maxManifest = 1 << 20
)

// Manifest is mailhaul.json.
type Manifest struct {
	Format  string    `json:"format"`  // always "mailhaul"
	Version int       `json:"version"` // FormatVersion
	ID      string    `json:"id"`      // random, for life
	Created time.Time `json:"created"`
	Account Origin    `json:"account"`
}

// Origin is where an archive's account lives.
type Origin struct {
	Name   string `json:"name"`             // login or address
	ID     string `json:"id,omitempty"`     // its id on that server
	Server string `json:"server,omitempty"` // origin, scheme://host[:port], never with credentials
	Source string `json:"source"`           // "jmap", "stalwart-cli", …
}

func readManifest(dir string) (Manifest, error) {
	f, err := os.Open(filepath.Join(dir, manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, fmt.Errorf("%s: %w (it has no %s): %w", dir, ErrNotArchive, manifestFile, fs.ErrNotExist)
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("open archive: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return Manifest{}, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	m, err := parseManifest(data)
	if err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return m, nil
}

// parseManifest reads a manifest. The version is looked at before all else:
// the rest of a later version's may look different.
func parseManifest(data []byte) (Manifest, error) {
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Manifest{}, fmt.Errorf("%w: %v", ErrNotArchive, err)
	}
	switch {
	case head.Format != formatName:
		return Manifest{}, fmt.Errorf("%w: its format is %.40q", ErrNotArchive, head.Format)
	case head.Version > FormatVersion:
		return Manifest{}, fmt.Errorf("the archive has format version %d, this mailhaul knows versions up to %d: %w", head.Version, FormatVersion, errNewer)
	case head.Version < 1:
		return Manifest{}, fmt.Errorf("%w: its format version is %d", ErrNotArchive, head.Version)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, fmt.Errorf("%w: %v", ErrNotArchive, err)
	}
	return m, nil
}

// write replaces the manifest as a whole or not at all.
func (m Manifest) write(dir string) error {
	path := filepath.Join(dir, manifestFile)
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	f, err := createFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return writeError(path, err)
	}
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	return writeError(path, err)
}
