package importer

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// letter is a message for an archive.
type letter struct {
	id       string
	boxes    []string // source ids
	keywords []string
	received time.Time
	raw      string
	msgID    string // as the source's server parsed it
}

// mail makes a message that differs from others by its number.
func mail(n int) letter {
	msgID := fmt.Sprintf("m%d@example.org", n)
	return letter{
		id: fmt.Sprintf("e%d", n), boxes: []string{"inbox"}, keywords: []string{"$seen"},
		received: time.Date(2020, 1, 2, 3, 4, n%60, 0, time.UTC).Add(time.Duration(n/60) * time.Minute),
		raw:      fmt.Sprintf("Message-ID: <%s>\r\nFrom: a@example.org\r\nSubject: mail %d\r\n\r\nbody %s\r\n", msgID, n, strings.Repeat("x", n%97)),
		msgID:    msgID,
	}
}

func mails(n int) (list []letter) {
	for i := range n {
		list = append(list, mail(i))
	}
	return list
}

// folder is a mailbox for an archive.
type folder struct {
	id, name, parent, role string
	order                  int
	subscribed             bool
}

var inbox = folder{id: "inbox", name: "INBOX", role: "inbox", subscribed: true}

func (f folder) object() account.Object {
	o := account.Object{}
	o.Put("id", f.id)
	o.Put("name", f.name)
	o.Put("sortOrder", f.order)
	o.Put("isSubscribed", f.subscribed)
	if f.parent != "" {
		o.Put("parentId", f.parent)
	}
	if f.role != "" {
		o.Put("role", f.role)
	}
	return o
}

// script is a Sieve script for an archive.
type script struct {
	name, content string
	active        bool
}

// contents is what a snapshot of an archive holds.
type contents struct {
	folders    []folder
	letters    []letter
	identities []account.Object
	scripts    []script
	vacation   account.Object
	unknown    []string
}

func newArchive(t testing.TB) *archive.Archive {
	t.Helper()
	ar, err := archive.Create(filepath.Join(t.TempDir(), "archive"), archive.Origin{Name: "alice", Source: "jmap"})
	must(t, err)
	t.Cleanup(func() { ar.Close() })
	return ar
}

// snapshot writes a snapshot with these contents, and marks gone what an
// earlier one had and this has not.
func snapshot(t testing.TB, ar *archive.Archive, c contents) {
	t.Helper()
	run, err := ar.Begin()
	must(t, err)
	defer run.Close()
	put := func(typ account.Type, o account.Object, content string) {
		var h archive.Hash
		if typ.Blob != "" {
			h, _, err = run.PutBlob(strings.NewReader(content), int64(len(content)))
			must(t, err)
		}
		_, err = run.PutObject(typ, o, h)
		must(t, err)
		must(t, run.Seen(typ, o.ID()))
	}
	for _, f := range c.folders {
		put(account.Mailbox, f.object(), "")
	}
	for _, l := range c.letters {
		put(account.Email, l.object(), l.raw)
	}
	for i, o := range c.identities {
		o.Put("id", fmt.Sprintf("i%d", i))
		put(account.Identity, o, "")
	}
	for _, s := range c.scripts {
		o := account.Object{}
		o.Put("id", "s-"+s.name)
		o.Put("name", s.name)
		o.Put("blobId", "b-"+s.name)
		o.Put("isActive", s.active)
		put(account.SieveScript, o, s.content)
	}
	if c.vacation != nil {
		c.vacation.Put("id", "singleton")
		put(account.VacationResponse, c.vacation, "")
	}
	for _, typ := range account.Types {
		for id, err := range run.Unseen(typ) {
			must(t, err)
			must(t, run.MarkGone(typ, id))
		}
	}
	must(t, run.Finish(archive.SnapshotRecord{Types: map[string]archive.TypeRecord{}, Unknown: c.unknown}))
}

