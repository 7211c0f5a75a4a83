package archive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
)

// The test binary is run again as another process: childMode says what for,
// childDir is the archive.
const (
	childMode = "MAILHAUL_TEST_CHILD"
	childDir  = "MAILHAUL_TEST_DIR"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childMode) {
	case "":
		// A property's check syncs files many times; the command line may ask for more.
		if err := flag.Set("rapid.checks", "40"); err != nil {
			panic(err)
		}
		os.Exit(m.Run())
	case "write":
		if err := childWrite(os.Getenv(childDir), os.Stdout); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	case "hold":
		a, err := Open(os.Getenv(childDir))
		if err == nil {
			_, err = a.Begin()
		}
		fmt.Println("begun", err)
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
	}
}

func child(t *testing.T, mode, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"="+mode, childDir+"="+dir)
	_, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, bufio.NewScanner(out)
}

const childMessages = 400

// childMessage is sometimes larger than what is kept in memory.
func childMessage(n int) []byte {
	if n%90 == 17 {
		return bytes.Repeat(message(n), (smallBlob+5000)/len(message(n)))
	}
	return message(n)
}

// childWrite stores messages up to childMessages, a snapshot for every hundred,
// and prints how many are committed.
func childWrite(dir string, out io.Writer) error {
	a, err := Open(dir)
	if err != nil {
		return err
	}
	defer a.Close()
	a.packLimit = 64 << 10
	for {
		r, err := a.Begin()
		if err != nil {
			return err
		}
		count, err := r.Count(account.Email)
		if err != nil {
			return err
		}
		if count == childMessages && !r.Resumed() {
			return r.Close()
		}
		complete := r.Resumed() && count > 0 && count%100 == 0
		for n := int(count); !complete; n++ {
			h, _, err := r.PutBlob(bytes.NewReader(childMessage(n)), -1)
			if err != nil {
				return err
			}
			if _, err := r.PutObject(account.Email, email(n), h); err != nil {
				return err
			}
			complete = n%100 == 99
			if n%7 == 0 {
				if err := r.Commit(); err != nil {
					return err
				}
				fmt.Fprintln(out, n+1)
			}
		}
		if err := r.Finish(SnapshotRecord{}); err != nil {
			return err
		}
		fmt.Fprintln(out, "finished")
	}
}

