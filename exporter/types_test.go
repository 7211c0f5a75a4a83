package exporter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient/jmaptest"
)

// typed is a server of a profile with objects of the types that it has besides mail.
type typed struct {
	*world
	p jmaptest.Profile
	n int
}

// manyTypes are profiles with such types, and pages of a few objects.
func manyTypes() []jmaptest.Profile {
	var list []jmaptest.Profile
	for _, p := range []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart015, jmaptest.Stalwart016, jmaptest.Cyrus36} {
		if raced && (p.Name == jmaptest.Stalwart015.Name || p.Name == jmaptest.Stalwart016.Name) {
			continue // importer.TestAllTypesMove exports from them, without it
		}
		p.VacationCloses = false // another test's
		list = append(list, narrow(p, 16))
	}
	return list
}

func newTyped(t *testing.T, p jmaptest.Profile) *typed {
	w := &typed{world: newWorld(t, p), p: p}
	for i := range 3 {
		w.deliver(i)
	}
	w.AddUser(jmaptest.User{Login: "bob", Password: "secret", Emails: []string{"bob@example.org"}})
	w.ShareMailbox("alice", "Inbox", map[string][]string{"bob": {"mayReadItems"}})
	for range 20 {
		w.contact()
		w.event()
	}
	if w.isCyrus() {
		w.AddObject("alice", "ContactGroup", map[string]any{"uid": "g1", "name": "Friends", "contactIds": []string{"contact-1"}})
		return w
	}
	folder := w.AddObject("alice", "FileNode", map[string]any{"name": "Papers"})
	w.AddObject("alice", "FileNode", map[string]any{"name": "empty"})
	for i := range 20 {
		w.AddObject("alice", "FileNode", map[string]any{"name": fmt.Sprintf("%d.txt", i), "parentId": folder,
			"blobId": w.AddBlob("alice", fmt.Appendf(nil, "paper %d", i)), "type": "text/plain"})
	}
	late := w.AddObject("alice", "FileNode", map[string]any{"name": "Late", "parentId": folder}) // behind what is given out at once
	w.AddObject("alice", "FileNode", map[string]any{"name": "last.txt", "parentId": late, "blobId": w.AddBlob("alice", []byte("the last"))})
	return w
}

func (w *typed) isCyrus() bool { return w.p.Name == jmaptest.Cyrus36.Name }

// contactType is the type that contacts are of.
func (w *typed) contactType() account.Type {
	if w.isCyrus() {
		return account.Contact
	}
	return account.ContactCard
}

// contact makes another contact, with a photo.
func (w *typed) contact() (id string) {
	w.n++
	photo := w.AddBlob("alice", fmt.Appendf(nil, "photo %d", w.n))
	uid := fmt.Sprintf("contact-%d", w.n)
	if w.isCyrus() {
		return w.AddObject("alice", "Contact", map[string]any{"uid": uid, "firstName": fmt.Sprint("Contact ", w.n), "lastName": "Ümläut",
			"avatar": map[string]any{"blobId": photo, "type": "image/png"}})
	}
	book := w.Objects("alice", "AddressBook")[0]["id"].(string)
	return w.AddObject("alice", "ContactCard", map[string]any{"@type": "Card", "version": "1.0", "uid": uid,
		"name": map[string]any{"full": fmt.Sprint("Contact ", w.n)}, "addressBookIds": map[string]any{book: true},
		"example.com:own": "kept", "media": map[string]any{"p": map[string]any{"kind": "photo", "blobId": photo}}})
}

// event makes another event, with an attachment.
func (w *typed) event() (id string) {
	w.n++
	o := map[string]any{"uid": fmt.Sprintf("event-%d", w.n), "title": fmt.Sprint("Event ", w.n), "start": "2026-03-01T10:00:00",
		"timeZone": "Europe/Berlin", "duration": "PT1H",
		"links": map[string]any{"a": map[string]any{"blobId": w.AddBlob("alice", fmt.Appendf(nil, "plan %d", w.n))}}}
	calendar := w.Objects("alice", "Calendar")[0]["id"].(string)
	if w.isCyrus() {
		o["calendarId"] = calendar
	} else {
		o["@type"], o["calendarIds"] = "Event", map[string]any{calendar: true}
	}
	return w.AddObject("alice", "CalendarEvent", o)
}

