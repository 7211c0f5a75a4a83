package jmapclient

import "time"

const (
	// A window is over when so many requests for each that may be out at once, and
	// so much of the lane's time, were seen.
	windowRequests = 3
	windowTime     = 250 * time.Millisecond
	// A wider lane must gain this much, a narrower one may lose that much: where
	// it is all the same, fewer requests at once are kinder to the server.
	mustGain, mayLose = 1.05, 0.97
	// A first trial that is this far from that is believed, a second one half as
	// far away, and so on; what is closer is measured again, so often in all.
	tooClose    = 0.4
	mostRepeats = 6
	// mostRest bounds how many windows pass between two trials.
	mostRest = 16
)

// window is what was done in some of a lane's time: sums over its requests.
type window struct {
	requests, octets, seconds float64
	squares, products         float64 // of octets, of octets and seconds
}

// one is the window of a single request.
func one(octets int64, share time.Duration) window {
	o, t := float64(octets), share.Seconds()
	return window{1, o, t, o * o, o * t}
}

func (w window) plus(v window) window {
	return window{w.requests + v.requests, w.octets + v.octets, w.seconds + v.seconds, w.squares + v.squares, w.products + v.products}
}

// cost is what a request and an octet cost, in seconds: the line that fits best.
// Where the way is long a request costs most, where it is not the octets do.
func (w window) cost() (request, octet float64) {
	if spread := w.requests*w.squares - w.octets*w.octets; spread > 0 {
		octet = max(0, (w.requests*w.products-w.octets*w.seconds)/spread)
	}
	if request = (w.seconds - octet*w.octets) / w.requests; request < 0 {
		return 0, w.seconds / w.octets
	}
	return request, octet
}

// over is how much faster w was than v, as a ratio. What was sent may differ:
// both are held against what the same would cost on the average of both.
func (w window) over(v window) float64 {
	request, octet := w.plus(v).cost()
	speed := func(w window) float64 { return (request*w.requests + octet*w.octets) / w.seconds }
	return speed(w) / speed(v)
}

// climb finds how many requests of a lane at once get most done. It measures a
// window at home, the best width that is known, one at a neighbour's, and one at
// home again: what changes meanwhile, the mail or the server, is in both of home's.
// A neighbour that is better becomes home. Trials that fail become rare.
type climb struct {
	width int // in force
	home  int
	trial int // the neighbour that is tried, 0: none
	round int // counts the changes of width

	up    bool // where the next trial goes
	step  int
	rests int // windows between trials

	now            window // the one that is under way
	athome, beside window // of this trial
	repeats, rest  int
}

// begin begins anew at a width.
func (c *climb) begin(width int) {
	*c = climb{width: width, home: width, round: c.round + 1, up: true, step: 1, rests: 1}
}

// within keeps to what there is room for.
func (c *climb) within(room int) {
	if c.home > room {
		c.begin(room)
	} else if c.trial > room {
		c.settle()
	}
}

// halve gives way to a server that asked for less, once for all requests that
// were out.
func (c *climb) halve(round int) {
	if round == c.round {
		c.begin(max(1, c.home/2))
	}
}

// use puts a width in force.
func (c *climb) use(width int) {
	if width != c.width {
		c.round++
	}
	c.width, c.now = width, window{}
}

// saw takes a request in that went well: how long it took, how much of the lane's
// time that was, what it moved. It counts if the lane was full all the while.
func (c *climb) saw(round int, took, share time.Duration, octets int64, room int) {
	if round != c.round || share <= 0 || float64(took) < (float64(c.width)-0.5)*float64(share) {
		return
	}
	c.now = c.now.plus(one(octets, share))
	if c.now.requests < float64(windowRequests*c.width) || c.now.seconds < windowTime.Seconds() {
		return
	}
	switch {
	case c.width != c.home:
		c.beside = c.beside.plus(c.now)
		c.use(c.home)
	case c.trial > 0:
		c.athome = c.athome.plus(c.now)
		c.use(c.home)
		c.judge()
	default:
		c.athome = c.now
		c.use(c.home)
		if c.rest++; c.rest >= c.rests {
			c.venture(room)
		}
	}
}

// judge compares the neighbour with home.
func (c *climb) judge() {
	must := mayLose
	if c.trial > c.home {
		must = mustGain
	}
	gain := c.beside.over(c.athome) / must
	c.repeats++
	near := tooClose / float64(c.repeats)
	switch {
	case c.repeats < mostRepeats && gain < 1+near && gain > 1-near:
		c.use(c.trial)
	case gain >= 1:
		c.home = c.trial
		c.step, c.rests = 2*c.step, 1
		c.settle()
	default:
		c.up = !c.up
		c.step, c.rests = 1, min(2*c.rests, mostRest)
		c.settle()
	}
}

// settle ends a trial.
func (c *climb) settle() {
	c.trial, c.repeats, c.rest = 0, 0, 0
	c.use(c.home)
}

// venture begins a trial.
func (c *climb) venture(room int) {
	trial := c.neighbour(room)
	if trial == c.home {
		c.up, c.step = !c.up, 1
		trial = c.neighbour(room)
	}
	if trial == c.home {
		return // there is room for one alone
	}
	c.trial, c.beside = trial, window{}
	c.use(trial)
}

// neighbour is the width that is to be tried next.
func (c *climb) neighbour(room int) int {
	if c.up {
		return min(c.home+c.step, room)
	}
	return max(c.home-c.step, 1)
}
