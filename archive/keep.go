package archive

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Keep says which snapshots a Prune keeps: each that one of the rules names. The
// newest finished one is always kept. At least one rule must be given.
type Keep struct {
	Last    int           // so many of the newest
	Daily   int           // the newest of a day, for the so many newest days (UTC) that have one
	Weekly  int           // the same for weeks (ISO 8601),
	Monthly int           // for months
	Yearly  int           // and for years
	Within  time.Duration // all that were finished so long before the newest, or later
}

// keepRule keeps the newest snapshot of each of so many periods.
type keepRule struct {
	count  int
	period func(time.Time) string
}

func (k Keep) rules() []keepRule {
	layout := func(l string) func(time.Time) string { return func(t time.Time) string { return t.Format(l) } }
	return []keepRule{
		{k.Daily, layout("2006-01-02")},
		{k.Weekly, func(t time.Time) string { y, w := t.ISOWeek(); return fmt.Sprint(y, "/", w) }},
		{k.Monthly, layout("2006-01")},
		{k.Yearly, layout("2006")},
	}
}

// check refuses what would keep the newest alone by mistake.
func (k Keep) check() error {
	for _, n := range []int{k.Last, k.Daily, k.Weekly, k.Monthly, k.Yearly, int(min(k.Within, 1<<30))} {
		if n < 0 {
			return errors.New("prune: a rule of what to keep is less than zero")
		}
	}
	if k == (Keep{}) {
		return errors.New("prune: no rule says which snapshots to keep (to keep the newest alone, say so)")
	}
	return nil
}

// choose divides finished snapshots, oldest first, by their numbers.
func (k Keep) choose(list []SnapshotRecord) (kept, forgotten []int) {
	kept, forgotten = []int{}, []int{} // not null in JSON
	if len(list) == 0 {
		return kept, forgotten
	}
	newestAt := list[len(list)-1].Finished.UTC()
	rules := k.rules()
	last := make([]string, len(rules))
	for i, rec := range slices.Backward(list) {
		at := rec.Finished.UTC()
		age := len(list) - 1 - i
		keep := age == 0 || age < k.Last || k.Within > 0 && !at.Before(newestAt.Add(-k.Within))
		for n := range rules {
			if period := rules[n].period(at); rules[n].count > 0 && period != last[n] {
				last[n], keep = period, true
				rules[n].count--
			}
		}
		if keep {
			kept = append(kept, rec.Snapshot)
		} else {
			forgotten = append(forgotten, rec.Snapshot)
		}
	}
	slices.Reverse(kept)
	slices.Reverse(forgotten)
	return kept, forgotten
}
