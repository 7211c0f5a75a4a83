package importer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
)

// assign pairs messages of the same bytes where there are several on a side:
// those that lie in the same mailboxes and have the same keywords first, so
// that copies keep their places.
func (r *run) assign(ctx context.Context, twins []group) ([]match, error) {
	if len(twins) == 0 {
		return nil, nil
	}
	var ids []string
	for _, g := range twins {
		for _, l := range g.listed {
			ids = append(ids, l.ID)
		}
	}
	got, err := r.to.Get(ctx, account.Email, ids, stateProps)
	if err != nil {
		return nil, err
	}
	there := make(map[string]placement, len(got.List))
	for _, o := range got.List {
		there[o.ID()] = placement{mailboxes: o.Set("mailboxIds"), keywords: o.Set("keywords")}
	}
	var matches []match
	for _, g := range twins {
		found, err := r.assignOne(g, there)
		if err != nil {
			return nil, err
		}
		matches = append(matches, found...)
	}
	return matches, nil
}

func (r *run) assignOne(g group, there map[string]placement) (found []match, err error) {
	type pairing struct {
		match
		score int
	}
	var all []pairing
	for _, s := range g.sources {
		rec, err := r.readEmail(s.SourceID)
		if err != nil {
			return nil, fmt.Errorf("read message %s of the archive: %w", s.SourceID, err)
		}
		want := r.placeNow(rec.Object.Set("mailboxIds"), rec.Object.Set("keywords"))
		for _, l := range g.listed {
			if has, ok := there[l.ID]; ok {
				all = append(all, pairing{match{s, l}, likeness(want, has, s.State == archive.InFlight)})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b pairing) int { return cmp.Compare(b.score, a.score) })
	source, listed := map[string]bool{}, map[string]bool{}
	for _, p := range all {
		if !source[p.source.SourceID] && !listed[p.listed.ID] {
			source[p.source.SourceID], listed[p.listed.ID] = true, true
			found = append(found, p.match)
		}
	}
	return found, nil
}

// likeness says how much speaks for it that a message was put where it is for
// this source message rather than for another of the same bytes.
func likeness(want, has placement, inFlight bool) (score int) {
	sameBoxes := slices.Equal(want.mailboxes, has.mailboxes)
	sameWords := slices.Equal(folded(want.keywords), folded(has.keywords))
	if sameBoxes && sameWords {
		score += 16
	}
	if inFlight { // it was about to be put there
		score += 8
	}
	if sameBoxes {
		score += 4
	}
	if len(missingIn(has.mailboxes, want.mailboxes)) < len(want.mailboxes) {
		score += 2
	}
	if sameWords {
		score++
	}
	return score
}

func folded(words []string) []string {
	low := make([]string, len(words))
	for i, w := range words {
		low[i] = strings.ToLower(w)
	}
	slices.Sort(low)
	return low
}
