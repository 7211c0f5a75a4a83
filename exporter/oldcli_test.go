package exporter

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
)

const realExport = "../testdata/old-cli/alice"

// oldCLICopy is a copy of the real export that a test may spoil.
func oldCLICopy(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "alice")
	if err := os.CopyFS(dir, os.DirFS(realExport)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func exportOldCLI(t *testing.T, dir string, ar *archive.Archive) (*Result, *events) {
	t.Helper()
	src, err := OldCLI(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer src.(io.Closer).Close()
	var ev events
	res, err := Export(context.Background(), src, ar, Options{Events: ev.take})
	if err != nil {
		t.Fatal(err)
	}
	return res, &ev
}

func oldCLIArchive(t *testing.T) *archive.Archive {
	t.Helper()
	ar, err := archive.Create(t.TempDir(), archive.Origin{Name: "alice", Source: oldCLISource})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ar.Close() })
	return ar
}

func edit(t *testing.T, dir, file, from, to string) {
	t.Helper()
	path := filepath.Join(dir, file)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(from)) {
		t.Fatalf("%s has no %q", file, from)
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte(from), []byte(to), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOldCLIRealExportIsTakenWhole(t *testing.T) {
	ar := oldCLIArchive(t)
	res, ev := exportOldCLI(t, realExport, ar)
	if res.Failed != 0 {
		t.Fatalf("failed: %+v", res.Snapshot.Types)
	}
	for typ, n := range map[string]int64{"Mailbox": 11, "Email": 10, "Identity": 1, "SieveScript": 1, "VacationResponse": 1} {
		if got := res.Snapshot.Types[typ].Objects; got != n {
			t.Errorf("%d %s objects, not %d", got, typ, n)
		}
	}
	for rec, err := range ar.Objects(0, account.Email) {
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(realExport, "blobs", rec.Object.Text("blobId")))
		if err != nil || blobText(t, ar, rec.Blob) != string(want) || rec.Object.Int("size") != int64(len(want)) {
			t.Errorf("%s is not its file (%v)", account.Describe(rec.Object), err)
		}
	}
	if w := ev.of(progress.Warning); len(w) != 1 || !strings.Contains(w[0], "subscriptions") {
		t.Errorf("warnings %q", w)
	}
	if n := strings.Join(ev.of(progress.Note), "\n"); !strings.Contains(n, `"vacation"`) {
		t.Errorf("notes %q", n)
	}
	if res, _ := exportOldCLI(t, realExport, ar); !res.Unchanged || res.Fetched != 0 {
		t.Errorf("the second time: %+v", res)
	}
}

