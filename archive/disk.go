package archive

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"mailhaul/internal/failpoint"
)

// All that an archive changes on the disk goes through here, or through
// catalog.update: these are the points at which a kill is tried.

// diskFile is a file that is written.
type diskFile struct{ *os.File }

func (f *diskFile) Write(p []byte) (n int, err error) {
	err = failpoint.Do("write", f.Name(), func() (err error) {
		n, err = f.File.Write(p)
		return err
	})
	return n, err
}

// ReadFrom is there so that io.Copy does not go around Write.
func (f *diskFile) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{f}, r)
}

func (f *diskFile) Sync() error { return failpoint.Do("sync", f.Name(), f.File.Sync) }

func (f *diskFile) truncate(size int64) error {
	return failpoint.Do("truncate", f.Name(), func() error { return os.Truncate(f.Name(), size) })
}

// createFile opens a file for writing that only its owner may read.
func createFile(path string, flag int) (f *diskFile, err error) {
	err = failpoint.Do("create", path, func() error {
		file, err := os.OpenFile(path, flag, 0o600)
		f = &diskFile{file}
		return err
	})
	return f, err
}

// createSpool makes a file for a large blob on its way.
func createSpool(dir string) (f *diskFile, err error) {
	err = failpoint.Do("create", filepath.Join(dir, spoolPattern), func() error {
		file, err := os.CreateTemp(dir, spoolPattern) // mode 0600
		f = &diskFile{file}
		return err
	})
	return f, err
}

// writeSmall writes a file that need not survive a loss of power.
func writeSmall(path string, data []byte) error {
	f, err := createFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func makeDir(path string) error {
	return failpoint.Do("make", path, func() error { return os.MkdirAll(path, 0o700) })
}

func remove(path string) error {
	return failpoint.Do("remove", path, func() error { return os.Remove(path) })
}

func rename(from, to string) error {
	return failpoint.Do("rename", to, func() error { return os.Rename(from, to) })
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	return failpoint.Do("sync", dir, func() error { return syncNames(dir) })
}
