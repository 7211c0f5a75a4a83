package migrate

import (
	"context"
	"time"
)

// recordEvery is how often a run writes down how far it is, for `status` and
// the metrics.
const recordEvery = time.Second

// mostPoints is about how many points the chart of a step has.
const mostPoints = 600

const (
	boardNote = "board"
)

// record writes the board down until the step is over.
func (r *Run) record(ctx context.Context) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(recordEvery)
		defer tick.Stop()
		var last time.Time
		for {
			r.recordOnce(time.Now(), &last)
			select {
			case <-tick.C:
			case <-over:
				last = time.Time{}
				r.recordOnce(time.Now(), &last)
				return
			}
		}
	}()
	return func() {
		close(over)
		<-done
	}
}

// recordOnce writes the board. What can't be written of it is not worth ending a
// run: the outcomes are written apart, and their errors do.
func (r *Run) recordOnce(now time.Time, last *time.Time) {
	v := r.board.view(now)
	_ = r.store.note(boardNote, v)
	if every := max(recordEvery, now.Sub(v.Started)/mostPoints); now.Sub(*last) >= every {
		*last = now
		_ = r.store.point(Point{now, v.Step, v.Messages, v.Bytes, int64(v.Finished())})
	}
	if r.Metrics != "" {
		_ = writeMetrics(r.Metrics, &v)
	}
}

// View is how far the run is.
func (r *Run) View() View { return r.board.view(time.Now()) }

// Status is how far the plan is, as anyone may read it while a run is at work.
type Status struct {
	Plan     string     `json:"plan"`
	Running  bool       `json:"running"`
	View     *View      `json:"view,omitempty"` // of the step that runs, or ran last
	Accounts []*Account `json:"accounts"`
	Borrowed int        `json:"borrowedSignIns,omitempty"`
}

// ReadStatus reads the state of a plan. ErrNoState says that there is none.
func ReadStatus(p *Plan) (st *Status, err error) {
	s, err := readStore(p.Directory())
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := s.Close(); err == nil {
			err = cerr
		}
	}()
	st = &Status{Plan: p.path, Running: busy(p.Directory())}
	if st.Accounts, err = s.accounts(); err != nil {
		return nil, err
	}
	var v View
	if ok, err := s.noted(boardNote, &v); err != nil {
		return nil, err
	} else if ok {
		st.View = &v
	}
	err = s.db.QueryRow("SELECT count(*) FROM borrowed").Scan(&st.Borrowed)
	return st, err
}

// Table is how many accounts are how far, by step and state.
func (st *Status) Table() map[Step]map[State]int {
	table := map[Step]map[State]int{}
	for _, step := range Steps {
		table[step] = map[State]int{}
		for _, a := range st.Accounts {
			state := a.Steps[step].State
			if state == Working && !st.Running {
				state = Interrupted
			}
			table[step][state]++
		}
	}
	return table
}
