package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// peakVariable makes this program a launcher: it runs its arguments and writes
// the peak of memory of the process into the file that the variable names. What
// a process held at most counts from what its parent held when it was started
// (Linux carries the old image's peak over exec), and this test holds much.
const peakVariable = "MAILHAUL_E2E_PEAK"

func init() {
	if path := os.Getenv(peakVariable); path != "" {
		os.Exit(launch(path, os.Args[1], os.Args[2:]...))
	}
}

func launch(path, program string, args ...string) int {
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
		return 126
	}
	kilobytes := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	if err := os.WriteFile(path, []byte(fmt.Sprint(kilobytes)), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 126
	}
	return cmd.ProcessState.ExitCode()
}

// peakOf runs mailhaul and answers the most memory that it held, in octets.
func peakOf(t *testing.T, args ...string) (result, int64) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "peak")
	r := startProgram(t, self, []string{peakVariable + "=" + path}, nil, append([]string{binary}, args...)...)
	res := r.wait(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kilobytes, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return res, kilobytes << 10
}
