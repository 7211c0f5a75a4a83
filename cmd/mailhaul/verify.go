package main

import (
	"cmp"
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

// shownDifferences is how many differences are shown by name.
const shownDifferences = 50

func (a *app) verifyCommand() *cobra.Command {
	var o importer.VerifyOptions
	var at string
	cmd := &cobra.Command{
		Use:   "verify ARCHIVE [ACCOUNT]",
		Short: "Check an archive and the server",
		Long: `Check an archive against itself: every byte and every record. With -u and ACCOUNT
also compare it with the account on the server: each message must be there, in
its folders, with its flags, its received date and its bytes. Bytes are compared
by the server's own digest where it offers one; otherwise all sizes and a sample
of downloads (--sample), or everything (--full).`,
		Args: takes(1, 2, "ARCHIVE and perhaps ACCOUNT"),
	}
	cmd.Flags().BoolVar(&o.Full, "full", false, "compare all bytes, downloading where the server has no digest")
	cmd.Flags().IntVar(&o.Sample, "sample", 0, "compare `N` messages by download where the server has no digest (default 50)")
	cmd.Flags().StringVar(&at, "at", "", "compare an older `snapshot`: its number or a date")
	cmd.RunE = a.does(func(ctx context.Context, cmd *cobra.Command, args []string) (*report, error) {
		switch {
		case o.Sample < 0:
			return nil, usage(cmd, fmt.Errorf("--sample takes a number of messages, not %d", o.Sample))
		case len(args) == 2 && a.serverURL() == "":
			return nil, usage(cmd, errors.New("to compare with an account, name its server with -u URL"))
		case len(args) == 1 && a.flags.url != "":
			return nil, usage(cmd, errors.New("to compare with the server, name the account after the archive"))
		}
		ar, err := a.openArchive(ctx, args[0])
		if err != nil {
			return nil, err
		}
		defer ar.Close()
		done := &verified{Archive: ar.path}
		err = a.verifyArchive(ctx, ar, done)
		if err == nil && len(args) == 2 {
			if o.At, err = snapshotAt(cmd, ar, at); err == nil {
				if rec, err := ar.recordAt(o.At); err == nil && rec != nil {
					done.Scope = rec.Scope
				}
				var client *jmapclient.Client
				if client, err = a.dial(ctx, cmd); err == nil {
					defer client.Close()
					err = a.verifyServer(ctx, ar, client, args[1], o, done)
				}
			}
		}
		return &report{done, done.text}, done.verdict(err)
	})
	return cmd
}

// verified is what a verification has to show.
type verified struct {
	Archive string                 `json:"archive"`
	Lacks   int64                  `json:"lacks"` // items that the export could not take
	Offline *archive.VerifyReport  `json:"offline,omitempty"`
	Account string                 `json:"account,omitempty"`
	Server  string                 `json:"server,omitempty"`
	Online  *importer.VerifyReport `json:"online,omitempty"`
	Scope   *archive.Scope         `json:"snapshotScope,omitempty"` // where it is partial
}

// verifyArchive checks an archive against itself.
func (a *app) verifyArchive(ctx context.Context, ar *opened, done *verified) (err error) {
	done.Offline, err = ar.Verify(ctx, a.reading("archive"))
	if err != nil {
		return err
	}
	snapshots, err := ar.Snapshots()
	if err != nil {
		return err
	}
	if n := len(snapshots); n > 0 {
		_, done.Lacks = failedOf(&snapshots[n-1])
	}
	return nil
}

// verifyServer compares an archive with an account.
func (a *app) verifyServer(ctx context.Context, ar *opened, client *jmapclient.Client, who string, o importer.VerifyOptions, done *verified) error {
	acc, err := client.Account(ctx, who)
	if err != nil {
		return err
	}
	a.tellWho(client, acc)
	a.tellOrigin(ar, acc)
	done.Account, done.Server = acc.Name, client.Origin()
	o.Events = a.screen.event
	done.Online, err = importer.Verify(ctx, ar.Archive, acc, o)
	a.tellStats(client)
	return err
}

// reading shows how far the reading of an archive is.
func (a *app) reading(stage string) func(done, total int64) {
	return func(done, total int64) {
		kind := progress.Stage
		if done == total {
			kind = progress.Finished
		}
		a.screen.emit(progress.Event{Kind: kind, Stage: stage, Bytes: done, BytesTotal: total})
	}
}

// verdict is the error that a verification ends in.
func (d *verified) verdict(err error) error {
	switch {
	case err != nil:
		return err
	case len(d.Offline.Problems) > 0:
		return damaged(d.Archive, d.Offline, fmt.Sprintf("`mailhaul archive reindex %s`, then the export again,", shellWord(d.Archive)))
	case d.Online != nil && len(d.Online.Differences) > 0:
		return &differencesError{int64(len(d.Online.Differences))}
	}
	return nil
}

// damaged is the error for an archive that lost something; mend is what to do.
func damaged(dir string, r *archive.VerifyReport, mend string) error {
	return &damageError{fmt.Sprintf("%s is damaged in %s. What is whole can still be imported; to have the rest again, run %s while the old server is there",
		dir, plural(int64(len(r.Problems)), "place", "places"), mend)}
}

func (d *verified) text(w io.Writer) {
	if d.Offline == nil {
		return
	}
	writeArchiveCheck(w, d.Archive, d.Offline)
	if d.Lacks > 0 {
		fmt.Fprintf(w, "The last export could not take %s: `mailhaul status %s` names them.\n", plural(d.Lacks, "item", "items"), shellWord(d.Archive))
	}
	if d.Online != nil {
		d.compared(w)
	}
}

// writeArchiveCheck is the report of an archive checked against itself.
func writeArchiveCheck(w io.Writer, dir string, r *archive.VerifyReport) {
	verdict := "whole"
	if len(r.Problems) > 0 {
		verdict = "DAMAGED"
	}
	fmt.Fprintf(w, "%s is %s: read %s in %s, with %s, %s, %s.\n", dir, verdict, size(r.Bytes), plural(r.Packs, "pack", "packs"),
		plural(r.Blobs, "blob", "blobs"), plural(r.Objects, "object record", "object records"), plural(r.Snapshots, "snapshot", "snapshots"))
	var problems []string
	for _, p := range r.Problems {
		text := fmt.Sprintf("pack %d at %d, %s: %s", p.Pack, p.Offset, p.Member, p.Reason)
		for _, item := range p.Items {
			text += "\ncosts " + item
		}
		problems = append(problems, text)
	}
	listed(w, "Damaged:", problems, int64(len(problems)), shownDifferences, "all of them: --json")
	if n := int64(len(r.Holes)); n > 0 && len(problems) == 0 {
		fmt.Fprintf(w, "%s in its packs that a reindex left out; nothing that it holds now is there.\n", plural(n, "damaged place lies", "damaged places lie"))
	}
}

// compared is the report of the comparison with a server.
func (d *verified) compared(w io.Writer) {
	r := d.Online
	fmt.Fprintf(w, "\nCompared snapshot %d%s with %s on %s:\n\n", r.Snapshot, inBrackets(partial(d.Scope)), d.Account, d.Server)
	t := newTable("mailbox", ">archive", ">server", ">matched", ">missing", ">differ", ">extra")
	slices.SortStableFunc(r.Mailboxes, func(a, b importer.MailboxTally) int { return cmp.Compare(a.Path, b.Path) })
	for _, m := range r.Mailboxes {
		path := m.Path
		if m.Target != "" && m.Target != m.Path {
			path += " → " + m.Target
		}
		t.add(path, m.Archive, m.Server, m.Matched, m.Missing, m.Differ, m.Extra)
	}
	t.write(w)
	fmt.Fprintln(w)
	for _, typ := range account.Types {
		if c, ok := r.Types[typ.Name]; ok && c.Total > 0 {
			fmt.Fprintf(w, "%s: %d in the archive, %d the same on the server.\n", typ.Name, c.Total, c.Present)
		}
	}
	if r.Extra > 0 {
		fmt.Fprintf(w, "The server holds %s more than the archive.\n", plural(r.Extra, "message", "messages"))
	}
	fmt.Fprintf(w, "Bytes compared: %s.\n", howBytes(r))
	var items []string
	for _, x := range r.Differences {
		items = append(items, fmt.Sprintf("%s %s: %s: %s", x.Type, x.Item, x.What, x.Detail))
	}
	listed(w, "Differences:", items, int64(len(items)), shownDifferences, "all of them: --json")
	if len(items) == 0 {
		fmt.Fprintln(w, "Everything in the archive is on the server.")
	}
}

// howBytes says how the bytes of messages were compared.
func howBytes(r *importer.VerifyReport) string {
	var how []string
	for _, h := range []struct {
		n    int64
		text string
	}{
		{r.ByDigest, "by the server's SHA-256"},
		{r.ByDownload, "by download"},
		{r.BySize, "by size alone"},
	} {
		if h.n > 0 {
			how = append(how, fmt.Sprintf("%s %s", plural(h.n, "message", "messages"), h.text))
		}
	}
	if len(how) == 0 {
		return "none"
	}
	return strings.Join(how, ", ")
}
