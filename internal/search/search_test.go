package search

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
	"mailhaul/archive"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newArchive(t testing.TB) *archive.Archive {
	t.Helper()
	ar, err := archive.Create(filepath.Join(t.TempDir(), "archive"), archive.Origin{Name: "alice"})
	must(t, err)
	t.Cleanup(func() { must(t, ar.Close()) })
	return ar
}

// snapshot adds one in which these messages, by their ids, are what there is.
func snapshot(t testing.TB, ar *archive.Archive, letters map[string]string) {
	t.Helper()
	run, err := ar.Begin()
	must(t, err)
	for rec, err := range run.Current(account.Email) {
		must(t, err)
		if _, ok := letters[rec.Object.ID()]; !ok {
			must(t, run.MarkGone(account.Email, rec.Object.ID()))
		}
	}
	for id, raw := range letters {
		h, _, err := run.PutBlob(strings.NewReader(raw), int64(len(raw)))
		must(t, err)
		_, err = run.PutObject(account.Email, account.Object{"id": account.Marshal(id), "blobId": account.Marshal(fmt.Sprint("b", h)), "size": account.Marshal(len(raw)),
			"receivedAt": account.Marshal(fmt.Sprintf("2020-01-%02dT00:00:00Z", len(id)))}, h)
		must(t, err)
	}
	must(t, run.Finish(archive.SnapshotRecord{Types: map[string]archive.TypeRecord{}}))
	must(t, run.Close())
}

func open1(t testing.TB, ar *archive.Archive) *Index {
	t.Helper()
	x, err := Open(ar)
	must(t, err)
	t.Cleanup(func() { must(t, x.Close()) })
	return x
}

func update(t testing.TB, x *Index, at int) {
	t.Helper()
	unread, err := x.Update(context.Background(), at, func(_, _ int64) {})
	must(t, err)
	if unread > 0 {
		t.Errorf("%d messages can't be read", unread)
	}
}

func find(t testing.TB, x *Index, at int, query string) string {
	t.Helper()
	var ids []string
	for h, err := range x.Find(context.Background(), at, query) {
		must(t, err)
		ids = append(ids, h.ID)
	}
	return strings.Join(ids, " ")
}

func TestWordsAreFound(t *testing.T) {
	ar := newArchive(t)
	snapshot(t, ar, map[string]string{
		"a":   "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from Oslo\r\nFrom: Ola Nordmann <ola@example.org>\r\n\r\nThe bridge is open.\r\n",
		"bb":  "Subject: Invoice\r\n\r\nOpen the bridge, and \"pay\".\r\n",
		"ccc": "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>caf&eacute;</p>\r\n--x\r\nContent-Type: application/pdf; name=\"bridge plan.pdf\"\r\n\r\nopen\r\n--x--\r\n",
	})
	x := open1(t, ar)
	update(t, x, 1)
	for query, want := range map[string]string{
		"bridge": "ccc bb a", "BRIDGE": "ccc bb a", "bridge open": "bb a", `"bridge is"`: "a", "brid*": "ccc bb a", "brid": "", "bridge -invoice": "ccc a",
		"grüße": "a", "grusse": "", "gruße": "a", "cafe": "ccc", "subject:oslo": "a", "body:oslo": "", "from:ola": "a", "from:ola@example.org": "a",
		"file:bridge": "ccc", `file:"bridge plan"`: "ccc", "body:bridge": "bb a", "nothing": "", "AND": "bb", "unknown:bridge": "", `pay"`: "", "-invoice bridge": "ccc a",
	} {
		if query == `pay"` {
			if _, err := Match(`"pay`); err == nil {
				t.Error("a quotation mark without another is taken")
			}
			continue
		}
		if got := find(t, x, 1, query); got != want {
			t.Errorf("%s: found %q, want %q", query, got, want)
		}
	}
	for _, query := range []string{"", " ", "-invoice", `""`, "*", "subject:"} {
		if m, err := Match(query); err == nil {
			t.Errorf("%q is taken for %s", query, m)
		}
	}
}

