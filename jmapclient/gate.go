package jmapclient

import (
	"context"
	"slices"
	"sync"
	"time"
)

// lane is a kind of requests for which one number at once is best.
type lane int

const (
	reading   lane = iota // API requests that create nothing, and downloads
	writing               // API requests that create or bring blobs
	uploading             // blobs sent to the upload URL
	lanes
)

// mostAtOnce is more than is ever out at once of the requests, and of the
// uploads, that a server rations apart (RFC 8620 §2).
const mostAtOnce = 8

// begins is how many of a lane are out at once before anything is known:
// reading gains from company on every server that was measured, writing does
// not on all.
var begins = [lanes]int{reading: 4, writing: 2, uploading: 2}

// Where the quickest request yet took this long the way is far: a lane begins
// with so many then, as most of a request's time is spent on its way.
const (
	farAway   = 40 * time.Millisecond
	beginsFar = 4
)

// sharesRation says which lanes count for which of the server's two limits:
// maxConcurrentRequests and maxConcurrentUpload.
var sharesRation = [lanes]int{reading: 0, writing: 0, uploading: 1}

// gate decides how many requests of one client are out at once: within the
// server's limits and the user's, as many of each lane as get most done
// (docs/decisions/concurrency.md). Who came first goes first, unless it is
// only its own lane that is full, or another is ahead of all: what is small and
// tells what to send next, as a page of a list, does not wait behind megabytes.
type gate struct {
	now  func() time.Time
	most int // of all lanes together, 0: the rations alone

	mu      sync.Mutex
	out     int
	rations [2]ration
	// quickest is the time of the quickest request over a warm connection, 0 for none.
	quickest time.Duration
	lanes    [lanes]traffic
	waiting  []*pass
}

// ration is how many requests the server takes at once.
type ration struct {
	out  int
	said int // by the server
	max  int // as it turned out
	good int // requests that went well since max was changed
}

// traffic is what is out in one lane.
type traffic struct {
	out   int
	used  bool // something entered
	climb climb
	// shared is the integral of 1/out over time. What it grows by during a request
	// is the time that the request would have had the lane for itself.
	shared time.Duration
	at     time.Time // up to which it is known
}

// pass lets one request out.
type pass struct {
	lane   lane
	ahead  bool
	ready  chan struct{} // closed once it is given
	round  int           // of the lane's climb when it was given
	given  time.Time
	shared time.Duration
}

// newGate is a gate for a server that is not known yet.
func newGate(now func() time.Time, most int) *gate {
	g := &gate{now: now, most: most}
	g.allow(1, 1)
	return g
}

// allow sets what the server takes at once.
func (g *gate) allow(requests, atUpload int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, n := range []int64{requests, atUpload} {
		n := int(min(max(n, 1), mostAtOnce))
		g.rations[i].said, g.rations[i].max = n, n
	}
	for l := range lanes {
		g.lanes[l].used = false
		g.lanes[l].climb.begin(min(begins[l], g.room(l)))
	}
	g.admit()
}

// use begins with a lane that was not used yet: by now something is known of
// how far the server is.
func (g *gate) use(l lane) {
	t := &g.lanes[l]
	if !t.used && g.quickest >= farAway && begins[l] < beginsFar {
		t.climb.begin(min(beginsFar, g.room(l)))
	}
	t.used = true
}

// room is how many of a lane there may be at all.
func (g *gate) room(l lane) int {
	n := g.rations[sharesRation[l]].max
	if g.most > 0 {
		n = min(n, g.most)
	}
	return n
}

// enter waits until a request may go out. leave must follow.
func (g *gate) enter(ctx context.Context, l lane, ahead bool) (*pass, error) {
	p := &pass{lane: l, ahead: ahead, ready: make(chan struct{})}
	g.mu.Lock()
	at := slices.IndexFunc(g.waiting, func(w *pass) bool { return !w.ahead })
	if at < 0 || !ahead {
		at = len(g.waiting)
	}
	g.waiting = slices.Insert(g.waiting, at, p)
	g.use(l)
	g.admit()
	g.mu.Unlock()
	select {
	case <-p.ready:
		return p, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, p); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	} else { // it was given meanwhile
		g.count(l, -1)
		g.admit()
	}
	return nil, ctx.Err()
}

// admit lets out all that may go.
func (g *gate) admit() {
	g.waiting = slices.DeleteFunc(g.waiting, func(p *pass) bool {
		r, t := &g.rations[sharesRation[p.lane]], &g.lanes[p.lane]
		if g.most > 0 && g.out >= g.most || r.out >= r.max || t.out >= t.climb.width {
			return false
		}
		g.count(p.lane, 1)
		p.given, p.shared, p.round = t.at, t.shared, t.climb.round
		close(p.ready)
		return true
	})
}

// count notes that one more, or less, of a lane is out.
func (g *gate) count(l lane, n int) {
	t, now := &g.lanes[l], g.now()
	if t.out > 0 {
		t.shared += now.Sub(t.at) / time.Duration(t.out)
	}
	t.at = now
	t.out += n
	g.rations[sharesRation[l]].out += n
	g.out += n
}

// outcome is what became of a request, as far as it matters how many others there were.
type outcome int

const (
	failed  outcome = iota // it says nothing about the others
	cold                   // it went well, over a connection that had to be made first
	done                   // it went well
	refused                // too many requests in some time (429)
	crowded                // too many requests at once
)

// leave notes that a request is over, and how many octets it moved.
func (g *gate) leave(p *pass, o outcome, octets int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, t := &g.rations[sharesRation[p.lane]], &g.lanes[p.lane]
	atOnce := r.out
	g.count(p.lane, -1)
	switch o {
	case crowded:
		r.max, r.good = max(1, min(r.max, atOnce-1)), 0
	case refused:
		t.climb.halve(p.round)
	case done:
		if took := t.at.Sub(p.given); g.quickest == 0 || took < g.quickest {
			g.quickest = took
		}
		t.climb.saw(p.round, t.at.Sub(p.given), t.shared-p.shared, octets, g.room(p.lane))
	}
	if o == done || o == cold {
		if r.good++; r.good >= goodEnough*r.max && r.max < r.said {
			r.max, r.good = r.max+1, 0 // perhaps others had taken what was left
		}
	}
	for l := range lanes {
		g.lanes[l].climb.within(g.room(l))
	}
	g.admit()
}

// goodEnough is how many requests must go well, for each that may be out, until
// one more is tried where the server once refused it.
const goodEnough = 32
