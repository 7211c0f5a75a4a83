package importer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/exporter"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// typedProfiles are servers with more than mail.
var typedProfiles = []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart015, jmaptest.Stalwart016, jmaptest.Cyrus36}

// newTyped is a server of a profile whose vacation response can be read.
func newTyped(t *testing.T, p jmaptest.Profile) *target {
	p.VacationCloses = false // another test's
	return newTarget(t, p)
}

// exported is an archive of what alice has on a server, with a further snapshot.
func (s *target) exported(ar *archive.Archive) *archive.Archive {
	s.t.Helper()
	_, err := exporter.Export(context.Background(), exporter.JMAP(s.account()), ar, exporter.Options{})
	must(s.t, err)
	return ar
}

func isCyrus(p jmaptest.Profile) bool { return p.Name == jmaptest.Cyrus36.Name }

const things3 = 3

// fillTyped gives alice contacts with photos, a group, events to which she invites
// people, and files, as far as the server has such.
func (s *target) fillTyped(p jmaptest.Profile) {
	s.put(mail(1), "Inbox")
	type object = map[string]any
	blob := func(text string) string { return s.AddBlob("alice", []byte(text)) }
	if isCyrus(p) {
		work := s.AddObject("alice", "Calendar", object{"name": "Work", "color": "#ff0000"})
		for i := range things3 {
			s.AddObject("alice", "Contact", object{"uid": fmt.Sprintf("c%d", i), "firstName": fmt.Sprint("Ann ", i), "lastName": "Ü", "addressbookId": "Default",
				"emails": []any{object{"type": "work", "value": fmt.Sprintf("c%d@example.org", i)}}, "notes": "<note>", "importance": 2.0,
				"avatar": object{"blobId": blob(fmt.Sprint("photo ", i)), "type": "image/png"}})
			s.AddObject("alice", "CalendarEvent", object{"uid": fmt.Sprintf("e%d", i), "title": fmt.Sprint("Meeting ", i), "calendarId": work,
				"start": "2031-01-07T09:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H", "recurrenceRule": object{"frequency": "weekly"},
				"replyTo": object{"imip": "mailto:alice@example.org"}, "participants": object{
					"a": object{"sendTo": object{"imip": "mailto:alice@example.org"}, "roles": object{"owner": true}},
					"b": object{"sendTo": object{"imip": "mailto:bob@example.org"}, "roles": object{"attendee": true}}}})
		}
		s.AddObject("alice", "ContactGroup", object{"uid": "g1", "name": "Friends", "addressbookId": "Default", "contactIds": []any{"c0", "c1"}})
		return
	}
	book := s.AddObject("alice", "AddressBook", object{"name": "Work"})
	cal := s.AddObject("alice", "Calendar", object{"name": "Work", "color": "#ff0000"})
	for i := range things3 {
		s.AddObject("alice", "ContactCard", object{"@type": "Card", "version": "1.0", "uid": fmt.Sprintf("c%d", i), "addressBookIds": object{book: true},
			"name": object{"full": fmt.Sprint("Ann ", i)}, "emails": object{"e": object{"address": fmt.Sprintf("c%d@example.org", i)}},
			"vCardProps": []any{[]any{"x-a", object{}, "text", "b"}},
			"media":      object{"p": object{"kind": "photo", "mediaType": "image/png", "blobId": blob(fmt.Sprint("photo ", i))}}})
		o := object{"@type": "Event", "uid": fmt.Sprintf("e%d", i), "title": fmt.Sprint("Meeting ", i), "calendarIds": object{cal: true},
			"start": "2031-01-07T09:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H", "organizerCalendarAddress": "mailto:alice@example.org",
			"participants": object{
				"a": object{"@type": "Participant", "calendarAddress": "mailto:alice@example.org", "roles": object{"owner": true}},
				"b": object{"@type": "Participant", "calendarAddress": "mailto:bob@example.org", "roles": object{"attendee": true}}},
			"links": object{"l": object{"@type": "Link", "blobId": blob(fmt.Sprint("agenda ", i)), "contentType": "text/plain"}}}
		if p.Name == "" { // the strict one speaks RFC 8984
			o["recurrenceRules"] = []any{object{"@type": "RecurrenceRule", "frequency": "weekly"}}
		} else {
			o["recurrenceRule"] = object{"@type": "RecurrenceRule", "frequency": "weekly"}
		}
		s.AddObject("alice", "CalendarEvent", o)
	}
	s.AddObject("alice", "ContactCard", object{"@type": "Card", "version": "1.0", "kind": "group", "uid": "g1", "addressBookIds": object{book: true},
		"name": object{"full": "Friends"}, "members": object{"c0": true, "c1": true}})
	dir := s.AddObject("alice", "FileNode", object{"name": "Papers"})
	deep := s.AddObject("alice", "FileNode", object{"name": "Deep", "parentId": dir})
	for i, parent := range []any{nil, dir, deep} {
		o := object{"name": "a.txt", "blobId": blob(fmt.Sprint("file ", i)), "type": "text/plain"}
		if parent != nil {
			o["parentId"] = parent
		}
		s.AddObject("alice", "FileNode", o)
	}
}

