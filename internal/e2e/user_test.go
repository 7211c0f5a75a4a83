package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/internal/mailgen"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// user is alice at work: what she does, at random, to an account on a server in
// memory.
type user struct {
	memory
	r     *rand.Rand
	own   bool // the server has Cyrus's own contacts and calendars
	n     int  // of what she made
	mail  []mailgen.Message
	large string // the id of the large message
	jmap  *jmapclient.Account
}

func newUser(r *rand.Rand, m memory, jmap *jmapclient.Account) *user {
	return &user{memory: m, r: r, own: m.serves("Contact"), mail: slices.Collect(mailgen.Sized(901, 400, 1500)), jmap: jmap}
}

// works lets her do so many things, one of each kind first.
func (u *user) works(times int) {
	u.t.Helper()
	deeds := []func(){u.getsMail, u.getsMail, u.getsMail, u.flags, u.deletes, u.makesFolder, u.movesFolder, u.removesFolder, u.subscribes,
		u.writesContact, u.writesEvent, u.writesContact, u.writesEvent, u.changesThing, u.changesThing, u.removesThing, u.makesCalendar, u.writesFile,
		func() { u.ForgetHistory(alice) }}
	u.getsMail()
	u.writesContact()
	u.writesEvent()
	for range times {
		deeds[u.r.IntN(len(deeds))]()
	}
}

// folders are those that are no server's own.
func (u *user) folders() (paths []string) {
	for _, b := range u.Server.Mailboxes(alice) {
		if b.Role == "" {
			paths = append(paths, b.Path)
		}
	}
	return paths
}

func (u *user) some(list []string) string { return list[u.r.IntN(len(list))] }

// where is one or two folders.
func (u *user) where() []string {
	all := append(u.folders(), u.inbox(alice), "Archive")
	boxes := []string{u.some(all)}
	if u.r.IntN(4) == 0 {
		boxes = append(boxes, u.some(all))
	}
	slices.Sort(boxes)
	return slices.Compact(boxes)
}

func (u *user) keywords() (list []string) {
	for _, k := range []string{"$seen", "$flagged", "$answered", "project"} {
		if u.r.IntN(2) == 0 {
			list = append(list, k)
		}
	}
	return list
}

func (u *user) getsMail() {
	m := u.mail[u.n]
	u.n++
	u.Deliver(alice, jmaptest.Message{Mailboxes: u.where(), Keywords: u.keywords(), ReceivedAt: m.ReceivedAt, Raw: m.Raw})
}

// largeSize is that of the text in one message that each state has, in octets,
// and no other state.
const largeSize = 20_000

// getsLarge is a message that does not compress, in place of the one before.
func (u *user) getsLarge() {
	if u.large != "" && slices.Contains(u.EmailIDs(alice), u.large) {
		u.Destroy(alice, u.large)
	}
	noise := make([]byte, largeSize*3/4)
	for i := range noise {
		noise[i] = byte(u.r.IntN(256))
	}
	u.n++
	raw := fmt.Sprintf("Message-ID: <large-%d@example.org>\r\nSubject: large\r\n\r\n%s\r\n", u.n, base64.StdEncoding.EncodeToString(noise))
	u.large = u.Deliver(alice, jmaptest.Message{Mailboxes: []string{u.inbox(alice)}, ReceivedAt: u.mail[u.n].ReceivedAt, Raw: []byte(raw)})
}

func (u *user) flags() {
	if ids := u.EmailIDs(alice); len(ids) > 0 {
		u.Modify(alice, u.some(ids), u.where(), u.keywords())
	}
}

func (u *user) deletes() {
	if ids := u.EmailIDs(alice); len(ids) > 0 {
		u.Destroy(alice, u.some(ids))
	}
}

func (u *user) makesFolder() {
	u.n++
	path := fmt.Sprintf("Folder %d", u.n)
	if all := u.folders(); len(all) > 0 && u.r.IntN(2) == 0 {
		path = u.some(all) + "/" + path
	}
	u.AddMailbox(alice, path, "")
}

func (u *user) movesFolder() {
	all := u.folders()
	if len(all) == 0 {
		return
	}
	u.n++
	path := u.some(all)
	patch := map[string]any{"name": fmt.Sprintf("Renamed %d", u.n)}
	if to := u.some(all); u.r.IntN(2) == 0 && !strings.HasPrefix(to+"/", path+"/") {
		patch["parentId"] = u.mailboxID(alice, to)
	}
	id := u.mailboxID(alice, path)
	res, err := u.jmap.Set(context.Background(), account.Mailbox, jmapclient.SetArgs{Update: map[string]map[string]any{id: patch}})
	if err != nil || !res.Updated[id] {
		u.t.Fatal(path, patch, res, err)
	}
}

func (u *user) removesFolder() {
	all := u.folders()
	leaves := slices.DeleteFunc(slices.Clone(all), func(path string) bool {
		return slices.ContainsFunc(all, func(p string) bool { return strings.HasPrefix(p, path+"/") })
	})
	if len(leaves) > 0 {
		u.DestroyMailbox(alice, u.some(leaves))
	}
}

