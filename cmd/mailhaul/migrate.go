package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mailhaul/importer"
	"mailhaul/internal/migrate"
	"mailhaul/jmapclient"
)

// migrateMemory is [memoryGoal] for several accounts at once.
const migrateMemory = 192 << 20

// migrateFlags are those of the commands below migrate.
type migrateFlags struct {
	force, again, borrow bool
	metrics              string
}

func (a *app) migrateCommand() *cobra.Command {
	var f migrateFlags
	all := []migrate.Step{migrate.CheckStep, migrate.ProvisionStep, migrate.CopyStep, migrate.CutoverStep, migrate.VerifyStep}
	cmd := group("migrate", "Move all accounts of a server",
		a.migrateInitCommand(),
		a.migrateStepCommand(&f, "run", "Do all that a plan has and that is not done yet", `Go through all steps of a plan: check, provision, copy, cutover, verify, report. Each is done for all
accounts before the next begins, and what is done already is left alone: given again after
anything, the command goes on. --again does all steps anew, which costs what changed.
`+"`mailhaul migrate PLAN`"+` is the same.`, all...),
		a.migrateStepCommand(&f, "check", "Look for what will be in the way", `Look at both servers and each account for whatever will be in the way: rights, limits, quota,
disk, folders, messages that are too large, types of data that the new server lacks; and estimate how long
it will take. Nothing is changed. Red is what will fail: such an account is left out by the
other steps, and they do not begin with a red disk, unless --force is given.`, migrate.CheckStep),
		a.migrateProvisionCommand(&f),
		a.migrateStepCommand(&f, "copy", "Copy accounts into their archives and onto the new server", `Export each account into its archive, and import that into the new server. Given again, it costs
what changed. The largest accounts go first.`, migrate.CopyStep),
		a.migrateStepCommand(&f, "cutover", "Carry over what changed last", `Copy once more, after the old server was closed for its users. If the plan says delete = true, what is
gone from the old server since the copy goes from the new one, too.`, migrate.CutoverStep),
		a.migrateStepCommand(&f, "verify", "Compare the archives with the new server", `Compare each archive with its account on the new server, message by message.`, migrate.VerifyStep),
		a.migrateReportCommand(),
		a.migrateStatusCommand(),
		a.migrateReturnCommand(),
	)
	cmd.Long = `Move all accounts of a server to another one, after a plan: a file that names
both servers and the accounts, which ` + "`mailhaul migrate init`" + ` writes. An account that
fails never stops the others, and what was done is never done twice: the same
command goes on after anything.`
	run := cmd.Commands()[slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == "run" })]
	cmd.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 || !looksLikeFile(args[0]) {
			return usage(c, fmt.Errorf("migrate what? The command is: %s", run.UseLine()))
		}
		return run.RunE(c, args)
	}
	p := cmd.PersistentFlags()
	p.BoolVar(&f.force, "force", false, "go on with what check found red")
	p.BoolVar(&f.borrow, "borrow-sign-in", false, "as administrator, sign in as each user for what is the user's own (subscriptions); it is given back at once")
	p.StringVar(&f.metrics, "metrics-file", "", "write how far it is into this `file`, for Prometheus")
	p.BoolVar(&f.again, "again", false, "also do what is done already")
	return cmd
}

// looksLikeFile says whether an argument may be a plan and not a mistyped command.
func looksLikeFile(arg string) bool {
	_, err := os.Stat(arg)
	return err == nil || strings.ContainsAny(arg, "./\\")
}

// migrateStepCommand is a command that does steps for a plan's accounts.
func (a *app) migrateStepCommand(f *migrateFlags, verb, short, long string, steps ...migrate.Step) *cobra.Command {
	return &cobra.Command{
		Use: verb + " PLAN [ACCOUNT…]", Short: short, Long: long,
		Args: takes(1, -1, "a plan, and perhaps some of its accounts"),
		RunE: a.doesOn(a.newMigrateScreen, func(ctx context.Context, cmd *cobra.Command, args []string) (*report, error) {
			return a.migrate(ctx, cmd, f, args[0], args[1:], steps)
		}),
	}
}