func (l letter) object() account.Object {
	o := account.Object{}
	o.Put("id", l.id)
	o.Put("blobId", "blob-"+l.id)
	o.Put("mailboxIds", account.SetOf(l.boxes...))
	o.Put("keywords", account.SetOf(l.keywords...))
	o.Put("receivedAt", l.received.Format(time.RFC3339))
	o.Put("size", len(l.raw))
	if l.msgID != "" {
		o.Put("messageId", []string{l.msgID})
	}
	if _, s, ok := strings.Cut(l.raw, "Subject: "); ok {
		s, _, _ = strings.Cut(s, "\r\n")
		o.Put("subject", s)
	}
	return o
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func dial(t testing.TB, url, who, password string) *jmapclient.Account {
	t.Helper()
	return dialWith(t, jmapclient.Options{URL: url, Auth: jmapclient.Auth{Username: who, Password: password},
		StallTimeout: 10 * time.Second, GiveUpAfter: 20 * time.Second})
}

func dialWith(t testing.TB, o jmapclient.Options) *jmapclient.Account {
	t.Helper()
	c, err := jmapclient.Dial(context.Background(), o)
	must(t, err)
	t.Cleanup(c.Close)
	a, err := c.Account(context.Background(), "")
	must(t, err)
	return a
}

// scratchDir is where tests keep what they need once.
var scratchDir string

func TestMain(m *testing.M) {
	settlePause = time.Millisecond
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() && os.Getenv("TMPDIR") == "" {
		_ = os.Setenv("TMPDIR", "/dev/shm") // a disk's fsync is most of a test's time
	}
	var err error
	if scratchDir, err = os.MkdirTemp("", "mailhaul-importer-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(scratchDir)
	os.Exit(code)
}

// target is a server with an account of alice to import into.
type target struct {
	*jmaptest.Server
	t    testing.TB
	over http.RoundTripper // nil: the network
	wait func(reason string, until time.Time)
}

func newTarget(t testing.TB, p jmaptest.Profile) *target {
	t.Helper()
	s := jmaptest.New(jmaptest.Options{Profile: p, Admin: [2]string{"admin", "adminpw"}})
	t.Cleanup(s.Close)
	s.AddUser(jmaptest.User{Login: "alice", Password: "pw", Emails: []string{"alice@example.org"}})
	return &target{Server: s, t: t}
}

func (s *target) account() *jmapclient.Account {
	s.t.Helper()
	return s.dial("alice", "pw")
}

// dial signs in, in a bubble with the patience of the command line.
func (s *target) dial(who, password string) *jmapclient.Account {
	s.t.Helper()
	if s.over == nil {
		return dial(s.t, s.URL, who, password)
	}
	return dialWith(s.t, jmapclient.Options{URL: s.URL, Auth: jmapclient.Auth{Username: who, Password: password}, Transport: s.over, OnWait: s.wait})
}

// imports runs an import that must not end in an error.
func (s *target) imports(ar *archive.Archive, o Options) *Result {
	s.t.Helper()
	res, err := Import(context.Background(), ar, s.account(), o)
	must(s.t, err)
	return res
}

// holds lists the messages of an account, one line each, sorted.
func (s *target) holds() []string {
	var lines []string
	for _, m := range s.Messages("alice") {
		lines = append(lines, line(m.Mailboxes, m.Keywords, m.ReceivedAt, string(m.Raw)))
	}
	slices.Sort(lines)
	return lines
}

func line(boxes, keywords []string, received time.Time, raw string) string {
	boxes, keywords = slices.Sorted(slices.Values(boxes)), slices.Sorted(slices.Values(keywords))
	sum := sha256.Sum256([]byte(raw))
	return fmt.Sprintf("%q %q %s %d %x", boxes, keywords, received.UTC().Format(time.RFC3339), len(raw), sum[:6])
}

// wants lists letters as holds does, with the paths that their mailboxes have
// on the target.
func wants(letters []letter, paths map[string]string) []string {
	var lines []string
	for _, l := range letters {
		var boxes []string
		for _, id := range l.boxes {
			p, ok := paths[id]
			if !ok {
				p = recoveredName
			}
			boxes = append(boxes, p)
		}
		lines = append(lines, line(boxes, l.keywords, l.received, l.raw))
	}
	slices.Sort(lines)
	return lines
}

var inboxOnly = map[string]string{"inbox": "Inbox"}

// onlyInbox is an archive of these letters in one inbox.
func onlyInbox(letters []letter) contents {
	return contents{folders: []folder{inbox}, letters: letters}
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// emailCounts compares what became of the messages, bytes aside.
func emailCounts(t testing.TB, res *Result, want Counts) {
	t.Helper()
	got := res.Types["Email"]
	got.Bytes = 0
	same(t, "counts of messages", got, want)
}

// put delivers a letter to the target behind the importer's back.
func (s *target) put(l letter, path string) string {
	return s.Deliver("alice", jmaptest.Message{Mailboxes: []string{path}, Keywords: l.keywords, ReceivedAt: l.received, Raw: []byte(l.raw)})
}

// at matches requests with a method.
func at(method string) func(jmaptest.Request) bool {
	return func(r jmaptest.Request) bool { return slices.Contains(r.Methods, method) }
}

// nth matches the nth request with a method, from 1.
func nth(n int, method string) func(jmaptest.Request) bool {
	return func(r jmaptest.Request) bool {
		if slices.Contains(r.Methods, method) {
			n--
		}
		return n == 0 && slices.Contains(r.Methods, method)
	}
}

// capabilitiesWithout are a server's capabilities less some.
func capabilitiesWithout(urns ...string) (list []jmaptest.Capability) {
	none := map[string]any{}
	all := []jmaptest.Capability{
		{URN: "urn:ietf:params:jmap:mail", Session: none, Shared: true, Account: map[string]any{"maxMailboxDepth": nil}},
		{URN: "urn:ietf:params:jmap:submission", Session: none, Account: none},
		{URN: "urn:ietf:params:jmap:vacationresponse", Session: none, Account: none},
		{URN: "urn:ietf:params:jmap:sieve", Session: none, Account: none},
		{URN: blobURN, Session: none, Shared: true, Account: map[string]any{"supportedDigestAlgorithms": []string{"sha-256"}}},
		{URN: quotaURN, Session: none, Shared: true, Account: none},
		{URN: "urn:ietf:params:jmap:principals", Session: none, Shared: true, Account: none},
	}
	for _, c := range all {
		if !slices.Contains(urns, c.URN) {
			list = append(list, c)
		}
	}
	return list
}
