package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/internal/progress"
)

// binary is the mailhaul program under test.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "mailhaul-e2e")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "mailhaul.exe")
		if out, err := exec.Command("go", "build", "-o", binary, "mailhaul/cmd/mailhaul").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building mailhaul: %v\n%s", err, out)
			return 1
		}
		// Most of what the tests do is to wait: for processes, for servers, for time to pass.
		flag.Parse()
		if err := flag.Set("test.parallel", "6"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// result is how a run of mailhaul ended.
type result struct {
	code           int // -1: killed
	stdout, stderr string
}

// patience bounds one run; reaching it is a failure of its own.
const patience = 5 * time.Minute

// mailhaul runs the program to its end.
func mailhaul(t *testing.T, args ...string) result {
	t.Helper()
	r := start(t, args...)
	return r.wait(t)
}

// running is a mailhaul at work.
type running struct {
	cmd            *exec.Cmd
	stdout, stderr strings.Builder
	cancel         context.CancelFunc
}

func start(t *testing.T, args ...string) *running {
	t.Helper()
	return startWith(t, nil, nil, args...)
}

// startWith starts mailhaul with more in its environment, and a standard input.
func startWith(t *testing.T, env []string, stdin *os.File, args ...string) *running {
	t.Helper()
	return startProgram(t, binary, env, stdin, args...)
}

func startProgram(t *testing.T, program string, env []string, stdin *os.File, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r := &running{cmd: exec.CommandContext(ctx, program, args...), cancel: cancel}
	r.cmd.Env = append(append(os.Environ(), "MAILHAUL_URL=", "MAILHAUL_CREDENTIALS="), env...)
	if stdin != nil {
		r.cmd.Stdin = stdin
	}
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	return r
}

// startTo starts mailhaul with another standard output.
func startTo(t *testing.T, stdout *os.File, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r := &running{cmd: exec.CommandContext(ctx, binary, args...), cancel: cancel}
	r.cmd.Stdout, r.cmd.Stderr = stdout, &r.stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	return r
}

// kill is kill -9.
func (r *running) kill() { _ = r.cmd.Process.Kill() } // it may have ended by itself

func (r *running) wait(t *testing.T) result {
	t.Helper()
	err := r.cmd.Wait()
	r.cancel()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	res := result{r.cmd.ProcessState.ExitCode(), r.stdout.String(), r.stderr.String()}
	t.Logf("mailhaul %s: exit %d", strings.Join(r.cmd.Args[1:], " "), res.code)
	return res
}

// expect fails the test when a run ended otherwise.
func (r result) expect(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit %d, want %d\n%s", r.code, code, r.output())
	}
	return r
}

// says fails the test when a run's output lacks one of the texts.
func (r result) says(t *testing.T, texts ...string) result {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Errorf("nothing of %q in\n%s", text, r.output())
		}
	}
	return r
}

func (r result) output() string {
	const most = 6000
	text := r.stdout + "\n-- stderr --\n" + r.stderr
	if len(text) > most {
		text = text[:most/2] + "\n[…]\n" + text[len(text)-most/2:]
	}
	return text
}

// signIn is the flags that reach a server as a user.
func signIn(url, login string) []string { return []string{"-u", url, "-c", login + ":" + password} }

// exporting and importing are the commands that move an account as its owner.
func exporting(s server, login, dir string) []string {
	return append(signIn(s.URL(), login), "--json", "export", "account", login, dir)
}

func importing(s server, login, archive string) []string {
	return append(s.Importer(login), "--json", "import", "account", login, archive)
}

// exportAccount exports into dir and answers the archive's path.
func exportAccount(t *testing.T, s server, login, dir string) string {
	t.Helper()
	mailhaul(t, exporting(s, login, dir)...).expectDone(t, s)
	return filepath.Join(dir, login)
}

func importAccount(t *testing.T, s server, login, archive string) {
	t.Helper()
	mailhaul(t, importing(s, login, archive)...).expectDone(t, s)
}

// expectDone fails the test unless a run, with --json, did all there was to do:
// nothing failed but the types that the server has no working methods for.
func (r result) expectDone(t *testing.T, s server) {
	t.Helper()
	failed := false
	for line := range strings.Lines(r.stdout) {
		var e progress.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in the line %q", err, line)
		}
		if e.Kind == progress.Failure {
			failed = true
			stage := e.Stage[strings.LastIndex(e.Stage, " ")+1:] // without the half of a sync
			if !slices.Contains(s.Broken(), stage) {
				t.Errorf("%s %s: %s", e.Stage, e.Item, e.Text)
			}
		}
	}
	if failed {
		r.expect(t, 3)
	} else {
		r.expect(t, 0)
	}
}
