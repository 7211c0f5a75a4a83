package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/exporter"
	"mailhaul/jmapclient"
)

func (a *app) exportCommand() *cobra.Command {
	var narrow scopeFlags
	cmd := &cobra.Command{
		Use:   "account ACCOUNT DIR",
		Short: "Copy an account into DIR/ACCOUNT",
		Long: `Copy an account into the archive DIR/ACCOUNT, which is made when it is not there.

ACCOUNT is a login, an address or an account's id; a group (shared mailbox) is an
account like any other. Given again, the command takes what is new since the last
time, as a new snapshot; what is gone from the server stays in the archive.

Whether a folder is subscribed is each user's own: sign in as the user
(-c ACCOUNT:PASSWORD) to carry that too.

--types, --mailbox and the like narrow one run: the snapshot says that it is
partial, and what it leaves out stays in the archive as it was. --mailbox, --since,
--before and --max-size choose among messages and nothing else; folders are always
taken, all of them. In a pattern * is any text within a name, ** any number of
levels. The next run without these flags takes what is missing.`,
		Args: takes(2, 2, "ACCOUNT and DIR"),
		RunE: a.does(func(ctx context.Context, cmd *cobra.Command, args []string) (*report, error) {
			scope, err := narrow.scope(time.Now())
			if err != nil {
				return nil, usage(cmd, err)
			}
			client, err := a.dial(ctx, cmd)
			if err != nil {
				return nil, err
			}
			defer client.Close()
			a.resumes = true
			done, err := a.export(ctx, client, args[0], args[1], scope)
			if none := (*exporter.NoMailboxError)(nil); errors.As(err, &none) {
				return nil, usage(cmd, err)
			}
			if done == nil {
				return nil, err
			}
			return &report{done, done.text}, err
		}),
	}
	narrow.register(cmd)
	return cmd
}

// exported is what an export has to show.
type exported struct {
	Account    string                  `json:"account"`
	AccountID  string                  `json:"accountId"`
	Server     string                  `json:"server"`
	Archive    string                  `json:"archive"`
	Unchanged  bool                    `json:"unchanged"` // nothing new: no snapshot was written
	Fetched    int64                   `json:"fetched"`
	Bytes      int64                   `json:"bytes"`
	Failed     int                     `json:"failed"`
	Scope      *archive.Scope          `json:"scope,omitempty"` // what the run was narrowed to
	Snapshot   *archive.SnapshotRecord `json:"snapshot,omitempty"`
	Unfinished map[string]int64        `json:"unfinished,omitempty"` // what a run that stopped half-way holds, by type

	screen *screen
	dir    string // as the user would type it
	half   bool   // of a sync, which has its own end
}

// export copies an account into DIR/ACCOUNT, or what is in the scope.
func (a *app) export(ctx context.Context, client *jmapclient.Client, who, parent string, scope *archive.Scope) (done *exported, err error) {
	acc, err := client.Account(ctx, who)
	if err != nil {
		return nil, err
	}
	src := exporter.JMAP(acc)
	dir := filepath.Join(parent, folderName(who))
	ar, err := openOrCreate(dir, src.Origin())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ar.Close()) }()

	done = &exported{Account: acc.Name, AccountID: acc.ID, Server: client.Origin(), Archive: dir, screen: a.screen, dir: dir}
	a.tellWho(client, acc)
	res, err := exporter.Export(ctx, src, ar, exporter.Options{Events: a.screen.event, Scope: scope})
	a.tellStats(client)
	if err != nil {
		if _, counts, ok, uerr := ar.Unfinished(); uerr == nil && ok {
			done.Unfinished = counts
		}
		return done, err
	}
	done.Unchanged, done.Fetched, done.Bytes, done.Failed = res.Unchanged, res.Fetched, res.Bytes, res.Failed
	done.Snapshot, done.Scope = &res.Snapshot, res.Scope
	if res.Failed > 0 {
		return done, &itemsError{int64(res.Failed)}
	}
	return done, nil
}

// tellWho and tellStats are what -v adds.
func (a *app) tellWho(c *jmapclient.Client, acc *jmapclient.Account) {
	if a.flags.verbose {
		a.screen.say(fmt.Sprintf("account %s (id %s) on %s, signed in as its owner: %t; limits %+v", acc.Name, acc.ID, c.Origin(), acc.Own, c.Limits()))
	}
}

func (a *app) tellStats(c *jmapclient.Client) {
	if a.flags.verbose {
		s := c.Stats()
		a.screen.say(fmt.Sprintf("%d requests (%d tried again), %s received, %s sent", s.Requests, s.Retries, size(s.BytesIn), size(s.BytesOut)))
	}
}

