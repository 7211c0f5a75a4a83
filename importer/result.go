package importer

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"mailhaul/account"
	"mailhaul/internal/progress"
)

// Counts is what became of one type's objects.
type Counts struct {
	Total   int64 `json:"total"` // in the snapshot
	Created int64 `json:"created"`
	Updated int64 `json:"updated"` // merged, put right or changed
	Present int64 `json:"present"` // were there already
	Removed int64 `json:"removed"`
	Failed  int64 `json:"failed"`
	Kept    int64 `json:"kept,omitempty"` // changed on both sides, and left as the target has them
	Bytes   int64 `json:"bytes"`          // uploaded
}

// Failure is one item that did not arrive.
type Failure struct {
	Type   string `json:"type"`
	ID     string `json:"id"`
	Item   string `json:"item"`
	Reason string `json:"reason"`
	Advice string `json:"advice"`
}

// Result is what an import did, or with DryRun would do.
type Result struct {
	Snapshot int               `json:"snapshot"`
	Types    map[string]Counts `json:"types"`
	Mapped   []string          `json:"mapped,omitempty"` // `"a/b" → "a-b" (the server refuses '/')`
	Warnings []string          `json:"warnings,omitempty"`
	// Conflicts name at most 10 000 of what both sides changed; Counts.Kept counts them all.
	Conflicts []Clash `json:"conflicts,omitempty"`
	// Failures name at most 10 000 items; Counts.Failed counts them all.
	Failures []Failure `json:"failures,omitempty"`
}

const mostFailures = 10_000

func (r *run) count(t account.Type, change func(*Counts)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.res.Types[t.Name]
	change(&c)
	r.res.Types[t.Name] = c
}

// fail reports one item that did not arrive.
func (r *run) fail(t account.Type, id, item, reason, advice string) {
	r.count(t, func(c *Counts) { c.Failed++ })
	r.mu.Lock()
	if len(r.res.Failures) < mostFailures {
		r.res.Failures = append(r.res.Failures, Failure{Type: t.Name, ID: id, Item: item, Reason: reason, Advice: advice})
	}
	r.mu.Unlock()
	r.o.Events.Emit(progress.Event{Kind: progress.Failure, Account: r.to.Name, Stage: t.Name, Item: item, Text: reason, Advice: advice})
}

// unfail takes back a failure: the item was found on the target after all.
func (r *run) unfail(t account.Type, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	is := func(f Failure) bool { return f.Type == t.Name && f.ID == id }
	if i := slices.IndexFunc(r.res.Failures, is); i >= 0 {
		r.res.Failures = slices.Delete(r.res.Failures, i, i+1)
		c := r.res.Types[t.Name]
		c.Failed--
		r.res.Types[t.Name] = c
	}
}

// startAgain forgets what was counted of a type that is about to be done again.
func (r *run) startAgain(t account.Type) {
	r.count(t, func(c *Counts) { *c = Counts{Total: c.Total} })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.res.Failures = slices.DeleteFunc(r.res.Failures, func(f Failure) bool { return f.Type == t.Name })
	r.res.Conflicts = slices.DeleteFunc(r.res.Conflicts, func(c Clash) bool { return c.Type == t.Name })
}

// warn says that something was changed, left out or could not be kept.
func (r *run) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.mu.Lock()
	r.res.Warnings = append(r.res.Warnings, text)
	r.mu.Unlock()
	r.o.Events.Emit(progress.Event{Kind: progress.Warning, Account: r.to.Name, Text: text})
}

// mappedTo reports a mailbox that goes by another name on the target. It is a
// note while the run goes on; the report lists them all.
func (r *run) mappedTo(from, to, why string) {
	text := fmt.Sprintf("%q → %q (%s)", from, to, why)
	r.mu.Lock()
	r.res.Mapped = append(r.res.Mapped, text)
	r.mu.Unlock()
	r.o.Events.Emit(progress.Event{Kind: progress.Note, Account: r.to.Name, Stage: account.Mailbox.Name, Text: "mailbox " + text})
}

func (r *run) note(format string, args ...any) {
	r.o.Events.Emit(progress.Event{Kind: progress.Note, Account: r.to.Name, Text: fmt.Sprintf(format, args...)})
}

// stage counts what passes and tells of it about ten times a second.
type stage struct {
	mu   sync.Mutex
	emit progress.Func
	e    progress.Event
	last time.Time
}

func (r *run) stage(name string, total, bytesTotal int64) *stage {
	s := &stage{emit: r.o.Events}
	s.e = progress.Event{Kind: progress.Stage, Account: r.to.Name, Stage: name, Total: total, BytesTotal: bytesTotal}
	s.emit.Emit(s.e)
	return s
}

func (s *stage) add(items, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.e.Done += items
	s.e.Bytes += bytes
	if now := time.Now(); now.Sub(s.last) >= 100*time.Millisecond {
		s.last = now
		s.emit.Emit(s.e)
	}
}

func (s *stage) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.e.Kind = progress.Finished
	s.emit.Emit(s.e)
}

// counted words a number of things: "1 message", "2 messages".
func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// countedType is counted for a type's objects.
func countedType(n int64, t account.Type) string {
	return counted(n, singular[t.Name], plural[t.Name])
}
