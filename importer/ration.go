package importer

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"mailhaul/account"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

// What Stalwart lets a user upload in an hour, unless its administrator says
// otherwise. Administrators are exempt; importing a blob frees nothing.
const (
	rationFiles  = 1000
	rationOctets = 50_000_000
	rationHour   = time.Hour
)

const (
	// rationPoll is how long an upload that was refused waits at most before it
	// is tried again: somebody may have raised the quota.
	rationPoll = 10 * time.Minute
	// rationPatience is how long nothing may go up before the run ends: more than
	// the hour after which what was uploaded no longer counts.
	rationPatience = 70 * time.Minute
	// rationEach bounds, in octets, what goes up in a method call where uploads
	// are rationed: its answer tells of the quota at once.
	rationEach = 2 << 20
)

// ration is an hourly quota of uploads, as far as it is known.
type ration struct {
	mu    sync.Mutex
	sent  []sending // uploads of the last hour, oldest first
	last  time.Time // when something went up, or was first refused
	said  string    // the server's words when it refused, "" while it has not
	ahead bool      // it is known that it will not do
	told  bool      // what it means for the import
	until time.Time // of the wait that was told of last
}

// sending is one upload.
type sending struct {
	at   time.Time
	size int64
}

// rationed says whether the server is known to ration the uploads of this user:
// a Stalwart does, for everybody but administrators.
func rationed(to *jmapclient.Account) bool {
	return to.Own && isStalwart(to.Client.Session())
}

// isStalwart knows Stalwart by what it says of its Sieve implementation, which
// all versions do.
func isStalwart(s *jmapclient.Session) bool {
	if s == nil {
		return false
	}
	var sieve struct{ Implementation string }
	_ = json.Unmarshal(s.Capabilities["urn:ietf:params:jmap:sieve"], &sieve) // what is no object names nobody
	return strings.HasPrefix(sieve.Implementation, "Stalwart")
}

// note counts an upload that the server took.
func (q *ration) note(size int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	q.forget(now)
	q.sent = append(q.sent, sending{now, size})
	q.last = now
}

// forget leaves out what no longer counts.
func (q *ration) forget(now time.Time) {
	n := 0
	for n < len(q.sent) && now.Sub(q.sent[n].at) >= rationHour {
		n++
	}
	q.sent = q.sent[n:]
}

// refused notes the server's words.
func (q *ration) refused(said string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.said = said
	if q.last.IsZero() {
		q.last = time.Now()
	}
}

// tells is true the first time, and again after what was told is no longer so.
func (q *ration) tells() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	was := q.told
	q.told = true
	return !was
}

func (q *ration) tellAgain() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.told, q.until = false, time.Time{}
}

// short says whether the quota is used up, or is known not to do.
func (q *ration) short() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ahead || q.said != ""
}

// room says whether the usual quota has room for one upload more of this size.
func (q *ration) room(size int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget(time.Now())
	for _, s := range q.sent {
		size += s.size
	}
	return len(q.sent) < rationFiles && size <= rationOctets
}

// freed says when n uploads more can be expected to have room.
func (q *ration) freed(n int, now time.Time) time.Time {
	q.forget(now)
	if len(q.sent) == 0 { // used up by another run, or another client
		return now.Add(rationPoll)
	}
	return q.sent[min(max(n, 1), len(q.sent))-1].at.Add(rationHour + time.Second)
}

// await waits until n refused uploads can be tried again, and tells of it. It is
// false when nothing has gone up for so long that waiting is no use.
func (q *ration) await(ctx context.Context, n int, tell func(text string, until time.Time)) (bool, error) {
	now := time.Now()
	q.mu.Lock()
	if now.Sub(q.last) >= rationPatience {
		q.mu.Unlock()
		return false, nil
	}
	until, said := q.freed(n, now), q.said
	news := until.Sub(q.until) > time.Minute
	if news {
		q.until = until
	}
	q.mu.Unlock()
	if news {
		tell(fmt.Sprintf("the hourly quota of uploads is used up: %s", said), until)
	}
	return true, pause(ctx, min(until.Sub(now), rationPoll))
}

// expectRation says ahead how long the quota will hold the import up, and what
// is faster. Where IMAP is open the messages go that way from the start.
func (r *run) expectRation(items, bytes int64) {
	if !rationed(r.to) || items <= rationFiles && bytes <= rationOctets {
		return
	}
	r.ration.ahead = true
	r.tellRation(items, bytes)
}