// has counts alice's things of the types that matter.
func (s *target) has(p jmaptest.Profile) map[string]int {
	n := map[string]int{}
	types := []string{"ContactCard", "Calendar", "AddressBook", "CalendarEvent", "FileNode"}
	if isCyrus(p) {
		types = []string{"Contact", "ContactGroup", "Calendar", "CalendarEvent"}
	}
	for _, typ := range types {
		n[typ] = len(s.Objects("alice", typ))
	}
	return n
}

var setMethods = []string{"AddressBook/set", "ContactCard/set", "Contact/set", "ContactGroup/set", "Calendar/set", "CalendarEvent/set",
	"ParticipantIdentity/set", "FileNode/set", "upload"}

// TestAllTypesMove carries them from every kind of server to every other, with
// answers lost on the way: all are there once, verify agrees, a second import
// sends nothing, and nobody gets an invitation.
func TestAllTypesMove(t *testing.T) {
	for _, from := range typedProfiles {
		source := newTyped(t, from)
		source.fillTyped(from)
		ar := source.exported(newArchive(t))
		for _, to := range typedProfiles {
			if raced && isCyrus(from) == isCyrus(to) {
				continue
			}
			t.Run(cmp.Or(from.Name, "strict")+" to "+cmp.Or(to.Name, "strict"), func(t *testing.T) {
				s := newTyped(t, to)
				for _, m := range setMethods[:8] {
					s.Inject(jmaptest.Fault{Match: nth(1, m), Times: 1, Do: jmaptest.DropAfter})
				}
				res := s.imports(ar, Options{})
				for _, f := range res.Failures {
					if !(isCyrus(to) && f.Type == "FileNode" || isCyrus(to) && f.Type == "Identity") {
						t.Errorf("failure: %+v", f)
					}
				}
				want := map[string]int{"ContactCard": 4, "Calendar": 2, "AddressBook": 2, "CalendarEvent": 3, "FileNode": 5}
				if isCyrus(from) {
					want["FileNode"], want["AddressBook"] = 0, 1
				}
				if isCyrus(to) {
					want = map[string]int{"Contact": 3, "ContactGroup": 1, "Calendar": 2, "CalendarEvent": 3}
				}
				same(t, "things", s.has(to), want)
				same(t, "sent", s.Sent("alice"), []jmaptest.Sent{})
				rep, err := Verify(context.Background(), ar, s.account(), VerifyOptions{})
				must(t, err)
				for _, d := range rep.Differences {
					if !(isCyrus(to) && slices.Contains([]string{"FileNode", "Identity"}, d.Type)) {
						t.Errorf("difference: %+v", d)
					}
				}
				s.ResetCounts()
				again := s.imports(ar, Options{})
				for _, m := range setMethods {
					if n := s.Requests()[m]; n != 0 {
						t.Errorf("a second import sends %d %s", n, m)
					}
				}
				if t.Failed() {
					t.Log(res.Types)
					t.Log(res.Warnings)
					t.Log(again.Warnings)
				}
			})
		}
	}
}

