package exporter

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"mailhaul/archive"
)

// tally is what became of a type's objects in this snapshot. It is kept with
// the snapshot's progress, so that a run that goes on knows what went before.
// Its methods may be called from several goroutines.
type tally struct {
	mu      sync.Mutex
	changed int64
	gone    int64
	failed  map[string]archive.Failure // by id
	suspect map[string]bool            // failed in an earlier run: tried again
}

// tallyRecord is a tally as it is kept.
type tallyRecord struct {
	Changed int64             `json:"changed"`
	Gone    int64             `json:"gone"`
	Failed  []archive.Failure `json:"failed,omitempty"`
}

// newTally goes on from what was kept. What failed earlier is tried again; where
// the run is narrowed, what is not tried remains a failure (carry).
func newTally(kept tallyRecord, earlier []archive.Failure, carry bool) *tally {
	n := &tally{changed: kept.Changed, gone: kept.Gone,
		failed: map[string]archive.Failure{}, suspect: map[string]bool{}}
	for _, f := range kept.Failed {
		n.failed[f.ID] = f
		n.suspect[f.ID] = true
	}
	for _, f := range earlier {
		n.suspect[f.ID] = true
		if _, known := n.failed[f.ID]; carry && !known {
			f.Untried = true
			n.failed[f.ID] = f
		}
	}
	return n
}

func (n *tally) record() tallyRecord {
	n.mu.Lock()
	defer n.mu.Unlock()
	failed := slices.SortedFunc(maps.Values(n.failed), func(a, b archive.Failure) int { return strings.Compare(a.ID, b.ID) })
	return tallyRecord{Changed: n.changed, Gone: n.gone, Failed: failed}
}

// put counts an object that is in the archive as it should be.
func (n *tally) put(id string, changed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.failed, id)
	if changed {
		n.changed++
	}
}

// fail counts an object that is not, or not whole.
func (n *tally) fail(f archive.Failure, changed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failed[f.ID] = f
	if changed {
		n.changed++
	}
}

// drop counts an object that is no longer on the server.
func (n *tally) drop(id string, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.failed, id)
	if known {
		n.gone++
	}
}

// suspects are the ids that failed in an earlier run, sorted.
func (n *tally) suspects() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Sorted(maps.Keys(n.suspect))
}

// moved is how many records were written: it grows when something changed.
func (n *tally) moved() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed + n.gone
}
