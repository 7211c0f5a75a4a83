package importer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
)

// Conflict is what an import does with what both sides changed since the last
// one. Keywords, mailboxes and the removal of a message are each one thing.
type Conflict string

// The ways.
const (
	ConflictReport Conflict = "report" // leave the target's, and tell; "" means this
	ConflictTarget Conflict = "target" // leave the target's, and ask no more
	ConflictSource Conflict = "source" // write the archive's over it
)

// Conflicts are the ways, by the words for them.
var Conflicts = []Conflict{ConflictReport, ConflictTarget, ConflictSource}

// Clash is one thing that both sides changed, and that was left as the target has it.
type Clash struct {
	Type   string `json:"type"`
	ID     string `json:"id"`
	Item   string `json:"item"`
	What   string `json:"what"` // "keywords", "mailboxes", "removal", or a property of another type
	Source string `json:"source,omitempty"`
	Target string `json:"target,omitempty"`
}

// manner is how a change of the source meets the target.
type manner int

const (
	alongside manner = iota // only what changed, whatever else the target has
	leave                   // not at all
	force                   // the target becomes like the source
)

// manners are what is done with each property of a message that changed.
type manners struct{ boxes, words manner }

// thereState is what a message on the target had when it was written last.
type thereState struct {
	Boxes []string `json:"boxes"` // target ids
	Words []string `json:"words"`
}

// base is that of an entry: as it was noted, or as what was applied says.
func (r *run) base(a applied) (thereState, error) {
	if a.There != nil {
		return *a.There, nil
	}
	b := thereState{Words: a.Keywords}
	for _, id := range a.Mailboxes {
		t, err := r.targetEver(id)
		if err != nil {
			return b, err
		}
		if t != "" && !slices.Contains(b.Boxes, t) {
			b.Boxes = append(b.Boxes, t)
		}
	}
	slices.Sort(b.Boxes)
	return b, nil
}

