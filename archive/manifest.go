package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
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
	Check   string    `json:"check"`   // the file's checksum; "" outside of the file
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
	if m.Check != "" && m.Check != manifestCheck(data, m.Check) {
		return Manifest{}, &DamagedError{Member: f.Name(), Reason: "its text is not what was written; put it back from a copy, or see that it is right and take out the line with \"check\""}
	}
	m.Check = ""
	return m, nil
}

// noCheck stands for the checksum in the text that it is of.
const noCheck = "00000000"

// manifestCheck is the checksum of a manifest's text, in which check is what the
// text says it is. It comes before all that may hold any text.
func manifestCheck(data []byte, check string) string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE(bytes.Replace(data, []byte(check), []byte(noCheck), 1)))
}

// parseManifest reads a manifest. The version is looked at before all else:
// the rest of a later version's may look different.
func parseManifest(data []byte) (Manifest, error) {
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Manifest{}, unreadable(err)
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
		return Manifest{}, unreadable(err)
	}
	return m, nil
}

// unreadable is the error of a text that is no manifest, or none any more.
func unreadable(err error) error {
	return fmt.Errorf("%w: its text makes no sense (%v); if it was an archive, put this file back from a copy: the mail is in %s/ and untouched by this", ErrNotArchive, err, packDir)
}

// write replaces the manifest as a whole or not at all.
func (m Manifest) write(dir string) error {
	path := filepath.Join(dir, manifestFile)
	m.Check = noCheck
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	data = bytes.Replace(data, []byte(noCheck), []byte(manifestCheck(data, noCheck)), 1)
	f, err := createFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return writeError(path, err)
	}
	_, err = f.Write(data)
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
