package importer

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"mailhaul/jmapclient/jmaptest"
)

// names are what alice's things of a type go by.
func (s *target) names(typ, prop string) (names []string) {
	for _, o := range s.Objects("alice", typ) {
		name, _ := o[prop].(string)
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestThingsGoneFromTheSourceAreRemovedOnlyByDeleteAndIfAnImportMadeThem(t *testing.T) {
	for i, p := range typedProfiles[:3] {
		if raced && i > 0 {
			break
		}
		t.Run(cmp.Or(p.Name, "strict"), func(t *testing.T) {
			source, s := newTyped(t, p), newTyped(t, p)
			source.fillTyped(p)
			s.AddObject("alice", "ContactCard", map[string]any{"@type": "Card", "version": "1.0", "uid": "c0", // there before
				"name": map[string]any{"full": "Ann 0"}, "addressBookIds": map[string]any{s.book(): true}})
			ar := source.exported(newArchive(t))
			s.imports(ar, Options{})
			on := func(of *target, typ, prop, value string) string {
				for _, o := range of.Objects("alice", typ) {
					if o[prop] == value {
						return o["id"].(string)
					}
				}
				t.Fatalf("no %s %s", typ, value)
				return ""
			}
			all := s.has(p)
			for _, uid := range []string{"c0", "c1", "c2"} {
				source.DestroyObject("alice", "ContactCard", on(source, "ContactCard", "uid", uid))
			}
			source.DestroyObject("alice", "CalendarEvent", on(source, "CalendarEvent", "uid", "e0"))
			for range source.Objects("alice", "FileNode") { // all of them, the deepest first
				nodes := source.Objects("alice", "FileNode")
				i := slices.IndexFunc(nodes, func(o map[string]any) bool {
					return !slices.ContainsFunc(nodes, func(c map[string]any) bool { return c["parentId"] == o["id"] })
				})
				source.DestroyObject("alice", "FileNode", nodes[i]["id"].(string))
			}
			s.ModifyObject("alice", "ContactCard", on(s, "ContactCard", "uid", "c2"), map[string]any{"notes": map[string]any{"n": map[string]any{"note": "mine"}}})
			s.AddObject("alice", "FileNode", map[string]any{"name": "own.txt", "parentId": on(s, "FileNode", "name", "Papers"),
				"blobId": s.AddBlob("alice", []byte("own"))})
			all["FileNode"]++
			source.exported(ar)
			s.imports(ar, Options{})
			same(t, "without --delete", s.has(p), all)
			s.ResetCounts()
			res := s.imports(ar, Options{Delete: true})
			want := maps.Clone(all)
			want["ContactCard"]-- // c1; c0 was there before, and c2 was changed
			want["CalendarEvent"]--
			want["FileNode"] = 2 // the user's file and the folder that it is in
			same(t, "with --delete", s.has(p), want)
			same(t, "files", s.names("FileNode", "name"), []string{"Papers", "own.txt"})
			if len(res.Conflicts) != 1 || res.Conflicts[0].What != "removal" || res.Conflicts[0].Item != "Ann 2" {
				t.Errorf("conflicts: %+v", res.Conflicts)
			}
			s.imports(ar, Options{Delete: true, Conflict: ConflictSource})
			want["ContactCard"]--
			same(t, "with the source's choice", s.has(p), want)
			same(t, "sent", s.Sent("alice"), []jmaptest.Sent{})
			same(t, "failures", res.Failures, []Failure(nil))
		})
	}
}

// book is alice's first address book.
func (s *target) book() string {
	for _, o := range s.Objects("alice", "AddressBook") {
		return o["id"].(string)
	}
	return s.AddObject("alice", "AddressBook", map[string]any{"name": "Contacts"})
}
