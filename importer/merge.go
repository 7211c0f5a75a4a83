package importer

import (
	"context"
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// stateProps are what is read of a message on the target before it is changed.
var stateProps = []string{"id", "blobId", "size", "receivedAt", "mailboxIds", "keywords"}

// merge is a source message that a message on the target stands for already.
type merge struct {
	entry    archive.Entry
	object   account.Object
	existing bool // the server said so (alreadyExists): believe it only if the size fits
	size     int64
}

// mergeAll gives messages that are there the mailboxes and keywords they lack,
// takes nothing from them, and journals the source messages as done.
func (r *run) mergeAll(ctx context.Context, merges []merge) error {
	for part := range slices.Chunk(merges, r.pageSize()) {
		if err := r.mergeSome(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) mergeSome(ctx context.Context, merges []merge) error {
	there, err := r.readTargets(ctx, merges)
	if err != nil {
		return err
	}
	edits := map[string]*edit{}
	for _, m := range merges {
		t := there[m.entry.TargetID]
		if t == nil || m.existing && t.Int("size") != m.size {
			continue
		}
		p, err := r.place(ctx, m.object.Set("mailboxIds"), m.object.Set("keywords"))
		if err != nil {
			return err
		}
		e := edits[t.ID()]
		if e == nil {
			e = newEdit(t)
			edits[t.ID()] = e
		}
		if m.existing && r.boxes.root != nil { // it lies elsewhere, and keeps its keywords
			r.alsoBelow++
			p.keywords = nil
		}
		if m.existing && (len(missingIn(keysOf(e.wantBoxes), p.mailboxes)) == 0 || !t.Time("receivedAt").Equal(m.object.Time("receivedAt"))) {
			r.swallowed++
		}
		e.add(p)
	}
	refused, err := r.edit(ctx, edits)
	if err != nil {
		return err
	}
	return r.journalMerges(merges, there, edits, refused)
}

func (r *run) readTargets(ctx context.Context, merges []merge) (map[string]account.Object, error) {
	ids := map[string]bool{}
	for _, m := range merges {
		ids[m.entry.TargetID] = true
	}
	got, err := r.to.Get(ctx, account.Email, slices.Sorted(maps.Keys(ids)), stateProps)
	if err != nil {
		return nil, err
	}
	there := make(map[string]account.Object, len(got.List))
	for _, o := range got.List {
		there[o.ID()] = o
	}
	return there, nil
}

// journalMerges journals the outcome of merges.
func (r *run) journalMerges(merges []merge, there map[string]account.Object, edits map[string]*edit, refused map[string]jmapclient.SetError) error {
	var done []archive.Entry
	for _, m := range merges {
		t, e := there[m.entry.TargetID], m.entry
		edit := edits[e.TargetID]
		if edit == nil {
			if !m.existing {
				continue // gone between listing and reading: it is sent
			}
			reason := "the server says it has the message already, but the one it names (" + e.TargetID + ") is not there or has another size"
			if err := r.failEmail(m.object, e.Blob, reason, "run the import again; if it stays, look at that message on the server"); err != nil {
				return err
			}
			continue
		}
		se, bad := refused[e.TargetID]
		if bad {
			r.fail(account.Email, e.SourceID, r.describe(m.object), "the message is there, but the server refused its mailboxes or keywords: "+se.String(),
				"run the import again, or set them by hand")
		}
		e.TargetBlobID = t.Text("blobId")
		a := appliedOf(m.object, false)
		if err := r.noteThere(&a, keysOf(edit.wantBoxes), keysOf(edit.wantWords)); err != nil {
			return err
		}
		e.Applied = a.encode()
		e.Checked = !bad
		if m.existing {
			r.merged[e.TargetID] = true
		}
		if !edit.empty() && !bad {
			r.count(account.Email, func(c *Counts) { c.Updated++ })
		}
		done = append(done, e)
	}
	if len(done) == 0 {
		return nil
	}
	return r.j.Put(done...)
}

// edit is a change to one message on the target: what it has, and what it is
// to have.
type edit struct {
	hasBoxes, hasWords   map[string]bool
	wantBoxes, wantWords map[string]bool
	written              bool     // both properties were sent whole
	sets                 int      // how many of keywordSets were given up
	lost                 []string // keywords that the server refused
}

func newEdit(t account.Object) *edit {
	e := &edit{hasBoxes: account.SetOf(t.Set("mailboxIds")...), hasWords: account.SetOf(t.Set("keywords")...)}
	e.wantBoxes, e.wantWords = maps.Clone(e.hasBoxes), maps.Clone(e.hasWords)
	return e
}

func (e *edit) add(p placement) {
	for _, id := range p.mailboxes {
		e.wantBoxes[id] = true
	}
	for _, k := range p.keywords {
		if !hasWord(e.wantWords, k) {
			e.wantWords[k] = true
		}
	}
}

// hasWord looks for a keyword as servers compare them: without regard to case
// (RFC 8621 §4.1.1).
func hasWord(words map[string]bool, k string) bool {
	if words[k] {
		return true
	}
	for w := range words {
		if strings.EqualFold(w, k) {
			return true
		}
	}
	return false
}

func removeWord(words map[string]bool, k string) {
	for w := range words {
		if strings.EqualFold(w, k) {
			delete(words, w)
		}
	}
}

func (e *edit) empty() bool {
	return maps.Equal(e.hasBoxes, e.wantBoxes) && maps.Equal(e.hasWords, e.wantWords)
}

// patch is the change in RFC 8620 §5.3's form; keywords and ids are escaped as
// JSON pointers are (RFC 6901).
func (e *edit) patch() map[string]any {
	p := map[string]any{}
	diff := func(prop string, has, want map[string]bool) {
		for k := range want {
			if !has[k] {
				p[prop+"/"+pointer.Replace(k)] = true
			}
		}
		for k := range has {
			if !want[k] {
				p[prop+"/"+pointer.Replace(k)] = nil
			}
		}
	}
	diff("mailboxIds", e.hasBoxes, e.wantBoxes)
	diff("keywords", e.hasWords, e.wantWords)
	return p
}

var pointer = strings.NewReplacer("~", "~0", "/", "~1")

// whole is the same change with both properties written out.
func (e *edit) whole() map[string]any {
	return map[string]any{"mailboxIds": e.wantBoxes, "keywords": e.wantWords}
}

// gentler makes ready for another try after a refusal: both properties written
// out, then with fewer of the keywords that are to be added. It is false when
// no other try helps.
func (e *edit) gentler(se jmapclient.SetError) bool {
	if se.Type == "notFound" || se.Type == "forbidden" {
		return false
	}
	if !e.written {
		e.written = true
		return true
	}
	if !refusesKeywords(se) {
		return false
	}
	for e.sets < len(keywordSets) {
		keep := keywordSets[e.sets]
		e.sets++
		before := len(e.lost)
		for k := range e.wantWords {
			if !e.hasWords[k] && !keep(k) {
				delete(e.wantWords, k)
				e.lost = append(e.lost, k)
			}
		}
		if len(e.lost) > before {
			return true
		}
	}
	return false
}

// edit changes messages on the target, by patches that leave alone what others
// change meanwhile. Where a server refuses that, the properties are written
// out, and then go without the keywords that it does not take: one keyword
// never costs a move. It answers what was refused.
func (r *run) edit(ctx context.Context, edits map[string]*edit) (map[string]jmapclient.SetError, error) {
	update := map[string]map[string]any{}
	for id, e := range edits {
		if !e.empty() {
			update[id] = e.patch()
		}
	}
	if len(update) == 0 {
		return nil, nil
	}
	res, err := r.to.Set(ctx, account.Email, jmapclient.SetArgs{Update: update})
	if err != nil {
		return nil, err
	}
	refused := maps.Clone(res.NotUpdated)
	for {
		again := map[string]map[string]any{}
		for id, se := range refused {
			if e := edits[id]; e != nil && e.gentler(se) {
				again[id] = e.whole()
			}
		}
		if len(again) == 0 {
			break
		}
		res, err := r.to.Set(ctx, account.Email, jmapclient.SetArgs{Update: again})
		if err != nil {
			return nil, err
		}
		for id := range again {
			delete(refused, id)
		}
		maps.Copy(refused, res.NotUpdated)
	}
	for id, e := range edits {
		if _, bad := refused[id]; !bad && len(e.lost) > 0 {
			slices.Sort(e.lost)
			r.warn("message %s on the server: it refused the keywords %q; everything else was written", id, e.lost)
		}
	}
	return refused, nil
}
