package archive

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailhaul/account"
)

var emailType = account.Email

// disk is what lies in a directory: the content by path, directories end in /.
type disk struct {
	how   string // a kill came to it
	files map[string]string
}

func read(t testing.TB, dir string) disk {
	t.Helper()
	d := disk{files: map[string]string{}}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if e.IsDir() {
			d.files[rel+"/"] = ""
			return nil
		}
		if strings.HasSuffix(path, "-shm") {
			return nil // memory, gone with the process
		}
		data, err := os.ReadFile(path)
		d.files[rel] = string(data)
		return err
	})
	must(t, err)
	return d
}

func (d disk) write(dir string) error {
	for name := range d.files {
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
				return err
			}
		}
	}
	for name, data := range d.files {
		if !strings.HasSuffix(name, "/") {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// between are the disks that a kill may leave at a write: as it was before, and
// with a part of it. What it leaves behind it is what is there ahead of the next. Of a
// catalog's log and the catalog the one that is written first is torn while the
// other is as before, then the other way round: SQLite waits for the first to be
// on the disk. variant chooses what part.
func between(doing string, before, after disk, variant int) []disk {
	if maps.Equal(before.files, after.files) {
		return nil
	}
	before.how = "ahead of it"
	list := []disk{before}
	if doing == "rename" || doing == "remove" {
		return list
	}
	with := func(base disk, name, content, how string) {
		d := disk{how: how, files: maps.Clone(base.files)}
		d.files[name] = content
		list = append(list, d)
	}
	isLog := func(name string) bool { return strings.HasSuffix(name, "-wal") }
	logFirst := false
	for name := range after.files {
		logFirst = logFirst || isLog(name) && len(after.files[name]) > len(before.files[name])
	}
	for name, new := range after.files {
		old, was := before.files[name]
		if !was && (new == "" || strings.HasSuffix(name, "/")) || old == new {
			continue
		}
		base := before
		if strings.HasPrefix(name, catalogFile) && isLog(name) != logFirst {
			if isLog(name) {
				continue // it is emptied at once
			}
			base = after // where only this file is not whole
			with(base, name, old, "ahead of all in "+name)
		}
		same := 0
		for same < min(len(old), len(new)) && old[same] == new[same] {
			same++
		}
		part := []int{1, (len(new) - same) / 2, len(new) - same - 1}[variant%3]
		if cut := same + part; part > 0 && cut < len(new) {
			with(base, name, new[:cut]+old[min(cut, len(old)):], "in the middle of "+name)
		}
	}
	return list
}
