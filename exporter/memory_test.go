package exporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

// memory is an account in memory as a source: with a history as JMAP has one,
// and hooks to change the account while it is read.
type memory struct {
	mu      sync.Mutex
	mails   []account.Object // by receivedAt
	blobs   map[string]string
	history []change
	small   map[string][]account.Object
	nextID  int
	own     bool

	pageSize  int
	purged    int  // states below this have no history
	noHistory bool // none at all
	silent    bool // purged states answer "nothing changed" instead
	miscount  int64
	endless   string       // a blob that has no end
	fetched   atomic.Int64 // bytes of it

	calls   map[string]int
	fetches map[string]int
	onCall  func(method string, n int) error // before a method; unlocked
	onFetch func(blobID string) error
}

type change struct{ id, what string }

func newMemory() *memory {
	return &memory{blobs: map[string]string{}, small: map[string][]account.Object{
		"Mailbox": {object("id", "in", "name", "Inbox", "role", "inbox")},
	}, pageSize: 3, calls: map[string]int{}, fetches: map[string]int{}}
}

func object(kv ...any) account.Object {
	o := account.Object{}
	for i := 0; i < len(kv); i += 2 {
		o.Put(kv[i].(string), kv[i+1])
	}
	return o
}

// add delivers a message; id "" makes a new one.
func (s *memory) add(id, raw string, minute int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" {
		s.nextID++
		id = fmt.Sprintf("m%d", s.nextID)
	}
	blob := "b-" + raw
	s.blobs[blob] = raw
	o := object("id", id, "blobId", blob, "size", len(raw), "subject", raw, "mailboxIds", account.SetOf("in"),
		"keywords", map[string]bool{}, "receivedAt", fmt.Sprintf("2024-01-%02dT%02d:%02d:00Z", 1+minute/1440, minute/60%24, minute%60))
	s.mails = append(s.mails, o)
	slices.SortStableFunc(s.mails, func(a, b account.Object) int { return a.Time("receivedAt").Compare(b.Time("receivedAt")) })
	s.history = append(s.history, change{id, "created"})
	return id
}

func (s *memory) index(id string) int {
	return slices.IndexFunc(s.mails, func(o account.Object) bool { return o.ID() == id })
}

func (s *memory) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.index(id); i >= 0 {
		s.mails = slices.Delete(s.mails, i, i+1)
		s.history = append(s.history, change{id, "destroyed"})
	}
}

func (s *memory) flag(id, keyword string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.index(id); i >= 0 {
		o := maps.Clone(s.mails[i])
		o.Put("keywords", account.SetOf(append(o.Set("keywords"), keyword)...))
		s.mails[i] = o
		s.history = append(s.history, change{id, "updated"})
	}
}

func (s *memory) called(ctx context.Context, method string) error {
	s.mu.Lock()
	s.calls[method]++
	s.calls[""]++
	n, hook := s.calls[method], s.onCall
	s.mu.Unlock()
	if hook != nil {
		if err := hook(method, n); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *memory) Origin() archive.Origin {
	return archive.Origin{Name: "alice", ID: "a1", Source: "memory"}
}
func (s *memory) Own() bool { return s.own }

func (s *memory) Has(t account.Type) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.small[t.Name]
	return ok || t.Name == "Email"
}

func (s *memory) All(ctx context.Context, t account.Type) ([]account.Object, string, error) {
	if err := s.called(ctx, "All "+t.Name); err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.small[t.Name]), "s", nil
}

func (s *memory) State(ctx context.Context, t account.Type) (string, error) {
	if err := s.called(ctx, "State"); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return strconv.Itoa(len(s.history)), nil
}