// migrate does steps for some accounts of a plan, all of them if none is named.
func (a *app) migrate(ctx context.Context, cmd *cobra.Command, f *migrateFlags, file string, only []string, steps []migrate.Step) (rep *report, err error) {
	run, err := a.openPlan(ctx, cmd, f, file)
	if err != nil {
		return nil, err
	}
	defer func() {
		a.migration.Store(nil)
		err = errors.Join(err, run.Close())
	}()
	a.resumes = true
	if n, err := run.ReturnSignIns(ctx); err != nil {
		return nil, err
	} else if n > 0 {
		a.screen.say(fmt.Sprintf("gave back %s of an earlier run", plural(int64(n), "borrowed sign-in", "borrowed sign-ins")))
	}
	if err := run.Load(ctx, steps[0] != migrate.VerifyStep); err != nil {
		return nil, err
	}
	a.migration.Store(run)
	done := &migrated{Plan: file, Steps: map[migrate.Step]migrate.Tally{}}
	for _, step := range steps {
		var tally migrate.Tally
		if again := f.again || len(steps) == 1; step == migrate.ProvisionStep {
			_, tally, err = run.Provision(ctx, only, migrate.ProvisionOptions{}, false, again)
		} else {
			tally, err = run.Do(ctx, step, only, again)
		}
		if tally != nil {
			done.order, done.Steps[step] = append(done.order, step), tally
		}
		if err == nil && step == migrate.CheckStep && len(only) == 0 && run.Worked() > 0 {
			done.Whole, err = run.CheckWhole(ctx)
			if err == nil && migrate.Worst(done.Whole) == migrate.Red && !f.force && len(steps) > 1 {
				err = errors.New("check found what will fail; with --force it is tried all the same")
			}
		}
		if err != nil {
			done.read(run.Plan, only)
			return &report{done, done.text}, err
		}
	}
	if done.Report, err = writeReport(run.Plan); err != nil {
		return nil, err
	}
	done.read(run.Plan, only)
	return &report{done, done.text}, done.verdict()
}

// openPlan reads a plan and takes it for this run.
func (a *app) openPlan(ctx context.Context, cmd *cobra.Command, f *migrateFlags, file string) (*migrate.Run, error) {
	p, err := a.readPlan(cmd, file)
	if err != nil {
		return nil, err
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(migrateMemory)
	}
	run, err := migrate.Open(p, a.migrateHooks())
	if err != nil {
		return nil, err
	}
	run.Force, run.Metrics = f.force, f.metrics
	if f.borrow {
		if err := run.Borrow(ctx); err != nil {
			return nil, errors.Join(err, run.Close())
		}
	}
	return run, nil
}

// readPlan reads a plan, and refuses flags that say what the plan says.
func (a *app) readPlan(cmd *cobra.Command, file string) (*migrate.Plan, error) {
	for _, flag := range []string{"url", "credentials", "credentials-file", "auth", "ca-file", "insecure", "trust-session-urls", "give-up-after", "limit-rate", "max-connections"} {
		if cmd.Flags().Changed(flag) {
			return nil, usage(cmd, fmt.Errorf("--%s is said in the plan, for each server: [old] and [new]", flag))
		}
	}
	p, err := migrate.ReadPlan(file)
	if err != nil {
		return nil, usage(cmd, err)
	}
	for _, s := range []*migrate.Server{&p.Old, &p.New} {
		if s.Rate == "" {
			continue
		}
		if err := new(perSecond).Set(s.Rate); err != nil {
			return nil, usage(cmd, fmt.Errorf("%s: rate: %w", file, err))
		}
	}
	return p, nil
}

// migrateHooks are what a run needs of the command line.
func (a *app) migrateHooks() migrate.Hooks {
	return migrate.Hooks{
		Secrets: &migrate.Secrets{Env: a.env, Prompt: a.prompt},
		Dial: func(ctx context.Context, s *migrate.Server, auth jmapclient.Auth, share int, onWait func(string, time.Time)) (*jmapclient.Client, error) {
			o := serverOptions(s, auth)
			o.UserAgent, o.OnWait = "mailhaul/"+buildVersion(), onWait
			if share > 1 {
				o.Rate = o.Rate / int64(share)
				if o.MaxConnections > 0 {
					o.MaxConnections = max(1, o.MaxConnections/share)
				}
			}
			return jmapclient.Dial(ctx, o)
		},
		IMAP: func(s *migrate.Server, auth jmapclient.Auth) (*importer.IMAP, error) {
			return imapDoor(s.IMAPURL, serverOptions(s, auth))
		},
		Open:   openOrCreate,
		Folder: folderName,
		Events: func(e migrate.Event) { a.screen.migration(e) },
	}
}

