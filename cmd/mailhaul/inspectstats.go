package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
)

// share is how many messages something has, and how large they are together.
type share struct {
	Name     string `json:"name"`
	Messages int64  `json:"messages"`
	Bytes    int64  `json:"bytes"`
}

// stats say what takes the room.
type stats struct {
	Messages int64   `json:"messages"`
	Bytes    int64   `json:"bytes"`  // of all messages, identical ones as often as they are there
	Unread   int64   `json:"unread"` // without $seen
	Packs    int64   `json:"packs"`
	OnDisk   int64   `json:"onDisk"` // bytes of the packs, all snapshots together
	Folders  []share `json:"folders"`
	Years    []share `json:"years"`
	Sizes    []share `json:"sizes"`
	Senders  []share `json:"senders"` // those that take most
	Largest  []large `json:"largest"`
	Authors  int64   `json:"differentSenders"`
}

type large struct {
	ID    string `json:"id"`
	Bytes int64  `json:"bytes"`
	Item  string `json:"item"`
}

// shownShares is how many senders and messages are shown.
const shownShares = 10

// sizeClasses are the upper ends of the classes of size.
var sizeClasses = []struct {
	name string
	most int64
}{{"up to 10 kB", 10e3}, {"to 100 kB", 100e3}, {"to 1 MB", 1e6}, {"to 10 MB", 10e6}, {"larger", 1 << 62}}

func sizeClass(bytes int64) string {
	for _, c := range sizeClasses {
		if bytes <= c.most {
			return c.name
		}
	}
	return ""
}

// counter adds up shares by name.
type counter map[string]*share

func (c counter) add(name string, bytes int64) {
	s := c[name]
	if s == nil {
		s = &share{Name: name}
		c[name] = s
	}
	s.Messages++
	s.Bytes += bytes
}

// sorted are the shares in the order of less.
func (c counter) sorted(order func(a, b *share) int) []share {
	list := []share{}
	for _, s := range slices.SortedFunc(maps.Values(c), func(a, b *share) int { return cmp.Or(order(a, b), cmp.Compare(a.Name, b.Name)) }) {
		list = append(list, *s)
	}
	return list
}

func byName(a, b *share) int  { return cmp.Compare(a.Name, b.Name) }
func byBytes(a, b *share) int { return cmp.Compare(b.Bytes, a.Bytes) }

func (l *look) stats(ctx context.Context) (*report, error) {
	s := &stats{Largest: []large{}, Sizes: []share{}, Folders: []share{}}
	var err error
	if s.Packs, s.OnDisk, err = l.ar.Size(); err != nil {
		return nil, err
	}
	tree, err := folders(l.ar.Archive, l.at)
	if err != nil {
		return nil, err
	}
	count := counting(tree)
	years, senders, sizes := counter{}, counter{}, counter{}
	for r, err := range l.ar.Objects(l.at, account.Email) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		bytes := r.Object.Int("size")
		s.Messages++
		s.Bytes += bytes
		if count(r.Object) {
			s.Unread++
		}
		years.add(r.Object.Time("receivedAt").Format("2006"), bytes)
		senders.add(senderAddress(r.Object), bytes)
		sizes.add(sizeClass(bytes), bytes)
		s.addLarge(large{r.Object.ID(), bytes, account.Describe(r.Object)})
	}
	for _, f := range tree {
		s.Folders = append(s.Folders, share{f.Path, f.Messages, f.Bytes})
	}
	for _, c := range sizeClasses {
		if n := sizes[c.name]; n != nil {
			s.Sizes = append(s.Sizes, *n)
		}
	}
	s.Years = years.sorted(byName)
	s.Senders = senders.sorted(byBytes)
	s.Authors = int64(len(s.Senders))
	s.Senders = s.Senders[:min(shownShares, len(s.Senders))]
	return &report{s, s.text}, nil
}

// addLarge keeps the largest messages, the largest first.
func (s *stats) addLarge(m large) {
	i, _ := slices.BinarySearchFunc(s.Largest, m, func(a, b large) int { return cmp.Compare(b.Bytes, a.Bytes) })
	if i < shownShares {
		s.Largest = slices.Insert(s.Largest, i, m)
		s.Largest = s.Largest[:min(shownShares, len(s.Largest))]
	}
}

