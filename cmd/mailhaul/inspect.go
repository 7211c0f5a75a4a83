package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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
	var l look
	cmd := &cobra.Command{
		Use:   "inspect ARCHIVE [WHAT …]",
		Short: "Look into an archive",
		Long: `Look into an archive. WHAT is one of

  tree                the folders with what is in them (without WHAT, too)
  ls [MAILBOX]        the messages of a folder, or of all
  show ID             a message as a person reads it; or whatever has that id
  cat ID              a message as it was received, byte for byte
  save ID [DIR]       write a message's attachments into DIR, or here
  search WORD…        the messages that hold all the words
  stats               what takes the room, by folder, year, sender and size
  failures            what could not be exported, or imported, and why

ls --type Identity and the like lists what is no mail.

A search knows "two words" side by side, word* for what begins so, -word for what
must not be there, and subject:word, from:word, body:word, file:word. The first
search reads every message, which may take a while; what later exports bring is
added. The words lie in the archive's search.db, which may be deleted.

Flags in the listing: S seen, R answered, F flagged, D draft, P forwarded.`,
		Args: takes(1, -1, "ARCHIVE and perhaps what to look at"),
	}
	cmd.Flags().StringVar(&at, "at", "", "look at an older `snapshot`: its number or a date")
	cmd.Flags().StringVar(&l.typ, "type", "", "list objects of this `type` instead of messages, with ls")
	cmd.RunE = a.does(func(ctx context.Context, cmd *cobra.Command, args []string) (*report, error) {
		way, err := l.way(cmd, args[1:])
		if err != nil {
			return nil, err
		}
		ar, err := a.openArchive(ctx, args[0])
		if err != nil {
			return nil, err
		}
		defer ar.Close()
		l.app, l.ar, l.cmd = a, ar, cmd
		if l.at, err = a.lookAt(cmd, ar, at); err != nil {
			return nil, err
		}
		return way(&l, ctx)
	})
	return cmd
}

// look is one look into an archive.
type look struct {
	app  *app
	cmd  *cobra.Command
	ar   *opened
	at   int      // the snapshot
	args []string // behind the word that says what to look at
	typ  string   // of --type
}

// looks are the words behind ARCHIVE.
var looks = map[string]struct {
	least, most int // arguments, -1 for any number
	names       string
	raw         bool // it writes something else than a report: no --json
	do          func(*look, context.Context) (*report, error)
}{
	"tree":     {0, 0, "nothing", false, (*look).overview},
	"ls":       {0, 1, "a mailbox, or nothing", false, (*look).list},
	"show":     {1, 1, "an id", false, (*look).show},
	"cat":      {1, 1, "a message's id", true, (*look).cat},
	"save":     {1, 2, "a message's id and perhaps a directory", false, (*look).save},
	"search":   {1, -1, "words", false, (*look).search},
	"stats":    {0, 0, "nothing", false, (*look).stats},
	"failures": {0, 0, "nothing", false, (*look).failures},
}

// way is what the arguments after ARCHIVE ask for.
func (l *look) way(cmd *cobra.Command, args []string) (func(*look, context.Context) (*report, error), error) {
	if len(args) == 0 {
		args = []string{"tree"}
	}
	way, ok := looks[args[0]]
	l.args = args[1:]
	switch {
	case !ok:
		return nil, usage(cmd, fmt.Errorf("after ARCHIVE comes %s, not %q", strings.Join(slices.Sorted(maps.Keys(looks)), ", "), args[0]))
	case len(l.args) < way.least || way.most >= 0 && len(l.args) > way.most:
		return nil, usage(cmd, fmt.Errorf("after %s comes %s", args[0], way.names))
	}
	if json, err := cmd.Flags().GetBool("json"); err == nil && json && way.raw {
		return nil, usage(cmd, fmt.Errorf("%s writes the message itself: leave out --json", args[0]))
	}
	if l.typ != "" {
		if args[0] != "ls" || len(l.args) > 0 {
			return nil, usage(cmd, errors.New("--type goes with ls alone"))
		}
		if _, ok := account.TypeByName(l.typ); !ok {
			return nil, usage(cmd, fmt.Errorf("there is no type %q: there are %s", l.typ, strings.Join(typeNames(), ", ")))
		}
	}
	return way.do, nil
}

func typeNames() []string {
	var names []string
	for _, t := range account.Types {
		names = append(names, t.Name)
	}
	return names
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
	Scope    *archive.Scope   `json:"scope,omitempty"` // of a snapshot that is partial
	Folders  []*folder        `json:"folders"`
	Others   []string         `json:"others"` // what there is besides mail, in words
}

