package jmaptest

import (
	"slices"
	"time"
)

// what became of an object.
type what uint8

const (
	created what = iota
	updated
	destroyed
	// counted: a mailbox of which only the counts changed (RFC 8621 §2.2).
	counted
)

type change struct {
	n    int64
	id   string
	what what
	at   time.Time
}

// history is what happened to the objects of one type of an account.
type history struct {
	log  []change
	last int64 // the number of the newest change, 0 none
	// from is the oldest state from which changes can be told.
	from int64
}

// note records a change of one object and moves the type's state on.
func (a *account) note(typ string, id string, w what) {
	a.seq++
	a.s.wake()
	h := a.history(typ)
	h.last = a.seq
	h.log = append(h.log, change{a.seq, id, w, a.s.now()})
	if most := a.s.p.HistoryEntries; most > 0 && len(h.log) > most {
		h.forget(len(h.log) - most)
	}
}

// forget drops the oldest changes, n of them.
func (h *history) forget(n int) {
	h.from = h.log[n-1].n
	h.log = slices.Clone(h.log[n:])
}

func (a *account) history(typ string) *history {
	h := a.histories[typ]
	if h == nil {
		h = &history{}
		a.histories[typ] = h
	}
	if most := a.s.p.HistoryAge; most > 0 {
		now, old := a.s.now(), 0
		for old < len(h.log) && now.Sub(h.log[old].at) > most {
			old++
		}
		if old > 0 {
			h.forget(old)
		}
	}
	return h
}

// state is a type's current state.
func (a *account) state(typ string) string { return a.s.state(a.history(typ).last) }

// delta is the sum of the changes between two states.
type delta struct {
	to                          int64
	more                        bool
	created, updated, destroyed []string
	countsOnly                  bool // RFC 8621 §2.2: updatedProperties apply
}

// since sums up what happened after state n, in at most limit ids (0: any
// number) as RFC 8620 §5.2 has it: what was created and destroyed again is not
// told, what was created and updated is created. An id that was destroyed and
// then given to another object is in both lists.
func (h *history) since(n int64, limit int) delta {
	type fate struct{ destroyed, created, updated, real bool }
	d := delta{to: h.last, countsOnly: true}
	fates := map[string]*fate{}
	var order []string
	start, _ := slices.BinarySearchFunc(h.log, n+1, func(c change, n int64) int { return int(c.n - n) })
	for _, c := range h.log[start:] {
		f := fates[c.id]
		if f == nil {
			if limit > 0 && len(order) == limit {
				d.more = true
				break
			}
			f = &fate{}
			fates[c.id] = f
			order = append(order, c.id)
		}
		d.to = c.n
		switch c.what {
		case created:
			f.created = true
		case updated, counted:
			f.updated = true
			f.real = f.real || c.what == updated
		case destroyed:
			f.destroyed = f.destroyed || !f.created
			f.created, f.updated = false, false
		}
	}
	if !d.more {
		d.to = h.last
	}
	for _, id := range order {
		f := fates[id]
		if f.destroyed {
			d.destroyed = append(d.destroyed, id)
		}
		switch {
		case f.created:
			d.created = append(d.created, id)
		case f.updated && !f.destroyed:
			d.updated = append(d.updated, id)
			d.countsOnly = d.countsOnly && !f.real
		}
	}
	return d
}
