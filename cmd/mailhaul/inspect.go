package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
)

func (a *app) inspectCommand() *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use:   "inspect ARCHIVE [ls [MAILBOX] | cat ID]",
		Short: "Look into an archive",
		Long: `Look into an archive: its folders; with ls the messages of one folder, or of all;
with cat a message as it was received, by its id.

Flags in the listing: S seen, R answered, F flagged, D draft, P forwarded.`,
		Args: takes(1, 3, "ARCHIVE and perhaps `ls MAILBOX` or `cat ID`"),
	}
	cmd.Flags().StringVar(&at, "at", "", "look at an older `snapshot`: its number or a date")
	cmd.RunE = a.does(func(ctx context.Context, cmd *cobra.Command, args []string) (*report, error) {
		look, err := a.lookFor(cmd, args[1:])
		if err != nil {
			return nil, err
		}
		ar, err := a.openArchive(ctx, args[0])
		if err != nil {
			return nil, err
		}
		defer ar.Close()
		n, err := a.lookAt(cmd, ar, at)
		if err != nil {
			return nil, err
		}
		return look(ctx, ar, n)
	})
	return cmd
}

// lookFor is what the arguments after ARCHIVE ask for.
func (a *app) lookFor(cmd *cobra.Command, args []string) (func(context.Context, *opened, int) (*report, error), error) {
	switch {
	case len(args) == 0:
		return overview, nil
	case args[0] == "ls":
		mailbox := strings.Join(args[1:], "")
		return func(ctx context.Context, ar *opened, at int) (*report, error) {
			return nil, a.list(ctx, cmd, ar, at, mailbox)
		}, nil
	case args[0] == "cat" && len(args) == 2 && a.flags.json:
		return nil, usage(cmd, errors.New("cat writes the message itself: leave out --json"))
	case args[0] == "cat" && len(args) == 2:
		return func(_ context.Context, ar *opened, at int) (*report, error) {
			return nil, a.cat(ar, at, args[1])
		}, nil
	}
	return nil, usage(cmd, errors.New("after ARCHIVE comes `ls`, `ls MAILBOX` or `cat ID`"))
}

// lookAt is the snapshot to look at: of an archive that has no finished one,
// what is there.
func (a *app) lookAt(cmd *cobra.Command, ar *opened, at string) (int, error) {
	snapshots, err := ar.Snapshots()
	if err != nil {
		return 0, err
	}
	if len(snapshots) == 0 && at == "" {
		a.screen.emit(progress.Event{Kind: progress.Warning, Text: "the first export into this archive is unfinished; this is what it holds so far"})
		return unfinished, nil
	}
	return snapshotAt(cmd, ar, at)
}

// inspected is the overview of an archive.
type inspected struct {
	Archive  string           `json:"archive"`
	Manifest archive.Manifest `json:"manifest"`
	Messages int64            `json:"messages"`
	Bytes    int64            `json:"bytes"`
	Folders  []*folder        `json:"folders"`
	Others   []string         `json:"others"` // what there is besides mail, in words
}

func overview(_ context.Context, ar *opened, at int) (*report, error) {
	in := &inspected{Archive: ar.path, Manifest: ar.Manifest()}
	var err error
	if in.Folders, err = folders(ar.Archive, at); err != nil {
		return nil, err
	}
	if err := fill(ar.Archive, at, in.Folders); err != nil {
		return nil, err
	}
	if in.Messages, in.Bytes, err = ar.Count(at, account.Email); err != nil {
		return nil, err
	}
	for _, t := range []account.Type{account.Identity, account.SieveScript, account.VacationResponse} {
		for r, err := range ar.Objects(at, t) {
			if err != nil {
				return nil, err
			}
			in.Others = append(in.Others, otherInWords(t, r.Object))
		}
	}
	return &report{in, in.text}, nil
}

func otherInWords(t account.Type, o account.Object) string {
	switch t.Name {
	case account.Identity.Name:
		return fmt.Sprintf("Identity %s <%s>", o.Text("name"), o.Text("email"))
	case account.SieveScript.Name:
		if o.Bool("isActive") {
			return fmt.Sprintf("Sieve script %q, active", o.Text("name"))
		}
		return fmt.Sprintf("Sieve script %q", o.Text("name"))
	}
	if o.Bool("isEnabled") {
		return "Vacation response, on: " + o.Text("subject")
	}
	return "Vacation response, off"
}

