package exporter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// narrowing is a scope, and what it means in words of the test's own.
type narrowing struct {
	scope *archive.Scope
	boxes func(path string) bool // nil: any
	types []string               // nil: all
}

// has says whether a message is in the scope; paths are of its mailboxes.
func (n narrowing) has(o account.Object, paths []string) bool {
	if n.scope == nil {
		return true
	}
	at, size := o.Time("receivedAt"), o.Int("size")
	return n.reads("Email") && (n.boxes == nil || slices.ContainsFunc(paths, n.boxes)) &&
		(n.scope.Since == nil || !at.Before(*n.scope.Since)) && (n.scope.Before == nil || at.Before(*n.scope.Before)) &&
		(n.scope.MaxSize == 0 || size <= n.scope.MaxSize)
}

func (n narrowing) reads(typ string) bool { return n.types == nil || slices.Contains(n.types, typ) }

// day is one of those on which messages are received.
func day(n int) time.Time { return time.Date(2024, 1, 1+n, 0, 0, 0, 0, time.UTC) }

var boxChoices = []struct {
	patterns []string
	in       func(path string) bool
}{
	{nil, nil},
	{[]string{"Projects/**"}, func(p string) bool { return p == "Projects" || strings.HasPrefix(p, "Projects/") }},
	{[]string{"Inbox"}, func(p string) bool { return p == "Inbox" }},
	{[]string{"role:inbox", "Projects/*"}, func(p string) bool { return p == "Inbox" || strings.HasPrefix(p, "Projects/") }},
	{[]string{"!Lists", "!Projects/Old"}, func(p string) bool { return p != "Lists" && p != "Projects/Old" }},
}

var typeChoices = [][]string{nil, nil, {"Mailbox", "Email"}, {"AddressBook", "ContactCard"}, {"Identity", "Email"}, {"Identity"}}

func drawNarrowing(t *rapid.T) narrowing {
	if rapid.IntRange(0, 3).Draw(t, "whole") == 0 {
		return narrowing{}
	}
	n := narrowing{scope: &archive.Scope{}}
	n.types = rapid.SampledFrom(typeChoices).Draw(t, "types")
	n.scope.Types = n.types
	if n.reads("Email") {
		boxes := rapid.SampledFrom(boxChoices).Draw(t, "mailboxes")
		n.scope.Mailboxes, n.boxes = boxes.patterns, boxes.in
		if rapid.IntRange(0, 2).Draw(t, "since") == 0 {
			at := day(rapid.IntRange(0, 5).Draw(t, "day"))
			n.scope.Since = &at
		}
		if rapid.IntRange(0, 2).Draw(t, "before") == 0 {
			at := day(rapid.IntRange(5, 10).Draw(t, "day"))
			n.scope.Before = &at
		}
		if rapid.IntRange(0, 3).Draw(t, "small") == 0 {
			n.scope.MaxSize = 130
		}
	}
	if Completed(n.scope) == nil {
		return narrowing{}
	}
	return n
}

// scoped is a server with an account that changes at random.
type scoped struct {
	*world
	acc *jmapclient.Account
	src Source
	n   int
}

func newScoped(t *testing.T, p jmaptest.Profile) *scoped {
	w := &scoped{world: newWorld(t, narrow(p, 4))}
	w.src = w.alice(t)
	w.acc = w.src.(*jmapSource).a
	for _, path := range paths[1:] {
		w.AddMailbox("alice", path, "")
	}
	return w
}

var paths = []string{"Inbox", "Projects", "Projects/2024", "Projects/Old", "Lists"}

