package jmaptest_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// Where a recording's ids can be told by their looks they are translated as
// text: what stands for each is learned from where it is first answered.

// learnIDs pairs the ids that stand in the same place of two answers.
func (r *replay) learnIDs(recorded, ours any) {
	switch want := recorded.(type) {
	case map[string]any:
		got, _ := ours.(map[string]any)
		for k, v := range want {
			r.learnIDs(v, got[k])
		}
	case []any:
		got, _ := ours.([]any)
		if len(got) != len(want) {
			return
		}
		want, got = slices.Clone(want), slices.Clone(got)
		for _, list := range [][]any{want, got} { // mailboxes come in any order
			slices.SortStableFunc(list, func(a, b any) int { return cmp.Compare(nameOf(a), nameOf(b)) })
		}
		for i := range want {
			r.learnIDs(want[i], got[i])
		}
	case string:
		got, ok := ours.(string)
		if ok && r.blobs[want] == "" && r.rec.ids.FindString(want) == want {
			r.blobs[want] = got
		}
	}
}

func nameOf(v any) string {
	if o, ok := v.(map[string]any); ok && o["name"] != nil {
		return fmt.Sprint(o["name"])
	}
	return ""
}

// ourIDs puts our ids for those in a text.
func (r *replay) ourIDs(text string) string {
	return r.rec.ids.ReplaceAllStringFunc(text, func(id string) string {
		if our := r.blobs[id]; our != "" {
			return our
		}
		return id
	})
}

func (r *replay) withOurIDs(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		r.t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal([]byte(r.ourIDs(string(b))), &out); err != nil {
		r.t.Fatal(err)
	}
	return out
}