func (u *user) subscribes() {
	if all := u.folders(); len(all) > 0 {
		u.Server.Subscribe(alice, u.some(all), u.r.IntN(2) == 0)
	}
}

func (u *user) photo() string {
	u.n++
	return u.AddBlob(alice, fmt.Appendf(nil, "\x89PNG %d", u.n))
}

func (u *user) container(typ string) string {
	all := u.Objects(alice, typ)
	return text(all[u.r.IntN(len(all))]["id"])
}

func (u *user) writesContact() {
	u.n++
	uid, name := fmt.Sprintf("contact-%d", u.n), fmt.Sprintf("Ann Ümläut %d", u.n)
	if u.own {
		u.AddObject(alice, "Contact", map[string]any{"uid": uid, "firstName": name, "lastName": "Ümläut", "notes": "a note", "addressbookId": "Default",
			"emails": []any{map[string]any{"type": "work", "value": uid + "@example.org"}},
			"avatar": map[string]any{"blobId": u.photo(), "type": "image/png"}})
		return
	}
	u.AddObject(alice, "ContactCard", map[string]any{"@type": "Card", "version": "1.0", "uid": uid, "addressBookIds": map[string]any{u.container("AddressBook"): true},
		"name": map[string]any{"full": name}, "emails": map[string]any{"e": map[string]any{"address": uid + "@example.org"}},
		"media": map[string]any{"p": map[string]any{"kind": "photo", "mediaType": "image/png", "blobId": u.photo()}}})
}

func (u *user) writesEvent() {
	u.n++
	o := map[string]any{"@type": "Event", "uid": fmt.Sprintf("event-%d", u.n), "title": fmt.Sprintf("Meeting %d", u.n), "start": "2031-01-07T09:00:00",
		"timeZone": "Europe/Berlin", "duration": "PT1H"}
	calendar := u.container("Calendar")
	if u.own {
		o["@type"], o["calendarId"] = "jsevent", calendar
	} else {
		o["calendarIds"] = map[string]any{calendar: true}
		o["links"] = map[string]any{"l": map[string]any{"@type": "Link", "blobId": u.photo(), "contentType": "text/plain"}}
	}
	u.AddObject(alice, "CalendarEvent", o)
}

// thing is some contact or event.
func (u *user) thing() (typ, id string) {
	typ = []string{u.contacts(), "CalendarEvent"}[u.r.IntN(2)]
	if len(u.Objects(alice, typ)) == 0 {
		return "", ""
	}
	return typ, u.container(typ)
}

func (u *user) contacts() string {
	if u.own {
		return "Contact"
	}
	return "ContactCard"
}

func (u *user) changesThing() {
	u.n++
	typ, id := u.thing()
	patch := map[string]map[string]any{
		"Contact":       {"nickname": fmt.Sprint("nick ", u.n), "avatar": map[string]any{"blobId": u.photo(), "type": "image/png"}},
		"ContactCard":   {"prodId": fmt.Sprint("by ", u.n), "media/p/blobId": u.photo()},
		"CalendarEvent": {"title": fmt.Sprintf("Another title %d", u.n), "start": "2032-02-03T10:00:00"},
	}[typ]
	if typ != "" {
		u.ModifyObject(alice, typ, id, patch)
	}
}

func (u *user) removesThing() {
	if typ, id := u.thing(); typ != "" {
		u.DestroyObject(alice, typ, id)
	}
}

func (u *user) makesCalendar() {
	u.n++
	u.AddObject(alice, "Calendar", map[string]any{"name": fmt.Sprintf("Calendar %d", u.n), "color": "#ff0000"})
	if !u.own {
		u.AddObject(alice, "AddressBook", map[string]any{"name": fmt.Sprintf("Book %d", u.n)})
	}
}

// writesFile makes a file in some folder, or another content for one.
func (u *user) writesFile() {
	if u.own {
		return
	}
	u.n++
	blob := u.AddBlob(alice, fmt.Appendf(nil, "paper %d", u.n))
	var dirs, files []string
	for _, o := range u.Objects(alice, "FileNode") {
		if o["blobId"] == nil {
			dirs = append(dirs, text(o["id"]))
		} else {
			files = append(files, text(o["id"]))
		}
	}
	switch {
	case len(dirs) == 0 || u.r.IntN(4) == 0:
		u.AddObject(alice, "FileNode", map[string]any{"name": fmt.Sprint("Papers ", u.n)})
	case len(files) > 0 && u.r.IntN(3) == 0:
		u.ModifyObject(alice, "FileNode", u.some(files), map[string]any{"blobId": blob})
	default:
		u.AddObject(alice, "FileNode", map[string]any{"name": fmt.Sprintf("%d.txt", u.n), "parentId": u.some(dirs), "blobId": blob, "type": "text/plain"})
	}
}
