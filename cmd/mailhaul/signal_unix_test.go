//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/jmapclient/jmaptest"
)

// gate lets the first n requests of some kind through and holds the others
// until it is opened.
type gate struct {
	holds   func(*http.Request) bool
	mu      sync.Mutex
	n       int
	reached chan struct{} // closed when a request is held
	open    chan struct{}
	once    sync.Once
}

func newGate(n int, holds func(*http.Request) bool) *gate {
	return &gate{holds: holds, n: n, reached: make(chan struct{}), open: make(chan struct{})}
}

func (g *gate) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		hold := false
		if g.holds(r) {
			g.n--
			hold = g.n < 0
		}
		g.mu.Unlock()
		if hold {
			g.once.Do(func() { close(g.reached) })
			select {
			case <-g.open:
			case <-r.Context().Done():
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func gatedServer(t *testing.T, g *gate) *jmaptest.Server {
	s := jmaptest.New(jmaptest.Options{Transport: g.wrap})
	t.Cleanup(s.Close)
	s.AddUser(jmaptest.User{Login: "alice", Password: "hers-secret", Emails: []string{"alice@example.org"}})
	return s
}

// interruptAt runs mailhaul until the gate holds a request, then sends it a
// signal, waits until it says so, opens the gate, and answers exit code and
// standard error.
func interruptAt(t *testing.T, g *gate, sig syscall.Signal, again bool, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command("mailhaul", args...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	heard := make(chan struct{})
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			said.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "Finishing what is in flight") {
				close(heard)
			}
		}
	}()
	select {
	case <-g.reached:
	case <-drained:
		t.Fatalf("mailhaul ended early:\n%s", said.String())
	}
	signal := func() {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	signal()
	select {
	case <-heard:
	case <-drained:
		t.Fatalf("mailhaul ended without saying why:\n%s", said.String())
	}
	if again {
		signal()
	} else {
		close(g.open)
	}
	<-drained
	err = cmd.Wait()
	var failed *exec.ExitError
	if !errors.As(err, &failed) {
		t.Fatalf("mailhaul ended with %v:\n%s", err, said.String())
	}
	return failed.ExitCode(), said.String()
}

func mailhaul(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("mailhaul", args...).CombinedOutput(); err != nil {
		t.Fatalf("mailhaul %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// calls picks the requests that call a method.
func calls(method string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		return err == nil && bytes.Contains(body, []byte(`"`+method+`"`))
	}
}

func TestAnInterruptedRunGoesOnWithTheSameCommand(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			out, in := newGate(1, calls("Blob/get")), newGate(1, calls("Email/import"))
			before, after := gatedServer(t, out), gatedServer(t, in)
			deliver(before, "alice", 300)
			dir := t.TempDir()
			export := []string{"-u", before.URL, "-c", "alice:hers-secret", "export", "account", "alice", dir}
			restore := []string{"-u", after.URL, "-c", "alice:hers-secret", "import", "account", "alice", dir + "/alice"}

			for _, half := range []struct {
				g    *gate
				args []string
			}{{out, export}, {in, restore}} {
				code, said := interruptAt(t, half.g, sig, false, half.args...)
				if code != exitInterrupted || !strings.Contains(said, "mailhaul: interrupted\nThe same command goes on where this run stopped.") {
					t.Fatalf("exit code %d:\n%s", code, said)
				}
				mailhaul(t, half.args...)
			}
			if d := cmp.Diff(held(before, "alice"), held(after, "alice")); d != "" {
				t.Error(d)
			}
			for id, n := range before.BlobFetches() {
				if n > 2 {
					t.Errorf("blob %s was fetched %d times", id, n)
				}
			}
		})
	}
}

func TestASecondSignalLeavesAtOnce(t *testing.T) {
	g := newGate(1, calls("Blob/get"))
	s := gatedServer(t, g)
	deliver(s, "alice", 300)
	dir := t.TempDir()
	export := []string{"-u", s.URL, "-c", "alice:hers-secret", "export", "account", "alice", dir}
	if code, said := interruptAt(t, g, syscall.SIGINT, true, export...); code != exitInterrupted {
		t.Fatalf("exit code %d:\n%s", code, said)
	}
	close(g.open)
	mailhaul(t, export...)
	mailhaul(t, "verify", dir+"/alice")
}

func TestASecondExportIntoAnArchiveNamesTheFirst(t *testing.T) {
	g := newGate(1, calls("Blob/get"))
	s := gatedServer(t, g)
	deliver(s, "alice", 300)
	dir := t.TempDir()
	export := []string{"-u", s.URL, "-c", "alice:hers-secret", "export", "account", "alice", dir}
	first := exec.Command("mailhaul", export...)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	<-g.reached
	out, err := exec.Command("mailhaul", export...).CombinedOutput()
	var failed *exec.ExitError
	if !errors.As(err, &failed) || failed.ExitCode() != exitFailed || !strings.Contains(string(out), fmt.Sprint("process ", first.Process.Pid)) {
		t.Errorf("%v:\n%s", err, out)
	}
	close(g.open)
	if err := first.Wait(); err != nil {
		t.Error(err)
	}
}
