package jmapclient

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// curve is a server: how many requests a second it gets done when so many are
// with it at once, beside a round trip that costs it nothing.
type curve struct {
	persec  func(atOnce int) float64
	latency time.Duration
	busy    atomic.Int64
	most    atomic.Int64
}

// serve is one request. octets vary as messages do, and so does the time.
func (c *curve) serve(r *rand.Rand, worker int) (octets int64) {
	octets = int64(20_000 * r.ExpFloat64())
	scale := float64(octets+5_000) / 25_000
	time.Sleep(c.latency/2 + apart(worker))
	n := c.busy.Add(1)
	for m := c.most.Load(); n > m && !c.most.CompareAndSwap(m, n); m = c.most.Load() {
	}
	took := scale * (0.6 + 0.8*r.Float64()) * float64(n) / c.persec(int(n))
	time.Sleep(time.Duration(took * float64(time.Second)))
	c.busy.Add(-1)
	time.Sleep(c.latency / 2)
	return octets
}

// apart is a moment of each worker's own: no two do something at the same instant,
// and a test goes the same way each time.
func apart(worker int) time.Duration { return time.Duration(worker + 1) }

// haul lets so many workers send requests for some time through enter and leave,
// and says how many octets went.
func haul(c *curve, last time.Duration, workers int, through func(serve func() int64)) float64 {
	end := time.Now().Add(last)
	var octets atomic.Int64
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(w)))
			for time.Now().Before(end) {
				time.Sleep(apart(w))
				through(func() int64 {
					n := c.serve(r, w)
					octets.Add(n)
					return n
				})
			}
		})
	}
	group.Wait()
	return float64(octets.Load())
}

// atFixed is what goes through with each width all the time, and what with the best.
func atFixed(c *curve, last time.Duration) (fixed [mostAtOnce + 1]float64, best float64) {
	for n := 1; n <= mostAtOnce; n++ {
		fixed[n] = haul(&curve{persec: c.persec, latency: c.latency}, last, n, func(serve func() int64) { serve() })
		best = max(best, fixed[n])
	}
	return fixed, best
}

// through is the way through a gate when all goes well.
func through(t *testing.T, g *gate, l lane) func(func() int64) {
	return func(serve func() int64) {
		p, err := g.enter(t.Context(), l, false)
		if err != nil {
			t.Error(err)
			return
		}
		g.leave(p, done, serve())
	}
}

var curves = map[string]func(int) float64{
	"scales":            func(n int) float64 { return 10 * float64(n) },
	"flat":              func(int) float64 { return 30 },
	"each one costs":    func(n int) float64 { return 50 / (1 + 0.2*float64(n-1)) },
	"two are best":      func(n int) float64 { return []float64{0, 42, 74, 59, 59, 55, 50, 45, 40}[n] },
	"two gain a little": func(n int) float64 { return []float64{0, 39, 40, 39, 38, 37, 36, 34, 32}[n] },
	"one is best":       func(n int) float64 { return []float64{0, 69, 55, 50, 48, 45, 40, 40, 40}[n] },
	"levels off":        func(n int) float64 { return []float64{0, 35, 66, 70, 72, 72, 72, 72, 72}[n] },
}

// On every kind of server a lane comes near the best width within half a minute,
// and what it costs to find that is little beside the work.
func TestTheGateFindsTheBestWidth(t *testing.T) {
	const last, most = 30 * time.Second, mostAtOnce
	for name, persec := range curves {
		for _, latency := range []time.Duration{0, 100 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s, %v", name, latency), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fixed, best := atFixed(&curve{persec: persec, latency: latency}, last)
					for _, l := range []lane{reading, writing} {
						g := newGate(time.Now, 0)
						g.allow(most, most)
						c := &curve{persec: persec, latency: latency}
						went := haul(c, last, 2*most, through(t, g, l))
						home := g.lanes[l].climb.home
						t.Logf("from %d to %d: %.2f of the best; over all %.2f of the best", begins[l], home, fixed[home]/best, went/best)
						if fixed[home] < 0.85*best {
							t.Errorf("from %d to %d, which does %.2f of the best", begins[l], home, fixed[home]/best)
						}
						if went < 0.75*best {
							t.Errorf("from %d: over all %.2f of the best", begins[l], went/best)
						}
						if c.most.Load() > most {
							t.Errorf("%d at once", c.most.Load())
						}
					}
				})
			})
		}
	}
}

