package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mailhaul/archive"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

// Run is the one that works on a plan.
type Run struct {
	Plan     *Plan
	Force    bool   // goes on where check found what will fail
	Metrics  string // file that is written while it runs, "" for none
	hooks    Hooks
	store    *store
	old, new *side
	board    board
	jobs     []*job
	worked   int        // accounts that the last step was done for
	borrow   *borrowing // nil: nobody signs in as a user
	canMake  sync.Once  // sets makes, see provisions
	makes    bool
}

// job is an account of the plan at work.
type job struct {
	Wanted
	*Account
}

// Open takes the plan for this run; a *BusyError says that another has it.
func Open(p *Plan, h Hooks) (*Run, error) {
	s, err := openStore(p.Directory())
	if err != nil {
		return nil, err
	}
	r := &Run{Plan: p, hooks: h, store: s}
	tell := h.Events
	r.hooks.Events = func(e Event) {
		r.board.event(e)
		tell(e)
	}
	r.old, r.new = newSide("old", &p.Old, p, &r.hooks), newSide("new", &p.New, p, &r.hooks)
	return r, nil
}

// Close gives the plan free.
func (r *Run) Close() error {
	r.old.close()
	r.new.close()
	return r.store.Close()
}

// Load finds out which accounts there are. Only old asks the old server.
func (r *Run) Load(ctx context.Context, ask bool) error {
	var names []string
	if r.Plan.Listing() && ask {
		var err error
		if names, err = r.old.listed(ctx); err != nil {
			return err
		}
	} else if r.Plan.Listing() { // what was listed last
		known, err := r.store.accounts()
		if err != nil {
			return err
		}
		for _, a := range known {
			names = append(names, a.Name)
		}
	}
	wanted, err := r.Plan.Select(names)
	if err != nil {
		return err
	}
	if len(wanted) == 0 {
		return fmt.Errorf("%s: no account is meant: %s", r.Plan.path, r.whatThereIs(names))
	}
	made, err := r.store.madeAs()
	if err != nil {
		return err
	}
	for i, w := range wanted {
		if to := made[w.Old]; to != "" && w.Override.New == "" {
			wanted[i].New = to
		}
	}
	if err := r.store.want(wanted); err != nil {
		return err
	}
	known, err := r.store.accounts()
	if err != nil {
		return err
	}
	r.jobs = nil
	for i, w := range wanted {
		r.jobs = append(r.jobs, &job{w, known[i]})
	}
	return nil
}

func (r *Run) whatThereIs(names []string) string {
	const most = 20
	if len(names) == 0 {
		return "the old server lists none"
	}
	text := "the old server lists " + strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}

// chosen are the accounts with these names, all when there are none.
func (r *Run) chosen(only []string) ([]*job, error) {
	if len(only) == 0 {
		return slices.Clone(r.jobs), nil
	}
	var jobs []*job
	for _, name := range only {
		i := slices.IndexFunc(r.jobs, func(j *job) bool { return strings.EqualFold(j.Old, name) })
		if i < 0 {
			return nil, fmt.Errorf("the plan has no account %s", name)
		}
		jobs = append(jobs, r.jobs[i])
	}
	return jobs, nil
}

// Tally is how many accounts ended a step how.
type Tally map[State]int

// Bad are the accounts that something is wrong with.
func (t Tally) Bad() (n int) {
	for state, count := range t {
		if state.bad() {
			n += count
		}
	}
	return n
}

// work is what a step does for one account. The outcome counts with an error, too.
type work func(ctx context.Context, j *job, o *Outcome) error