func TestOldCLIFaults(t *testing.T) {
	const first = "caqefjz3p0zrzj2ossbxiob0ayoskzmdnqb9nkc27qmpekaysukekaqaaa" // of message "a"
	for _, c := range []struct {
		name   string
		spoil  func(t *testing.T, dir string)
		failed map[string]string // by id or type: what the reason has
		told   string
		emails int64
	}{
		{"emails.json is missing", func(t *testing.T, dir string) { remove(t, dir, "emails.json") },
			map[string]string{"Email": "emails.json is missing"}, "", 0},
		{"mailboxes.json is missing", func(t *testing.T, dir string) { remove(t, dir, "mailboxes.json") },
			map[string]string{"Mailbox": "mailboxes.json is missing"}, "", 10},
		{"emails.json is cut short", func(t *testing.T, dir string) { cut(t, dir, "emails.json", `qaaaaae"`) },
			map[string]string{"Email": "emails.json can't be read past entry 10"}, "", 9},
		{"a blob is missing", func(t *testing.T, dir string) { remove(t, dir, "blobs/"+first) },
			map[string]string{"a": "is missing"}, "1@example.org", 10},
		{"a blob is empty", func(t *testing.T, dir string) { write(t, dir, "blobs/"+first, "") },
			map[string]string{"a": "is empty"}, "1@example.org", 10},
		{"a blob is cut in its header", func(t *testing.T, dir string) { write(t, dir, "blobs/"+first, "Subject: x\r\nTo:") },
			nil, "its header has no end", 10},
		{"a blob is cut in a part", func(t *testing.T, dir string) {
			write(t, dir, "blobs/"+first, "Subject: x\r\nContent-Type: multipart/mixed; boundary=\"cut here\"\r\n\r\n--cut here\r\n\r\ntext")
		}, nil, "the end of its last part", 10},
		{"a mailbox is not listed", func(t *testing.T, dir string) {
			edit(t, dir, "emails.json", `"mailboxIds":{"a":true,"i":true}`, `"mailboxIds":{"a":true,"zz":true}`)
		}, nil, "not listed: zz", 10},
		{"no mailbox is listed", func(t *testing.T, dir string) {
			edit(t, dir, "emails.json", `"mailboxIds":{"d":true}`, `"mailboxIds":{"zz":true}`)
		}, nil, "none of its mailboxes is listed", 10},
		{"a parent is not listed", func(t *testing.T, dir string) {
			edit(t, dir, "mailboxes.json", `"parentId":"f"`, `"parentId":"zz"`)
		}, nil, `("zz") is not listed`, 10},
		{"one id, one blob, twice", func(t *testing.T, dir string) {
			edit(t, dir, "emails.json", `[{`, `[{"id":"a","blobId":"`+first+`","mailboxIds":{"k":true},"keywords":{"$seen":true}},{`)
		}, nil, "1 message(s) were made", 10},
		{"one id, two blobs", func(t *testing.T, dir string) { edit(t, dir, "emails.json", `"id":"maaaaad"`, `"id":"a"`) },
			nil, "2 message(s) were made", 10},
		{"no id", func(t *testing.T, dir string) { edit(t, dir, "emails.json", `"id":"maaaaad",`, ``) }, nil, "", 10},
		{"a name that leads out", func(t *testing.T, dir string) {
			edit(t, dir, "emails.json", first, "../../secret")
			write(t, dir, "../secret", "Subject: secret\r\n\r\n")
		}, map[string]string{"a": "no plain file name"}, "", 10},
		{"a link that leads out", func(t *testing.T, dir string) {
			if runtime.GOOS == "windows" {
				t.Skip("links need a privilege")
			}
			write(t, dir, "../secret", "Subject: secret\r\n\r\n")
			remove(t, dir, "blobs/"+first)
			if err := os.Symlink("../../secret", filepath.Join(dir, "blobs", first)); err != nil {
				t.Fatal(err)
			}
		}, map[string]string{"a": "escapes"}, "", 10},
		{"an entry is no object", func(t *testing.T, dir string) { edit(t, dir, "emails.json", `[{`, `[7,null,"x",{`) }, nil, "", 10},
		{"an identity twice", func(t *testing.T, dir string) {
			edit(t, dir, "identities.json", `[{`, `[{"id":"a","name":"first","email":"x@example.org"},{`)
		}, nil, "a second time", 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := oldCLICopy(t)
			c.spoil(t, dir)
			ar := oldCLIArchive(t)
			res, ev := exportOldCLI(t, dir, ar)
			got := map[string]string{}
			for name, r := range res.Snapshot.Types {
				if r.Error != "" {
					got[name] = r.Error
				}
				for _, f := range r.Failed {
					got[f.ID] = f.Reason
				}
			}
			if len(got) != len(c.failed) || res.Failed != len(got) {
				t.Errorf("failed %q, not %q", got, c.failed)
			}
			for id, want := range c.failed {
				if !strings.Contains(got[id], want) {
					t.Errorf("%s failed with %q, not %q", id, got[id], want)
				}
			}
			all := strings.Join(append(ev.of(progress.Warning), ev.of(progress.Failure)...), "\n")
			if !strings.Contains(all, c.told) {
				t.Errorf("%q is not told:\n%s", c.told, all)
			}
			if n := res.Snapshot.Types["Email"].Objects; n != c.emails {
				t.Errorf("%d messages, not %d", n, c.emails)
			}
		})
	}
}

func cut(t *testing.T, dir, file, behind string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, file))
	i := bytes.Index(b, []byte(behind))
	if err != nil || i < 0 {
		t.Fatal(i, err)
	}
	write(t, dir, file, string(b[:i]))
}

func remove(t *testing.T, dir, file string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, file)); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, dir, file, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOldCLIDoublesOfOneBlobAreMerged(t *testing.T) {
	dir := oldCLICopy(t)
	edit(t, dir, "emails.json", `[{`, `[{"id":"a","blobId":"caqefjz3p0zrzj2ossbxiob0ayoskzmdnqb9nkc27qmpekaysukekaqaaa","mailboxIds":{"k":true},"keywords":{"$seen":true}},{`)
	ar := oldCLIArchive(t)
	exportOldCLI(t, dir, ar)
	rec, err := ar.Object(0, account.Email, "a")
	if err != nil || fmt.Sprint(rec.Object.Set("mailboxIds"), rec.Object.Set("keywords")) != "[a k] [$seen]" {
		t.Errorf("%s, %v", rec.Object.Encode(), err)
	}
}