func (w *scoped) act(t *rapid.T) {
	boxes := rapid.SliceOfNDistinct(rapid.SampledFrom(paths), 1, 2, rapid.ID[string])
	pick := func() string {
		ids := w.EmailIDs("alice")
		if len(ids) == 0 {
			return ""
		}
		return ids[rapid.IntRange(0, len(ids)-1).Draw(t, "which")]
	}
	switch act := rapid.IntRange(0, 9).Draw(t, "act"); act {
	case 0, 1, 2, 3:
		w.n++
		w.Deliver("alice", jmaptest.Message{Mailboxes: boxes.Draw(t, "boxes"), ReceivedAt: day(rapid.IntRange(0, 9).Draw(t, "day")),
			Raw: fmt.Appendf(nil, "From: a@example.org\r\nMessage-ID: <%d@x>\r\nSubject: %d\r\n\r\n%s\r\n", w.n, w.n,
				strings.Repeat("x", 50*rapid.IntRange(0, 3).Draw(t, "size")))})
	case 4, 5:
		if id := pick(); id != "" {
			w.Destroy("alice", id)
		}
	case 6, 7:
		if id := pick(); id != "" {
			w.Modify("alice", id, boxes.Draw(t, "boxes"), []string{"$seen"})
		}
	case 8: // with all that is in it and nowhere else
		path := rapid.SampledFrom([]string{"Projects/Old", "Lists"}).Draw(t, "mailbox")
		if slices.ContainsFunc(w.Mailboxes("alice"), func(m jmaptest.MailboxInfo) bool { return m.Path == path }) {
			w.DestroyMailbox("alice", path)
		}
	case 9:
		if len(w.Identities("alice")) < 3 {
			w.AddIdentity("alice", jmaptest.Identity{Name: fmt.Sprint("Alice ", w.n), Email: "alice@example.org"})
		}
	}
}

// state is an account, on the server or in the archive, by type and id.
type state map[string]map[string]account.Object

func (w *scoped) now(t fataler) state {
	s := state{}
	for _, typ := range []account.Type{account.Mailbox, account.Email, account.Identity} {
		got, err := w.acc.All(context.Background(), typ, nil)
		if err != nil {
			t.Fatalf("read the account: %v", err)
		}
		s[typ.Name] = map[string]account.Object{}
		for _, o := range got.List {
			s[typ.Name][o.ID()] = o
		}
	}
	return s
}

func archived(t fataler, ar *archive.Archive, at int) state {
	s := state{}
	for _, typ := range []account.Type{account.Mailbox, account.Email, account.Identity} {
		s[typ.Name] = map[string]account.Object{}
		for rec, err := range ar.Objects(at, typ) {
			if errors.Is(err, archive.ErrNotFound) {
				break
			}
			if err != nil {
				t.Fatalf("read the archive: %v", err)
			}
			if typ.Blob != "" && int64(len(blobText(t, ar, rec.Blob))) != rec.Object.Int("size") {
				t.Fatalf("message %s has %q", rec.Object.ID(), blobText(t, ar, rec.Blob))
			}
			s[typ.Name][rec.Object.ID()] = rec.Object
		}
	}
	return s
}

// pathsOf are the mailboxes of a message by their paths: those that there are as
// they are called now. (Some servers give a freed id to another mailbox.)
func (s state) pathsOf(o account.Object, now state) (list []string) {
	was, is := mailboxPaths(slices.Collect(maps.Values(s["Mailbox"]))), mailboxPaths(slices.Collect(maps.Values(now["Mailbox"])))
	for _, id := range o.Set("mailboxIds") {
		if m, ok := is[id]; ok {
			list = append(list, m.path)
		} else {
			list = append(list, was[id].path)
		}
	}
	return list
}

// after is what an archive must hold that held before, once a run so narrowed has
// read the account as it is now.
func (n narrowing) after(before, now state) state {
	want := state{"Mailbox": maps.Clone(now["Mailbox"]), "Email": map[string]account.Object{}, "Identity": before["Identity"]}
	if n.reads("Identity") {
		want["Identity"] = now["Identity"]
	}
	for id, o := range before["Email"] {
		is, there := now["Email"][id]
		switch {
		case !n.has(o, before.pathsOf(o, now)):
			want["Email"][id] = o
		case there && account.MatchKey(o) == account.MatchKey(is): // else the id names another message
			want["Email"][id] = is
		}
	}
	for id, o := range now["Email"] {
		if n.has(o, now.pathsOf(o, now)) {
			want["Email"][id] = o
		}
	}
	// A mailbox stays as long as a message is in it that was not looked at.
	for _, o := range want["Email"] {
		for _, id := range o.Set("mailboxIds") {
			for box, ok := before["Mailbox"][id]; ok && want["Mailbox"][id] == nil; box, ok = before["Mailbox"][id] {
				want["Mailbox"][id] = box
				id = box.Text("parentId")
			}
		}
	}
	return want
}