func TestAtAnyKillWhatWasCommittedIsWholeAndTheRunGoesOn(t *testing.T) {
	a := create(t)
	must(t, a.Close())
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	committed := 0
	for kill := range 12 {
		cmd, lines := child(t, "write", a.Dir())
		for range rng.IntN(6) {
			if lines.Scan() {
				_, _ = fmt.Sscan(lines.Text(), &committed) // "finished" is no number
			}
		}
		time.Sleep(time.Duration(rng.IntN(15000)) * time.Microsecond) // any moment
		must(t, cmd.Process.Kill())
		for lines.Scan() { // what it said before it died counts
			if strings.HasPrefix(lines.Text(), "error") {
				t.Fatal(lines.Text())
			}
			_, _ = fmt.Sscan(lines.Text(), &committed)
		}
		_ = cmd.Wait()

		b := open(t, a.Dir())
		verifyClean(t, b)
		n, _, err := b.Count(-1, account.Email)
		must(t, err)
		if int(n) < committed {
			t.Errorf("kill %d: %d messages are there, %d were committed", kill, n, committed)
		}
		for i := range int(n) {
			rec, err := b.Object(-1, account.Email, fmt.Sprintf("M%d", i))
			must(t, err)
			if !bytes.Equal(readBlob(t, b, rec.Blob), childMessage(i)) {
				t.Errorf("kill %d: message %d differs", kill, i)
			}
		}
		must(t, b.Close())
	}
	must(t, childWrite(a.Dir(), io.Discard))
	b := open(t, a.Dir())
	if report := verifyClean(t, b); report.Snapshots != 4 || report.Blobs != childMessages || report.Objects != childMessages {
		t.Errorf("in the end: %+v", report)
	}
	if left, _ := filepath.Glob(b.path(spoolPattern)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOneWriterAtATime(t *testing.T) {
	a := create(t)
	cmd, lines := child(t, "hold", a.Dir())
	if !lines.Scan() || lines.Text() != "begun <nil>" {
		t.Fatal(lines.Text())
	}
	_, err := a.Begin()
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != cmd.Process.Pid || !strings.Contains(err.Error(), fmt.Sprint("process ", cmd.Process.Pid)) {
		t.Errorf("beside process %d: %v", cmd.Process.Pid, err)
	}
	if _, err := a.Snapshots(); err != nil {
		t.Errorf("reading is not for the writer alone: %v", err)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	r := begin(t, a) // the lock went with the process
	if _, err := a.Begin(); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("beside a run of this process: %v", err)
	}
	must(t, r.Close())
	must(t, begin(t, a).Close())

	j, err := a.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	if _, err := a.Journal("https://new.example.org", "b", "alice"); !errors.As(err, &locked) {
		t.Errorf("two imports into one target: %v", err)
	}
	other, err := a.Journal("https://new.example.org", "c", "bob")
	must(t, err)
	must(t, other.Close())
	must(t, j.Close())
}

// A model of an archive for one type: id → content.
type state map[string]string

func (s state) clone() state {
	c := make(state, len(s))
	for k, v := range s {
		c[k] = v
	}
	return c
}

// copyArchive is what a kill would leave: the files as they are now.
func copyArchive(t *rapid.T, from, to string) {
	err := filepath.Walk(from, func(path string, info os.FileInfo, err error) error {
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
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnyHistoryOfRunsAndKillsReadsAsTheModelSays(t *testing.T) {
	base := t.TempDir()
	count := 0
	rapid.Check(t, func(t *rapid.T) {
		check := func(err error) {
			if err != nil {
				t.Helper()
				t.Fatal(err)
			}
		}
		newDir := func() string { count++; return filepath.Join(base, fmt.Sprint(count)) }
		a, err := Create(newDir(), testOrigin)
		check(err)
		r, err := a.Begin()
		check(err)
		tune := func() { a.packLimit, a.groupTime = 4<<10, time.Hour }
		tune()
		now := state{}
		since := []state{{}}    // the states since the last commit; a kill leaves one of them
		finished := []state{{}} // by number
		ids := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})

		read := func(at int) state {
			s := state{}
			for rec, err := range a.Objects(at, account.SieveScript) {
				check(err)
				data, err := readChecked(a, rec.Blob)
				check(err)
				s[rec.Object.ID()] = string(data) + rec.Object.Text("name")
			}
			return s
		}
		checkAll := func() {
			for n := 1; n < len(finished); n++ {
				if diff := cmp.Diff(finished[n], read(n)); diff != "" {
					t.Fatalf("snapshot %d: %s", n, diff)
				}
			}
			report, err := a.Verify(context.Background(), nil)
			check(err)
			if len(report.Problems) > 0 {
				t.Fatalf("verify: %+v", report.Problems)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				id, name := ids.Draw(t, "id"), rapid.StringN(0, 3, 5).Draw(t, "name")
				content := strings.Repeat(rapid.StringMatching(`[ab]`).Draw(t, "content"), rapid.IntRange(0, 3000).Draw(t, "size"))
				h, _, err := r.PutBlob(strings.NewReader(content), int64(len(content)))
				check(err)
				o := account.Object{"id": account.Marshal(id), "name": account.Marshal(name), "blobId": account.Marshal("B" + string(h[:8]))}
				_, err = r.PutObject(account.SieveScript, o, h)
				check(err)
				now = now.clone()
				now[id] = content + name
				since = append(since, now)
			},
			"gone": func(t *rapid.T) {
				id := ids.Draw(t, "id")
				check(r.MarkGone(account.SieveScript, id))
				now = now.clone()
				delete(now, id)
				since = append(since, now)
			},
			"get": func(t *rapid.T) {
				id := ids.Draw(t, "id")
				rec, err := r.Get(account.SieveScript, id)
				if _, ok := now[id]; !ok && !errors.Is(err, ErrNotFound) || ok && (err != nil || !strings.HasSuffix(now[id], rec.Object.Text("name"))) {
					t.Fatalf("Get %s: %v %v", id, rec, err)
				}
			},
			"count": func(t *rapid.T) {
				n, err := r.Count(account.SieveScript)
				check(err)
				if int(n) != len(now) {
					t.Fatalf("Count %d, not %d", n, len(now))
				}
				since = []state{now}
			},
			"commit": func(t *rapid.T) {
				check(r.Commit())
				since = []state{now}
				if diff := cmp.Diff(now, read(-1)); diff != "" {
					t.Fatal(diff)
				}
			},
			"finish": func(t *rapid.T) {
				check(r.Finish(SnapshotRecord{}))
				finished = append(finished, now)
				since = []state{now}
				checkAll()
				r, err = a.Begin()
				check(err)
				if r.Snapshot() != len(finished) {
					t.Fatalf("snapshot %d after %d finished", r.Snapshot(), len(finished)-1)
				}
			},
			"kill": func(t *rapid.T) {
				dir := newDir()
				copyArchive(t, a.Dir(), dir)
				check(r.Close())
				check(a.Close())
				check(os.RemoveAll(a.Dir()))
				if files, _ := filepath.Glob(filepath.Join(dir, packDir, "*")); len(files) > 0 && rapid.Bool().Draw(t, "torn") {
					tearTail(t, dir, files[len(files)-1])
				}
				a, err = Open(dir)
				check(err)
				tune()
				checkAll()
				now = read(-1)
				if !contains(since, now) {
					t.Fatalf("after the kill: %v, which was never there since the last commit: %v", now, since)
				}
				r, err = a.Begin()
				check(err)
				since = []state{now}
				checkAll()
			},
			"reindex": func(t *rapid.T) {
				check(r.Close())
				since = []state{now}
				check(a.Close())
				report, err := Reindex(context.Background(), a.Dir(), nil)
				check(err)
				if len(report.Problems) > 0 {
					t.Fatalf("reindex: %+v", report.Problems)
				}
				a, err = Open(a.Dir())
				check(err)
				tune()
				checkAll()
				r, err = a.Begin()
				check(err)
			},
		})
		check(r.Close())
		if diff := cmp.Diff(now, read(-1)); diff != "" {
			t.Fatal(diff)
		}
		checkAll()
		check(a.Close())
		check(os.RemoveAll(a.Dir()))
	})
}

func contains(list []state, s state) bool {
	for _, l := range list {
		if cmp.Equal(l, s) {
			return true
		}
	}
	return false
}

// tearTail does to what was not committed of a pack what a kill may do: it is
// cut short, or holds rubbish.
func tearTail(t *rapid.T, dir, path string) {
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	packs, err := a.packRows()
	if err != nil || len(packs) == 0 || a.packPath(packs[len(packs)-1].n) != path || packs[len(packs)-1].sealed {
		return
	}
	committed := packs[len(packs)-1].length
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	keep := committed + rapid.Int64Range(0, int64(len(data))-committed).Draw(t, "keep")
	rubbish := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "rubbish")
	if err := os.WriteFile(path, append(data[:keep], rubbish...), 0o600); err != nil {
		t.Fatal(err)
	}
}
