package jmapclient

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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
func (c *curve) serve(r *rand.Rand) (octets int64) {
	octets = int64(20_000 * r.ExpFloat64())
	scale := float64(octets+5_000) / 25_000
	time.Sleep(c.latency / 2)
	n := c.busy.Add(1)
	for m := c.most.Load(); n > m && !c.most.CompareAndSwap(m, n); m = c.most.Load() {
	}
	took := scale * (0.8 + 0.4*r.Float64()) * float64(n) / c.persec(int(n))
	time.Sleep(time.Duration(took * float64(time.Second)))
	c.busy.Add(-1)
	time.Sleep(c.latency / 2)
	return octets
}

// haul sends so many requests with so many workers through enter and leave, and
// says how long that took.
func haul(c *curve, requests, workers int, through func(serve func() int64)) time.Duration {
	began := time.Now()
	var left atomic.Int64
	left.Store(int64(requests))
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(w)))
			for left.Add(-1) >= 0 {
				through(func() int64 { return c.serve(r) })
			}
		})
	}
	group.Wait()
	return time.Since(began)
}

// through is the way through a gate when all goes well.
func through(t *testing.T, g *gate, l lane) func(func() int64) {
	return func(serve func() int64) {
		p, err := g.enter(t.Context(), l)
		if err != nil {
			t.Error(err)
			return
		}
		g.leave(p, done, serve())
	}
}

var curves = map[string]func(int) float64{
	"scales":            func(n int) float64 { return 50 * float64(n) },
	"flat":              func(int) float64 { return 50 },
	"each one costs":    func(n int) float64 { return 50 / (1 + 0.2*float64(n-1)) },
	"two are best":      func(n int) float64 { return []float64{0, 42, 74, 59, 59, 55, 50, 45, 40}[n] },
	"two gain a little": func(n int) float64 { return []float64{0, 195, 200, 195, 190, 185, 180, 170, 160}[n] },
	"one is best":       func(n int) float64 { return []float64{0, 691, 549, 500, 480, 450, 400, 400, 400}[n] },
	"levels off":        func(n int) float64 { return []float64{0, 866, 1658, 1750, 1800, 1800, 1800, 1800, 1800}[n] },
}

// On every kind of server a lane comes near the best width, and what it costs to
// find that is little beside the work.
func TestTheGateFindsTheBestWidth(t *testing.T) {
	const requests, most = 1500, mostAtOnce
	for name, persec := range curves {
		for _, latency := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond} {
			for l := range lanes {
				t.Run(fmt.Sprintf("%s/%v/%d", name, latency, begins[l]), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						best := time.Hour
						var fixed [most + 1]time.Duration
						for n := 1; n <= most; n++ {
							c := &curve{persec: persec, latency: latency}
							fixed[n] = haul(c, requests, n, func(serve func() int64) { serve() })
							best = min(best, fixed[n])
						}
						g := newGate(time.Now, 0)
						g.allow(most, most)
						c := &curve{persec: persec, latency: latency}
						took := haul(c, requests, 2*most, through(t, g, l))
						home := g.lanes[l].climb.home
						t.Logf("ends at %d, %.2f of the best; all took %.2f of the best", home, float64(fixed[home])/float64(best), float64(took)/float64(best))
						if float64(fixed[home]) > 1.35*float64(best) {
							t.Errorf("ends at %d, where the same takes %v; the best takes %v", home, fixed[home], best)
						}
						if float64(took) > 1.25*float64(best)+float64(time.Second) {
							t.Errorf("took %v, at the best width all the time it is %v", took, best)
						}
						if c.most.Load() > most {
							t.Errorf("%d at once", c.most.Load())
						}
					})
				})
			}
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
			const requests = 6000
			took := haul(&curve{persec: curves[name]}, requests, 2*mostAtOnce, through(t, g, reading))
			best := time.Hour
			for n := 1; n <= mostAtOnce; n++ {
				best = min(best, haul(&curve{persec: curves[name]}, requests, n, func(serve func() int64) { serve() }))
			}
			t.Logf("%s: ends at %d; took %.2f of the best", name, g.lanes[reading].climb.home, float64(took)/float64(best))
			if float64(took) > 1.4*float64(best) {
				t.Errorf("%s: took %v, at the best width all the time it is %v", name, took, best)
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
				p, err := g.enter(t.Context(), reading)
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
		const requests = 6000
		for _, n := range []int64{2, 6, 1, 8} {
			takes.Store(n)
			refusals.Store(0)
			took := haul(c, requests, 16, way)
			ideal := haul(&curve{persec: curves["scales"]}, requests, int(n), func(serve func() int64) { serve() })
			if float64(took) > 1.4*float64(ideal) {
				t.Errorf("of %d at once: %v, want about %v", n, took, ideal)
			}
			if most := int64(requests/goodEnough + 16); refusals.Load() > most {
				t.Errorf("of %d at once: %d refusals", n, refusals.Load())
			}
			t.Logf("of %d at once: %v, ideal %v, %d refusals, ends at %d", n, took, ideal, refusals.Load(), g.lanes[reading].climb.home)
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
			p, err := g.enter(t.Context(), reading)
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
					if p, err := g.enter(ctx, l); err == nil {
						out = append(out, p)
					}
					return
				}
				ch := make(chan *pass, 1)
				go func() {
					if p, err := g.enter(context.Background(), l); err == nil {
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