// A server may turn into another one under the run: a backup starts, others sign
// in, the mail that comes now is larger.
func TestTheGateFollowsAServerThatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(time.Now, 0)
		g.allow(mostAtOnce, mostAtOnce)
		for _, name := range []string{"scales", "one is best", "two are best", "scales", "each one costs"} {
			const last = time.Minute
			c := &curve{persec: curves[name]}
			went := haul(c, last, 2*mostAtOnce, through(t, g, reading))
			_, best := atFixed(c, last)
			t.Logf("%s: ends at %d; %.2f of the best", name, g.lanes[reading].climb.home, went/best)
			if went < 0.7*best {
				t.Errorf("%s: %.2f of the best", name, went/best)
			}
		}
	})
}

// What a server takes at once may be less than it says, and change.
func TestTheGateFollowsWhatTheServerTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(time.Now, 0)
		g.allow(8, 8)
		c := &curve{persec: curves["scales"]}
		var takes, refusals atomic.Int64
		way := func(serve func() int64) {
			for {
				p, err := g.enter(t.Context(), reading, false)
				if err != nil {
					t.Error(err)
					return
				}
				if c.busy.Load() >= takes.Load() {
					refusals.Add(1)
					time.Sleep(time.Millisecond)
					g.leave(p, crowded, 0)
					time.Sleep(firstPause)
					continue
				}
				g.leave(p, done, serve())
				return
			}
		}
		const last = 3 * time.Minute
		for _, n := range []int64{2, 6, 1, 8} {
			takes.Store(n)
			refusals.Store(0)
			went := haul(c, last, 16, way)
			ideal := haul(&curve{persec: c.persec}, last, int(n), func(serve func() int64) { serve() })
			t.Logf("of %d at once: %.2f of the ideal, %d refusals, ends at %d", n, went/ideal, refusals.Load(), g.lanes[reading].climb.home)
			if went < 0.7*ideal {
				t.Errorf("of %d at once: %.2f of the ideal", n, went/ideal)
			}
			if most := int64(c.persec(int(n))*last.Seconds()/goodEnough + 16); refusals.Load() > most {
				t.Errorf("of %d at once: %d refusals", n, refusals.Load())
			}
		}
	})
}

// A server that says "too many" is sent half as many at once, once for all that
// were out when it said so.
func TestTheGateGivesWay(t *testing.T) {
	g := newGate(time.Now, 0)
	g.allow(8, 8)
	for _, want := range []int{2, 1, 1} {
		var out []*pass
		for range g.lanes[reading].climb.width {
			p, err := g.enter(t.Context(), reading, false)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, p)
		}
		for _, p := range out {
			g.leave(p, refused, 0)
		}
		if n := g.lanes[reading].climb.width; n != want {
			t.Errorf("%d at once, want %d", n, want)
		}
	}
	if n := g.lanes[uploading].climb.width; n != begins[uploading] {
		t.Errorf("%d uploads at once, want %d as before", n, begins[uploading])
	}
}

// A page of a list does not wait behind megabytes of blobs that were asked for
// before it, but behind the pages that were.
func TestTheGateLetsSmallReadsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(time.Now, 0)
		g.allow(1, 1)
		var order []string
		var group sync.WaitGroup
		for _, name := range []string{"blobs", "more blobs", "page", "next page"} {
			group.Go(func() {
				p, err := g.enter(t.Context(), reading, strings.Contains(name, "page"))
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, name)
				time.Sleep(time.Second)
				g.leave(p, done, 1)
			})
			synctest.Wait()
		}
		group.Wait()
		if diff := cmp.Diff([]string{"blobs", "page", "next page", "more blobs"}, order); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Whatever comes and whatever becomes of it, no limit is passed, and all get
