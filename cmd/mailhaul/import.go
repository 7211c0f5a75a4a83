package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/importer"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

func (a *app) importCommand() *cobra.Command {
	var o importer.Options
	var at, imapURL string
	var incomplete, onlyMissing bool
	cmd := &cobra.Command{
		Use:   "account ACCOUNT ARCHIVE",
		Short: "Restore an archive into an account",
		Long: `Restore an archive into the account ACCOUNT (a login, an address or an id) of the
server. ARCHIVE may also be a directory that the old command-line tool exported.

What is there already is recognised and not sent again. Given again after a later
export, the command carries over what changed since: new messages, flags,
folders, and with --delete also removals.

Stalwart 0.5 to 0.8.1 drop a message whose Message-ID the account has already. An
administrator's import brings such a message in through the administrator's own
account; a user's own import appends it over IMAP, when --imap-url says where.

--mailbox, --message and --types restore a part, and touch nothing else. A mailbox
is given as a pattern: its path, where * stands for any text within a name and **
for any number of levels, or role:inbox; a leading ! leaves out. --into puts
everything below a mailbox of its own, beside what is there.

A Stalwart lets a user (not an administrator) upload 1000 messages or 50 MB an
hour. An import as the user waits for that, and says so and until when; with
--imap-url the messages go over IMAP, where there is no such quota.`,
		Args: takes(2, 2, "ACCOUNT and ARCHIVE"),
	}
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "change nothing, say what would be done")
	cmd.Flags().BoolVar(&o.Delete, "delete", false, "remove what an earlier import put there and the source no longer has")
	cmd.Flags().StringVar(&at, "at", "", "restore an older `snapshot`: its number or a date")
	cmd.Flags().BoolVar(&incomplete, "incomplete", false, "restore what an unfinished export holds")
	cmd.Flags().StringVar(&imapURL, "imap-url", "", "the user's mail over IMAP, `imaps://host[:port]`, for messages that the server drops when they are imported, or that its hourly quota of uploads holds up")
	f := cmd.Flags()
	f.StringArrayVar(&o.Scope.Mailboxes, "mailbox", nil, "only what is in mailboxes of this `pattern`, into those: Projects/**, role:inbox, !Junk (repeatable)")
	f.StringArrayVar(&o.Scope.Messages, "message", nil, "only the message of this `ID` of the archive, or Message-ID in <> (repeatable)")
	f.StringSliceVar(&o.Scope.Types, "types", nil, "only these data `types`: Email,Identity,…")
	f.StringSliceVar(&o.Scope.SkipTypes, "skip-types", nil, "all but these data `types`")
	f.StringVar(&o.Into, "into", "", "put all mail below the mailbox of this `path`, which is made, and leave what is elsewhere as it is")
	f.BoolVar(&onlyMissing, "only-missing", false, "leave what the user changed on the server (default)")
	f.BoolVar(&o.ResetFlags, "reset-flags", false, "set folders and flags of messages that are there back to the archive's")
	f.StringVar((*string)(&o.Conflict), "conflict", string(importer.ConflictReport), "whose change stays where `both` sides changed a message's flags, its folders, or one of them removed it: report (the server's, and tell), target (the server's), source (the archive's)")
	cmd.RunE = a.does(func(ctx context.Context, cmd *cobra.Command, args []string) (*report, error) {
		if incomplete && at != "" {
			return nil, usage(cmd, errors.New("--at and --incomplete exclude each other"))
		}
		if incomplete && o.Delete {
			return nil, usage(cmd, errors.New("--delete needs a finished export: what an unfinished one lacks may only not have been read yet"))
		}
		if !slices.Contains(importer.Conflicts, o.Conflict) {
			return nil, usage(cmd, fmt.Errorf("--conflict is report, target or source, not %q", o.Conflict))
		}
		if onlyMissing && o.ResetFlags {
			return nil, usage(cmd, errors.New("--only-missing and --reset-flags exclude each other"))
		}
		ar, err := a.openArchive(ctx, args[1])
		if err != nil {
			return nil, err
		}
		defer ar.Close()
		if o.At = unfinished; !incomplete {
			if o.At, err = snapshotAt(cmd, ar, at); err != nil {
				return nil, err
			}
		}
		client, door, err := a.dialWithIMAP(ctx, cmd, imapURL)
		if err != nil {
			return nil, err
		}
		defer client.Close()
		a.resumes = !o.DryRun
		o.IMAP = door
		done, err := a.restore(ctx, ar, client, args[0], o)
		if isA[*importer.ScopeError](err) {
			a.resumes = false
			err = usage(cmd, err)
		}
		if done == nil {
			return nil, err
		}
		return &report{done, done.text}, err
	})
	return cmd
}

// imported is what an import has to show.
type imported struct {
	Account   string           `json:"account"`
	AccountID string           `json:"accountId"`
	Server    string           `json:"server"`
	Archive   string           `json:"archive"`
	DryRun    bool             `json:"dryRun,omitempty"`
	Result    *importer.Result `json:"result,omitempty"`
	Scope     *archive.Scope   `json:"snapshotScope,omitempty"` // where it is partial

	screen  *screen
	partial bool // less than the whole snapshot, or not to its place
	failed  error
	half    bool // of a sync, which has its own end
}

