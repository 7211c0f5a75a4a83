package exporter

import (
	"sync"
	"sync/atomic"
	"time"

	"mailhaul/internal/progress"
)

// stageEvery is the least time between two Stage events of one stage.
const stageEvery = 100 * time.Millisecond

// reporter stamps events with the account.
type reporter struct {
	to      progress.Func
	account string
}

func (r *reporter) emit(e progress.Event) {
	e.Account = r.account
	r.to.Emit(e)
}

// stage counts what a stage has done and tells of it now and then. Its methods
// may be called from several goroutines.
type stage struct {
	report             *reporter
	name               string
	quiet              bool // shown is what the first listing did
	done, total, bytes atomic.Int64

	mu   sync.Mutex
	next time.Time
}

func (e *export) stage(name string) *stage {
	return &stage{report: e.report, name: name, quiet: e.quiet}
}

func (s *stage) add(items, bytes int64) {
	s.done.Add(items)
	s.bytes.Add(bytes)
	s.mu.Lock()
	due := time.Now().After(s.next)
	if due {
		s.next = time.Now().Add(stageEvery)
	}
	s.mu.Unlock()
	if due {
		s.emit(progress.Stage)
	}
}

func (s *stage) emit(k progress.Kind) {
	if s.quiet {
		return
	}
	s.report.emit(progress.Event{Kind: k, Stage: s.name,
		Done: s.done.Load(), Total: s.total.Load(), Bytes: s.bytes.Load()})
}
