package archive

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailhaul/account"
)

var testOrigin = Origin{Name: "alice", ID: "a", Server: "https://old.example.org", Source: "jmap"}

func create(t testing.TB) *Archive {
	t.Helper()
	a, err := Create(filepath.Join(t.TempDir(), "alice"), testOrigin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func open(t testing.TB, dir string) *Archive {
	t.Helper()
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func begin(t testing.TB, a *Archive) *Run {
	t.Helper()
	r, err := a.Begin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// message is the bytes of a small message, its number in the subject.
func message(n int) []byte {
	return fmt.Appendf(nil, "Subject: message %d\r\nMessage-ID: <m%d@example.org>\r\n\r\n%s\r\n", n, n, strings.Repeat("text ", n%300))
}

// email is the JMAP object of message n.
func email(n int) account.Object {
	o := account.Object{}
	o.Put("id", fmt.Sprintf("M%d", n))
	o.Put("blobId", fmt.Sprintf("B%d", n))
	o.Put("subject", fmt.Sprintf("message %d", n))
	o.Put("messageId", []string{fmt.Sprintf("m%d@example.org", n)})
	o.Put("receivedAt", fmt.Sprintf("20%02d-01-02T03:04:05Z", 50-n%50))
	o.Put("size", len(message(n)))
	o.Put("mailboxIds", account.SetOf("inbox"))
	o.Put("keywords", account.SetOf("$seen"))
	return o
}

func sumOf(data []byte) Hash {
	sum := sha256.Sum256(data)
	return hashOf(sum[:])
}

func putEmail(t testing.TB, r *Run, n int) Hash {
	t.Helper()
	h, _, err := r.PutBlob(bytes.NewReader(message(n)), int64(len(message(n))))
	must(t, err)
	_, err = r.PutObject(account.Email, email(n), h)
	must(t, err)
	return h
}

func readBlob(t testing.TB, a *Archive, h Hash) []byte {
	t.Helper()
	rc, size, err := a.OpenBlob(h)
	must(t, err)
	defer rc.Close()
	data, err := io.ReadAll(rc)
	must(t, err)
	if int64(len(data)) != size {
		t.Fatalf("blob has %d bytes, OpenBlob said %d", len(data), size)
	}
	return data
}

func verifyClean(t testing.TB, a *Archive) *VerifyReport {
	t.Helper()
	report, err := a.Verify(t.Context(), nil)
	must(t, err)
	for _, p := range report.Problems {
		t.Errorf("verify: %+v", p)
	}
	return report
}

// contents is what a snapshot holds, by type and id, with the bytes' hash.
func contents(t testing.TB, a *Archive, at int) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, typ := range account.Types {
		for rec, err := range a.Objects(at, typ) {
			must(t, err)
			if rec.Blob != "" {
				readBlob(t, a, rec.Blob)
			}
			all[typ.Name+"/"+rec.Object.ID()] = string(rec.Object.Encode()) + string(rec.Blob)
		}
	}
	return all
}

// copyArchive is what a kill would leave: the files as they are now.
func copyArchive(from, to string) error {
	return filepath.Walk(from, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		if info.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		if strings.HasSuffix(rel, "-shm") {
			return nil // memory, gone with the processes
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
}

// wholeFrame is the frame of one member.
func wholeFrame(name string, body []byte) ([]byte, error) {
	f, err := makeFrame(name, body)
	if err != nil {
		return nil, err
	}
	return *f.data, nil
}