// Whatever happens to an account, and whatever runs are narrowed to and wherever
// they are cut off: what is in a run's scope is in its snapshot as on the server,
// what is not as it was; a whole run's is the account, and nothing is fetched twice.
func TestAnyScopes(t *testing.T) {
	fewer(t, 5)
	dir := quickDir(t)
	servers := []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart07, jmaptest.Stalwart016, jmaptest.Cyrus36}
	n := 0
	real := t
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(servers).Draw(t, "server")
		p.VacationCloses = false // another test's
		w := newScoped(real, p)
		defer w.Close()
		n++
		ar, err := archive.Create(fmt.Sprint(dir, "/", n), w.src.Origin())
		if err != nil {
			t.Fatal(err)
		}
		defer ar.Close()
		for range rapid.IntRange(0, 15).Draw(t, "at first") {
			w.act(t)
		}
		for range rapid.IntRange(2, 6).Draw(t, "exports") {
			for range rapid.IntRange(0, 5).Draw(t, "acts") {
				w.act(t)
			}
			if rapid.IntRange(0, 4).Draw(t, "forget") == 0 {
				w.ForgetHistory("alice")
			}
			if rapid.IntRange(0, 2).Draw(t, "cut") == 0 {
				w.cutOff(t, ar, drawNarrowing(t), rapid.IntRange(1, 12).Draw(t, "requests"))
				w.act(t)
			}
			w.AddMailbox("alice", "Lists", "") // the patterns are to match
			w.AddMailbox("alice", "Projects/2024", "")
			w.mustTake(t, ar, drawNarrowing(t))
		}
		w.mustTake(t, ar, narrowing{})
		w.has(t, ar)
		for blob, n := range w.BlobFetches() {
			if n > 1 {
				t.Errorf("%s was fetched %d times", blob, n)
			}
		}
	})
}

// mustTake exports the account so narrowed and looks at what is in the archive then.
func (w *scoped) mustTake(t fataler, ar *archive.Archive, n narrowing) *Result {
	t.Helper()
	before := archived(t, ar, -1)
	res, err := Export(context.Background(), w.src, ar, Options{Scope: n.scope})
	if err != nil || res.Failed != 0 {
		t.Fatalf("export of %s: %+v, %v", n.scope, res, err)
	}
	want := n.after(before, w.now(t))
	if d := cmp.Diff(want, archived(t, ar, 0)); d != "" {
		t.Fatalf("snapshot %d of %s is not what it should be (-want +archive):\n%s", res.Snapshot.Snapshot, n.scope, d)
	}
	if whole := res.Snapshot.Scope == nil; n.scope == nil && !whole || !res.Snapshot.Scope.CoversAll(res.Scope) {
		t.Fatalf("a run of %s led to a snapshot of %s", n.scope, res.Snapshot.Scope)
	}
	return res
}

// cutOff begins an export and ends it after a number of requests.
func (w *scoped) cutOff(t *rapid.T, ar *archive.Archive, n narrowing, requests int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var asked atomic.Int64
	w.hook(func(string) {
		if asked.Add(1) == int64(requests) {
			cancel()
		}
	})
	defer w.hook(nil)
	if _, err := Export(ctx, w.src, ar, Options{Scope: n.scope}); err != nil && !errors.Is(err, context.Canceled) {
		if none := (*NoMailboxError)(nil); !errors.As(err, &none) {
			t.Fatalf("export that is cut off: %v", err)
		}
	}
}
