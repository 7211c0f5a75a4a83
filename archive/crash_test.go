package archive

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

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
		if err := flag.Set("rapid.checks", strconv.Itoa(every(20, 4))); err != nil {
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
	a.packLimit, a.groupBytes = 64<<10, 1<<10 // so that there is mostly a group being committed
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
		for n := int(count); n < r.Snapshot()*100; n++ {
			h, _, err := r.PutBlob(bytes.NewReader(childMessage(n)), -1)
			if err != nil {
				return err
			}
			if _, err := r.PutObject(account.Email, email(n), h); err != nil {
				return err
			}
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

// left are the members that lie whole behind the committed part of an unsealed
// pack, up to the first thing that a run does not take up.
func left(t testing.TB, a *Archive) (members []frame) {
	t.Helper()
	packs, err := a.packRows()
	must(t, err)
	if len(packs) == 0 || packs[len(packs)-1].sealed {
		return nil
	}
	p := packs[len(packs)-1]
	data, err := os.ReadFile(a.packPath(p.n))
	must(t, err)
	for off := p.length; off < int64(len(data)); {
		f := readFrame(bytes.NewReader(data), p.n, off, int64(len(data)))
		if m, _ := parseName(f.name); f.err != nil || f.trailer || m.kind == kindSnapshot {
			break
		}
		members, off = append(members, f), off+f.length
	}
	return members
}

// expectHeld fails the test unless the catalog says where each member lies.
func expectHeld(t testing.TB, a *Archive, members []frame) {
	t.Helper()
	for _, f := range members {
		m, _ := parseName(f.name)
		query, args := `SELECT pack, start, length FROM blob WHERE hash = ?`, []any{m.hash.bytes()}
		if m.kind == kindObject {
			row := f.row
			must(t, f.rowErr)
			query, args = `SELECT pack, start, length FROM record WHERE type = ? AND id = ? AND snapshot = ?`, []any{row.typ, row.id, row.snapshot}
		}
		var p place
		found, err := a.cat.row(query, args, &p.pack, &p.start, &p.length)
		must(t, err)
		if !found || p != f.place {
			t.Errorf("%s at %+v was whole, the catalog has it at %+v", f.name, f.place, p)
		}
	}
}

func TestAtAnyKillWhatWasWrittenWholeIsKeptAndTheRunGoesOn(t *testing.T) {
	a := create(t)
	must(t, a.Close())
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	committed, takenUp := 0, 0
	for kill := range every(12, 5) {
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
		verifyClean(t, b) // reading does not take it up
		members := left(t, b)
		takenUp += len(members)
		must(t, begin(t, b).Close())
		expectHeld(t, b, members)
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
	t.Logf("%d members were written, not committed, and kept", takenUp)
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
