package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailhaul/archive"
	"mailhaul/exporter"
	"mailhaul/importer"
	"mailhaul/internal/mailgen"
	"mailhaul/jmapclient"
)

// dial signs in over JMAP.
func (c cyrus) dial(login string) *jmapclient.Account {
	c.t.Helper()
	client, err := jmapclient.Dial(context.Background(), jmapclient.Options{URL: c.URL(), GiveUpAfter: 500 * time.Millisecond, // it dies of VacationResponse/get
		Auth: jmapclient.Auth{Username: login, Password: password}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(client.Close)
	a, err := client.Account(context.Background(), login)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// cyrusUser is alice at work on a real Cyrus, over IMAP and CardDAV and CalDAV.
type cyrusUser struct {
	cyrus
	r    *rand.Rand
	n    int
	mail []mailgen.Message
	conn *imapclient.Client
	uids map[string][]string // of her contacts and events, by type
}

func (u *cyrusUser) works(times int) {
	u.t.Helper()
	deeds := []func() error{u.getsMail, u.flags, u.moves, u.deletes, u.makesFolder, u.renamesFolder, u.removesFolder,
		u.writesContact, u.writesEvent, u.changesThing, u.removesThing}
	must := func(err error) {
		u.t.Helper()
		if err != nil {
			u.t.Fatal(err)
		}
	}
	for range 3 {
		must(u.getsMail())
	}
	must(u.writesContact())
	must(u.writesEvent())
	for range times {
		must(deeds[u.r.IntN(len(deeds))]())
	}
	must(u.leaves())
}

func (u *cyrusUser) folders() (own, all []string) {
	for _, b := range u.Mailboxes(alice) {
		if all = append(all, b.Path); b.Role == "" {
			own = append(own, b.Path)
		}
	}
	return own, all
}

func (u *cyrusUser) some(list []string) string { return list[u.r.IntN(len(list))] }

func (u *cyrusUser) getsMail() error {
	m := u.mail[u.n]
	u.n++
	_, all := u.folders()
	m.Mailboxes = []string{u.some(all)}
	u.Put(alice, m)
	return nil
}

// selected opens a folder, and answers how many messages there are.
func (u *cyrusUser) selected() (n uint32, err error) {
	_, all := u.folders()
	for range 4 { // most are empty
		status, err := u.conn.Select(u.some(all), nil).Wait()
		if err != nil || status.NumMessages > 0 {
			return status.NumMessages, err
		}
	}
	return 0, nil
}

// leaves closes the folder that is open.
func (u *cyrusUser) leaves() error {
	if u.conn.State() != imap.ConnStateSelected {
		return nil
	}
	return u.conn.Unselect().Wait()
}

func (u *cyrusUser) store(n uint32, op imap.StoreFlagsOp, flag imap.Flag) error {
	return u.conn.Store(imap.SeqSetNum(n), &imap.StoreFlags{Op: op, Silent: true, Flags: []imap.Flag{flag}}, nil).Close()
}

func (u *cyrusUser) flags() error {
	n, err := u.selected()
	if err != nil || n == 0 {
		return err
	}
	flag := []imap.Flag{imap.FlagSeen, imap.FlagFlagged, "project"}[u.r.IntN(3)]
	return errors.Join(u.store(1, imap.StoreFlagsAdd, flag), u.store(n, imap.StoreFlagsDel, flag))
}

func (u *cyrusUser) moves() error {
	n, err := u.selected()
	if err != nil || n == 0 {
		return err
	}
	_, all := u.folders()
	_, err = u.conn.Move(imap.SeqSetNum(n), u.some(all)).Wait()
	return err
}

func (u *cyrusUser) deletes() error {
	n, err := u.selected()
	if err != nil || n == 0 {
		return err
	}
	return errors.Join(u.store(n, imap.StoreFlagsAdd, imap.FlagDeleted), u.conn.Expunge().Close())
}

func (u *cyrusUser) makesFolder() error {
	u.n++
	path := fmt.Sprintf("Folder %d", u.n)
	if own, _ := u.folders(); len(own) > 0 && u.r.IntN(2) == 0 {
		path = u.some(own) + "/" + path
	}
	return u.conn.Create(path, nil).Wait()
}

// leaf is a folder of her own with none below it, "" if there is none.
func (u *cyrusUser) leaf() string {
	own, _ := u.folders()
	leaves := slices.DeleteFunc(slices.Clone(own), func(path string) bool {
		return slices.ContainsFunc(own, func(p string) bool { return strings.HasPrefix(p, path+"/") })
	})
	if len(leaves) == 0 {
		return ""
	}
	return u.some(leaves)
}

func (u *cyrusUser) renamesFolder() error {
	path := u.leaf()
	if path == "" {
		return nil
	}
	u.n++
	return errors.Join(u.leaves(), u.conn.Rename(path, fmt.Sprintf("Renamed %d", u.n), nil).Wait())
}

func (u *cyrusUser) removesFolder() error {
	path := u.leaf()
	if path == "" {
		return nil
	}
	return errors.Join(u.leaves(), u.conn.Delete(path).Wait())
}

func (u *cyrusUser) writesContact() error {
	u.n++
	uid := fmt.Sprintf("contact-%d", u.n)
	u.uids["Contact"] = append(u.uids["Contact"], uid)
	u.dav(alice).Put(u.t, "addressbooks", uid+".vcf", fmt.Sprintf("BEGIN:VCARD\nVERSION:3.0\nUID:%s\nN:Ümläut;Ann;;;\nFN:Ann Ümläut\nEMAIL;TYPE=WORK:%[1]s@example.org\n"+
		"PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=\nNOTE:number %d\nEND:VCARD\n", uid, u.n))
	return nil
}

func (u *cyrusUser) writesEvent() error {
	u.n++
	uid := fmt.Sprintf("event-%d", u.n)
	u.uids["CalendarEvent"] = append(u.uids["CalendarEvent"], uid)
	u.dav(alice).Put(u.t, "calendars", uid+".ics", fmt.Sprintf("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\nBEGIN:VEVENT\nUID:%s\nDTSTAMP:20240101T000000Z\n"+
		"DTSTART:20310107T090000Z\nDURATION:PT1H\nSUMMARY:Meeting %d\nRRULE:FREQ=WEEKLY\nEND:VEVENT\nEND:VCALENDAR\n", uid, u.n))
	return nil
}

// thing is some contact or event.
func (u *cyrusUser) thing() (typ string, i int) {
	typ = []string{"Contact", "CalendarEvent"}[u.r.IntN(2)]
	if len(u.uids[typ]) == 0 {
		return "", 0
	}
	return typ, u.r.IntN(len(u.uids[typ]))
}

func (u *cyrusUser) changesThing() error {
	u.n++
	typ, i := u.thing()
	patch := map[string]map[string]any{"Contact": {"nickname": fmt.Sprint("nick ", u.n)}, "CalendarEvent": {"title": fmt.Sprint("Another ", u.n)}}[typ]
	if typ != "" {
		u.set(typ, map[string]any{"update": map[string]any{u.uids[typ][i]: patch}})
	}
	return nil
}

func (u *cyrusUser) removesThing() error {
	if typ, i := u.thing(); typ != "" {
		u.set(typ, map[string]any{"destroy": []string{u.uids[typ][i]}})
		u.uids[typ] = slices.Delete(u.uids[typ], i, i+1)
	}
	return nil
}

func (u *cyrusUser) set(typ string, args map[string]any) {
	u.t.Helper()
	answer := u.dav(alice).Call(u.t, typ+"/set", args)
	if answer.Has("notUpdated") || answer.Has("notDestroyed") {
		u.t.Fatalf("%s/set: %s", typ, answer.Encode())
	}
}

// The same on a real Cyrus, judged over IMAP and JMAP.
func TestEachStateOfARealCyrusIsRestored(t *testing.T) {
	t.Parallel()
	c := startCyrus(t).(cyrus)
	c.AddUser(alice)
	u := &cyrusUser{cyrus: c, r: chance(t), mail: slices.Collect(mailgen.Sized(902, 300, 1500)), conn: c.imap(alice), uids: map[string][]string{}}
	src := exporter.JMAP(c.dial(alice))
	ar, err := archive.Create(filepath.Join(t.TempDir(), "alice"), src.Origin())
	if err != nil {
		t.Fatal(err)
	}
	defer ar.Close()
	var states []state
	for range exports {
		u.works(6)
		if _, err := exporter.Export(t.Context(), src, ar, exporter.Options{}); err != nil {
			t.Fatal(err)
		}
		states = append(states, stateOf(c, alice))
	}
	for n := 1; n <= exports; n++ {
		if raced && n != 1 && n != exports {
			continue
		}
		fresh := fmt.Sprintf("fresh%d@example.org", n)
		c.AddUser(fresh)
		to := c.dial(fresh)
		res, err := importer.Import(t.Context(), ar, to, importer.Options{At: n})
		if err != nil || res.Snapshot != n {
			t.Fatal(res, err)
		}
		expectState(t, fmt.Sprint("snapshot ", n), states[n-1], stateOf(c, fresh))
		differences(t, ar, to, n, c.Broken(), 0)
		if n == 1 {
			differences(t, ar, to, exports, c.Broken(), 1)
		}
	}
}