// hasTypes demands that the newest snapshot has every object of each type as the
// server has it, and each blob that they name.
func (w *typed) hasTypes(t fataler, ar *archive.Archive) {
	t.Helper()
	blobs := map[string]string{}
	for _, typ := range account.Types {
		hidden, served := w.row(typ)
		if !served || mailTypes[typ.Name] {
			continue
		}
		want, got := map[string]string{}, map[string]string{}
		for _, m := range w.Objects("alice", typ.Name) {
			o := account.Object{}
			for k, v := range m {
				o.Put(k, v)
			}
			props := typ.Properties
			if w.isCyrus() {
				props = typ.PropertiesUnder(typ.Capabilities[len(typ.Capabilities)-1])
			}
			if props != nil {
				o = o.Only(props...)
			} else {
				o = o.Without(hidden...)
			}
			want[o.ID()] = string(o.Encode())
			if named := blobsOf[typ.Name]; named != nil {
				for _, id := range named(o) {
					if data, ok := w.Blob("alice", id); ok {
						blobs[id] = string(data)
					}
				}
			}
		}
		for rec, err := range ar.Objects(0, typ) {
			if err != nil {
				t.Fatalf("read the archive: %v", err)
			}
			got[rec.Object.ID()] = string(rec.Object.Encode())
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%s in the snapshot is not what the account has (-account +snapshot):\n%s", typ.Name, d)
		}
	}
	got := map[string]string{}
	for rec, err := range ar.Objects(0, account.Blob) {
		if err != nil {
			t.Fatalf("read the archive: %v", err)
		}
		got[rec.Object.ID()] = blobText(t, ar, rec.Blob)
		if n := rec.Object.Int("size"); n != int64(len(got[rec.Object.ID()])) {
			t.Fatalf("the blob %s of %d bytes is said to have %d", rec.Object.ID(), len(got[rec.Object.ID()]), n)
		}
	}
	if d := cmp.Diff(blobs, got); d != "" || len(blobs) == 0 {
		t.Fatalf("the snapshot's %d blobs are not the account's %d (-account +snapshot):\n%s", len(got), len(blobs), d)
	}
}

// row is what the server answers of a type: nothing of one that it does not have,
// and which properties only when they are asked for.
func (w *typed) row(typ account.Type) (hidden []string, served bool) {
	if w.p.Types == nil { // the strict server's
		return nil, typ.Name != account.Contact.Name && typ.Name != account.ContactGroup.Name && !mailTypes[typ.Name]
	}
	i := slices.IndexFunc(w.p.Types, func(t jmaptest.Type) bool { return t.Name == typ.Name })
	if i < 0 {
		return nil, false
	}
	return w.p.Types[i].Hidden, true
}

// mailTypes are those that other tests look at, or that are for information only.
var mailTypes = map[string]bool{"Mailbox": true, "Email": true, "Identity": true, "SieveScript": true, "VacationResponse": true,
	"Blob": true, "Quota": true, "Principal": true, "EmailSubmission": true}

func requests(w *world) int {
	n := w.Requests()
	return n["session"] + n["api"] + n["download"]
}

// Every object of every type, and every blob that one names, is in the archive;
// again after changes; and when nothing changed it costs no more than for mail alone.
func TestJMAPEveryType(t *testing.T) {
	for _, p := range manyTypes() {
		t.Run(p.Name, func(t *testing.T) {
			w := newTyped(t, p)
			ar := newArchive(t, w.alice(t))
			res := mustExport(t, w.alice(t), ar)
			for name, r := range res.Snapshot.Types {
				if r.Error != "" || len(r.Failed) > 0 {
					t.Fatalf("%s failed: %+v", name, r)
				}
			}
			w.has(t, ar)
			w.hasTypes(t, ar)
			w.ResetCounts()
			if res := mustExport(t, w.alice(t), ar); !res.Unchanged {
				t.Errorf("the second time: %+v", res.Snapshot.Types)
			}
			n := w.Requests()
			t.Logf("unchanged: %d requests, %v", requests(w.world), n)
			if requests(w.world) > 6 || n["Blob/get"]+n["download"] > 0 || n[w.contactType().Name+"/query"] > 0 {
				t.Errorf("an unchanged account took %d requests: %v", requests(w.world), n)
			}
			w.change()
			res = mustExport(t, w.alice(t), ar)
			w.hasTypes(t, ar)
			if r := res.Snapshot.Types[w.contactType().Name]; r.Changed != 2 || r.Gone != 1 {
				t.Errorf("contacts: %d changed, %d gone", r.Changed, r.Gone)
			}
			if r := res.Snapshot.Types[account.CalendarEvent.Name]; r.Changed != 2 || r.Gone != 1 {
				t.Errorf("events: %d changed, %d gone", r.Changed, r.Gone)
			}
			if r := res.Snapshot.Types[account.Blob.Name]; r.Gone < 2 {
				t.Errorf("blobs: %d gone", r.Gone)
			}
			w.change()
			w.ForgetHistory("alice")
			mustExport(t, w.alice(t), ar)
			w.hasTypes(t, ar)
		})
	}
}

