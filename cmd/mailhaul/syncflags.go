package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailhaul/jmapclient"
)

// sourceFlags name the server that `sync` reads, where -u and -c name the one
// that it writes to.
type sourceFlags struct {
	url, credentials, credentialsFile, auth string
}

func (s *sourceFlags) register(f *pflag.FlagSet) {
	f.StringVar(&s.url, "from-url", "", "the server to copy from, as -u takes the one to copy to (or MAILHAUL_FROM_URL)")
	f.StringVar(&s.credentials, "from-credentials", "", "who signs in there, as -c takes it (or MAILHAUL_FROM_CREDENTIALS; without any you are asked)")
	f.StringVar(&s.credentialsFile, "from-credentials-file", "", "`file` whose first line is what --from-credentials takes")
	f.StringVar(&s.auth, "from-auth", "basic", "`how` to sign in there: basic or bearer")
}

// sourceOptions are the flags of the source as the client takes them. What
// is not said for the source apart holds for both servers.
func (a *app) sourceOptions(ctx context.Context, cmd *cobra.Command, s sourceFlags) (jmapclient.Options, error) {
	var none jmapclient.Options
	if s.url == "" {
		s.url = a.env("MAILHAUL_FROM_URL")
	}
	switch {
	case s.url == "":
		return none, usage(cmd, errors.New("from which server? Give --from-url URL (or set MAILHAUL_FROM_URL)"))
	case a.serverURL() == "":
		return none, usage(cmd, errors.New("to which server? Give -u URL (or set MAILHAUL_URL)"))
	case s.auth != "basic" && s.auth != "bearer":
		return none, usage(cmd, fmt.Errorf("--from-auth is basic or bearer, not %q", s.auth))
	}
	credentials, err := a.sourceCredentials(ctx, cmd, s)
	if err != nil {
		return none, err
	}
	from := app{stdin: a.stdin, stdout: a.stdout, stderr: a.stderr, env: a.env, flags: a.flags, screen: a.screen} // told of the other server
	from.flags.url, from.flags.auth = s.url, s.auth
	from.flags.credentials, from.flags.credentialsFile = credentials, ""
	return from.clientOptions(ctx, cmd)
}

func (a *app) sourceCredentials(ctx context.Context, cmd *cobra.Command, s sourceFlags) (string, error) {
	switch {
	case s.credentials != "" && s.credentialsFile != "":
		return "", usage(cmd, errors.New("--from-credentials and --from-credentials-file exclude each other"))
	case s.credentials != "":
		return s.credentials, nil
	case s.credentialsFile != "":
		return a.credentialsFrom(s.credentialsFile)
	}
	if c := a.env("MAILHAUL_FROM_CREDENTIALS"); c != "" {
		return c, nil
	}
	c, asked, err := a.prompt(ctx, "Credentials for "+s.url+", to copy from (user:password, or admin's password): ")
	if err == nil && (!asked || c == "") {
		err = usage(cmd, errors.New("no credentials for the server to copy from: give --from-credentials, --from-credentials-file or "+
			"MAILHAUL_FROM_CREDENTIALS (with a terminal you are asked)"))
	}
	return c, err
}
