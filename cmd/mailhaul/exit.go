package main

import (
	"context"
	"errors"
	"fmt"

	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// Exit codes. Scripts depend on them: they never change their meaning.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitItems       = 3
	exitDifferences = 4
	exitRefused     = 5
	exitUnreachable = 6
	exitArchive     = 7
	exitInterrupted = 130 // as a shell counts a process that SIGINT ended
)

// exit is what an error comes to at the end of the program.
type exit struct {
	code    int
	is      func(error) bool
	hint    string // what to do about it, where the error doesn't say
	resumes bool   // the same command, given again, goes on, if it had begun
}

// exits is where an error becomes an exit code: the first row that knows the
// error decides. Any other is exitFailed.
var exits = []exit{
	{exitUsage, isA[*usageError], "", false},
	{exitInterrupted, isA[*interruptedError], "", true},
	{exitItems, isA[*itemsError], "The same command tries again what failed, and nothing else.", false},
	{exitItems, isA[*accountsError], "`mailhaul migrate status PLAN` and the report say what to do\nfor each. The same command does what is not done, and nothing else.", false},
	{exitDifferences, isA[*differencesError], "`import account` puts right what can be; then verify again.", false},
	{exitInterrupted, cancelled, "", true},
	{exitRefused, ofKind(jmapclient.Unauthorized), "Check -c: `user:password`, or the password of the user admin alone. " +
		"Many servers want the\nlogin name and not the address, others the address.", false},
	{exitRefused, ofKind(jmapclient.Forbidden), "", false},
	{exitUnreachable, ofKind(jmapclient.Unreachable), "", true},
	{exitArchive, notArchive, "", false},
}

// exitOf is the row of exits that an error belongs to.
func exitOf(err error) exit {
	for _, e := range exits {
		if e.is(err) {
			return e
		}
	}
	return exit{code: exitFailed}
}

// exitCode is the code that a run which ended in err exits with.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	return exitOf(err).code
}

// usageError is a command line that can't be meant.
type usageError struct {
	command string // whose help to read
	err     error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// itemsError: the run finished, but for some items.
type itemsError struct{ n int64 }

func (e *itemsError) Error() string {
	return fmt.Sprintf("finished, but %s failed", plural(e.n, "item", "items"))
}

// accountsError: a migration finished, but for some accounts.
type accountsError struct{ n int }

func (e *accountsError) Error() string {
	return fmt.Sprintf("finished, but %s attention", plural(int64(e.n), "account needs", "accounts need"))
}

// differencesError: what is on the server is not what is in the archive.
type differencesError struct{ n int64 }

func (e *differencesError) Error() string {
	return fmt.Sprintf("the server differs from the archive in %s", plural(e.n, "item", "items"))
}

// damageError: an archive is not what it was when it was written.
type damageError struct{ text string }

func (e *damageError) Error() string { return e.text }

// interruptedError: a signal ended the run before it was done.
type interruptedError struct{ err error }

func (e *interruptedError) Error() string {
	if text := e.err.Error(); text != context.Canceled.Error() {
		return "interrupted: " + text
	}
	return "interrupted"
}
func (e *interruptedError) Unwrap() error { return e.err }

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func ofKind(k jmapclient.Kind) func(error) bool {
	return func(err error) bool { return jmapclient.KindOf(err) == k }
}

func cancelled(err error) bool {
	return errors.Is(err, context.Canceled) || jmapclient.KindOf(err) == jmapclient.Cancelled
}

func notArchive(err error) bool {
	return errors.Is(err, archive.ErrNotArchive) || isA[*archive.DamagedError](err) || isA[*damageError](err)
}