// restore imports an archive into an account.
func (a *app) restore(ctx context.Context, ar *opened, client *jmapclient.Client, who string, o importer.Options) (*imported, error) {
	acc, err := client.Account(ctx, who)
	if err != nil {
		return nil, err
	}
	if o.IMAP != nil && !acc.Own {
		return nil, fmt.Errorf("--imap-url is for an account that is the signed-in user's own, and %s is not: leave it out, "+
			"or sign in as %[1]s (as administrator it is not needed)", acc.Name)
	}
	a.tellWho(client, acc)
	a.tellOrigin(ar, acc)
	if n, _, ok, err := ar.Unfinished(); err != nil {
		return nil, err
	} else if ok && o.At != unfinished {
		a.screen.emit(progress.Event{Kind: progress.Warning, Text: fmt.Sprintf("the last export into this archive (snapshot %d) is unfinished, the one before it is restored", n),
			Advice: "run the export again to finish it"})
	}
	o.Events = a.screen.event
	res, err := importer.Import(ctx, ar.Archive, acc, o)
	a.tellStats(client)
	if res == nil {
		return nil, err
	}
	done := &imported{Account: acc.Name, AccountID: acc.ID, Server: client.Origin(), Archive: ar.path, DryRun: o.DryRun, Result: res, screen: a.screen}
	if rec, err := ar.recordAt(o.At); err == nil && rec != nil {
		done.Scope = rec.Scope
	}
	done.partial = o.Scope.IsPart() || o.Into != ""
	// What the archive could not take over fails here again, but for whole types.
	if n := max(int64(len(res.Failures)), ar.failed); err == nil && n > 0 && !o.DryRun {
		err = &itemsError{n}
	}
	done.failed = err
	return done, err
}

// tellOrigin warns when an archive goes into an account of another name.
func (a *app) tellOrigin(ar *opened, acc *jmapclient.Account) {
	m := ar.Manifest().Account
	local := func(s string) string { name, _, _ := strings.Cut(strings.ToLower(s), "@"); return name }
	if m.Name != "" && local(m.Name) != local(acc.Name) {
		a.screen.emit(progress.Event{Kind: progress.Warning, Text: fmt.Sprintf("the archive is of the account %s, it goes into the account %s", m.Name, acc.Name)})
	}
}

func (d *imported) text(w io.Writer) {
	r := d.Result
	switch {
	case d.DryRun:
		fmt.Fprintf(w, "Nothing was changed. Without --dry-run, snapshot %d%s of %s would go into %s on %s:\n\n", r.Snapshot, inBrackets(partial(d.Scope)), d.Archive, d.Account, d.Server)
	case d.failed != nil && !isA[*itemsError](d.failed):
		fmt.Fprintf(w, "The import of %s into %s on %s stopped. So far:\n\n", d.Archive, d.Account, d.Server)
	default:
		what := ""
		if d.partial {
			what = "a part of "
		}
		fmt.Fprintf(w, "Imported %ssnapshot %d%s of %s into %s on %s.\n\n", what, r.Snapshot, inBrackets(partial(d.Scope)), d.Archive, d.Account, d.Server)
	}
	t := newTable("type", ">archive", ">new", ">updated", ">present", ">removed", ">failed", ">sent")
	for _, typ := range account.Types {
		if c, ok := r.Types[typ.Name]; ok {
			t.add(typ.Name, c.Total, c.Created, c.Updated, c.Present, c.Removed, c.Failed, size(c.Bytes))
		}
	}
	t.write(w)
	if c, ok := r.Types[account.Email.Name]; ok && c.Total == 0 {
		fmt.Fprintln(w, "\nThe archive holds no messages.")
	}
	listed(w, "Folders that could not keep their names:", r.Mapped, int64(len(r.Mapped)), shownItems, "all of them: --json")
	clashes := make([]string, len(r.Conflicts))
	for i, c := range r.Conflicts {
		clashes[i] = c.String()
	}
	listed(w, "Changed on both sides, and left as the server has it:", clashes, int64(len(clashes)), shownItems, "all of them: --json")
	failures := make([]string, len(r.Failures))
	for i, f := range r.Failures {
		failures[i] = fmt.Sprintf("%s %s: %s", f.Type, f.Item, f.Reason)
		if f.Advice != "" {
			failures[i] += " (" + f.Advice + ")"
		}
	}
	heading := plural(int64(len(failures)), "item", "items") + " failed:"
	listed(w, heading, failures, int64(len(failures)), shownItems, "all of them: --json")
	if d.half {
		return
	}
	writeWarnings(w, d.screen)
	if d.failed == nil && !d.DryRun && !d.partial {
		fmt.Fprintf(w, "\nNext: mailhaul -u %s verify %s %s\n", shellWord(d.Server), shellWord(d.Archive), shellWord(d.Account))
	}
}