// serverOptions are a plan's server as the client takes it.
func serverOptions(s *migrate.Server, auth jmapclient.Auth) jmapclient.Options {
	var rate perSecond
	if s.Rate != "" {
		_ = rate.Set(s.Rate) // readPlan has seen that it can be read
	}
	return jmapclient.Options{URL: s.URL, Auth: auth, TrustSessionURLs: s.TrustSessionURLs, Insecure: s.Insecure, CAFile: s.CAFile,
		GiveUpAfter: s.Wait(), MaxConnections: s.Connections, Rate: int64(rate)}
}

// migrated is what a migration has to show.
type migrated struct {
	Plan     string                         `json:"plan"`
	Steps    map[migrate.Step]migrate.Tally `json:"steps"`
	Whole    []migrate.Finding              `json:"whole,omitempty"` // of check, what is no single account's
	Report   string                         `json:"report,omitempty"`
	Accounts []*migrate.Account             `json:"accounts,omitempty"`

	order []migrate.Step
}

// read takes in what the state says of the accounts.
func (m *migrated) read(p *migrate.Plan, only []string) {
	st, err := migrate.ReadStatus(p)
	if err != nil {
		return // the error that ends the run says more
	}
	m.Accounts = slices.DeleteFunc(st.Accounts, func(acc *migrate.Account) bool {
		return len(only) > 0 && !slices.ContainsFunc(only, func(name string) bool { return strings.EqualFold(name, acc.Name) })
	})
}

// verdict is the error that a migration ends in.
func (m *migrated) verdict() error {
	bad, differs := 0, 0
	for _, t := range m.Steps {
		bad = max(bad, t.Bad())
		differs = max(differs, t[migrate.Differs])
	}
	switch {
	case bad > differs:
		return &accountsError{bad}
	case differs > 0:
		return &differencesError{int64(differs)}
	case migrate.Worst(m.Whole) == migrate.Red:
		return errors.New("check found what will fail")
	}
	return nil
}

func (m *migrated) text(w io.Writer) {
	writeSteps(w, m.order, func(step migrate.Step, state migrate.State) int { return m.Steps[step][state] })
	if slices.Contains(m.order, migrate.CheckStep) {
		m.findings(w)
	}
	writeTrouble(w, m.Accounts, m.order)
	if m.Report != "" {
		fmt.Fprintf(w, "\nThe report: %s\n", m.Report)
	}
}

// shownStates are the columns of the table of steps.
var shownStates = []migrate.State{migrate.Done, migrate.Partial, migrate.Differs, migrate.Failed, migrate.Blocked, migrate.Interrupted}

func writeSteps(w io.Writer, steps []migrate.Step, count func(migrate.Step, migrate.State) int) {
	t := newTable("step", ">done", ">some items failed", ">differ", ">failed", ">not tried", ">stopped")
	for _, step := range steps {
		row := []any{step}
		for _, state := range shownStates {
			row = append(row, count(step, state))
		}
		t.add(row...)
	}
	t.write(w)
}

// writeTrouble lists what is wrong with accounts, and what to do.
func writeTrouble(w io.Writer, accounts []*migrate.Account, steps []migrate.Step) {
	var list []string
	for _, acc := range accounts {
		for _, step := range steps {
			o := acc.Steps[step]
			if o.State != migrate.Failed && o.State != migrate.Partial && o.State != migrate.Differs {
				continue
			}
			text := fmt.Sprintf("%s: %s: %s", acc.Name, step, o.Summary())
			if o.Advice != "" {
				text += "\n→ " + o.Advice
			}
			for _, i := range o.Detail.Items[:min(len(o.Detail.Items), 3)] {
				text += fmt.Sprintf("\n%s %s: %s", i.Type, i.Item, i.Reason)
			}
			list = append(list, text)
			break
		}
	}
	listed(w, plural(int64(len(list)), "account needs attention:", "accounts need attention:"), list, int64(len(list)), shownDifferences, "all of them: the report, or --json")
}

