package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailhaul/internal/mailtext"
)

// Names come from whoever wrote the message.
func TestAttachmentsAreSavedUnderHarmlessNames(t *testing.T) {
	long := strings.Repeat("é", 300)
	for name, want := range map[string]string{
		"report.pdf": "report.pdf", "../../etc/passwd": "passwd", `C:\Windows\evil.exe`: "evil.exe", "/": "part-2.1", "": "part-2.1", "..": "part-2.1",
		".htaccess": "part-2.1.htaccess", "con.txt": "%63on.txt", "a\x00b\n.txt": "ab.txt", long + ".pdf": strings.Repeat("é", 98) + ".pdf", "a:b*c?.txt": "a%3Ab%2Ac%3F.txt",
	} {
		got := attachmentName(mailtext.Part{Number: "2.1", Name: name})
		if got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
		if filepath.Base(got) != got || len(got) > 255 {
			t.Errorf("%q becomes %q, which is no name of a file", name, got)
		}
	}
}

func TestNothingIsSavedOverAnother(t *testing.T) {
	dir := t.TempDir()
	for _, want := range []string{"a.txt", "a-2.txt", "a-3.txt"} {
		f, err := newFile(dir, "a.txt")
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if filepath.Base(f.Name()) != want {
			t.Errorf("%s, want %s", f.Name(), want)
		}
	}
	if err := os.Symlink("/nowhere/else", filepath.Join(dir, "b")); err == nil {
		if f, err := newFile(dir, "b"); err != nil || filepath.Base(f.Name()) != "b-2" {
			t.Errorf("behind a symbolic link: %v", err)
		}
	}
}
