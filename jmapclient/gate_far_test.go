package jmapclient

import (
	"testing"
	"testing/synctest"
	"time"
)

// What has not been sent yet begins with more at once where the way was seen to
// be long; what is under way is left to what it learnt.
func TestALaneBeginsWithMoreFarAway(t *testing.T) {
	for _, c := range []struct {
		quickest time.Duration
		want     int
	}{{farAway - time.Millisecond, begins[writing]}, {farAway, beginsFar}} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(time.Now, 0)
			g.allow(8, 8)
			pass := through(t, g, reading)
			for _, took := range []time.Duration{c.quickest + time.Second, c.quickest} {
				pass(func() int64 { time.Sleep(took); return 1 })
			}
			through(t, g, writing)(func() int64 { return 1 })
			if n := g.lanes[writing].climb.width; n != c.want {
				t.Errorf("after a request of %v %d are written at once, want %d", c.quickest, n, c.want)
			}
			if n := g.lanes[reading].climb.width; n != begins[reading] {
				t.Errorf("%d are read at once, want %d as before", n, begins[reading])
			}
		})
	}
}