func senderAddress(o account.Object) string {
	var from []struct{ Email string }
	if json.Unmarshal(o["from"], &from) != nil || len(from) == 0 {
		return "(no sender)"
	}
	return strings.ToLower(from[0].Email)
}

func (s *stats) text(w io.Writer) {
	fmt.Fprintf(w, "%s, %s, %d unread; %s on disk in %s, all snapshots together\n", plural(s.Messages, "message", "messages"), size(s.Bytes), s.Unread,
		size(s.OnDisk), plural(s.Packs, "pack", "packs"))
	for _, part := range []struct {
		head string
		list []share
	}{{"mailbox", s.Folders}, {"year", s.Years}, {"size", s.Sizes}, {fmt.Sprintf("sender (%d in all)", s.Authors), s.Senders}} {
		fmt.Fprintln(w)
		t := newTable(part.head, ">messages", ">size")
		for _, x := range part.list {
			t.add(x.Name, x.Messages, size(x.Bytes))
		}
		t.write(w)
	}
	fmt.Fprintln(w, "\n  the largest messages")
	for _, m := range s.Largest {
		fmt.Fprintf(w, "  %9s  %s\n", size(m.Bytes), oneLine(m.Item))
	}
}

// failure is something that was not taken, or did not arrive.
type failure struct {
	Snapshot int    `json:"snapshot,omitempty"` // the export that could not take it
	Target   string `json:"target,omitempty"`   // the account that an import could not bring it to
	Type     string `json:"type"`
	ID       string `json:"id,omitempty"` // "" for the type as a whole
	Item     string `json:"item"`
	Reason   string `json:"reason"`
}

// failures are what the snapshot could not take and what imports could not bring.
func (l *look) failures(ctx context.Context) (*report, error) {
	all := []failure{}
	snapshots, err := l.ar.Snapshots()
	if err != nil {
		return nil, err
	}
	for i, s := range snapshots {
		if s.Snapshot != l.at && (l.at != 0 || i != len(snapshots)-1) {
			continue
		}
		for _, t := range account.Types {
			rec := s.Types[t.Name]
			if rec.Error != "" {
				all = append(all, failure{Snapshot: s.Snapshot, Type: t.Name, Item: t.Name + " as a whole", Reason: rec.Error})
			}
			for _, f := range rec.Failed {
				all = append(all, failure{Snapshot: s.Snapshot, Type: t.Name, ID: f.ID, Item: f.Item, Reason: f.Reason})
			}
		}
	}
	for f, err := range l.ar.ImportFailures() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		item, err := l.nameOf(f.Type, f.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, failure{Target: describeOrigin(archive.Origin{Name: f.AccountName, Server: f.Server}), Type: f.Type, ID: f.ID, Item: item, Reason: f.Reason})
	}
	return &report{all, func(w io.Writer) { writeFailures(w, all) }}, nil
}

// nameOf is what a person calls an object.
func (l *look) nameOf(typ, id string) (string, error) {
	t, ok := account.TypeByName(typ)
	if !ok || id == "" {
		return typ + " " + id, nil
	}
	r, err := l.ar.Object(unfinished, t, id)
	switch {
	case errors.Is(err, archive.ErrNotFound) || errors.As(err, new(*archive.DamagedError)):
		return typ + " " + id, nil
	case err != nil:
		return "", err
	case t.Name == account.Email.Name:
		return account.Describe(r.Object), nil
	}
	return otherInWords(t, r.Object), nil
}

func writeFailures(w io.Writer, all []failure) {
	if len(all) == 0 {
		fmt.Fprintln(w, "nothing failed")
	}
	where := ""
	for _, f := range all {
		now := fmt.Sprintf("snapshot %d could not take:", f.Snapshot)
		if f.Target != "" {
			now = fmt.Sprintf("the import into %s could not bring:", f.Target)
		}
		if now != where {
			fmt.Fprintln(w, clean(now))
			where = now
		}
		fmt.Fprintf(w, "  %s\n    %s\n", oneLine(f.Item), oneLine(f.Reason))
	}
}