// An id may be another message's in another snapshot, and a message may be gone.
func TestEachSnapshotIsSearchedAsItWas(t *testing.T) {
	ar := newArchive(t)
	snapshot(t, ar, map[string]string{"a": "Subject: x\r\n\r\nfirst", "bb": "Subject: x\r\n\r\nstays"})
	snapshot(t, ar, map[string]string{"a": "Subject: x\r\n\r\nsecond", "bb": "Subject: x\r\n\r\nstays", "ccc": "Subject: x\r\n\r\nsecond"})
	x := open1(t, ar)
	update(t, x, 2)
	update(t, x, 1)
	update(t, x, 1)
	got := map[string]string{}
	for at := 1; at <= 2; at++ {
		for _, word := range []string{"first", "second", "stays"} {
			got[fmt.Sprint(word, " in ", at)] = find(t, x, at, word)
		}
	}
	if diff := cmp.Diff(map[string]string{"first in 1": "a", "second in 1": "", "stays in 1": "bb", "first in 2": "", "second in 2": "ccc a", "stays in 2": "bb"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestADamagedIndexIsMadeAnew(t *testing.T) {
	ar := newArchive(t)
	snapshot(t, ar, map[string]string{"a": "Subject: x\r\n\r\nword"})
	must(t, os.WriteFile(filepath.Join(ar.Dir(), FileName), []byte(strings.Repeat("no database ", 500)), 0o600))
	x := open1(t, ar)
	update(t, x, 1)
	if got := find(t, x, 1, "word"); got != "a" {
		t.Errorf("found %q", got)
	}
}

// What was indexed before an interruption stays, and nothing is in twice.
func TestAnInterruptedUpdateGoesOn(t *testing.T) {
	ar := newArchive(t)
	letters := map[string]string{}
	for n := range 3 * commitEvery {
		letters[fmt.Sprintf("m%d", n)] = fmt.Sprintf("Subject: number%d\r\n\r\nall\r\n", n)
	}
	snapshot(t, ar, letters)
	x := open1(t, ar)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := x.Update(ctx, 1, func(done, _ int64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	var kept int64
	must(t, x.db.QueryRow(`SELECT count(*) FROM message`).Scan(&kept))
	if kept < commitEvery || kept >= 3*commitEvery {
		t.Errorf("%d messages are in the index after the interruption", kept)
	}
	update(t, x, 1)
	if n := len(strings.Fields(find(t, x, 1, "all"))); n != len(letters) {
		t.Errorf("found %d of %d", n, len(letters))
	}
	if got := find(t, x, 1, "number7"); got != "m7" {
		t.Errorf("found %q", got)
	}
}

func FuzzMatch(f *testing.F) {
	for _, q := range []string{`a "b c" -d e* subject:f`, `"`, `*`, `NEAR(a b)`, `a^`, "\x00", `-"`, `a:b:c`} {
		f.Add(q)
	}
	ar := newArchive(f)
	snapshot(f, ar, map[string]string{"a": "Subject: x\r\n\r\nword"})
	x := open1(f, ar)
	f.Fuzz(func(t *testing.T, query string) {
		if _, err := Match(query); err != nil {
			return
		}
		find(t, x, 1, query)
	})
}

// A snapshot that is known costs nothing, a further one what differs; what can not be
// read is tried again, and it alone.
func TestOnlyWhatIsNewIsRead(t *testing.T) {
	ar := newArchive(t)
	letters := map[string]string{}
	for n := range 40 {
		letters[fmt.Sprintf("m%d", n)] = fmt.Sprintf("Subject: number%d\r\n\r\nall %s\r\n", n, strings.Repeat("x", n))
	}
	noise := make([]byte, 200_000) // the pack is this message for the most
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(noise)
	letters["m39"] = "Subject: number39\r\n\r\nall " + base64.StdEncoding.EncodeToString(noise)
	snapshot(t, ar, letters)
	pack, err := os.ReadFile(filepath.Join(ar.Dir(), "packs", "000001.tar.zst"))
	must(t, err)
	letters["new"] = "Subject: new\r\n\r\nall\r\n"
	delete(letters, "m1")
	snapshot(t, ar, letters)
	broken := bytes.Clone(pack)
	broken[len(broken)/2] ^= 0x40
	must(t, os.WriteFile(filepath.Join(ar.Dir(), "packs", "000001.tar.zst"), broken, 0o600))
	x := open1(t, ar)
	reads := func(at int) string {
		var read, of int64
		unread, err := x.Update(context.Background(), at, func(done, total int64) { read, of = done, total })
		must(t, err)
		return fmt.Sprintf("%d of %d, %d can't be", read, of, unread)
	}
	var got []string
	for _, at := range []int{1, 1, 2, 2} {
		got = append(got, fmt.Sprintf("%d: %s", at, reads(at)))
	}
	must(t, os.WriteFile(filepath.Join(ar.Dir(), "packs", "000001.tar.zst"), pack, 0o600))
	for _, at := range []int{2, 2, 1, 1} {
		got = append(got, fmt.Sprintf("%d: %s", at, reads(at)))
	}
	if diff := cmp.Diff([]string{"1: 40 of 40, 1 can't be", "1: 1 of 1, 1 can't be", "2: 2 of 2, 1 can't be", "2: 1 of 1, 1 can't be",
		"2: 1 of 1, 0 can't be", "2: 0 of 0, 0 can't be", "1: 1 of 1, 0 can't be", "1: 0 of 0, 0 can't be"}, got); diff != "" {
		t.Error(diff)
	}
	if all := len(strings.Fields(find(t, x, 1, "all"))); all != 40 || find(t, x, 2, "subject:new") != "new" || find(t, x, 2, "number1") != "" {
		t.Errorf("%d of the first", all)
	}
}
