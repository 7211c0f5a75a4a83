package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Archive is an open archive.
type Archive struct {
	dir         string // absolute
	manifest    Manifest
	cat         *catalog
	catalogInfo os.FileInfo
	readOnly    bool
	packLimit   int64         // bytes after which a pack is sealed
	groupTime   time.Duration // after which a run commits
	groupBytes  int64         // and after how many bytes
}

// defaultPackLimit is about the size of a pack.
const defaultPackLimit = 256 << 20

// Create makes a new archive in dir, which must not exist or be empty.
func Create(dir string, origin Origin) (*Archive, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, writeError(dir, err)
	}
	if err := clearUnborn(dir); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil { // it may have been there
		return nil, fmt.Errorf("create archive: %w", err)
	}
	if err := makeDir(filepath.Join(dir, packDir)); err != nil {
		return nil, writeError(dir, err)
	}
	if err := createCatalog(filepath.Join(dir, catalogFile)); err != nil {
		a := &Archive{dir: dir}
		return nil, a.catalogError("create catalog", err)
	}
	// The manifest comes last: with it, the directory is an archive.
	m := Manifest{Format: formatName, Version: FormatVersion, ID: uuid.NewString(), Created: time.Now().UTC().Truncate(time.Second), Account: origin}
	if err := m.write(dir); err != nil {
		return nil, err
	}
	if err := syncDir(filepath.Dir(dir)); err != nil {
		return nil, writeError(dir, err)
	}
	return Open(dir)
}

// clearUnborn takes away what a Create that was killed left in dir. Anything
// else in there is an error.
func clearUnborn(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("create archive: %w", err)
	}
	for _, e := range entries {
		if e.Name() != packDir && e.Name() != manifestFile+".new" && !strings.HasPrefix(e.Name(), catalogFile) {
			return fmt.Errorf("create archive: %s is not empty (it holds %q) and no archive: name another directory", dir, e.Name())
		}
	}
	if packs, err := os.ReadDir(filepath.Join(dir, packDir)); err == nil && len(packs) > 0 {
		return fmt.Errorf("create archive: %s holds packs but no %s: put that file back from a copy, or name another directory", dir, manifestFile)
	}
	for _, e := range entries {
		if err := remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("create archive: %w", err)
		}
	}
	return nil
}

// Open opens an existing archive for reading and for journals. Anyone may read
// while another process writes. A directory on read-only media opens too (then
// runs and journals are refused). Where there is no archive the error is
// ErrNotArchive; when there is no catalog, it names `mailhaul archive reindex`.
func Open(dir string) (*Archive, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	a := &Archive{dir: dir, manifest: m, packLimit: defaultPackLimit, groupTime: defaultGroupTime, groupBytes: defaultGroupBytes}
	a.catalogInfo, err = os.Stat(a.path(catalogFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &DamagedError{Member: dir, Reason: fmt.Sprintf("it has no %s; `mailhaul archive reindex %s` builds it again from the packs", catalogFile, dir)}
	} else if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	if a.readOnly, err = isReadOnlyDir(dir); err != nil {
		return nil, err
	}
	if a.cat, err = openCatalog(a.path(catalogFile), a.readOnly); err != nil {
		return nil, a.catalogError("open catalog", err)
	}
	return a, nil
}

// isReadOnlyDir says whether files can not be written in dir. SQLite has to
// write even to read, unless it is told that nobody does.
func isReadOnlyDir(dir string) (bool, error) {
	f, err := os.OpenFile(filepath.Join(dir, writerLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		return false, f.Close()
	}
	if isReadOnly(err) {
		return true, nil
	}
	return false, writeError(dir, err)
}

// Close closes the archive. Runs and journals are closed before it.
func (a *Archive) Close() error {
	return a.catalogError("close catalog", a.cat.close())
}

// Dir is the archive's directory, as an absolute path.
func (a *Archive) Dir() string { return a.dir }

// Manifest is what mailhaul.json says.
func (a *Archive) Manifest() Manifest { return a.manifest }

func (a *Archive) path(elem ...string) string {
	return filepath.Join(append([]string{a.dir}, elem...)...)
}