// tellRation says, once, what the quota means for what is still to come.
func (r *run) tellRation(items, bytes int64) {
	if !r.ration.tells() {
		return
	}
	quota := fmt.Sprintf("the server lets a user upload %d messages or %s an hour", rationFiles, size(rationOctets))
	if !rationed(r.to) {
		quota = "the server limits what may be uploaded in an hour"
	}
	left := fmt.Sprintf("%s (%s)", counted(items, "message", "messages"), size(bytes))
	if r.imapOpen() {
		r.note("%s, which does not do for %s: they go over IMAP, where there is no such quota", quota, left)
		return
	}
	takes := "wait for it"
	if rationed(r.to) {
		hours := max((items-1)/rationFiles, (bytes-1)/rationOctets) // the first ration goes up at once
		takes = "take about " + counted(max(1, hours), "hour", "hours")
	}
	r.warn("%s: %s %s. An administrator's credentials are faster (no such quota), and so is --imap-url imaps://HOST, "+
		"with which the messages go over IMAP", quota, left, takes)
}

// holdBack takes note that uploads were refused for now, and waits until they
// can be tried again; where IMAP is open it does not wait.
func (r *run) holdBack(ctx context.Context, held []*item) error {
	if err := r.locks.holding.Acquire(ctx, 1); err != nil { // one waits for all
		return err
	}
	defer r.locks.holding.Release(1)
	r.ration.refused(held[0].held)
	n, bytes, err := r.pendingCount()
	if err != nil {
		return err
	}
	r.tellRation(n, bytes)
	if r.byIMAP() && !held[0].notByIMAP {
		return nil
	}
	on, err := r.ration.await(ctx, len(held), func(text string, until time.Time) {
		r.o.Events.Emit(progress.Event{Kind: progress.Wait, Account: r.to.Name, Stage: account.Email.Name, Text: text, Until: until})
	})
	if err != nil || on {
		return err
	}
	return r.rationOut(held[0].held)
}

// rationOut ends the run because the quota of uploads stays used up.
func (r *run) rationOut(said string) error {
	n, bytes, err := r.pendingCount()
	if err != nil {
		return err
	}
	return &jmapclient.Error{Kind: jmapclient.OverQuota, Op: "upload", Account: r.to.Name,
		Detail: fmt.Sprintf("nothing could be uploaded for more than an hour (%s); still to come: %s, %s", said, counted(n, "message", "messages"), size(bytes))}
}

// imapOpen says whether messages may go over IMAP.
func (r *run) imapOpen() bool { return r.o.IMAP != nil && r.to.Own && !r.imapGone.Load() }

// byIMAP says whether they do, because the uploads are rationed.
func (r *run) byIMAP() bool { return r.imapOpen() && r.ration.short() }

// carry brings messages that are not uploaded to the account, whichever way is
// open, and answers how many came in. Who calls it
// holds locks.serial.
func (r *run) carry(ctx context.Context, items []*item) (stored int64, err error) {
	for len(items) > 0 {
		n, left, err := r.carryByIMAP(ctx, items)
		stored += n
		if err != nil || len(left) == 0 {
			return stored, err
		}
		sent, held, err := r.upload(ctx, left)
		if err != nil {
			return stored, err
		}
		n, err = r.again(ctx, sent)
		stored += n
		if err != nil {
			return stored, err
		}
		if len(held) > 0 {
			if err := r.holdBack(ctx, held); err != nil {
				return stored, err
			}
		}
		items = held
	}
	return stored, nil
}

// carryByIMAP appends messages if that is the way now, and yields the others.
func (r *run) carryByIMAP(ctx context.Context, items []*item) (stored int64, left []*item, err error) {
	var ours []*item
	for _, it := range items {
		if r.byIMAP() && !it.notByIMAP {
			ours = append(ours, it)
		} else {
			left = append(left, it)
		}
	}
	if len(ours) == 0 {
		return 0, left, nil
	}
	before := r.imap.brought
	back, err := r.imap.bring(ctx, ours)
	stored = r.imap.brought - before
	r.rationedByIMAP += stored
	if err != nil {
		return stored, nil, err
	}
	for _, it := range back {
		it.notByIMAP = true
		if it.said != "" {
			r.note("%s: %s; it is uploaded when there is room", r.describe(it.object), it.said)
		}
	}
	if r.imap.useless != "" && !r.imapGone.Swap(true) {
		r.warn("IMAP can't be used (%s): the messages are uploaded, as the server's quota allows", r.imap.useless)
		r.ration.tellAgain()
	}
	return stored, append(left, back...), nil
}

// tellRationed says how many messages went which way.
func (r *run) tellRationed() {
	if r.rationedByIMAP > 0 {
		up := r.res.Types[account.Email.Name].Created - r.rationedByIMAP
		r.warn("the server limits what a user may upload in an hour: %s over IMAP, and %s by upload",
			counted(r.rationedByIMAP, "message came in", "messages came in"), counted(max(0, up), "message", "messages"))
	}
}