// noteThere notes in a what a message on the target has by now, where what was
// applied does not say it.
func (r *run) noteThere(a *applied, boxes, words []string) error {
	a.There = nil
	plain, err := r.base(*a)
	if err == nil && (!sameSet(plain.Boxes, boxes) || !sameWords(plain.Words, words)) {
		a.There = &thereState{slices.Sorted(slices.Values(boxes)), slices.Sorted(slices.Values(words))}
	}
	return err
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// sameWords compares keywords as servers do, less those that they set themselves.
func sameWords(a, b []string) bool {
	theirs := func(words []string) []string {
		return slices.DeleteFunc(folded(words), func(k string) bool { return serversOwn[k] })
	}
	return slices.Equal(slices.Compact(theirs(a)), slices.Compact(theirs(b)))
}

// mannersOf decides how a message's changes meet the target, where both sides may have
// changed it. One that stands for several is changed as far as each of them was.
func (f *follower) mannersOf(ctx context.Context, full, was applied, now, t account.Object) (how manners, base thereState, err error) {
	r := f.r
	if base, err = r.base(full); err != nil {
		return how, base, err
	}
	p, err := r.place(ctx, now.Set("mailboxIds"), now.Set("keywords"))
	if err != nil {
		return how, base, err
	}
	boxes, words := t.Set("mailboxIds"), t.Set("keywords")
	clash := leave
	if r.o.Conflict == ConflictSource || r.o.ResetFlags {
		clash = force
	}
	if !slices.Equal(was.Mailboxes, now.Set("mailboxIds")) && len(base.Boxes) > 0 && !sameSet(base.Boxes, boxes) && !sameSet(p.mailboxes, boxes) {
		how.boxes = clash
	}
	if !slices.Equal(was.Keywords, now.Set("keywords")) && !sameWords(base.Words, words) && !sameWords(p.keywords, words) {
		how.words = clash
	}
	if how == (manners{}) {
		return how, base, nil
	}
	if f.shared == nil {
		if f.shared, err = r.standIns(); err != nil {
			return how, base, err
		}
	}
	if f.shared[t.ID()] != nil {
		how = manners{}
	}
	return how, base, nil
}

// clashed reports what was left to the target. It answers whether that is to be
// asked again.
func (r *run) clashed(c Clash) bool {
	t, _ := account.TypeByName(c.Type)
	r.count(t, func(n *Counts) { n.Kept++ })
	if r.o.Conflict == ConflictTarget {
		return false
	}
	r.mu.Lock()
	if len(r.res.Conflicts) < mostFailures {
		r.res.Conflicts = append(r.res.Conflicts, c)
	}
	r.mu.Unlock()
	r.o.Events.Emit(progress.Event{Kind: progress.Note, Account: r.to.Name, Stage: c.Type, Item: c.Item, Text: c.String()})
	return true
}

func (c Clash) String() string {
	text := fmt.Sprintf("%s %s: %s", c.Type, c.Item, c.What)
	if c.Source+c.Target != "" {
		text += fmt.Sprintf(": %s in the archive, %s on the server", c.Source, c.Target)
	}
	return text
}

// tellClash tells what of a message was left to the target.
func (r *run) tellClash(f manners, now, t account.Object) (again manners) {
	tell := func(what, source, target string) manner {
		if r.clashed(Clash{account.Email.Name, now.ID(), r.describe(now), what, source, target}) {
			return leave
		}
		return alongside
	}
	if f.boxes == leave {
		var paths []string
		for _, id := range now.Set("mailboxIds") {
			if b := r.boxes.bySource[id]; b != nil {
				paths = append(paths, b.path)
			}
		}
		again.boxes = tell("mailboxes", quoted(paths), quoted(r.pathsOf(t.Set("mailboxIds"))))
	}
	if f.words == leave {
		again.words = tell("keywords", quoted(now.Set("keywords")), quoted(t.Set("keywords")))
	}
	return again
}

func (r *run) pathsOf(ids []string) (paths []string) {
	for _, id := range ids {
		paths = append(paths, r.boxes.targetPath(id))
	}
	return paths
}

// quoted lists words for a person.
func quoted(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(list, ", ")
}

// clashingRemovals are entries whose message is gone from the source, and was changed
// on the target since the last import: they stay. Those of forget are not asked about again.
func (r *run) clashingRemovals(entries []archive.Entry, there map[string]account.Object, shared map[string][]string) (keep, forget map[string]bool, err error) {
	keep, forget = map[string]bool{}, map[string]bool{}
	if r.o.Conflict == ConflictSource {
		return keep, forget, nil
	}
	for _, e := range entries {
		t, a := there[e.SourceID], readApplied(e.Applied)
		if _, isShared := shared[e.TargetID]; t == nil || isShared || !a.Created {
			continue
		}
		base, err := r.base(a)
		if err != nil {
			return nil, nil, err
		}
		if (len(base.Boxes) == 0 || sameSet(base.Boxes, t.Set("mailboxIds"))) && sameWords(base.Words, t.Set("keywords")) {
			continue
		}
		keep[e.SourceID] = true
		c := Clash{account.Email.Name, e.SourceID, r.describeTarget(t), "removal", "gone",
			"in " + quoted(r.pathsOf(t.Set("mailboxIds"))) + " with " + quoted(t.Set("keywords"))}
		forget[e.SourceID] = !r.clashed(c)
	}
	return keep, forget, nil
}

// describeTarget names a message of the target, of which the archive's newest has none.
func (r *run) describeTarget(t account.Object) string {
	return fmt.Sprintf("received %s, %d bytes, id %s on the server", t.Time("receivedAt").UTC().Format("2006-01-02 15:04"), t.Int("size"), t.ID())
}

// tellConflicts says what to do about what was left.
func (r *run) tellConflicts() {
	if n := int64(len(r.res.Conflicts)); n > 0 {
		r.warn("%s on both sides since the last import: the server's stays. `--conflict source` writes the archive's over it, `--conflict target` settles it as it is",
			counted(n, "thing was changed", "things were changed"))
	}
}
