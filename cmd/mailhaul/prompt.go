package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/term"
)

// prompt asks for a secret without echo. asked is false when standard input is
// no terminal. A signal ends it and gives the terminal its echo back.
func (a *app) prompt(ctx context.Context, question string) (answer string, asked bool, err error) {
	in, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", false, nil
	}
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return "", false, fmt.Errorf("could not ask for credentials: %w", err)
	}
	fmt.Fprint(a.stderr, question)
	defer fmt.Fprintln(a.stderr)
	type reply struct {
		line []byte
		err  error
	}
	typed := make(chan reply, 1)
	go func() {
		line, err := term.ReadPassword(int(in.Fd()))
		typed <- reply{line, err}
	}()
	select {
	case r := <-typed:
		if r.err != nil {
			return "", true, fmt.Errorf("could not read credentials: %w", r.err)
		}
		return string(r.line), true, nil
	case <-ctx.Done():
		if err := term.Restore(int(in.Fd()), before); err != nil {
			return "", true, fmt.Errorf("could not switch the terminal's echo on again: %w", err)
		}
		return "", true, ctx.Err()
	}
}