func (d *exported) text(w io.Writer) {
	if d.Snapshot == nil {
		d.soFar(w)
		return
	}
	s := d.Snapshot
	if d.Unchanged {
		fmt.Fprintf(w, "Nothing has changed in %s on %s%s since snapshot %d of %s: %s is up to date.\n",
			d.Account, d.Server, inBrackets(partial(d.Scope)), s.Snapshot, date(s.Finished), d.dir)
	} else {
		fmt.Fprintf(w, "Exported %s from %s into %s, snapshot %d%s.\n", d.Account, d.Server, d.dir, s.Snapshot, inBrackets(partial(s.Scope)))
	}
	fmt.Fprintln(w)
	snapshotTable(s).write(w)
	fmt.Fprintf(w, "\nFetched %s, %s.\n", plural(d.Fetched, "message or script", "messages and scripts"), size(d.Bytes))
	if s.Types[account.Email.Name].Objects == 0 && s.Scope != nil {
		fmt.Fprintf(w, "The archive holds no messages.\n")
	} else if s.Types[account.Email.Name].Objects == 0 {
		fmt.Fprintf(w, "The account holds no messages. If it should, the wrong account was exported.\n")
	}
	failed, n := failedOf(tried(s))
	listed(w, plural(n, "item", "items")+" could not be taken:", failed, n, shownItems, "all of them: --json, or `mailhaul status --json "+shellWord(d.dir)+"`")
	if d.half {
		return
	}
	writeWarnings(w, d.screen)
	fmt.Fprintf(w, "\nNext: mailhaul -u https://NEW import account %s %s\n", shellWord(d.Account), shellWord(d.dir))
}

// soFar says what an export that stopped half-way holds.
func (d *exported) soFar(w io.Writer) {
	if len(d.Unfinished) == 0 {
		return
	}
	fmt.Fprintf(w, "%s holds so far: %s.\n", d.dir, countsOf(d.Unfinished))
}

// countsOf is a number of objects by type in words.
func countsOf(counts map[string]int64) string {
	var words []string
	for _, t := range account.Types {
		if n := counts[t.Name]; n > 0 {
			words = append(words, fmt.Sprintf("%s %d", t.Name, n))
		}
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

// tried is a snapshot without the failures of earlier ones, outside of its scope.
func tried(s *archive.SnapshotRecord) *archive.SnapshotRecord {
	c := *s
	c.Types = maps.Clone(s.Types)
	for name, r := range s.Types {
		if r.Outside {
			r.Error = ""
		}
		r.Failed = slices.DeleteFunc(slices.Clone(r.Failed), func(f archive.Failure) bool { return f.Untried })
		c.Types[name] = r
	}
	return &c
}

// snapshotTable is a snapshot by type.
func snapshotTable(s *archive.SnapshotRecord) *table {
	t := newTable("type", ">objects", ">size", ">changed", ">gone", ">failed", "")
	for _, typ := range account.Types {
		r, ok := s.Types[typ.Name]
		if !ok || r.Absent && r.Objects == 0 && !isMailType(typ) {
			continue // most servers lack most of these
		}
		remark, bytes := "", ""
		switch {
		case r.Outside:
			remark = "as before: left out"
		case r.Absent:
			remark = "the server has none"
		case r.Error != "":
			remark = "not read, see below"
		}
		if typ.Blob != "" {
			bytes = size(r.Bytes)
		}
		t.add(typ.Name, r.Objects, bytes, r.Changed, r.Gone, len(r.Failed), remark)
	}
	return t
}

// isMailType says whether a type is one that a reader looks for whether it is there or not.
func isMailType(t account.Type) bool {
	switch t.Name {
	case account.Mailbox.Name, account.Email.Name, account.Identity.Name, account.SieveScript.Name, account.VacationResponse.Name:
		return true
	}
	return false
}

// failedOf names what a snapshot lacks.
func failedOf(s *archive.SnapshotRecord) (items []string, n int64) {
	for _, typ := range account.Types {
		r := s.Types[typ.Name]
		if r.Error != "" && !typ.Informational {
			items = append(items, fmt.Sprintf("%s as a whole: %s", typ.Name, r.Error))
		}
		for _, f := range r.Failed {
			items = append(items, f.Item+": "+f.Reason)
		}
	}
	return items, int64(len(items))
}

// writeWarnings repeats what scrolled by during the run.
func writeWarnings(w io.Writer, s *screen) {
	listed(w, plural(s.warnings.n, "warning:", "warnings:"), s.warnings.first, s.warnings.n, shownItems, "all of them: --json")
}