func (s *memory) Page(ctx context.Context, t account.Type, after string) (*SourcePage, error) {
	if err := s.called(ctx, "Page"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	from := 0
	if after != "" {
		if from = s.index(after) + 1; from == 0 {
			return nil, ErrAnchorGone
		}
	}
	p := &SourcePage{Total: int64(len(s.mails))}
	for _, o := range s.mails[from:min(from+s.pageSize, len(s.mails))] {
		p.IDs = append(p.IDs, o.ID())
		p.List = append(p.List, maps.Clone(o))
	}
	return p, nil
}

func (s *memory) Get(ctx context.Context, t account.Type, ids []string) ([]account.Object, error) {
	if err := s.called(ctx, "Get"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []account.Object
	for _, o := range append(slices.Clone(s.mails), s.small[t.Name]...) {
		if slices.Contains(ids, o.ID()) {
			list = append(list, maps.Clone(o))
		}
	}
	return list, nil
}

// Changes answers in pages of three, and as servers that use ids again do.
func (s *memory) Changes(ctx context.Context, t account.Type, since string) (*jmapclient.Changes, error) {
	if err := s.called(ctx, "Changes"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	from, err := strconv.Atoi(since)
	if err != nil || from > len(s.history) {
		return nil, fmt.Errorf("state %q is none", since)
	}
	if s.noHistory || from < s.purged && !s.silent {
		return nil, fmt.Errorf("%w: %s", ErrNoHistory, since)
	}
	to := min(from+3, len(s.history))
	c := &jmapclient.Changes{OldState: since, NewState: strconv.Itoa(to), HasMore: to < len(s.history)}
	for i, h := range s.history[from:to] {
		if s.silent && from+i < s.purged {
			continue
		}
		list := map[string]*[]string{"created": &c.Created, "updated": &c.Updated, "destroyed": &c.Destroyed}[h.what]
		if !slices.Contains(*list, h.id) {
			*list = append(*list, h.id)
		}
	}
	return c, nil
}

func (s *memory) Count(ctx context.Context, t account.Type) (int64, error) {
	if err := s.called(ctx, "Count"); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.mails)) + s.miscount, nil
}

func (s *memory) Fetch(ctx context.Context, blobID string, size int64, take func(io.Reader) error) error {
	if s.onFetch != nil {
		if err := s.onFetch(blobID); err != nil {
			return err
		}
	}
	err := s.called(ctx, "Fetch")
	s.mu.Lock()
	raw, ok := s.blobs[blobID]
	if err == nil || err == ctx.Err() { // one that is given up was a fetch too
		s.fetches[blobID]++
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if !ok {
		return ErrBlobGone
	}
	if blobID == s.endless {
		return take(&countedReader{rand.NewChaCha8([32]byte{}), &s.fetched})
	}
	return take(bytes.NewReader([]byte(raw)))
}

type countedReader struct {
	r io.Reader
	n *atomic.Int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// quickDir is a directory in which fsync costs nothing, where there is one.
func quickDir(t testing.TB) string {
	t.Helper()
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err != nil || !info.IsDir() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(shm, "mailhaul-exporter-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// newArchive is an empty archive for the source.
func newArchive(t testing.TB, src Source) *archive.Archive {
	t.Helper()
	ar, err := archive.Create(quickDir(t), src.Origin())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ar.Close() })
	return ar
}

// events collects what an export tells.
type events struct {
	mu   sync.Mutex
	list []progress.Event
}

func (e *events) take(ev progress.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, ev)
}

// of are the texts of one kind of event.
func (e *events) of(k progress.Kind) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []string
	for _, ev := range e.list {
		if ev.Kind == k {
			list = append(list, ev.Item+": "+ev.Text)
		}
	}
	return list
}

func mustExport(t testing.TB, src Source, ar *archive.Archive) *Result {
	t.Helper()
	res, err := Export(context.Background(), src, ar, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// fataler is what *testing.T and *rapid.T have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// content is what a snapshot holds of Email: object and bytes by id.
func content(t fataler, ar *archive.Archive) map[string]string {
	t.Helper()
	got := map[string]string{}
	for rec, err := range ar.Objects(0, account.Email) {
		if err != nil {
			t.Fatalf("read the archive: %v", err)
		}
		got[rec.Object.ID()] = string(rec.Object.Encode()) + " " + blobText(t, ar, rec.Blob)
	}
	return got
}

func blobText(t fataler, ar *archive.Archive, h archive.Hash) string {
	t.Helper()
	if h == "" {
		return "no blob"
	}
	r, _, err := ar.OpenBlob(h)
	if err != nil {
		t.Fatalf("open blob: %v", err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read blob: %v", err)
	}
	return string(b)
}

// has demands that the newest snapshot is what the account is now.
func (s *memory) has(t fataler, ar *archive.Archive) {
	t.Helper()
	want := map[string]string{}
	for _, o := range s.mails {
		want[o.ID()] = string(o.Encode()) + " " + s.blobs[o.Text("blobId")]
	}
	if diff := cmp.Diff(want, content(t, ar)); diff != "" {
		t.Fatalf("the snapshot is not what the account is (-account +snapshot):\n%s", diff)
	}
}

var errBroken = errors.New("serverFail: the type is broken")
