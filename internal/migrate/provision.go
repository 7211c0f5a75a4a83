package migrate

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"mailhaul/internal/directory"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

// ProvisionOptions say how the accounts are made.
type ProvisionOptions struct {
	DryRun bool   // only say what would be done
	From   string // file (.json or .csv) in place of the old server and the plan's
}

// Provisioned is what provision did, or with DryRun would do.
type Provisioned struct {
	Plan    *directory.Plan `json:"plan"`
	Created int             `json:"created"`
	Changed int             `json:"changed"`
	Failed  []string        `json:"failed,omitempty"`
}

// provisions says whether the accounts are going to be made: not where they
// are there already by the plan, or the new server has no way to make any.
func (r *Run) provisions(ctx context.Context) bool {
	if r.Plan.Provision.Skip || r.Plan.New.Credentials == "" || r.Plan.Old.Credentials == "" && r.Plan.Provision.Directory == "" {
		return false
	}
	r.canMake.Do(func() {
		for _, s := range []*side{r.old, r.new} {
			if s == r.old && r.Plan.Provision.Directory != "" {
				continue
			}
			c, err := s.client(ctx)
			if err == nil {
				_, err = directory.Detect(ctx, c)
			}
			if err != nil {
				return
			}
		}
		r.makes = true
	})
	return r.makes
}