func (in *inspected) text(w io.Writer) {
	fmt.Fprintf(w, "%s\n%s: %s, %s\n\n", in.Archive, describeOrigin(in.Manifest.Account), plural(in.Messages, "message", "messages"), size(in.Bytes))
	t := newTable("mailbox", "role", ">messages", ">unread", ">size", "id")
	for _, f := range in.Folders {
		t.add(strings.Repeat("  ", f.depth)+f.name, f.Role, f.Messages, f.Unread, size(f.Bytes), f.ID)
	}
	t.write(w)
	if len(in.Others) > 0 {
		fmt.Fprintln(w)
	}
	for _, o := range in.Others {
		fmt.Fprintln(w, "  "+oneLine(o))
	}
}

// list writes the messages of a mailbox, of all if it is "", as they are read.
func (a *app) list(ctx context.Context, cmd *cobra.Command, ar *opened, at int, mailbox string) error {
	id := ""
	if mailbox != "" {
		tree, err := folders(ar.Archive, at)
		if err != nil {
			return err
		}
		f := findFolder(tree, mailbox)
		if f == nil {
			return usage(cmd, fmt.Errorf("there is no mailbox %q in %s; `mailhaul inspect %s` shows what there is", mailbox, ar.path, shellWord(ar.path)))
		}
		id = f.ID
	}
	out := bufio.NewWriter(a.stdout)
	for r, err := range ar.Objects(at, account.Email) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		if id != "" && !inSet(r.Object, "mailboxIds", id) {
			continue
		}
		if a.flags.json {
			line := account.Object{}
			line.Put("event", "message")
			line.Put("message", r.Object)
			fmt.Fprintf(out, "%s\n", line.Encode())
			continue
		}
		fmt.Fprintln(out, listLine(r.Object))
	}
	return out.Flush()
}

func inSet(o account.Object, prop, key string) bool { return slices.Contains(o.Set(prop), key) }

// flagLetters are the keywords that a listing shows (RFC 8621 §4.1.1).
var flagLetters = []struct{ keyword, letter string }{
	{"$seen", "S"}, {"$answered", "R"}, {"$flagged", "F"}, {"$draft", "D"}, {"$forwarded", "P"},
}

func listLine(o account.Object) string {
	flags := ""
	for _, f := range flagLetters {
		if inSet(o, "keywords", f.keyword) {
			flags += f.letter
		} else {
			flags += "-"
		}
	}
	column := func(s string, width int) string {
		return runewidth.FillRight(runewidth.Truncate(oneLine(s), width, "…"), width)
	}
	return strings.Join([]string{date(o.Time("receivedAt")), flags, fmt.Sprintf("%9s", size(o.Int("size"))),
		column(sender(o), 24), column(o.Text("subject"), 44), oneLine(o.ID())}, "  ")
}

// sender is the first author's name, or the address.
func sender(o account.Object) string {
	var from []struct{ Name, Email string }
	if json.Unmarshal(o["from"], &from) != nil || len(from) == 0 {
		return ""
	}
	return cmp.Or(from[0].Name, from[0].Email)
}

// cat writes a message, byte for byte.
func (a *app) cat(ar *opened, at int, id string) error {
	r, err := ar.Object(at, account.Email, id)
	if errors.Is(err, archive.ErrNotFound) {
		return fmt.Errorf("there is no message with the id %q in %s; `mailhaul inspect %s ls` lists them", id, ar.path, shellWord(ar.path))
	}
	if err != nil {
		return err
	}
	if r.Blob == "" {
		return fmt.Errorf("the archive has no content for %s: the export could not take it", account.Describe(r.Object))
	}
	blob, _, err := ar.OpenBlob(r.Blob)
	if err != nil {
		return err
	}
	_, err = io.Copy(a.stdout, blob)
	return errors.Join(err, blob.Close())
}
