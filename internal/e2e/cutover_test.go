package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailhaul/internal/cyrustest"
	"mailhaul/internal/mailgen"
	"mailhaul/jmapclient/jmaptest"
)

// cutoverBoxes are where the people of these tests work.
var cutoverBoxes = []string{mailgen.Inbox, "Projects", "Archive"}

// did counts what somebody did to an account.
type did struct{ came, changed, went int }

func (d did) minus(o did) did { return did{d.came - o.came, d.changed - o.changed, d.went - o.went} }

// worker does something to an account at a time. Each message is its own.
type worker interface {
	append(n int, box string)
	flag(r *rand.Rand, box string) bool
	move(r *rand.Rand, box, to string) bool
	remove(r *rand.Rand, box string) bool
	close()
}

// work does one thing after another until it is told to stop, and tells at
// request how much it was.
func work(w worker, r *rand.Rand, ask <-chan chan did) {
	defer w.close()
	var d did
	for n := 0; ; n++ {
		select {
		case answer, ok := <-ask:
			if !ok {
				return
			}
			answer <- d
			continue
		default:
		}
		box, to := cutoverBoxes[r.IntN(3)], cutoverBoxes[r.IntN(3)]
		switch what := r.IntN(10); {
		case what < 4:
			w.append(n, box)
			d.came++
		case what < 7:
			if w.flag(r, box) {
				d.changed++
			}
		case what < 9:
			if box != to && w.move(r, box, to) {
				d.changed++
			}
		default:
			if w.remove(r, box) {
				d.went++
			}
		}
	}
}

// note is a message that somebody writes while the account is on its way.
func note(n int) mailgen.Message {
	return mailgen.Message{
		Raw: fmt.Appendf(nil, "From: bob@example.org\r\nTo: alice@example.org\r\nSubject: note %d\r\nMessage-ID: <note-%d@example.org>\r\n"+
			"Date: Mon, 02 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n%s\r\n", n, n, strings.Repeat("word ", 1+n%50)),
		ReceivedAt: time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second),
	}
}

// passed is what one pass of a sync tells of itself.
type passed struct {
	Source, Target struct{ Requests, BytesIn, BytesOut int64 }
	Export         struct{ Fetched int64 }
	Import         struct {
		Result struct {
			Types map[string]struct{ Created, Updated, Removed, Failed int64 }
		}
	}
}

// passOf is the last line of a run with --json.
func passOf(t *testing.T, r result) passed {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	var last struct{ Result passed }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	return last.Result
}

// cutover moves an account while somebody works in it: some passes meanwhile,
// and the final one afterwards, which carries the rest and no more.
func cutover(t *testing.T, from, to server, w worker, final func(last passed, since did)) {
	t.Helper()
	source, target := newProxy(t, from), newProxy(t, to)
	dir := t.TempDir()
	command := syncing(source, target, alice, dir, "--delete")
	ask := make(chan chan did)
	r := chance(t)
	ended := make(chan struct{})
	go func() { defer close(ended); work(w, r, ask) }()
	so := func() did {
		answer := make(chan did)
		ask <- answer
		return <-answer
	}
	var before did
	for n := range 2 {
		before = so()
		p := mailhaul(t, command...)
		p.expectDone(t, from)
		if after := so(); n == 0 && after == before {
			t.Error("nothing was done to the account during the first pass")
		}
	}
	after := so()
	close(ask)
	<-ended
	t.Logf("done to the account: %+v", after)
	if after.came == 0 || after.changed == 0 || after.went == 0 {
		t.Error("some of it never happened")
	}
	source.reset()
	target.reset()
	res := mailhaul(t, command...)
	res.expectDone(t, from)
	since := after.minus(before)
	last := passOf(t, res)
	t.Logf("since the last pass began: %+v; the final pass: %+v", since, last)
	if fetched := len(flat(source.fetches())); fetched > since.came {
		t.Errorf("the final pass fetched %d messages, %d had come since the last one began", fetched, since.came)
	}
	final(last, since)
	expectSameMail(t, from.Mail(alice), to.Mail(alice))
	mailhaul(t, append(to.Importer(alice), "verify", filepath.Join(dir, alice), alice)...).expect(t, 0)

	target.reset()
	mailhaul(t, command...).expectDone(t, from)
	for _, what := range []string{"Email/import", "Email/set", "upload", "Blob/upload", "Blob/set"} {
		if n := target.count(what); n > 0 {
			t.Errorf("a pass after the final one sent %d × %s", n, what)
		}
	}
}

// fewRequests says how many a pass may take for so many changes: some to sign in
// and to see how things stand, and then pages.
func fewRequests(t *testing.T, last passed, since did) {
	t.Helper()
	changes := int64(since.came + since.changed + since.went)
	if most := 20 + changes/25; last.Source.Requests > most {
		t.Errorf("%d requests to the source for %d changes, want at most %d", last.Source.Requests, changes, most)
	}
	if most := 30 + changes/10; last.Target.Requests > most {
		t.Errorf("%d requests to the target for %d changes, want at most %d", last.Target.Requests, changes, most)
	}
}

// Between two Cyrus servers, with somebody who appends, flags, moves and deletes
// over IMAP all the while.
func TestCutoverWhilePeopleWork(t *testing.T) {
	t.Parallel()
	from, to := startCyrus(t), startCyrus(t)
	from.AddUser(alice)
	to.AddUser(alice)
	for i, box := range cutoverBoxes {
		m := slices.Collect(mailgen.Sized(uint64(221+i), 60, 3000))
		for i := range m {
			m[i].Mailboxes = []string{box}
		}
		from.Put(alice, m...)
	}
	w := &imapWorker{t: t, conn: from.(cyrus).imap(alice)}
	cutover(t, from, to, w, func(last passed, since did) { fewRequests(t, last, since) })
}

