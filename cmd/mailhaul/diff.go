package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mailhaul/account"
	"mailhaul/archive"
)

func (a *app) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff ARCHIVE FROM [TO]",
		Short: "What arrived, changed and went between two snapshots",
		Long: `Say what arrived (+), changed (~) and went (-) between two snapshots of an archive.
FROM and TO are snapshots' numbers or dates; without TO it is the newest.`,
		Args: takes(2, 3, "ARCHIVE and one or two snapshots"),
		RunE: a.does(func(ctx context.Context, cmd *cobra.Command, args []string) (*report, error) {
			ar, err := a.openArchive(ctx, filepath.Clean(args[0]))
			if err != nil {
				return nil, err
			}
			defer ar.Close()
			d := &diff{app: a, ar: ar, Archive: ar.path, Counts: map[string]map[archive.DifferenceKind]int64{}, paths: map[int]map[string]string{}}
			ends := append(slices.Clone(args[1:]), "")[:2]
			for i, end := range []*int{&d.From, &d.To} {
				if *end, err = snapshotAt(cmd, ar, ends[i]); err != nil {
					return nil, err
				}
			}
			if d.To == 0 {
				snapshots, err := ar.Snapshots()
				if err != nil {
					return nil, err
				}
				d.To = snapshots[len(snapshots)-1].Snapshot
			}
			if err := d.write(ctx); err != nil {
				return nil, err
			}
			return &report{d, d.text}, nil
		}),
	}
}

// diff is what differs between two snapshots, counted.
type diff struct {
	Archive string                                      `json:"archive"`
	From    int                                         `json:"from"`
	To      int                                         `json:"to"`
	Counts  map[string]map[archive.DifferenceKind]int64 `json:"counts"` // by type

	app   *app
	ar    *opened
	paths map[int]map[string]string // of the mailboxes of a snapshot, by id
}

// signs are what a line begins with.
var signs = map[archive.DifferenceKind]string{archive.Arrived: "+", archive.Changed: "~", archive.Gone: "-"}

// difference is one line of --json.
type difference struct {
	Event  string                 `json:"event"` // "difference"
	Kind   archive.DifferenceKind `json:"kind"`
	Type   string                 `json:"type"`
	ID     string                 `json:"id"`
	Item   string                 `json:"item"`
	Detail []string               `json:"detail,omitempty"` // what changed
}

// write writes each difference as it is found.
func (d *diff) write(ctx context.Context) error {
	out := bufio.NewWriter(d.app.stdout)
	for is, err := range d.ar.Diff(d.From, d.To) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		if d.Counts[is.Type] == nil {
			d.Counts[is.Type] = map[archive.DifferenceKind]int64{}
		}
		d.Counts[is.Type][is.Kind]++
		line, err := d.line(is)
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		if d.app.flags.json {
			fmt.Fprintf(out, "%s\n", account.Marshal(line))
			continue
		}
		fmt.Fprintf(out, "%s %s %s\n", signs[is.Kind], is.Type, oneLine(line.Item))
		for _, text := range line.Detail {
			fmt.Fprintf(out, "    %s\n", oneLine(text))
		}
	}
	return out.Flush()
}

func (d *diff) line(is archive.Difference) (difference, error) {
	line := difference{Event: "difference", Kind: is.Kind, Type: is.Type, ID: is.ID}
	t, ok := account.TypeByName(is.Type)
	if !ok {
		t.Name = is.Type
	}
	var was, now account.Object
	for _, side := range []struct {
		at   int
		into *account.Object
		has  bool
	}{{d.From, &was, is.Kind != archive.Arrived}, {d.To, &now, is.Kind != archive.Gone}} {
		if !side.has {
			continue
		}
		rec, err := d.ar.Object(side.at, t, is.ID)
		if err != nil && !errors.As(err, new(*archive.DamagedError)) {
			return line, err
		}
		*side.into = rec.Object
	}
	shown := now
	if shown == nil {
		shown = was
	}
	line.Item = described(t, shown)
	if is.Kind != archive.Changed {
		return line, nil
	}
	if is.OldBlob != is.NewBlob {
		line.Detail = append(line.Detail, "the content is another one")
	}
	detail, err := d.changes(t, was, now)
	line.Detail = append(line.Detail, detail...)
	return line, err
}

// described is what a person calls an object.
func described(t account.Type, o account.Object) string {
	switch t.Name {
	case account.Email.Name:
		return account.Describe(o)
	case account.Mailbox.Name:
		return fmt.Sprintf("%q, id %s", o.Text("name"), o.ID())
	}
	return otherInWords(t, o)
}

// changes are the properties that differ, in words.
func (d *diff) changes(t account.Type, was, now account.Object) ([]string, error) {
	var lines []string
	for _, prop := range slices.Sorted(maps.Keys(merged(was, now))) {
		if string(was.Only(prop).Encode()) == string(now.Only(prop).Encode()) {
			continue
		}
		if t.Name == account.Email.Name && (prop == "keywords" || prop == "mailboxIds") {
			words, err := d.setChange(prop, was.Set(prop), now.Set(prop))
			if err != nil {
				return nil, err
			}
			lines = append(lines, words)
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: %s → %s", prop, valueText(was, prop), valueText(now, prop)))
	}
	return lines, nil
}

func merged(a, b account.Object) account.Object {
	all := maps.Clone(a)
	if all == nil {
		all = account.Object{}
	}
	maps.Copy(all, b)
	return all
}

// setChange says what came into a set and what went out of it; mailboxes by
// their paths.
func (d *diff) setChange(prop string, was, now []string) (string, error) {
	name := func(at int, key string) (string, error) { return key, nil }
	head := prop
	if prop == "mailboxIds" {
		head, name = "mailboxes", d.path
	}
	var words []string
	for _, side := range []struct {
		sign      string
		at        int
		in, other []string
	}{{"-", d.From, was, now}, {"+", d.To, now, was}} {
		for _, key := range side.in {
			if slices.Contains(side.other, key) {
				continue
			}
			text, err := name(side.at, key)
			if err != nil {
				return "", err
			}
			words = append(words, side.sign+text)
		}
	}
	return head + ": " + strings.Join(words, " "), nil
}

// path is a mailbox's path in a snapshot, its id when it is not known.
func (d *diff) path(at int, id string) (string, error) {
	if d.paths[at] == nil {
		tree, err := folders(d.ar.Archive, at)
		if err != nil {
			return "", err
		}
		d.paths[at] = map[string]string{}
		for _, f := range tree {
			d.paths[at][f.ID] = f.Path
		}
	}
	if path, ok := d.paths[at][id]; ok {
		return path, nil
	}
	return id, nil
}

func valueText(o account.Object, prop string) string {
	const most = 60
	if !o.Has(prop) {
		return "nothing"
	}
	if r := []rune(string(o[prop])); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return string(o[prop])
}

func (d *diff) text(w io.Writer) {
	if len(d.Counts) == 0 {
		fmt.Fprintf(w, "nothing differs between snapshots %d and %d\n", d.From, d.To)
		return
	}
	fmt.Fprintf(w, "\nsnapshot %d to %d\n", d.From, d.To)
	t := newTable("type", ">arrived", ">changed", ">gone")
	for _, name := range slices.Sorted(maps.Keys(d.Counts)) {
		c := d.Counts[name]
		t.add(name, c[archive.Arrived], c[archive.Changed], c[archive.Gone])
	}
	t.write(w)
}
