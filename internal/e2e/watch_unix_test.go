//go:build unix

package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"mailhaul/internal/mailgen"
)

// eventually fails the test when something does not come to be.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > patience/2 {
			t.Fatalf("%s: not in %v", what, patience/2)
		}
	}
}

// A sync that watches carries over what happens, and ends properly when it is
// told to between two passes.
func TestSyncWatches(t *testing.T) {
	onEachKind(t, func(t *testing.T, k kind) {
		from, to := k.start(t), k.start(t)
		from.AddUser(alice)
		to.AddUser(alice)
		from.Put(alice, inInbox(mailgen.Sized(241, 30, 3000))...)
		source := newProxy(t, from)
		run := start(t, append(to.Importer(alice), "sync", alice, t.TempDir(), "--watch", "--delete",
			"--from-url", source.URL(), "--from-credentials", alice+":"+password)...)
		same := func() bool {
			want, got := from.Mail(alice), to.Mail(alice)
			return len(less(want, got)) == 0 && len(less(got, want)) == 0
		}
		eventually(t, "the first pass", same)
		from.Change(alice)
		from.Put(alice, inInbox(mailgen.Sized(242, 5, 3000))...)
		eventually(t, "the changes", same)

		// It is told to stop while it waits: when it asks for the states.
		source.arm(&strike{when: beside, of: polling, do: func() {
			if err := run.cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
		}})
		res := run.wait(t)
		code := 0
		if len(from.Broken()) > 0 {
			code = 3 // as of the last pass
		}
		res.expect(t, code).says(t, "Pass 1: 30 messages new", "Pass 2: ", "; this pass: ", "requests", "Waiting for changes")
		if strings.Contains(res.stdout+res.stderr, "interrupted") {
			t.Errorf("it says that it was interrupted:\n%s", res.output())
		}
		expectSameMail(t, from.Mail(alice), to.Mail(alice))
		for line := range strings.Lines(res.stderr) {
			if strings.HasPrefix(line, "Pass ") {
				t.Log(line)
			}
		}
	})
}

// polling is the requests that ask for the states of several types and nothing else.
func polling(_ string, calls []call) bool {
	for _, c := range calls {
		if !strings.HasSuffix(c.method, "/get") || c.method == "Blob/get" {
			return false
		}
	}
	return len(calls) > 1 && calls[0].method == "Mailbox/get" && calls[1].method == "Email/get"
}
