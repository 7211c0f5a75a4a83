package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mailhaul/internal/migrate"
)

func (a *app) migrateInitCommand() *cobra.Command {
	var o migrate.InitOptions
	cmd := &cobra.Command{
		Use: "init PLAN", Short: "Ask both servers and write a plan",
		Long: `Ask both servers what they are and which accounts there are, and write a plan with comments into the
new file PLAN. Credentials are references, never passwords: env:NAME, file:PATH,
keyring:SERVICE/USER, or prompt, which asks each time.`,
		Args: takes(1, 1, "the plan to write"),
	}
	cmd.Flags().StringVar(&o.Old.URL, "old", "", "the old server's `URL`")
	cmd.Flags().StringVar(&o.New.URL, "new", "", "the new server's `URL`")
	cmd.Flags().StringVar(&o.Old.Credentials, "old-credentials", "prompt", "`reference` to an administrator's user:password there")
	cmd.Flags().StringVar(&o.New.Credentials, "new-credentials", "prompt", "`reference` to an administrator's user:password there")
	cmd.RunE = a.does(func(ctx context.Context, cmd *cobra.Command, args []string) (*report, error) {
		if o.Old.URL == "" || o.New.URL == "" {
			return nil, usage(cmd, errors.New("which servers? Give --old URL and --new URL"))
		}
		made, err := migrate.Init(ctx, args[0], o, a.migrateHooks())
		if err != nil {
			return nil, err
		}
		return &report{made, func(w io.Writer) {
			fmt.Fprintf(w, "Wrote %s, with %s that the old server lists.\n", args[0], plural(int64(len(made.Accounts)), "account", "accounts"))
			fmt.Fprintf(w, "Look at it, then: mailhaul migrate check %s\n", shellWord(args[0]))
		}}, nil
	})
	return cmd
}