func TestOldCLIChangedDirectory(t *testing.T) {
	dir := oldCLICopy(t)
	ar := oldCLIArchive(t)
	exportOldCLI(t, dir, ar)
	edit(t, dir, "emails.json", `,{"id":"maaaaad"`, `,{"id":"other"`)
	res, _ := exportOldCLI(t, dir, ar)
	if r := res.Snapshot.Types["Email"]; res.Fetched != 0 || r.Changed != 1 || r.Gone != 1 || r.Objects != 10 {
		t.Errorf("result %+v", res)
	}
}

func TestOldCLIPagesBeyondOnePage(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "mailboxes.json", `[{"id":"a","name":"Inbox","role":"inbox"}]`)
	for _, f := range []string{"sieve", "identities", "vacation"} {
		write(t, dir, f+".json", "[]")
	}
	if err := os.Mkdir(filepath.Join(dir, "blobs"), 0o700); err != nil {
		t.Fatal(err)
	}
	var list []string
	for i := range 2*oldCLIPage + 1 {
		write(t, dir, fmt.Sprintf("blobs/b%d", i%7), fmt.Sprintf("Subject: %d\r\n\r\n", i%7))
		list = append(list, fmt.Sprintf(`{"id":"m%d","blobId":"b%d","mailboxIds":{"a":true}}`, i, i%7))
	}
	write(t, dir, "emails.json", "["+strings.Join(list, ",")+"]")
	src, err := OldCLI(dir)
	if err != nil {
		t.Fatal(err)
	}
	ar := newArchive(t, src)
	if res, _ := exportOldCLI(t, dir, ar); res.Snapshot.Types["Email"].Objects != 2*oldCLIPage+1 || res.Failed != 0 || res.Fetched != 7 {
		t.Errorf("result %+v", res)
	}
	// A place in the middle is found again, one that is not there is said.
	p, err := src.Page(t.Context(), account.Email, "m998")
	if err != nil || len(p.IDs) != 2 || p.IDs[0] != "m999" {
		t.Errorf("page %v, %v", p, err)
	}
	if _, err := src.Page(t.Context(), account.Email, "nobody"); err != ErrAnchorGone {
		t.Errorf("error %v", err)
	}
	_ = src.(io.Closer).Close()
}

func TestIsOldCLI(t *testing.T) {
	empty, arch := t.TempDir(), t.TempDir()
	write(t, arch, "emails.json", "[]")
	write(t, arch, "mailhaul.json", "{}")
	for dir, want := range map[string]bool{realExport: true, empty: false, arch: false, filepath.Join(empty, "none"): false} {
		if IsOldCLI(dir) != want {
			t.Errorf("IsOldCLI(%s) is not %v", dir, want)
		}
	}
	if _, err := OldCLI(empty); err == nil {
		t.Error("an empty directory is taken")
	}
}

func FuzzOldCLIArray(f *testing.F) {
	for _, seed := range []string{`[]`, `[{"id":"a"}]`, `[{"id":"a","keywords":{"x":true}},7,null]`, `[{"id":`, `{}`, ``, `[[[[`, `[{"id":"a"},]`, "[{}]x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newArrayReader(bytes.NewReader(data), "x.json")
		for n := 0; ; n++ {
			o, err := r.next()
			if err != nil {
				return
			}
			if o == nil || n > len(data) {
				t.Fatalf("entry %d is %v", n, o)
			}
		}
	})
}

func TestOldCLIEntryThatIsTooLargeIsRefused(t *testing.T) {
	huge := io.MultiReader(strings.NewReader(`[{"id":"`), io.LimitReader(endless{}, 2*mostObject), strings.NewReader(`"}]`))
	if _, err := newArrayReader(huge, "x.json").next(); err == nil || !strings.Contains(err.Error(), "octets") {
		t.Errorf("error %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func FuzzCutProbe(f *testing.F) {
	for _, seed := range []string{"", "Subject: x", "a: b\n\nbody", "\r\n", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--b--\r\n"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		whole := func(step int) string {
			var p cutProbe
			for b := data; len(b) > 0; {
				n := min(max(step, 1), len(b))
				_, _ = p.Write(b[:n])
				b = b[n:]
			}
			return p.sign()
		}
		if len(data) < mostHeader && whole(step) != whole(len(data)) {
			t.Fatalf("in steps of %d: %q, at once: %q", step, whole(step), whole(len(data)))
		}
	})
}