// TestChangedThings carries over what the source changed since the last import, and
// leaves what the target's user changed.
func TestChangedThings(t *testing.T) {
	for i, p := range typedProfiles[:3] {
		if raced && i > 0 {
			break
		}
		t.Run(cmp.Or(p.Name, "strict"), func(t *testing.T) {
			source, s := newTyped(t, p), newTyped(t, p)
			source.fillTyped(p)
			ar := source.exported(newArchive(t))
			s.imports(ar, Options{})
			by := func(on *target, typ, prop, value string) map[string]any {
				for _, o := range on.Objects("alice", typ) {
					if o[prop] == value {
						return o
					}
				}
				t.Fatalf("there is no %s with %s %q", typ, prop, value)
				return nil
			}
			change := func(on *target, typ, uid string, patch map[string]any) {
				on.ModifyObject("alice", typ, by(on, typ, "uid", uid)["id"].(string), patch)
			}
			notes := map[string]any{"n": map[string]any{"note": "new"}}
			change(source, "ContactCard", "c0", map[string]any{"notes": notes, "emails": nil})
			change(source, "ContactCard", "c1", map[string]any{"emails": map[string]any{"e": map[string]any{"address": "source@example.org"}}})
			change(s, "ContactCard", "c1", map[string]any{"emails": map[string]any{"e": map[string]any{"address": "user@example.org"}}})
			change(s, "ContactCard", "c2", map[string]any{"notes": notes})
			change(source, "CalendarEvent", "e0", map[string]any{"title": "Moved", "links": map[string]any{
				"l": map[string]any{"@type": "Link", "blobId": source.AddBlob("alice", []byte("new agenda"))}}})
			file := by(source, "FileNode", "name", "a.txt")["id"].(string)
			source.ModifyObject("alice", "FileNode", file, map[string]any{"blobId": source.AddBlob("alice", []byte("new file"))})
			res := s.imports(source.exported(ar), Options{})
			same(t, "failures", res.Failures, []Failure{})
			for typ, n := range map[string]int64{"ContactCard": 1, "CalendarEvent": 1, "FileNode": 1} {
				if c := res.Types[typ]; c.Updated != n || c.Created != 0 {
					t.Errorf("%s: %+v", typ, c)
				}
			}
			if c := by(s, "ContactCard", "uid", "c0"); c["emails"] != nil || c["notes"] == nil || c["media"] == nil {
				t.Errorf("c0 is %v", c)
			}
			if got := fmt.Sprint(by(s, "ContactCard", "uid", "c1")["emails"]); got != "map[e:map[address:user@example.org]]" {
				t.Errorf("the user's address became %s", got)
			}
			if by(s, "ContactCard", "uid", "c2")["notes"] == nil {
				t.Error("the user's note is gone")
			}
			if got := by(s, "CalendarEvent", "uid", "e0")["title"]; got != "Moved" {
				t.Errorf("the event is %q", got)
			}
			data, _ := s.Blob("alice", by(s, "FileNode", "name", "a.txt")["blobId"].(string))
			same(t, "file", string(data), "new file")
			same(t, "sent", s.Sent("alice"), []jmaptest.Sent{})
			s.ResetCounts()
			s.imports(ar, Options{})
			for _, m := range setMethods {
				if n := s.Requests()[m]; n != 0 {
					t.Errorf("a further import sends %d %s", n, m)
				}
			}
			if len(res.Conflicts) != 1 || res.Conflicts[0].What != "emails" || res.Conflicts[0].Item != "Ann 1" {
				t.Errorf("conflicts: %+v", res.Conflicts)
			}
			s.imports(ar, Options{Conflict: ConflictSource})
			if got := fmt.Sprint(by(s, "ContactCard", "uid", "c1")["emails"]); !strings.Contains(got, "source@example.org") {
				t.Errorf("the source's address was chosen, and it is %s", got)
			}
			if t.Failed() {
				t.Log(res.Types, res.Warnings)
			}
		})
	}
}

// TestTypesThatTheServerLacks stay in the archive: the rest goes on, and what should
// have come counts as failed.
func TestTypesThatTheServerLacks(t *testing.T) {
	source, s := newTyped(t, jmaptest.Strict), newTarget(t, jmaptest.Stalwart07)
	source.fillTyped(jmaptest.Strict)
	ar := source.exported(newArchive(t))
	res := s.imports(ar, Options{})
	emailCounts(t, res, Counts{Total: 1, Created: 1})
	for typ, n := range map[string]int64{"ContactCard": 4, "CalendarEvent": 3, "FileNode": 5, "AddressBook": 0, "Calendar": 0, "ParticipantIdentity": 0} {
		if c := res.Types[typ]; c.Failed != n || c.Created != 0 {
			t.Errorf("%s: %+v", typ, c)
		}
	}
	for _, typ := range []string{"Blob", "Quota", "Principal", "EmailSubmission"} {
		if c, ok := res.Types[typ]; ok {
			t.Errorf("%s: %+v", typ, c)
		}
	}
	res = s.imports(ar, Options{DryRun: true})
	if c := res.Types["ContactCard"]; c.Failed != 4 {
		t.Errorf("the plan says of contacts: %+v", c)
	}
}

func exportFrom(t *testing.T, ar *archive.Archive, a *jmapclient.Account) {
	t.Helper()
	_, err := exporter.Export(context.Background(), exporter.JMAP(a), ar, exporter.Options{})
	must(t, err)
}

