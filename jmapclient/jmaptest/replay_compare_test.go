package jmaptest_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ---- comparing

// words are the members that say something to a person, and what is told by no rule.
var words = regexp.MustCompile(`/(description|details?|title|sessionState)$`)

func (r *replay) compare(x exchange, recorded, ours any) {
	typ := ""
	if o, ok := recorded.(map[string]any); ok && o["methodResponses"] != nil {
		typ, _, _ = strings.Cut(fmt.Sprint(o["methodResponses"].([]any)[0].([]any)[0]), "/")
	}
	if typ == "Mailbox" {
		r.learnMailboxes(recorded, ours)
	}
	if r.rec.ids != nil {
		r.learnIDs(recorded, ours)
		recorded = r.withOurIDs(recorded)
	}
	want, got := map[string]any{}, map[string]any{}
	flatten(want, "", r.sorted(r.mailboxesIn(recorded, typ), typ))
	flatten(got, "", r.sorted(ours, typ))
	paths := map[string]bool{}
	for p := range want {
		paths[p] = true
	}
	for p := range got {
		paths[p] = true
	}
	for p := range paths {
		w, inWant := want[p]
		g, inGot := got[p]
		if inWant == inGot && (w == g || r.same(p, w, g, x, want)) {
			continue
		}
		if r.known(x, p) {
			r.differences++
			continue
		}
		r.t.Errorf("%s: %s\n  recorded %v (%v)\n  ours     %v (%v)", x.Name, p, w, inWant, g, inGot)
	}
}

func (r *replay) known(x exchange, path string) bool {
	for _, d := range knownDifferences {
		if strings.HasPrefix(r.rec.file, d.file) && strings.Contains(x.Name, d.exchange) && regexp.MustCompile(d.path).MatchString(path) {
			r.used[d] = true
			return true
		}
	}
	return false
}

var (
	statePath = regexp.MustCompile(`/([A-Za-z]+)/[a-zA-Z]+ args/(state|oldState|newState|queryState|oldQueryState|newQueryState)$`)
	blobPath  = regexp.MustCompile(`/blobId$|/Blob/upload args/created/\w+/id$`)
	baseURL   = regexp.MustCompile(`^(http|ws)://[^/]+`)
)

// same says whether two values stand for each other.
func (r *replay) same(path string, want, got any, x exchange, recorded map[string]any) bool {
	w, ok1 := want.(string)
	g, ok2 := got.(string)
	if !ok1 || !ok2 {
		return false
	}
	pair := func(m map[string]string, key string) bool {
		if old, ok := m[key]; ok {
			return old == g
		}
		m[key] = g
		return true
	}
	switch m := statePath.FindStringSubmatch(path); {
	case words.MatchString(path), path == "/state" && strings.HasPrefix(x.Path, "/.well-known"):
		return true
	case m != nil:
		return w != "n" && g != "n" && pair(r.states, fmt.Sprint(recorded[strings.TrimSuffix(path, m[2])+"accountId"], " ", m[1], " ", w))
	case blobPath.MatchString(path) || recordedBlob.MatchString(w) && recordedBlob.MatchString(g):
		return pair(r.blobs, w)
	}
	return baseURL.MatchString(w) && baseURL.ReplaceAllString(w, "") == baseURL.ReplaceAllString(g, "")
}

// learnMailboxes pairs the ids of mailboxes that were made, whose order is arbitrary.
func (r *replay) learnMailboxes(recorded, ours any) {
	created := func(v any) map[string]any {
		o, _ := v.(map[string]any)
		all, _ := o["methodResponses"].([]any)
		if len(all) == 0 {
			return nil
		}
		args, _ := all[0].([]any)[1].(map[string]any)
		m, _ := args["created"].(map[string]any)
		return m
	}
	mine := created(ours)
	for key, v := range created(recorded) {
		if o, ok := mine[key].(map[string]any); ok {
			r.mailboxes[v.(map[string]any)["id"].(string)] = o["id"].(string)
		}
	}
}

// sorted puts what has no order into one and names responses by their method.
func (r *replay) sorted(v any, typ string) any {
	switch at := v.(type) {
	case map[string]any:
		o := map[string]any{}
		for k, e := range at {
			if k == "methodResponses" {
				o[k] = r.responses(e.([]any))
				continue
			}
			e = r.sorted(e, typ)
			if list, ok := e.([]any); ok && slices.Contains([]string{"created", "updated", "destroyed", "sieveExtensions", "bob"}, k) {
				slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			}
			if list, ok := e.([]any); ok && (k == "list" || k == "ids") && slices.Contains(unordered, typ) {
				slices.SortFunc(list, func(a, b any) int { return strings.Compare(idOf(a), idOf(b)) })
			}
			o[k] = e
		}
		return o
	case []any:
		list := make([]any, len(at))
		for i, e := range at {
			list[i] = r.sorted(e, typ)
		}
		return list
	}
	return v
}

// unordered types come in any order.
var unordered = []string{"Mailbox", "Contact", "ContactGroup", "Calendar", "CalendarEvent"}

// idOf is the id of an object, or the id itself.
func idOf(v any) string {
	if o, ok := v.(map[string]any); ok {
		v = o["id"]
	}
	id, _ := v.(string)
	return id
}

func (r *replay) responses(all []any) any {
	o := map[string]any{}
	for i, e := range all {
		name := e.([]any)[0].(string)
		typ, _, _ := strings.Cut(name, "/")
		inner := map[string]any{}
		method := strings.TrimPrefix(strings.TrimPrefix(name, typ), "/")
		inner[method+" args"] = r.sorted(e.([]any)[1], typ)
		inner["call"] = e.([]any)[2]
		o[fmt.Sprint(i)] = map[string]any{typ: inner}
	}
	return o
}

// flatten writes each value by its path.
func flatten(into map[string]any, path string, v any) {
	switch at := v.(type) {
	case map[string]any:
		if len(at) == 0 {
			into[path] = "{}"
		}
		for k, e := range at {
			flatten(into, path+"/"+k, e)
		}
	case []any:
		if len(at) == 0 {
			into[path] = "[]"
		}
		for i, e := range at {
			flatten(into, fmt.Sprintf("%s/%d", path, i), e)
		}
	default:
		into[path] = at
	}
}