// Directory is what accounts there are: of a file, else of the old server.
func (r *Run) Directory(ctx context.Context, from string) (*directory.Directory, error) {
	if from == "" && r.Plan.Provision.Directory != "" {
		from = r.Plan.beside(r.Plan.Provision.Directory)
	}
	if from == "" {
		c, err := r.old.client(ctx)
		if err != nil {
			return nil, err
		}
		d, err := directory.Read(ctx, c)
		if err != nil {
			return nil, &sideError{"old", err}
		}
		return d, nil
	}
	if !strings.EqualFold(suffix(from), "csv") {
		return directory.ReadFile(from)
	}
	f, err := os.Open(from)
	if err != nil {
		return nil, fmt.Errorf("could not read the accounts: %w", err)
	}
	defer f.Close()
	d, err := directory.FromCSV(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return d, nil
}

func suffix(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// Provision makes the accounts with these names (nil: all of the plan) on the
// new server, with the groups and lists that they are in, and notes for each what
// became of it. nil says that it is not for this plan: see provisions. asked says
// that somebody asked for just this.
func (r *Run) Provision(ctx context.Context, only []string, o ProvisionOptions, asked, again bool) (*Provisioned, Tally, error) {
	if !asked && !r.provisions(ctx) {
		return nil, nil, nil
	}
	jobs, err := r.chosen(only)
	if err != nil {
		return nil, nil, err
	}
	sizes := map[string]int64{} // accounts are counted, not messages
	for _, j := range jobs {
		sizes[j.Old] = 0
	}
	r.board.begin(ProvisionStep, sizes)
	tally := Tally{}
	if !again {
		jobs = slices.DeleteFunc(jobs, func(j *job) bool {
			if j.Steps[ProvisionStep].State == Done {
				tally[Done]++
			}
			return j.Steps[ProvisionStep].State == Done
		})
		if len(jobs) == 0 {
			return nil, tally, nil
		}
	}
	plan, c, err := r.compare(ctx, jobs, o.From, len(only) == 0)
	if err != nil {
		return nil, tally, err
	}
	made := &Provisioned{Plan: plan}
	if o.DryRun {
		return made, tally, nil
	}
	began := time.Now().UTC()
	outcome, err := plan.Apply(ctx, c, func(e directory.Event) {
		text := fmt.Sprintf("%s %s %s", e.Step.Do, e.Step.What, e.Step.Name)
		kind := progress.Note
		if e.Err != nil {
			kind, text = progress.Warning, text+": "+e.Err.Error()
		}
		r.hooks.Events(Event{Event: progress.Event{Kind: kind, Time: time.Now().UTC(), Stage: "accounts", Done: int64(e.N), Total: int64(e.Of), Text: text}, Step: ProvisionStep})
	})
	if err != nil {
		return made, tally, &sideError{"new", err}
	}
	made.Created, made.Changed = outcome.Created, outcome.Changed
	failed := map[string]error{}
	for _, f := range outcome.Failed {
		failed[f.Step.Name] = f.Err
		made.Failed = append(made.Failed, fmt.Sprintf("%s %s %s: %v", f.Step.Do, f.Step.What, f.Step.Name, f.Err))
	}
	for _, j := range jobs {
		out, err := r.provisioned(j, plan, failed, began)
		if err != nil {
			return made, tally, err
		}
		tally[out.State]++
	}
	return made, tally, nil
}

// compare plans what is to be made for these accounts.
func (r *Run) compare(ctx context.Context, jobs []*job, from string, all bool) (*directory.Plan, *jmapclient.Client, error) {
	want, err := r.Directory(ctx, from)
	if err != nil {
		return nil, nil, err
	}
	c, err := r.new.client(ctx)
	if err != nil {
		return nil, nil, err
	}
	have, err := directory.Read(ctx, c)
	if err != nil {
		return nil, nil, &sideError{"new", err}
	}
	r.narrow(want, jobs, all && r.Plan.Accounts.All)
	plan, err := directory.Compare(want, have, have.Version)
	return plan, c, err
}

// narrow leaves in a directory these accounts with the groups and lists that
// they are in, and gives them the names that the plan has for them. With all,
// only what the plan leaves out is taken away.
func (r *Run) narrow(d *directory.Directory, jobs []*job, all bool) {
	names := map[string]string{}
	with := map[string]bool{}
	for _, j := range r.jobs {
		if j.Override.New != "" {
			names[strings.ToLower(j.Old)] = j.Override.New
		}
	}
	for _, j := range jobs {
		with[strings.ToLower(j.Old)] = true
	}
	groups := map[string]bool{}
	for _, a := range d.Accounts {
		if with[strings.ToLower(a.Name)] {
			for _, g := range a.MemberOf {
				groups[strings.ToLower(g)] = true
			}
		}
	}
	d.Accounts = slices.DeleteFunc(d.Accounts, func(a directory.Account) bool {
		low := strings.ToLower(a.Name)
		if with[low] {
			return false
		}
		if a.Kind == directory.List {
			return !all && !slices.ContainsFunc(a.Members, func(m string) bool { return with[strings.ToLower(m)] })
		}
		return !groups[low]
	})
	rename := func(list []string) []string {
		list = slices.Clone(list)
		for i, name := range list {
			if to := names[strings.ToLower(name)]; to != "" {
				list[i] = to
			}
		}
		return list
	}
	for i := range d.Accounts {
		a := &d.Accounts[i]
		a.Name = rename([]string{a.Name})[0]
		a.MemberOf, a.Members = rename(a.MemberOf), rename(a.Members)
	}
}

// provisioned notes what became of an account, and what it is called now.
func (r *Run) provisioned(j *job, plan *directory.Plan, failed map[string]error, began time.Time) (Outcome, error) {
	o := Outcome{Step: ProvisionStep, State: Done, Started: began, Ended: time.Now().UTC(), Runs: j.Steps[ProvisionStep].Runs + 1}
	target := plan.Names[j.New]
	if target == "" {
		target = j.New
	}
	for _, p := range plan.Notes {
		if p.Name == j.New || p.Name == target {
			o.Detail.warn(p.Text)
		}
	}
	for _, p := range plan.InTheWay {
		if p.Name == j.New || p.Name == target {
			o.State, o.Error = Failed, p.Text
			o.Advice = "take away what is in the way, or give the account another name under [[account]]; then run the plan again"
		}
	}
	if err := failed[target]; err != nil {
		o.State, o.Error = Failed, err.Error()
		o.Advice = "mend what the server complains of, or make the account by hand; then run the plan again"
	}
	if _, known := plan.Names[j.New]; !known && o.State == Done {
		o.Detail.warn("the old server's directory has no account of this name: it was not made")
	}
	if o.State == Done && target != j.New {
		if err := r.store.mapped(j.Old, target); err != nil {
			return o, &stateError{err}
		}
		j.New, j.Target = target, target
	}
	return o, r.note(j, o)
}
