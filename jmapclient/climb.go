package jmapclient

import "time"

const (
	// perRequest is what a request counts for beside the octets it moves: about a
	// small message.
	perRequest = 4 << 10
	// A window is over when so many requests for each that may be out at once, and
	// so much of the lane's time, were seen.
	windowRequests = 3
	windowTime     = 200 * time.Millisecond
	// One more at once must gain this much, one less may lose that much.
	mustGain = 1.05
	mayLose  = 0.97
	// mostRest bounds how many windows pass between two trials.
	mostRest = 16
)

// climb finds how many requests of a lane at once get most done. It measures a
// window at home, the best width that is known, then one at a neighbour's, then
// one at home again: what changed meanwhile, the mail or the server, is in
// both of home's. A neighbour that is better becomes home. Trials that fail
// become rare.
type climb struct {
	width int // in force
	home  int
	round int // counts the changes of width

	up     bool // where the next trial goes
	step   int
	rests  int // windows between trials
	rested int

	before float64 // what home got done in its last window, octets a second; 0: not known
	tried  float64 // what the neighbour did; 0: none was tried since
	trial  int     // the neighbour's width

	requests int
	octets   float64
	time     time.Duration // of the lane
}

// begin begins anew at a width.
func (c *climb) begin(width int) {
	*c = climb{width: width, home: width, round: c.round + 1, up: true, step: 1, rests: 1}
}

// within keeps to what there is room for.
func (c *climb) within(room int) {
	if c.home > room {
		c.begin(room)
	} else if c.width > room {
		c.use(c.home)
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
	c.width = width
	c.requests, c.octets, c.time = 0, 0, 0
}

// saw takes a request in that went well: how long it took, how much of the lane's
// time that was, what it moved. It counts if the lane was full all the while.
func (c *climb) saw(round int, took, share time.Duration, octets int64, room int) {
	if round != c.round || share <= 0 || float64(took) < (float64(c.width)-0.5)*float64(share) {
		return
	}
	c.requests++
	c.octets += float64(octets + perRequest)
	c.time += share
	if c.requests < windowRequests*c.width || c.time < windowTime {
		return
	}
	rate := c.octets / c.time.Seconds()
	switch {
	case c.width != c.home:
		c.tried = rate
		c.use(c.home)
	case c.tried > 0:
		c.judge(rate)
	default:
		c.before = rate
		c.rested++
		c.use(c.home)
	}
	if c.width == c.home && c.tried == 0 && c.before > 0 && c.rested >= c.rests {
		c.venture(room)
	}
}

// judge compares the neighbour with home, before and after.
func (c *climb) judge(after float64) {
	gain := c.tried / ((c.before + after) / 2)
	c.tried, c.rested = 0, 0
	if c.up && gain >= mustGain || !c.up && gain >= mayLose {
		c.home, c.before = c.trial, 0
		c.step, c.rests = 2*c.step, 1
	} else {
		c.before, c.up = after, !c.up
		c.step, c.rests = 1, min(2*c.rests, mostRest)
	}
	c.use(c.home)
}

// venture tries a neighbour.
func (c *climb) venture(room int) {
	c.trial = c.beside(room)
	if c.trial == c.home {
		c.up, c.step = !c.up, 1
		c.trial = c.beside(room)
	}
	c.use(c.trial)
}

// beside is the width that is to be tried next.
func (c *climb) beside(room int) int {
	if c.up {
		return min(c.home+c.step, room)
	}
	return max(c.home-c.step, 1)
}
