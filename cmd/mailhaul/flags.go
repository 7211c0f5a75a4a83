package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

// globals are the flags that every command knows.
type globals struct {
	url, credentials, credentialsFile, auth, caFile string
	json, verbose, insecure, trustSessionURLs       bool
	giveUpAfter                                     time.Duration
	limitRate                                       perSecond
	maxConnections                                  int
}

func (g *globals) register(f *pflag.FlagSet) {
	f.StringVarP(&g.url, "url", "u", "", "the server: a host, base `URL`, session URL or address (or MAILHAUL_URL)")
	f.StringVarP(&g.credentials, "credentials", "c", "", "`user:password`, or admin's password alone, or a token with --auth bearer (or MAILHAUL_CREDENTIALS; without any you are asked)")
	f.StringVar(&g.credentialsFile, "credentials-file", "", "`file` whose first line is what -c takes")
	f.StringVar(&g.auth, "auth", "basic", "`how` to sign in: basic or bearer")
	f.StringVar(&g.caFile, "ca-file", "", "PEM `file` of certificates to trust besides the system's")
	f.BoolVar(&g.insecure, "insecure", false, "do not check the server's certificate")
	f.BoolVar(&g.trustSessionURLs, "trust-session-urls", false, "send credentials wherever the server's session points")
	f.DurationVar(&g.giveUpAfter, "give-up-after", 5*time.Minute, "how `long` to try again while the server can't be reached")
	f.Var(&g.limitRate, "limit-rate", "move no more than this many bytes a second, both ways together: 500K, 2M (default no limit)")
	f.IntVar(&g.maxConnections, "max-connections", 0, "send the server no more than `N` requests at once (default what it allows and gains from)")
	f.BoolVar(&g.json, "json", false, "one event a line on standard output, the result last")
	f.BoolVarP(&g.verbose, "verbose", "v", false, "tell more")
}

// serverURL is the server that flags or environment name, "" for none.
func (a *app) serverURL() string {
	if a.flags.url != "" {
		return a.flags.url
	}
	return a.env("MAILHAUL_URL")
}

// dial signs in on the server that the flags name.
func (a *app) dial(ctx context.Context, cmd *cobra.Command) (*jmapclient.Client, error) {
	o, err := a.clientOptions(ctx, cmd)
	if err != nil {
		return nil, err
	}
	if o.Insecure {
		a.screen.emit(progress.Event{Kind: progress.Warning, Text: "--insecure: the server's certificate is not checked, anyone on the way can read the password"})
	}
	return a.connect(ctx, o)
}

// connect signs in and lets the screen tell of every wait.
func (a *app) connect(ctx context.Context, o jmapclient.Options) (*jmapclient.Client, error) {
	o.UserAgent = "mailhaul/" + buildVersion()
	o.OnWait = func(reason string, until time.Time) {
		a.screen.emit(progress.Event{Kind: progress.Wait, Text: reason, Until: until})
	}
	return jmapclient.Dial(ctx, o)
}

// clientOptions are the flags as the client takes them.
func (a *app) clientOptions(ctx context.Context, cmd *cobra.Command) (jmapclient.Options, error) {
	server := a.serverURL()
	if server == "" {
		return jmapclient.Options{}, usage(cmd, errors.New("which server? Give -u URL (or set MAILHAUL_URL)"))
	}
	if u, err := url.Parse(server); err == nil && u.User != nil && u.Host != "" {
		return jmapclient.Options{}, usage(cmd, errors.New("a URL is no place for a password (it ends up in logs): give it with -c or --credentials-file"))
	}
	if a.flags.giveUpAfter <= 0 {
		return jmapclient.Options{}, usage(cmd, fmt.Errorf("--give-up-after takes a time above zero, like 30s or 5m, not %v", a.flags.giveUpAfter))
	}
	if n := a.flags.maxConnections; n < 0 || n == 0 && cmd.Flags().Changed("max-connections") {
		return jmapclient.Options{}, usage(cmd, fmt.Errorf("--max-connections takes a number above zero, not %d", n))
	}
	auth, err := a.signIn(ctx, cmd, server)
	if err != nil {
		return jmapclient.Options{}, err
	}
	return jmapclient.Options{
		URL:              server,
		Auth:             auth,
		TrustSessionURLs: a.flags.trustSessionURLs,
		Insecure:         a.flags.insecure,
		CAFile:           a.flags.caFile,
		GiveUpAfter:      a.flags.giveUpAfter,
		MaxConnections:   a.flags.maxConnections,
		Rate:             int64(a.flags.limitRate),
	}, nil
}

// signIn is who signs in: from -c, a file, the environment or a prompt.
func (a *app) signIn(ctx context.Context, cmd *cobra.Command, server string) (jmapclient.Auth, error) {
	var none jmapclient.Auth
	if a.flags.auth != "basic" && a.flags.auth != "bearer" {
		return none, usage(cmd, fmt.Errorf("--auth is basic or bearer, not %q", a.flags.auth))
	}
	credentials, err := a.credentials(ctx, cmd, server)
	if err != nil {
		return none, err
	}
	auth := parseCredentials(credentials, a.flags.auth == "bearer")
	if auth.Token == "" && (auth.Username == "" || auth.Password == "") {
		return none, usage(cmd, errors.New("the credentials are incomplete: they are user:password, a password alone (of the user admin), or a token with --auth bearer"))
	}
	return auth, nil
}

// parseCredentials reads user:password, where a password alone is admin's (as
// the old command-line tool took it), or a bearer token.
func parseCredentials(s string, bearer bool) jmapclient.Auth {
	if bearer {
		return jmapclient.Auth{Token: s}
	}
	if user, password, ok := strings.Cut(s, ":"); ok {
		return jmapclient.Auth{Username: user, Password: password}
	}
	return jmapclient.Auth{Username: "admin", Password: s}
}

func (a *app) credentials(ctx context.Context, cmd *cobra.Command, server string) (string, error) {
	switch g := a.flags; {
	case g.credentials != "" && g.credentialsFile != "":
		return "", usage(cmd, errors.New("-c and --credentials-file exclude each other"))
	case g.credentials != "":
		return g.credentials, nil
	case g.credentialsFile != "":
		return a.credentialsFrom(g.credentialsFile)
	}
	if s := a.env("MAILHAUL_CREDENTIALS"); s != "" {
		return s, nil
	}
	s, asked, err := a.prompt(ctx, "Credentials for "+server+" (user:password, or admin's password): ")
	if err == nil && !asked {
		err = usage(cmd, errors.New("no credentials: give -c, --credentials-file or MAILHAUL_CREDENTIALS (with a terminal you are asked)"))
	}
	return s, err
}

// credentialsFrom reads the first line of a file.
func (a *app) credentialsFrom(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("could not read the credentials: %w", err)
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0 {
		a.screen.emit(progress.Event{Kind: progress.Warning, Text: fmt.Sprintf("other users of this machine may read %s (mode %04o)", path, st.Mode().Perm()), Advice: "chmod 600 " + path})
	}
	const most = 64 << 10
	line, err := bufio.NewReader(io.LimitReader(f, most)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("could not read the credentials: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", fmt.Errorf("the first line of %s is empty: it should hold user:password", path)
	}
	return line, nil
}