// strictly imports, verifies, and imports again, which must make nothing.
func strictly(t *testing.T, name string, ar *archive.Archive, a *jmapclient.Account) *Result {
	t.Helper()
	res, err := Import(context.Background(), ar, a, Options{})
	must(t, err)
	lacks := func(typ string) bool {
		return slices.Contains([]string{"FileNode", "Identity", "VacationResponse"}, typ)
	}
	for _, f := range res.Failures {
		if !lacks(f.Type) {
			t.Errorf("%s: failure: %+v", name, f)
		}
	}
	rep, err := Verify(context.Background(), ar, a, VerifyOptions{})
	must(t, err)
	for _, d := range rep.Differences {
		if !lacks(d.Type) {
			t.Errorf("%s: difference: %+v", name, d)
		}
	}
	again, err := Import(context.Background(), ar, a, Options{})
	must(t, err)
	for typ, c := range again.Types {
		if c.Created+c.Updated > 0 {
			t.Errorf("%s: a second import: %s %+v", name, typ, c)
		}
	}
	return res
}

// TestThingsOfAnImportThatLostEveryAnswer are found again, and made once.
func TestThingsOfAnImportThatLostEveryAnswer(t *testing.T) {
	for i, p := range typedProfiles {
		if raced && i > 0 {
			break
		}
		t.Run(cmp.Or(p.Name, "strict"), func(t *testing.T) {
			source, s := newTyped(t, p), newTyped(t, p)
			source.fillTyped(p)
			ar := source.exported(newArchive(t))
			for _, m := range setMethods[:8] {
				s.Inject(jmaptest.Fault{Match: at(m), Do: jmaptest.DropAfter})
			}
			_, _ = Import(context.Background(), ar, s.account(), Options{}) // it may give up
			s.ClearFaults()
			res := s.imports(ar, Options{})
			for _, f := range res.Failures {
				if f.Type != "Identity" {
					t.Errorf("failure: %+v", f)
				}
			}
			same(t, "things", s.has(p), source.has(p))
			same(t, "sent", s.Sent("alice"), []jmaptest.Sent{})
		})
	}
}

// TestThingsThatWereThere stay as they are, and are not made a second time.
func TestThingsThatWereThere(t *testing.T) {
	source, s := newTyped(t, jmaptest.Strict), newTyped(t, jmaptest.Strict)
	source.fillTyped(jmaptest.Strict)
	s.fillTyped(jmaptest.Strict)
	for _, o := range s.Objects("alice", "ContactCard") {
		if o["uid"] == "c0" {
			s.ModifyObject("alice", "ContactCard", o["id"].(string), map[string]any{"name": map[string]any{"full": "Mine"}})
		}
	}
	ar := source.exported(newArchive(t))
	before := s.has(jmaptest.Strict)
	s.ResetCounts()
	res := s.imports(ar, Options{})
	same(t, "failures", res.Failures, []Failure{})
	same(t, "things", s.has(jmaptest.Strict), before)
	for _, m := range setMethods[:8] {
		if n := s.Requests()[m]; n != 0 {
			t.Errorf("it sent %d %s", n, m)
		}
	}
	same(t, "warnings", res.Warnings, []string{`contacts "Ann 0": was there already and differs: left as it is`})
}

// TestThingsBlobsThatTheArchiveLacks cost themselves and not the object.
func TestThingsBlobsThatTheArchiveLacks(t *testing.T) {
	s, ar := newTyped(t, jmaptest.Strict), newArchive(t)
	run, err := ar.Begin()
	must(t, err)
	card, err := account.ParseObject([]byte(`{"@type":"Card","version":"1.0","id":"1","uid":"u","name":{"full":"Ann"},"addressBookIds":{"b":true},
		"media":{"p":{"kind":"photo","blobId":"none"},"q":{"kind":"logo","uri":"https://example.org/l.png"}}}`))
	must(t, err)
	_, err = run.PutObject(account.ContactCard, card, "")
	must(t, err)
	must(t, run.Finish(archive.SnapshotRecord{Types: map[string]archive.TypeRecord{}}))
	must(t, run.Close())
	res := s.imports(ar, Options{})
	same(t, "failures", res.Failures, []Failure{})
	got := s.Objects("alice", "ContactCard")
	if len(got) != 1 || len(got[0]["media"].(map[string]any)) != 1 {
		t.Errorf("there is %v", got)
	}
	if len(res.Warnings) != 1 {
		t.Errorf("%q", res.Warnings)
	}
}