// imapWorker works over IMAP.
type imapWorker struct {
	t    *testing.T
	conn *imapclient.Client
}

func (w *imapWorker) close() { w.conn.Close() }

func (w *imapWorker) append(n int, box string) {
	if err := cyrustest.Append(w.conn, box, note(n)); err != nil {
		w.t.Errorf("appending: %v", err)
	}
}

// one selects a mailbox and draws a message in it; 0: there is none.
func (w *imapWorker) one(r *rand.Rand, box string) uint32 {
	status, err := w.conn.Select(box, nil).Wait()
	if err != nil {
		w.t.Errorf("selecting %s: %v", box, err)
		return 0
	}
	if status.NumMessages == 0 {
		return 0
	}
	return 1 + r.Uint32N(status.NumMessages)
}

func (w *imapWorker) store(n uint32, op imap.StoreFlagsOp, flags ...imap.Flag) bool {
	err := w.conn.Store(imap.SeqSetNum(n), &imap.StoreFlags{Op: op, Silent: true, Flags: flags}, nil).Close()
	if err != nil {
		w.t.Errorf("changing flags: %v", err)
	}
	return err == nil
}

func (w *imapWorker) flag(r *rand.Rand, box string) bool {
	n := w.one(r, box)
	op := []imap.StoreFlagsOp{imap.StoreFlagsAdd, imap.StoreFlagsDel}[r.IntN(2)]
	return n > 0 && w.store(n, op, []imap.Flag{imap.FlagSeen, imap.FlagFlagged, label}[r.IntN(3)])
}

func (w *imapWorker) move(r *rand.Rand, box, to string) bool {
	n := w.one(r, box)
	if n == 0 {
		return false
	}
	if _, err := w.conn.Move(imap.SeqSetNum(n), to).Wait(); err != nil {
		w.t.Errorf("moving: %v", err)
	}
	return true
}

func (w *imapWorker) remove(r *rand.Rand, box string) bool {
	n := w.one(r, box)
	if n == 0 || !w.store(n, imap.StoreFlagsAdd, imap.FlagDeleted) {
		return false
	}
	if err := w.conn.Expunge().Close(); err != nil {
		w.t.Errorf("expunging: %v", err)
	}
	return true
}

// From Stalwart 0.6 to 0.7 the source gives messages other ids when threads are
// merged, and ids of messages that went to others. An id is no proof there: only
// what has the remembered content is changed or removed on the target.
func TestCutoverWhileIDsChange(t *testing.T) {
	t.Parallel()
	options := func(p jmaptest.Profile) jmaptest.Options {
		return jmaptest.Options{Profile: p, Admin: [2]string{"admin", adminPassword}}
	}
	from, to := startMemoryWith(t, options(jmaptest.Stalwart06)), startMemoryWith(t, options(jmaptest.Stalwart07))
	from.AddUser(alice)
	to.AddUser(alice)
	for _, box := range cutoverBoxes[1:] {
		from.MakeMailbox(alice, box)
	}
	mail := slices.Collect(mailgen.Sized(231, 300, 3000))
	for i := range mail {
		mail[i].Mailboxes = []string{cutoverBoxes[i%3]}
	}
	from.Put(alice, mail...)
	// Whoever uses the new account already has mail there that nobody else has.
	own := slices.Collect(mailgen.Sized(232, 20, 3000))
	for i := range own {
		own[i].Mailboxes = []string{mailgen.Inbox}
	}
	to.Put(alice, own...)
	kept := to.Mail(alice)
	cutover(t, from, memoryBut{to, kept}, &directWorker{from}, func(last passed, since did) {})
	if got := to.Mail(alice); len(less(kept, got)) > 0 {
		t.Errorf("%d of the %d messages that were there before are not as they were", len(less(kept, got)), len(kept))
	}
}

// memoryBut is a server without the messages that were there before.
type memoryBut struct {
	memory
	before []item
}

func (m memoryBut) Mail(login string) []item { return less(m.memory.Mail(login), m.before) }

// less is a list without what another one has.
func less(list, other []item) []item {
	rest := slices.Clone(other)
	return slices.DeleteFunc(slices.Clone(list), func(i item) bool {
		at := slices.Index(rest, i)
		if at >= 0 {
			rest = slices.Delete(rest, at, at+1)
		}
		return at >= 0
	})
}

// directWorker works at the server itself. Its messages answer one another, which
// merges threads.
type directWorker struct{ s memory }

func (w *directWorker) close() {}

func (w *directWorker) append(n int, box string) {
	m := note(n)
	if n > 3 {
		refers := fmt.Sprintf("References: <note-%d@example.org> <note-%d@example.org>\r\n", n-1, n-3)
		m.Raw = append([]byte(refers), m.Raw...)
	}
	m.Mailboxes = []string{box}
	w.s.Put(alice, m)
	time.Sleep(2 * time.Millisecond) // nobody writes without end
}

// one draws a message of the account.
func (w *directWorker) one(r *rand.Rand) string {
	ids := w.s.EmailIDs(alice)
	return ids[r.IntN(len(ids))]
}

func (w *directWorker) path(box string) string {
	if box == mailgen.Inbox {
		return w.s.inbox(alice)
	}
	return box
}

func (w *directWorker) flag(r *rand.Rand, box string) bool {
	w.s.Modify(alice, w.one(r), []string{w.path(box)}, []string{"$seen", "$flagged", label}[:r.IntN(4)])
	return true
}

func (w *directWorker) move(r *rand.Rand, _, to string) bool { return w.flag(r, to) }

func (w *directWorker) remove(r *rand.Rand, _ string) bool {
	w.s.Destroy(alice, w.one(r))
	return true
}
