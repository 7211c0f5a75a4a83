package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mailhaul/internal/directory"
	"mailhaul/internal/migrate"
)

func (a *app) migrateProvisionCommand(f *migrateFlags) *cobra.Command {
	var o migrate.ProvisionOptions
	var save string
	var secrets bool
	cmd := &cobra.Command{
		Use: "provision PLAN [ACCOUNT…]", Short: "Make the accounts on the new server",
		Long: `Read domains, groups, users and mailing lists, with their addresses, quotas, memberships and password hashes, from
the old Stalwart server and make them on the new one. Users keep their passwords. What is there stays
as it is. --save writes what the old server has to a file for review; --from makes the accounts of such a
file, or of a CSV (name,email,password,…), where the old server has no management API.`,
		Args: takes(1, -1, "a plan, and perhaps some of its accounts"),
	}
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "change nothing, say what would be created, changed, or is in the way")
	cmd.Flags().StringVar(&save, "save", "", "only write what the old server has into this `file`, directory.json")
	cmd.Flags().BoolVar(&secrets, "include-secrets", false, "with --save: also the password hashes")
	cmd.Flags().StringVar(&o.From, "from", "", "read the accounts from this `file` (.json or .csv) in place of the old server")
	cmd.RunE = a.doesOn(a.newMigrateScreen, func(ctx context.Context, cmd *cobra.Command, args []string) (rep *report, err error) {
		switch {
		case save != "" && (o.From != "" || o.DryRun || len(args) > 1):
			return nil, usage(cmd, errors.New("--save writes all that the old server has, and does nothing else"))
		case secrets && save == "":
			return nil, usage(cmd, errors.New("--include-secrets is for --save"))
		}
		run, err := a.openPlan(ctx, cmd, f, args[0])
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, run.Close()) }()
		if save != "" {
			return saveDirectory(ctx, run, save, secrets)
		}
		if err := run.Load(ctx, true); err != nil {
			return nil, err
		}
		a.resumes = true
		made, tally, err := run.Provision(ctx, args[1:], o, true, true)
		if made == nil {
			return nil, err
		}
		if n := tally.Bad(); err == nil && n > 0 {
			err = &accountsError{n}
		}
		return &report{made, func(w io.Writer) { writeProvisioned(w, made, o.DryRun) }}, err
	})
	return cmd
}

func saveDirectory(ctx context.Context, run *migrate.Run, file string, secrets bool) (*report, error) {
	d, err := run.Directory(ctx, "")
	if err == nil {
		err = d.WriteFile(file, secrets)
	}
	if err != nil {
		return nil, err
	}
	counts := map[string]int{"domains": len(d.Domains), "accounts": len(d.Accounts)}
	return &report{counts, func(w io.Writer) {
		fmt.Fprintf(w, "Wrote %s: %s, %s.\n", file, plural(int64(len(d.Domains)), "domain", "domains"), plural(int64(len(d.Accounts)), "account", "accounts"))
		if secrets {
			fmt.Fprintln(w, "It holds the users' password hashes: keep it to yourself, and remove it afterwards.")
		}
	}}, nil
}

func writeProvisioned(w io.Writer, made *migrate.Provisioned, dryRun bool) {
	var steps []string
	for _, s := range made.Plan.Steps {
		text := fmt.Sprintf("%s %s %s", s.Do, s.What, s.Name)
		if len(s.Details) > 0 {
			text += " (" + strings.Join(s.Details, ", ") + ")"
		}
		steps = append(steps, text)
	}
	switch {
	case dryRun && len(steps) == 0:
		fmt.Fprintln(w, "Nothing is to be done: the accounts are there.")
	case dryRun:
		listed(w, "Nothing was changed. Without --dry-run:", steps, int64(len(steps)), shownDifferences, "all of them: --json")
	default:
		fmt.Fprintf(w, "Created %d, changed %d.\n", made.Created, made.Changed)
	}
	problems := func(heading string, list []directory.Problem) {
		var text []string
		for _, p := range list {
			text = append(text, p.Name+": "+p.Text)
		}
		listed(w, heading, text, int64(len(text)), shownDifferences, "all of them: --json")
	}
	problems("In the way:", made.Plan.InTheWay)
	listed(w, "Failed:", made.Failed, int64(len(made.Failed)), shownDifferences, "all of them: --json")
	problems("Left as it is, or not to be carried:", made.Plan.Notes)
}

func (a *app) migrateReturnCommand() *cobra.Command {
	return &cobra.Command{
		Use: "return-sign-ins PLAN", Short: "Give back what --borrow-sign-in borrowed",
		Long: `Take away again what a run with --borrow-sign-in added to users' accounts and could not take away
itself. Each run of the plan does that, too, before anything else.`,
		Args: takes(1, 1, "a plan"),
		RunE: a.does(func(ctx context.Context, cmd *cobra.Command, args []string) (rep *report, err error) {
			run, err := a.openPlan(ctx, cmd, &migrateFlags{}, args[0])
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, run.Close()) }()
			n, err := run.ReturnSignIns(ctx)
			return &report{map[string]int{"returned": n}, func(w io.Writer) {
				fmt.Fprintf(w, "%s given back.\n", plural(int64(n), "borrowed sign-in was", "borrowed sign-ins were"))
			}}, err
		}),
	}
}
