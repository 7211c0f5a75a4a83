package importer

import (
	"context"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// singleton is the id of the one VacationResponse (RFC 8621 §8).
const singleton = "singleton"

var vacationProps = account.VacationResponse.Writable

// sourceVacation is the archive's vacation response.
func (r *run) sourceVacation() (account.Object, bool, error) {
	recs, err := r.sources(account.VacationResponse)
	if err != nil || len(recs) == 0 {
		return nil, false, err
	}
	return recs[0].Object, true, nil
}

// emptyVacation says whether there is nothing in it to lose.
func emptyVacation(o account.Object) bool {
	return len(changed(account.Object{}, o, vacationProps...)) == 0
}

// targetVacation is the target's, nil when it has none yet.
func (r *run) targetVacation(ctx context.Context) (account.Object, error) {
	got, err := r.to.Get(ctx, account.VacationResponse, []string{singleton}, nil)
	if err != nil || len(got.List) == 0 {
		return nil, err
	}
	return got.List[0], nil
}

// vacation sets the vacation response, by create or by update as the server
// takes it: some make it on the first set, others have it always.
func (r *run) vacation(ctx context.Context) error {
	o, ok, err := r.sourceVacation()
	if err != nil || !ok {
		return err
	}
	st := r.stage(account.VacationResponse.Name, 1, 0)
	defer st.finish()
	if err := r.restoreVacation(ctx, o); err != nil {
		return err
	}
	st.add(1, 0)
	return nil
}

func (r *run) restoreVacation(ctx context.Context, o account.Object) error {
	rec := archive.Record{Object: o}
	e, known, err := r.before(account.VacationResponse, o.ID())
	if err != nil {
		return err
	}
	if emptyVacation(o) && !known { // nothing to carry over, and the target's own stays
		r.count(account.VacationResponse, func(c *Counts) { c.Present++ })
		return nil
	}
	target, err := r.targetVacation(ctx)
	if err != nil {
		return err
	}
	diff := changed(target, o, vacationProps...)
	if known {
		was, _ := account.ParseObject([]byte(e.Applied))
		var props []string
		for p := range changed(was, o, vacationProps...) {
			props = append(props, p)
		}
		diff = diff.Only(props...) // the rest is as the target's user left it
	}
	if len(diff) == 0 {
		r.count(account.VacationResponse, func(c *Counts) { c.Present++ })
		return r.done(account.VacationResponse, rec, singleton, string(o.Encode()))
	}
	if target == nil {
		return r.setVacation(ctx, rec, r.createVacation, r.updateVacation, diff)
	}
	return r.setVacation(ctx, rec, r.updateVacation, r.createVacation, diff)
}

type setter func(context.Context, account.Object) (*jmapclient.SetError, error)

func (r *run) setVacation(ctx context.Context, rec archive.Record, first, second setter, diff account.Object) error {
	refused, err := first(ctx, diff)
	if err != nil {
		return err
	}
	if refused != nil {
		firstRefusal := refused
		if refused, err = second(ctx, diff); err != nil {
			return err
		}
		if refused != nil {
			r.fail(account.VacationResponse, singleton, "vacation response", "the server refused it: "+firstRefusal.String()+"; "+refused.String(),
				"set it by hand")
			return nil
		}
	}
	now, err := r.targetVacation(ctx)
	if err != nil {
		return err
	}
	if left := changed(now, rec.Object, "isEnabled"); diff["isEnabled"] != nil && len(left) > 0 {
		r.warn("the vacation response is not enabled or disabled as it was: the server did not take it over; see to it by hand")
	}
	r.count(account.VacationResponse, func(c *Counts) { c.Updated++ })
	return r.done(account.VacationResponse, rec, singleton, string(rec.Object.Encode()))
}

func (r *run) createVacation(ctx context.Context, o account.Object) (*jmapclient.SetError, error) {
	res, err := r.to.Set(ctx, account.VacationResponse, jmapclient.SetArgs{Create: map[string]account.Object{singleton: o}})
	if err != nil {
		return nil, err
	}
	if e, ok := res.NotCreated[singleton]; ok {
		return &e, nil
	}
	return nil, nil
}

func (r *run) updateVacation(ctx context.Context, o account.Object) (*jmapclient.SetError, error) {
	res, err := r.to.Set(ctx, account.VacationResponse, jmapclient.SetArgs{Update: map[string]map[string]any{singleton: patchOf(o)}})
	if err != nil {
		return nil, err
	}
	if e, ok := res.NotUpdated[singleton]; ok {
		return &e, nil
	}
	return nil, nil
}
