package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mailhaul": main})
}

// TestScripts drives the real main as a person would. The scripts have these
// commands besides testscript's own:
//
//	exits CODE mailhaul ARG…  runs it; whatever it prints holds no credential
//	jmapserver NAME [key=value]…  a server at $NAME_URL, see startServer
//	webpage NAME  a web server without JMAP at $NAME_URL
//	change NAME LOGIN  a message more, one with another flag, one gone
//	same A B LOGIN  the account is the same on servers A and B, to the last byte
//	requests NAME METHOD N  METHOD was called N times, or some, since the last `requests`
//	firstid MAILBOX ARCHIVE  puts the id of a message in MAILBOX into $ID
//	appendto FILE… TO  the files' content goes to the end of TO
//	flip FILE  one bit in the middle of a file
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Values[serversKey] = servers{}
			// Nothing of the surroundings steers the program.
			e.Setenv("MAILHAUL_URL", "")
			e.Setenv("MAILHAUL_CREDENTIALS", "")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      cmdExits,
			"jmapserver": cmdServer,
			"webpage":    cmdWebpage,
			"change":     cmdChange,
			"same":       cmdSame,
			"requests":   cmdRequests,
			"firstid":    cmdFirstID,
			"flip":       cmdFlip,
			"appendto":   cmdAppendTo,
		},
	})
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE mailhaul ARG…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		code = failed.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	out := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	for _, secret := range secrets(ts, args) {
		if strings.Contains(out, secret) {
			ts.Fatalf("the output holds the credential %q", secret)
		}
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// secrets are the passwords and tokens that a command line and its environment
// carry. A script's secrets are long enough not to turn up by chance.
func secrets(ts *testscript.TestScript, args []string) []string {
	given := []string{ts.Getenv("MAILHAUL_CREDENTIALS")}
	for i, arg := range args[:len(args)-1] {
		switch arg {
		case "-c", "--credentials":
			given = append(given, args[i+1])
		case "--credentials-file":
			if b, err := os.ReadFile(ts.MkAbs(args[i+1])); err == nil {
				given = append(given, strings.TrimSpace(string(b)))
			}
		}
	}
	for i, g := range given {
		if _, password, ok := strings.Cut(g, ":"); ok {
			given[i] = password
		}
	}
	return slices.DeleteFunc(given, func(s string) bool { return s == "" })
}

func cmdFlip(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	b[len(b)/2] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

func cmdFirstID(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("mailhaul", "inspect", args[1], "ls", args[0]))
	line, _, _ := strings.Cut(ts.ReadFile("stdout"), "\n")
	fields := strings.Fields(line)
	if len(fields) == 0 {
		ts.Fatalf("no message in %s", args[0])
	}
	ts.Setenv("ID", fields[len(fields)-1])
}

func cmdAppendTo(ts *testscript.TestScript, _ bool, args []string) {
	to := ts.MkAbs(args[len(args)-1])
	text, err := os.ReadFile(to)
	ts.Check(err)
	for _, from := range args[:len(args)-1] {
		text = append(text, ts.ReadFile(from)...)
	}
	ts.Check(os.WriteFile(to, text, 0o600))
}