// change makes one contact and one event, changes one, and takes one away.
func (w *typed) change() {
	w.contact()
	w.event()
	for _, typ := range []string{w.contactType().Name, "CalendarEvent"} {
		all := w.Objects("alice", typ)
		w.DestroyObject("alice", typ, all[2]["id"].(string))
		prop := map[string]string{"Contact": "nickname", "ContactCard": "prodId", "CalendarEvent": "title"}[typ]
		w.ModifyObject("alice", typ, all[4]["id"].(string), map[string]any{prop: fmt.Sprint("changed ", w.n)})
	}
}

// Whenever an export is stopped, the next one goes on, and no blob comes twice.
func TestJMAPEveryTypeAfterCancellations(t *testing.T) {
	cyrus := len(manyTypes()) - 1
	for _, p := range []jmaptest.Profile{manyTypes()[0], manyTypes()[cyrus]} {
		t.Run(p.Name, func(t *testing.T) {
			w := newTyped(t, p)
			src := w.alice(t)
			ar := newArchive(t, src)
			runs := 0
			for ; ; runs++ {
				ctx, cancel := context.WithCancel(t.Context())
				var requests atomic.Int64
				last := int64(2 + 2*runs)
				w.hook(func(string) {
					if requests.Add(1) == last {
						cancel()
					}
				})
				_, err := Export(ctx, src, ar, Options{})
				cancel()
				if err == nil {
					break
				}
				if !errors.Is(err, context.Canceled) || runs > 100 {
					t.Fatal(runs, err)
				}
				if runs%3 == 1 {
					w.change()
				}
			}
			if runs < 3 {
				t.Errorf("only %d runs", runs)
			}
			w.hook(nil)
			mustExport(t, src, ar)
			w.hasTypes(t, ar)
			for blob, n := range w.BlobFetches() {
				if n > 1 {
					t.Errorf("%s was fetched %d times", blob, n)
				}
			}
		})
	}
}

// With whom a mailbox is shared is kept, and who that is.
func TestJMAPShares(t *testing.T) {
	for _, p := range []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart06, jmaptest.Stalwart013, jmaptest.Stalwart015, jmaptest.Stalwart016, jmaptest.Cyrus36} {
		t.Run(p.Name, func(t *testing.T) {
			p.VacationCloses = false
			w := newWorld(t, p)
			w.AddUser(jmaptest.User{Login: "bob", Password: "secret", Emails: []string{"bob@example.org"}})
			rights := "mayReadItems"
			if p.MailboxACL {
				rights = "readItems"
			}
			w.ShareMailbox("alice", "Inbox", map[string][]string{"bob": {rights}})
			ar := newArchive(t, w.alice(t))
			mustExport(t, w.alice(t), ar)
			var shares []string
			for rec, err := range ar.Objects(0, account.Mailbox) {
				if err != nil {
					t.Fatal(err)
				}
				for _, prop := range []string{"shareWith", "acl"} {
					if s := string(rec.Object[prop]); len(s) > len("null") {
						shares = append(shares, rec.Object.Text("name")+": "+s)
					}
				}
			}
			if len(shares) != 1 || !strings.EqualFold(strings.Split(shares[0], ":")[0], "Inbox") {
				t.Fatalf("shared: %q", shares)
			}
			var who []string
			for rec, err := range ar.Objects(0, account.Principal) {
				if err != nil {
					t.Fatal(err)
				}
				who = append(who, rec.Object.Text("email"))
				if !strings.Contains(shares[0], `"`+rec.Object.ID()+`"`) {
					t.Errorf("%s is kept, but named nowhere in %s", rec.Object.Encode(), shares)
				}
			}
			byID := !p.MailboxACL && p.Name != jmaptest.Cyrus36.Name
			if byID && !slices.Equal(who, []string{"bob@example.org"}) || !byID && !strings.Contains(shares[0], "bob") {
				t.Errorf("kept of %s: %q", shares, who)
			}
		})
	}
}