func (l *look) overview(context.Context) (*report, error) {
	ar, at := l.ar, l.at
	in := &inspected{Archive: ar.path, Manifest: ar.Manifest()}
	rec, err := ar.recordAt(at)
	if err != nil {
		return nil, err
	}
	if rec != nil {
		in.Scope = rec.Scope
	}
	if in.Folders, err = folders(ar.Archive, at); err != nil {
		return nil, err
	}
	if err := fill(ar.Archive, at, in.Folders); err != nil {
		return nil, err
	}
	if in.Messages, in.Bytes, err = ar.Count(at, account.Email); err != nil {
		return nil, err
	}
	for _, t := range account.Types {
		if t.Name == account.Mailbox.Name || t.Name == account.Email.Name {
			continue
		}
		if t.Large || t.Named {
			n, bytes, err := ar.Count(at, t)
			if err != nil {
				return nil, err
			}
			if n > 0 {
				in.Others = append(in.Others, countInWords(t, n, bytes))
			}
			continue
		}
		for r, err := range ar.Objects(at, t) {
			if err != nil {
				return nil, err
			}
			in.Others = append(in.Others, otherInWords(t, r.Object))
		}
	}
	return &report{in, in.text}, nil
}

func (in *inspected) text(w io.Writer) {
	fmt.Fprintf(w, "%s\n%s: %s, %s%s\n\n", in.Archive, describeOrigin(in.Manifest.Account), plural(in.Messages, "message", "messages"), size(in.Bytes),
		inBrackets(partial(in.Scope)))
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

// list writes the messages of a mailbox, or all, as they are read.
func (l *look) list(ctx context.Context) (*report, error) {
	if l.typ != "" {
		return nil, l.listOthers(ctx)
	}
	id := ""
	if len(l.args) > 0 {
		tree, err := folders(l.ar.Archive, l.at)
		if err != nil {
			return nil, err
		}
		f := findFolder(tree, l.args[0])
		if f == nil {
			return nil, usage(l.cmd, fmt.Errorf("there is no mailbox %q in %s; `mailhaul inspect %s` shows what there is", l.args[0], l.ar.path, shellWord(l.ar.path)))
		}
		id = f.ID
	}
	out := bufio.NewWriter(l.app.stdout)
	for r, err := range l.ar.Objects(l.at, account.Email) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, errors.Join(err, out.Flush())
		}
		if id == "" || inSet(r.Object, "mailboxIds", id) {
			l.line(out, r.Object)
		}
	}
	return nil, out.Flush()
}

// line writes a message's line of a listing.
func (l *look) line(out io.Writer, o account.Object) {
	if !l.app.flags.json {
		fmt.Fprintln(out, listLine(o))
		return
	}
	line := account.Object{}
	line.Put("event", "message")
	line.Put("message", o)
	fmt.Fprintf(out, "%s\n", line.Encode())
}

// listOthers writes the objects of a type that is no mail.
func (l *look) listOthers(ctx context.Context) error {
	t, _ := account.TypeByName(l.typ)
	for r, err := range l.ar.Objects(l.at, t) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if !l.app.flags.json {
			fmt.Fprintf(l.app.stdout, "%s  %s\n", oneLine(r.Object.ID()), oneLine(otherInWords(t, r.Object)))
			continue
		}
		line := account.Object{}
		line.Put("event", "object")
		line.Put("type", t.Name)
		line.Put("object", r.Object)
		fmt.Fprintf(l.app.stdout, "%s\n", line.Encode())
	}
	return nil
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

// message is a message by its id, which must have its content.
func (l *look) message(id string) (archive.Record, error) {
	r, err := l.ar.Object(l.at, account.Email, id)
	if errors.Is(err, archive.ErrNotFound) {
		return r, fmt.Errorf("there is no message with the id %q in %s; `mailhaul inspect %s ls` lists them", id, l.ar.path, shellWord(l.ar.path))
	}
	if err == nil && r.Blob == "" {
		err = fmt.Errorf("the archive has no content for %s: the export could not take it", account.Describe(r.Object))
	}
	return r, err
}

// cat writes a message, byte for byte.
func (l *look) cat(context.Context) (*report, error) {
	r, err := l.message(l.args[0])
	if err != nil {
		return nil, err
	}
	blob, _, err := l.ar.OpenBlob(r.Blob)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(l.app.stdout, blob)
	return nil, errors.Join(err, blob.Close())
}