// Do does a step for the accounts with these names (nil: for all of the plan).
// Unless again is set, those that are through with it are left alone, and those
// with which an earlier step failed. The error is what ended the step for all;
// what befell single accounts is in the tally and the state.
func (r *Run) Do(ctx context.Context, step Step, only []string, again bool) (Tally, error) {
	jobs, err := r.chosen(only)
	if err != nil {
		return nil, err
	}
	do := map[Step]work{CheckStep: r.check, CopyStep: r.copy, CutoverStep: r.cutover, VerifyStep: r.verify}[step]
	if step == CopyStep {
		if err := r.size(ctx, jobs); err != nil {
			return nil, err
		}
	}
	// The largest first: whoever is last is alone at work.
	slices.SortStableFunc(jobs, func(a, b *job) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Messages, a.Messages))
	})
	sizes := map[string]int64{}
	for _, j := range jobs {
		sizes[j.Old] = j.Messages
	}
	r.board.begin(step, sizes)
	stop := r.record(ctx)
	defer stop()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tally, dead := Tally{}, 0
	r.worked = 0
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(r.Plan.Concurrency)
	for _, j := range jobs {
		if state, why := r.spared(j, step, again); state != "" {
			mu.Lock()
			tally[state]++
			mu.Unlock()
			r.board.account(j.Old, state, why)
			continue
		}
		if ctx.Err() != nil {
			break
		}
		r.worked++
		group.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			o, err := r.one(ctx, j, step, do)
			mu.Lock()
			defer mu.Unlock()
			tally[o.State]++
			if jmapclient.KindOf(err) == jmapclient.Unreachable {
				dead++
			} else {
				dead = 0
			}
			if fatal(err) || dead > 2 {
				cancel(err)
			}
			return nil
		})
	}
	_ = group.Wait() // none of them answers an error
	if ctx.Err() != nil {
		return tally, context.Cause(ctx)
	}
	return tally, nil
}

// Worked is how many accounts the last step was done for: the others were
// through with it before, or could not be tried.
func (r *Run) Worked() int { return r.worked }

// fatal says whether an error would meet every other account, too.
func fatal(err error) bool {
	if _, full := errors.AsType[*archive.FullError](err); full {
		return true
	}
	_, state := errors.AsType[*stateError](err)
	return state
}

// stateError: the state could not be written.
type stateError struct{ error }

// spared says whether an account is not to be worked on, and why.
func (r *Run) spared(j *job, step Step, again bool) (State, string) {
	if again {
		return "", ""
	}
	if j.Steps[step].State == Done {
		return Done, "was done before"
	}
	for _, earlier := range Steps[:slices.Index(Steps, step)] {
		if o := j.Steps[earlier]; o.State == Failed && !(earlier == CheckStep && r.Force) {
			return Blocked, "not tried, as " + string(earlier) + " failed"
		}
	}
	return "", ""
}

// one does a step for one account and notes what became of it.
func (r *Run) one(ctx context.Context, j *job, step Step, do work) (Outcome, error) {
	o := Outcome{Step: step, State: Working, Started: time.Now().UTC(), Runs: j.Steps[step].Runs + 1, Messages: j.Messages}
	if err := r.note(j, o); err != nil {
		return o, err
	}
	o.Started = time.Now().UTC() // the work itself, without the book-keeping
	err := do(ctx, j, &o)
	o.Ended = time.Now().UTC()
	switch {
	case err != nil && ctx.Err() != nil:
		o.State = Interrupted
	case err != nil:
		o.State, o.Error, o.Advice = Failed, err.Error(), r.advice(j, err)
	case o.State == Working && o.Detail.ItemsAll > 0:
		o.State = Partial
	case o.State == Working:
		o.State = Done
	}
	return o, errors.Join(err, r.note(j, o))
}

// note writes an outcome down and tells of it.
func (r *Run) note(j *job, o Outcome) error {
	if err := r.store.put(j.Old, o); err != nil {
		return &stateError{err}
	}
	j.Steps[o.Step] = o
	if o.State == Working {
		for _, later := range o.Step.later() {
			delete(j.Steps, later)
		}
	}
	text := o.Summary()
	r.board.account(j.Old, o.State, text)
	e := Event{Event: progress.Event{Kind: AccountEvent, Time: time.Now().UTC(), Account: j.Old, Text: text, Advice: o.Advice,
		Total: o.Messages, Bytes: o.Bytes}, Step: o.Step, State: o.State}
	r.hooks.Events(e)
	return nil
}

// dir is the archive of an account.
func (r *Run) dir(j *job) string { return filepath.Join(r.Plan.Directory(), r.hooks.Folder(j.Old)) }

// events hands on what the library tells of an account and keeps what is to be told later.
func (r *Run) events(j *job, phase Phase, step Step, o *Outcome) progress.Func {
	var mu sync.Mutex
	return func(e progress.Event) {
		e.Account = j.Old
		switch e.Kind {
		case progress.Failure:
			mu.Lock()
			o.Detail.item(Item{e.Stage, e.Item, e.Text, e.Advice})
			mu.Unlock()
		case progress.Warning:
			mu.Lock()
			o.Detail.warn(strings.TrimPrefix(e.Item+": "+e.Text, ": "))
			mu.Unlock()
		}
		r.hooks.Events(Event{Event: e, Step: step, Phase: phase})
	}
}