// findings are the tables of check.
func (m *migrated) findings(w io.Writer) {
	fmt.Fprintln(w)
	for _, f := range m.Whole {
		fmt.Fprintf(w, "%-7s %s: %s\n", strings.ToUpper(string(f.Level)), f.What, oneLine(f.Text))
		if f.Advice != "" && f.Level != migrate.Green {
			fmt.Fprintf(w, "        → %s\n", f.Advice)
		}
	}
	counts := map[migrate.Level]int64{}
	var list []string
	met := map[string][]string{} // accounts by what was found of them
	for _, acc := range m.Accounts {
		o, ok := acc.Steps[migrate.CheckStep]
		if !ok {
			continue
		}
		counts[migrate.Worst(o.Detail.Findings)]++
		for _, f := range o.Detail.Findings {
			text := fmt.Sprintf("%s: %s", f.What, f.Text)
			if f.Advice != "" {
				text += "\n→ " + f.Advice
			}
			text = fmt.Sprintf("%-7s %%s: %s", strings.ToUpper(string(f.Level)), text)
			if len(met[text]) == 0 {
				list = append(list, text)
			}
			met[text] = append(met[text], acc.Name)
		}
	}
	fmt.Fprintf(w, "\nAccounts: %d green, %d yellow, %d red.\n", counts[migrate.Green], counts[migrate.Yellow], counts[migrate.Red])
	slices.SortStableFunc(list, func(a, b string) int { return strings.Compare(a[:6], b[:6]) }) // RED before YELLOW
	for i, text := range list {
		names := met[text]
		who := strings.Join(names[:min(len(names), 5)], ", ")
		if more := len(names) - 5; more > 0 {
			who += fmt.Sprintf(" and %d more", more)
		}
		list[i] = strings.Replace(text, "%s", who, 1)
	}
	listed(w, "Found:", list, int64(len(list)), shownDifferences, "all of them: the report, or --json")
}

func writeReport(p *migrate.Plan) (string, error) {
	rep, err := migrate.MakeReport(p)
	if err != nil {
		return "", err
	}
	return rep.Write(p.Directory())
}

func (a *app) migrateReportCommand() *cobra.Command {
	return &cobra.Command{
		Use: "report PLAN", Short: "Write what became of it, as a page",
		Long: `Write report.html and report.json beside the archives: totals, each account with its failures and
differences and what to do, how it went over time. The page needs no network and no JavaScript.`,
		Args: takes(1, 1, "a plan"),
		RunE: a.does(func(_ context.Context, cmd *cobra.Command, args []string) (*report, error) {
			p, err := a.readPlan(cmd, args[0])
			if err != nil {
				return nil, err
			}
			page, err := writeReport(p)
			if err != nil {
				return nil, err
			}
			data, err := os.ReadFile(filepath.Join(p.Directory(), migrate.ReportJSON))
			if err != nil {
				return nil, err
			}
			return &report{json.RawMessage(data), func(w io.Writer) { fmt.Fprintln(w, page) }}, nil
		}),
	}
}

func (a *app) migrateStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status PLAN", Short: "How far a plan is, also while it runs",
		Args: takes(1, 1, "a plan"),
		RunE: a.does(func(_ context.Context, cmd *cobra.Command, args []string) (*report, error) {
			p, err := a.readPlan(cmd, args[0])
			if err != nil {
				return nil, err
			}
			st, err := migrate.ReadStatus(p)
			if err != nil {
				return nil, err
			}
			return &report{st, func(w io.Writer) { writeStatus(w, st) }}, nil
		}),
	}
}

func writeStatus(w io.Writer, st *migrate.Status) {
	fmt.Fprintf(w, "%s: %s, ", st.Plan, plural(int64(len(st.Accounts)), "account", "accounts"))
	switch {
	case st.Running && st.View != nil:
		fmt.Fprintf(w, "a run is at work, as of %s:\n\n", st.View.At.Local().Format("15:04:05"))
		for _, line := range boardLines(*st.View, st.View.At, helpWidth-1, 100, false) {
			fmt.Fprintln(w, line)
		}
	case st.Running:
		fmt.Fprintln(w, "a run has begun.")
	default:
		fmt.Fprintln(w, "no run is at work.")
	}
	fmt.Fprintln(w)
	table := st.Table()
	writeSteps(w, migrate.Steps, func(step migrate.Step, state migrate.State) int { return table[step][state] })
	writeTrouble(w, st.Accounts, migrate.Steps)
	if st.Borrowed > 0 && !st.Running { // else it is at work with them
		fmt.Fprintf(w, "\n%s not returned: `mailhaul migrate return-sign-ins %s`\n",
			plural(int64(st.Borrowed), "borrowed sign-in is", "borrowed sign-ins are"), shellWord(st.Plan))
	}
}
