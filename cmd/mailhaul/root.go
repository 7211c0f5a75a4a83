package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"mailhaul/internal/migrate"
)

const about = `mailhaul moves mail accounts between servers. It exports an account over JMAP
into an archive of its own, and imports the archive into another server. Both
halves go on where they stopped, and each is useful alone.

Move an account:

  mailhaul -u https://old.example.org -c PASSWORD export account alice ~/exports
  mailhaul -u http://new.example.org:8080 -c PASSWORD import account alice ~/exports/alice
  mailhaul -u http://new.example.org:8080 -c PASSWORD verify ~/exports/alice alice

Or in one step (and again, with --watch, for what changes):

  mailhaul sync alice ~/exports --from-url https://old.example.org \
    --from-credentials PASSWORD -u http://new.example.org:8080 -c PASSWORD

Move a whole server:

  mailhaul migrate init plan.toml --old URL --new URL
  mailhaul migrate plan.toml

Who signs in: -c takes user:password, or a password alone, which is that of the
user admin. A command line can be read by everyone on the machine (ps): better
are --credentials-file, the variable MAILHAUL_CREDENTIALS, or no -c at all, which
asks for it.

Exit codes:
  0    all done
  1    failed
  2    the command line is wrong
  3    finished, but some items failed; the same command tries them again
  4    verify found differences
  5    credentials or rights refused
  6    server unreachable, given up after trying again; the same command goes on
  7    not an archive, or damaged
  130  interrupted; the same command goes on`

// app is one run of the program.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) string
	flags          globals
	screen         *screen
	resumes        bool                        // the command at work can go on in a later run
	migration      atomic.Pointer[migrate.Run] // at work, nil: none
}

// root is the tree of commands.
func (a *app) root() *cobra.Command {
	root := group("mailhaul", "Move mail accounts between servers",
		group("export", "Copy accounts from a server into archives", a.exportCommand()),
		group("import", "Restore archives into accounts on a server", a.importCommand()),
		a.syncCommand(),
		a.verifyCommand(),
		a.statusCommand(),
		a.snapshotsCommand(),
		a.diffCommand(),
		a.inspectCommand(),
		group("archive", "Look after an archive", a.reindexCommand(), a.pruneCommand()),
		a.migrateCommand(),
		a.demoCommand(),
		a.versionCommand(),
		a.manualCommand(),
	)
	root.Long = about
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, err) })
	a.flags.register(root.PersistentFlags())
	setHelp(root)
	return root
}

// group is a command that does nothing but hold others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, DisableFlagsInUseLine: true}
	g.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 0:
			return usage(cmd, fmt.Errorf("there is no command %q", strings.TrimPrefix(cmd.CommandPath()+" "+args[0], "mailhaul ")))
		case cmd.HasParent():
			return usage(cmd, fmt.Errorf("%s what? The command is: %s", name(cmd), commands[0].UseLine()))
		}
		return cmd.Help()
	}
	for _, c := range commands {
		c.DisableFlagsInUseLine = true
	}
	g.AddCommand(commands...)
	return g
}

// usage marks an error of the command line.
func usage(cmd *cobra.Command, err error) error { return &usageError{cmd.CommandPath(), err} }

// takes says how many arguments a command wants, and names them when there are
// not as many.
func takes(least, most int, names string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || (most >= 0 && len(args) > most) {
			return usage(cmd, fmt.Errorf("%s takes %s, not %s", name(cmd), names, plural(int64(len(args)), "argument", "arguments")))
		}
		for _, arg := range args {
			if arg == "" {
				return usage(cmd, fmt.Errorf("an argument is empty: %s takes %s", name(cmd), names))
			}
		}
		return nil
	}
}

// report is what a command has to show at its end.
type report struct {
	value any             // "result" in the last line of --json
	text  func(io.Writer) // the same for a person
}

// action is the work of a command. It may answer a report and an error both:
// how far it came, and what stopped it.
type action func(ctx context.Context, cmd *cobra.Command, args []string) (*report, error)

// does runs an action between a screen and its report, and lets a signal end it.
func (a *app) does(do action) func(*cobra.Command, []string) error {
	return a.doesOn(a.newScreen, do)
}

// doesOn is does with a screen of the command's own.
func (a *app) doesOn(newScreen func() *screen, do action) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.screen = newScreen()
		ctx, release := interruptible(cmd.Context(), a.screen)
		rep, err := do(ctx, cmd, args)
		a.screen.close()
		if err != nil && ctx.Err() != nil && !isA[*stoppedError](err) {
			err = &interruptedError{err}
		}
		release()
		if shown := a.show(cmd, rep, err); err == nil {
			err = shown
		}
		return err
	}
}

// show writes the report: a line of JSON or text.
func (a *app) show(cmd *cobra.Command, rep *report, err error) error {
	var b bytes.Buffer
	switch {
	case a.flags.json:
		a.screen.result(&b, cmd.CommandPath(), rep, err)
	case rep != nil && rep.text != nil:
		rep.text(&b)
	}
	_, werr := a.stdout.Write(b.Bytes())
	if werr = errors.Join(werr, a.screen.failedWriting()); werr != nil {
		return fmt.Errorf("could not write to standard output: %w", werr)
	}
	return nil
}
