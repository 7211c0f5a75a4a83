package main

import (
	"cmp"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
)

// folder is a mailbox as a person sees it, with what lies in it.
type folder struct {
	ID       string `json:"id"`
	Path     string `json:"path"` // names joined by "/"
	Role     string `json:"role,omitempty"`
	Messages int64  `json:"messages"`
	Unread   int64  `json:"unread"`
	Bytes    int64  `json:"bytes"`

	name  string
	depth int
}

// folders are a snapshot's mailboxes, each parent before its children. A
// mailbox whose parent is missing, or its own descendant, stands at the top.
func folders(ar *archive.Archive, at int) ([]*folder, error) {
	objects := map[string]account.Object{}
	for r, err := range ar.Objects(at, account.Mailbox) {
		if err != nil {
			return nil, err
		}
		objects[r.Object.ID()] = r.Object
	}
	children := map[string][]account.Object{}
	for id, o := range objects {
		parent := o.Text(account.Mailbox.Parent)
		if !reachesTop(objects, id) {
			parent = ""
		}
		children[parent] = append(children[parent], o)
	}
	var tree []*folder
	var walk func(parent string, above []string)
	walk = func(parent string, above []string) {
		level := children[parent]
		slices.SortFunc(level, func(a, b account.Object) int {
			return cmp.Or(cmp.Compare(a.Int("sortOrder"), b.Int("sortOrder")),
				cmp.Compare(a.Text("name"), b.Text("name")), cmp.Compare(a.ID(), b.ID()))
		})
		for _, o := range level {
			path := append(slices.Clip(above), o.Text("name"))
			tree = append(tree, &folder{ID: o.ID(), Path: strings.Join(path, "/"), Role: o.Text("role"), name: o.Text("name"), depth: len(above)})
			walk(o.ID(), path)
		}
	}
	walk("", nil)
	return tree, nil
}

func reachesTop(objects map[string]account.Object, id string) bool {
	for range objects {
		parent := objects[id].Text(account.Mailbox.Parent)
		if parent == "" {
			return true
		}
		if _, ok := objects[parent]; !ok {
			return false
		}
		id = parent
	}
	return false
}

// fill counts what lies in each folder.
func fill(ar *archive.Archive, at int, tree []*folder) error {
	count := counting(tree)
	for r, err := range ar.Objects(at, account.Email) {
		if err != nil {
			return err
		}
		count(r.Object)
	}
	return nil
}

// counting adds a message to each folder that it lies in.
func counting(tree []*folder) func(o account.Object) (unread bool) {
	byID := map[string]*folder{}
	for _, f := range tree {
		byID[f.ID] = f
	}
	return func(o account.Object) bool {
		unread := !inSet(o, "keywords", "$seen")
		for _, id := range o.Set("mailboxIds") {
			if f := byID[id]; f != nil {
				f.Messages++
				f.Bytes += o.Int("size")
				if unread {
					f.Unread++
				}
			}
		}
		return unread
	}
}

// findFolder finds a folder by path or id.
func findFolder(tree []*folder, name string) *folder {
	for _, is := range []func(*folder) bool{
		func(f *folder) bool { return f.Path == name },
		func(f *folder) bool { return f.ID == name },
		func(f *folder) bool { return strings.EqualFold(f.Path, name) },
	} {
		if i := slices.IndexFunc(tree, is); i >= 0 {
			return tree[i]
		}
	}
	return nil
}
