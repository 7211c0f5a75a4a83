package archive

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"mailhaul/account"
)

// TestTheFormatIsReadWithOrdinaryTools runs the commands that
// docs/archive-format.md prints, as they are printed.
func TestTheFormatIsReadWithOrdinaryTools(t *testing.T) {
	for _, tool := range []string{"sh", "tar", "zstd", "sqlite3", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	doc, err := os.ReadFile("../docs/archive-format.md")
	must(t, err)
	sh := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(doc, -1)
	sql := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllSubmatch(doc, -1)
	if len(sh) != 3 || len(sql) != 2 {
		t.Fatalf("%d blocks of sh and %d of sql in the document", len(sh), len(sql))
	}

	a := create(t)
	a.packLimit = 8 << 10
	r := begin(t, a)
	for n := range 60 {
		putEmail(t, r, n)
	}
	_, err = r.PutObject(account.Mailbox, account.Object{"id": account.Marshal("alice@example.org/" + strings.Repeat("x", 120))}, "")
	must(t, err)
	must(t, r.Finish(SnapshotRecord{Types: map[string]TypeRecord{}}))
	r = begin(t, a)
	must(t, r.MarkGone(account.Email, "M3"))
	putEmail(t, r, 60)
	must(t, r.Commit()) // and leave the pack unsealed, the run open

	tmp := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = a.Dir()
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || stderr.Len() > 0 {
			t.Errorf("%v %s: %v\n%s", name, args, err, stderr.String())
		}
		return string(out)
	}
	script := func(block []byte) string {
		return "set -e\n" + strings.ReplaceAll(string(block), "/tmp/unpacked", tmp+"/unpacked")
	}
	list := run("sh", "-c", script(sh[0][1]))
	for _, want := range []string{"blob/", "object/Email/M7/1.json", "object/Email/M3/2.json", "snapshot/1.json", "object/Mailbox/alice%40example%2Eorg%2Fxxx"} {
		if !strings.Contains(list, want) {
			t.Errorf("tar -tf does not list %s", want)
		}
	}
	run("sh", "-c", script(sh[1][1]))
	gone, err := os.ReadFile(tmp + "/unpacked/object/Email/M3/2.json")
	if want := `{"id":"M3","mailhaul:gone":true}`; string(gone) != want {
		t.Errorf("the gone object is %s, %v", gone, err)
	}
	blobs, err := os.ReadDir(tmp + "/unpacked/blob")
	if len(blobs) != 61 {
		t.Errorf("%d blobs unpacked, %v", len(blobs), err)
	}
	if got := run("sqlite3", "-readonly", "catalog.db", string(sql[0][1])); !strings.Contains(got, "Email|60\nMailbox|1\n") || !strings.Contains(got, "2|") {
		t.Errorf("snapshots and counts: %s", got)
	}
	if got, want := run("sqlite3", "-readonly", "catalog.db", string(sql[1][1])), fmt.Sprintf("M7|1|2043-01-02 03:04:05|%s|packs/", sumOf(message(7))); !strings.Contains(got, want) {
		t.Errorf("the message is at %s, not %s", got, want)
	}
	if got := run("sh", "-c", script(sh[2][1])); got != string(message(7)) {
		t.Errorf("the message is %q", got)
	}
	for _, check := range []string{"PRAGMA integrity_check", "PRAGMA foreign_key_check"} {
		if got := run("sqlite3", "-readonly", "catalog.db", check); strings.TrimSpace(got) != "ok" && got != "" {
			t.Errorf("%s: %s", check, got)
		}
	}
}
