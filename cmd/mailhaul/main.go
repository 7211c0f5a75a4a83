// Mailhaul moves mail accounts between JMAP servers.
//
// This package is the command line and no more: flags become options of the
// packages exporter, importer and archive, their events become bars, lines or
// JSON (screen.go), their results become tables (table.go), and their errors
// become exit codes in one place (exit.go). It starts in root.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// memoryGoal is what the garbage collector works harder to stay under, in
// octets, unless GOMEMLIMIT says otherwise. A run has some 40 MB in use,
// whatever the size of the account; the rest would be garbage.
const memoryGoal = 96 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryGoal)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}

// run is the whole program but for the process around it. It answers the exit
// code, see exits.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) string) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, env: env}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(context.Background())
	code := exitCode(err)
	if err == nil {
		return code
	}
	fmt.Fprintln(stderr, "mailhaul: "+clean(err.Error()))
	if hint := a.hint(err); hint != "" {
		fmt.Fprintln(stderr, hint)
	}
	return code
}

// hint says what to do about an error, in words of the command line.
func (a *app) hint(err error) string {
	if u, ok := errors.AsType[*usageError](err); ok {
		return "See `" + u.command + " --help`."
	}
	e := exitOf(err)
	if e.resumes && a.resumes {
		return e.hint + "The same command goes on where this run stopped."
	}
	return e.hint
}