// A blob that does not come is a failure which names whose it is, and the next
// export tries again. A type that fails costs no other.
func TestJMAPFailuresOfTypes(t *testing.T) {
	w := newTyped(t, narrow(jmaptest.Strict, 16))
	w.giveUp = 100 * time.Millisecond
	photo := w.Objects("alice", "ContactCard")[3]["media"].(map[string]any)["p"].(map[string]any)["blobId"].(string)
	w.Inject(jmaptest.Fault{Match: func(r jmaptest.Request) bool { return slices.Contains(r.Methods, "Blob/get") }, Do: jmaptest.Status500})
	w.Inject(jmaptest.Fault{Match: func(r jmaptest.Request) bool { return r.Kind == "download" && r.BlobID == photo }, Do: jmaptest.Status500})
	w.Inject(jmaptest.Fault{Match: func(r jmaptest.Request) bool {
		return slices.ContainsFunc(r.Methods, func(m string) bool { return strings.HasPrefix(m, "CalendarEvent/") })
	}, Do: jmaptest.Status500})
	ar := newArchive(t, w.alice(t))
	res := mustExport(t, w.alice(t), ar)
	failed := res.Snapshot.Types[account.Blob.Name].Failed
	if len(failed) != 1 || failed[0].ID != photo || !strings.Contains(failed[0].Item, "ContactCard") {
		t.Errorf("failed: %+v", failed)
	}
	for name, r := range res.Snapshot.Types {
		if (r.Error != "") != (name == account.CalendarEvent.Name) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	w.ClearFaults()
	if res := mustExport(t, w.alice(t), ar); res.Failed != 0 {
		t.Errorf("afterwards: %+v", res.Snapshot.Types)
	}
	w.hasTypes(t, ar)
}

// What a server has that nobody here knows is told.
func TestJMAPUnknownCapabilities(t *testing.T) {
	p := jmaptest.Stalwart016
	p.Capabilities = append(slices.Clone(p.Capabilities), jmaptest.Capability{URN: "https://example.com/notes", Session: map[string]any{}, Account: map[string]any{}})
	w := newWorld(t, p)
	var told []string
	ar := newArchive(t, w.alice(t))
	if _, err := Export(t.Context(), w.alice(t), ar, Options{Events: func(e progress.Event) {
		if e.Kind == progress.Note && strings.Contains(e.Text, "not taken") {
			told = append(told, e.Item)
		}
	}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"https://example.com/notes"}, told); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

// What a stopped export put, and what then went before the next, is not in the
// snapshot: the server need not tell that it ever was (RFC 8620 §5.2).
func TestJMAPGoneBeforeTheExportGoesOn(t *testing.T) {
	w := newTyped(t, narrow(jmaptest.Strict, 16))
	ar := newArchive(t, w.alice(t))
	mustExport(t, w.alice(t), ar)
	ids := []string{w.contact(), w.contact()}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.hook(func(body string) {
		if strings.Contains(body, `"Blob/get"`) {
			cancel()
		}
	})
	if _, err := Export(ctx, w.alice(t), ar, Options{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w.hook(nil)
	if _, counts, ok, err := ar.Unfinished(); err != nil || !ok || counts[account.ContactCard.Name] != 22 {
		t.Fatalf("the stopped export has left %v, %v, %v", counts, ok, err)
	}
	for _, id := range ids {
		w.DestroyObject("alice", "ContactCard", id)
	}
	mustExport(t, w.alice(t), ar)
	w.hasTypes(t, ar)
}

// A server that announces a capability and does not have its methods does not have
// the type; that costs no request more, and fails nothing.
func TestJMAPAnnouncedButNotThere(t *testing.T) {
	p := jmaptest.Strict
	p.Types = []jmaptest.Type{}
	w := newWorld(t, p)
	w.deliver(1)
	ar := newArchive(t, w.alice(t))
	mustExport(t, w.alice(t), ar)
	w.ResetCounts()
	res := mustExport(t, w.alice(t), ar)
	if res.Failed != 0 || !res.Unchanged {
		t.Errorf("the second time: %+v", res)
	}
	for _, typ := range []account.Type{account.AddressBook, account.ContactCard, account.CalendarEvent, account.EmailSubmission} {
		if r := res.Snapshot.Types[typ.Name]; !r.Absent || r.Error != "" {
			t.Errorf("%s: %+v", typ.Name, r)
		}
	}
	if n := w.Requests(); requests(w) > 5 {
		t.Errorf("it took %d requests: %v", requests(w), n)
	}
}
