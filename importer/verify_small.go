package importer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailhaul/account"
)

// compareSmall compares a type that is no mail: how many of the archive's
// objects are on the target as they are, and what differs.
func (r *run) compareSmall(ctx context.Context, t account.Type) (same int64, diffs []Difference, err error) {
	switch t.Name {
	case account.Identity.Name:
		diffs, same, err = r.compareIdentities(ctx)
	case account.SieveScript.Name:
		diffs, same, err = r.compareScripts(ctx)
	case account.VacationResponse.Name:
		diffs, same, err = r.compareVacation(ctx)
	default:
		diffs, same, err = r.compareThings(ctx, t)
	}
	return same, diffs, err
}

func (r *run) compareIdentities(ctx context.Context) (diffs []Difference, same int64, err error) {
	list, err := r.matchIdentities(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, m := range list {
		o := m.rec.Object
		d := Difference{Type: account.Identity.Name, ID: o.ID(), Item: o.Text("name") + " <" + o.Text("email") + ">"}
		if m.target == nil {
			d.What, d.Detail = "missing", "there is no such identity on the server"
		} else if diff := changed(m.target, o, identityProps...); len(diff) > 0 {
			d.What = strings.Join(slices.Sorted(keys(diff)), ", ")
			d.Detail = "it differs on the server"
		} else {
			same++
			continue
		}
		diffs = append(diffs, d)
	}
	return diffs, same, nil
}

func (r *run) compareScripts(ctx context.Context) (diffs []Difference, same int64, err error) {
	recs, err := r.sources(account.SieveScript)
	if err != nil {
		return nil, 0, err
	}
	got, err := r.to.All(ctx, account.SieveScript, nil)
	if err != nil {
		return nil, 0, err
	}
	for _, rec := range recs {
		name := rec.Object.Text("name")
		d := Difference{Type: account.SieveScript.Name, ID: rec.Object.ID(), Item: name}
		i := slices.IndexFunc(got.List, func(o account.Object) bool { return o.Text("name") == name })
		if i < 0 {
			if !strings.EqualFold(name, vacationScript) {
				d.What, d.Detail = "missing", "there is no script of that name on the server"
				diffs = append(diffs, d)
			} else {
				same++ // the vacation response is compared by itself
			}
			continue
		}
		hash, err := r.hashOf(ctx, got.List[i].Text("blobId"), -1)
		if err != nil {
			return nil, 0, err
		}
		own := strings.EqualFold(name, vacationScript)
		switch a, b := rec.Object.Bool("isActive"), got.List[i].Bool("isActive"); {
		case hash != rec.Blob && !own:
			d.What, d.Detail = "content", "the script on the server is another one"
		case a != b && !own:
			d.What, d.Detail = "isActive", fmt.Sprintf("active in the archive: %t, on the server: %t", a, b)
		default:
			same++
			continue
		}
		diffs = append(diffs, d)
	}
	return diffs, same, nil
}

func (r *run) compareVacation(ctx context.Context) (diffs []Difference, same int64, err error) {
	o, ok, err := r.sourceVacation()
	if err != nil || !ok {
		return nil, 0, err
	}
	if emptyVacation(o) {
		return nil, 1, nil
	}
	t, err := r.targetVacation(ctx)
	if err != nil {
		return nil, 0, err
	}
	diff := changed(t, o, vacationProps...)
	if len(diff) == 0 {
		return nil, 1, nil
	}
	return []Difference{{Type: account.VacationResponse.Name, ID: singleton, Item: "vacation response",
		What: strings.Join(slices.Sorted(keys(diff)), ", "), Detail: "it differs on the server"}}, 0, nil
}