// through that did not give up waiting.
func TestTheGateKeepsItsLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		said := [2]int64{rapid.Int64Range(1, 12).Draw(t, "requests"), rapid.Int64Range(1, 12).Draw(t, "uploads")}
		most := rapid.IntRange(0, 10).Draw(t, "most")
		now := time.Unix(0, 0)
		g := newGate(func() time.Time { return now }, most)
		g.allow(said[0], said[1])
		var out []*pass
		var waiting []chan *pass
		settle := func() {
			for i := 0; i < len(waiting); i++ {
				select {
				case p := <-waiting[i]:
					out = append(out, p)
					waiting = append(waiting[:i], waiting[i+1:]...)
					i--
				default:
				}
			}
		}
		check := func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			if most > 0 && g.out > most {
				t.Fatalf("%d at once of %d", g.out, most)
			}
			sum := 0
			for i, r := range g.rations {
				if int64(r.out) > said[i] || r.max < 1 || int64(r.max) > said[i] {
					t.Fatalf("%+v, and the server says %d", r, said[i])
				}
				sum += r.out
			}
			if sum != g.out {
				t.Fatalf("%d out, %d in the rations", g.out, sum)
			}
			for l := range lanes {
				if c := g.lanes[l].climb; c.width < 1 || c.width > g.room(l) || c.home < 1 || c.home > g.room(l) {
					t.Fatalf("width %d, home %d, room %d", c.width, c.home, g.room(l))
				}
			}
			if g.out == 0 && len(g.waiting) > 0 {
				t.Fatalf("nothing is out, and %d wait", len(g.waiting))
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"come": func(t *rapid.T) {
				ctx, cancel := context.WithCancel(context.Background())
				if rapid.IntRange(0, 9).Draw(t, "gives up") == 0 {
					cancel()
				}
				defer cancel()
				l := lane(rapid.IntRange(0, int(lanes)-1).Draw(t, "lane"))
				before := func() int { g.mu.Lock(); defer g.mu.Unlock(); return g.out + len(g.waiting) }
				n := before()
				if ctx.Err() != nil {
					if p, err := g.enter(ctx, l, false); err == nil {
						out = append(out, p)
					}
					return
				}
				ch := make(chan *pass, 1)
				go func() {
					if p, err := g.enter(context.Background(), l, false); err == nil {
						ch <- p
					}
				}()
				for before() == n { // until it has its place
					time.Sleep(time.Microsecond)
				}
				waiting = append(waiting, ch)
			},
			"go": func(t *rapid.T) {
				settle()
				if len(out) == 0 {
					t.Skip("nothing is out")
				}
				i := rapid.IntRange(0, len(out)-1).Draw(t, "which")
				now = now.Add(time.Duration(rapid.IntRange(0, 500).Draw(t, "ms")) * time.Millisecond)
				o := rapid.SampledFrom([]outcome{done, done, done, done, cold, failed, refused, crowded}).Draw(t, "outcome")
				g.leave(out[i], o, rapid.Int64Range(0, 1<<20).Draw(t, "octets"))
				out = append(out[:i], out[i+1:]...)
			},
			"": func(*rapid.T) { check() },
		})
		for deadline := 0; len(out)+len(waiting) > 0; deadline++ {
			settle()
			for _, p := range out {
				g.leave(p, done, 0)
			}
			out = nil
			if len(waiting) > 0 {
				time.Sleep(10 * time.Microsecond)
			}
			if deadline > 1_000_000 {
				t.Fatalf("%d never got through", len(waiting))
			}
		}
	})
}
