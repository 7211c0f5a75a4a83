package jmaptest

import (
	"slices"
	"sync"
	"time"
)

// Fault is a rule: when a request matches, that happens.
type Fault struct {
	Match      func(r Request) bool // nil: every request; called under a lock, must not call the server
	Times      int                  // how often, 0 always
	Do         FaultKind
	Bytes      int           // CutBody, Stall: octets of the answer let through
	Wait       time.Duration // Slow: how long the answer takes; Stall: how long nothing moves, 0 until the client goes
	RetryAfter string        // header of Status429 and Status503
}

// Request is what a fault rule sees.
type Request struct {
	N       int      // number of the request, from 1
	Kind    string   // "session", "api", "upload", "download", "manage"
	Methods []string // of an api request; of a management request "POST /api/principal"
	BlobID  string   // of a download
	Login   string
}

// FaultKind is what goes wrong.
type FaultKind string

// The faults.
const (
	DropBefore FaultKind = "drop before acting" // the connection is closed, nothing was done
	DropAfter  FaultKind = "drop after acting"  // it was done, the connection is closed with no answer
	Status429  FaultKind = "429"
	Status503  FaultKind = "503"
	Status500  FaultKind = "500"
	Slow       FaultKind = "slow"       // the answer comes, in pieces, over Wait
	Stall      FaultKind = "stall"      // the answer stops after Bytes octets
	CutBody    FaultKind = "cut body"   // the connection is closed after Bytes octets of the answer
	WrongSize  FaultKind = "wrong size" // Email/import and upload answer another size than they stored
)

// traffic is the rules and what was counted.
type traffic struct {
	mu      sync.Mutex
	n       int
	faults  []*Fault
	counts  map[string]int
	fetches map[string]int
	busy    map[string]int // requests at work, by kind and login
}

func (t *traffic) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts, t.fetches = map[string]int{}, map[string]int{}
	if t.busy == nil {
		t.busy = map[string]int{}
	}
}

// Inject adds a rule; the first that matches applies.
func (s *Server) Inject(f Fault) {
	s.traffic.mu.Lock()
	defer s.traffic.mu.Unlock()
	s.traffic.faults = append(s.traffic.faults, &f)
}

// ClearFaults takes all rules away.
func (s *Server) ClearFaults() {
	s.traffic.mu.Lock()
	defer s.traffic.mu.Unlock()
	s.traffic.faults = nil
}

// Requests counts what was asked: by kind, and per method for api requests
// ("api", "upload", "download", "session", "Email/import", …).
func (s *Server) Requests() map[string]int { return s.traffic.copy(&s.traffic.counts) }

// BlobFetches counts how often a blob's bytes were asked for, by blob id, by
// download or by Blob/get of data.
func (s *Server) BlobFetches() map[string]int { return s.traffic.copy(&s.traffic.fetches) }

// ResetCounts sets both to nothing; requests go on being numbered.
func (s *Server) ResetCounts() { s.traffic.reset() }

func (t *traffic) copy(m *map[string]int) map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := make(map[string]int, len(*m))
	for k, v := range *m {
		c[k] = v
	}
	return c
}

// count notes a request and answers the fault that befalls it, nil for none.
func (t *traffic) count(r Request) *Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	r.N = t.n
	t.counts[r.Kind]++
	for _, m := range r.Methods {
		t.counts[m]++
	}
	if r.BlobID != "" {
		t.fetches[r.BlobID]++
	}
	for i, f := range t.faults {
		if f.Match != nil && !f.Match(r) {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				t.faults = slices.Delete(t.faults, i, i+1)
			}
		}
		hit := *f
		return &hit
	}
	return nil
}

func (t *traffic) fetched(blobID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fetches[blobID]++
}

// enter takes one of most places for a kind of request; leave gives it back.
func (t *traffic) enter(key string, most int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if int64(t.busy[key]) >= most {
		return false
	}
	t.busy[key]++
	return true
}

func (t *traffic) leave(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy[key]--
}
