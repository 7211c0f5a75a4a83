package harness

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"mailhaul/account"
	"mailhaul/importer"
)

// judgeArchive holds the newest snapshot against the source.
func (w *way) judgeArchive() error {
	have, err := archived(w.ar)
	if err != nil {
		return err
	}
	want, got := lettersOf(w.from), slices.Collect(maps.Values(have))
	missing, extra := less(want, got), less(got, want)
	if len(missing)+len(extra) > 0 {
		return fmt.Errorf("the snapshot is not what the account is:\nmissing%s\ntoo many%s", lines(missing), lines(extra))
	}
	report, err := w.ar.Verify(context.Background(), nil)
	if err != nil {
		return err
	}
	if len(report.Problems) > 0 && !w.holed {
		return fmt.Errorf("the archive does not verify: %+v", report.Problems)
	}
	return nil
}

// judgeTarget holds the target against the source.
func (w *way) judgeTarget() error {
	places, err := w.places()
	if err != nil {
		return err
	}
	sources, err := archived(w.ar)
	if err != nil {
		return err
	}
	all := lettersOf(w.from)
	w.noteCopies()
	for _, l := range all {
		w.ever[l.String()] = l
	}
	all = slices.Concat(all, less(slices.Collect(maps.Values(w.ever)), all)) // what stays there too
	want := lettersOf(w.from)
	for _, f := range w.result.Failures {
		l, ok := sources[f.ID]
		if f.Type != account.Email.Name && excusedType(f.Type, w.plan.Target) {
			continue
		}
		if f.Type != account.Email.Name || !ok || !w.excused(l, all) {
			return fmt.Errorf("a failure that nothing excuses: %+v", f)
		}
		i := slices.IndexFunc(want, func(o letter) bool { return o.String() == l.String() })
		if i < 0 {
			return fmt.Errorf("two failures of one message: %+v", f)
		}
		want = slices.Delete(want, i, i+1)
	}
	for i, l := range want {
		moved := make([]string, len(l.boxes))
		for n, path := range l.boxes {
			if moved[n] = places[path]; moved[n] == "" {
				return fmt.Errorf("the import knows no place for the mailbox %q", path)
			}
		}
		slices.Sort(moved)
		want[i].boxes = slices.Compact(moved)
	}
	got := lettersOf(w.to)
	for _, known := range losses {
		if known.changes != nil && known.when(profileOf(w.plan.Target), w.plan.ImportsAs) {
			want, got = known.changes(want, got, w.copied)
		}
	}
	want, got = w.untouched(want), w.untouched(got)
	missing, extra := less(want, got), less(got, want)
	extra = slices.DeleteFunc(extra, func(l letter) bool {
		there := 0
		for _, o := range got {
			if o.raw == l.raw {
				there++
			}
		}
		return (w.keeps() || w.touched[l.raw]) && there <= w.sent[l.raw]
	})
	if len(missing)+len(extra) > 0 {
		return fmt.Errorf("the target is not what the source is:\nmissing%s\ntoo many%s\nfailures %+v\nwarnings %q", lines(missing), lines(extra), w.result.Failures, w.result.Warnings)
	}
	return nil
}

// excusedType says whether objects of a type other than Email may fail on
// their way from or to a server.
func excusedType(name, server string) bool {
	return slices.ContainsFunc(losses, func(known loss) bool {
		return known.fails == name && known.when(profileOf(server), adminLogin)
	})
}

// noteCopies remembers of which bytes there were several messages, at one time
// or one after the other: the target may have kept the first of them.
func (w *way) noteCopies() {
	for raw, n := range w.sent {
		w.copied[raw] = w.copied[raw] || n > 1
	}
}

// keeps says whether the target may keep what is no longer at the source.
func (w *way) keeps() bool { return !w.plan.Delete || w.blind }

// untouched takes away what the target's owner may have changed: an import
// leaves that alone, and does not remove such a message. One that knows nothing of the target takes nothing away.
func (w *way) untouched(list []letter) []letter {
	for i, l := range list {
		if w.touched[l.raw] || w.blind {
			list[i] = letter{raw: l.raw, received: l.received, boxes: []string{"the owner's"}}
		}
	}
	return list
}

func (w *way) mayDiffer(l letter) bool {
	return w.touched[l.raw] || w.blind || slices.ContainsFunc(losses, func(known loss) bool {
		return known.differs != nil && known.when(profileOf(w.plan.Target), w.plan.ImportsAs) && known.differs(l, w.copied)
	})
}

func (w *way) excused(l letter, all []letter) bool {
	return slices.ContainsFunc(losses, func(known loss) bool {
		return known.excuses != nil && known.when(profileOf(w.plan.Target), w.plan.ImportsAs) && known.excuses(l, all)
	})
}

// places are the target's paths of the source's mailboxes, as the import's
// journal has them. Each has one of its own; a role has its like.
func (w *way) places() (map[string]string, error) {
	j, err := w.ar.Journal(w.target.Client.Origin(), w.target.ID, w.target.Name)
	if err != nil {
		return nil, err
	}
	defer j.Close()
	there, roles := map[string]string{}, map[string]string{}
	for _, m := range w.to.Mailboxes(login) {
		there[m.ID] = m.Path
		if m.Role != "" {
			roles[m.Role] = m.Path
		}
	}
	places, taken := map[string]string{}, map[string]string{}
	for _, m := range w.from.Mailboxes(login) {
		e, ok, err := j.Get(account.Mailbox.Name, m.ID)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		path := there[e.TargetID]
		if other := taken[path]; other != "" {
			return nil, fmt.Errorf("the mailboxes %q and %q both went to %q", other, m.Path, path)
		}
		if r := roles[m.Role]; m.Role != "" && r != "" && r != path {
			return nil, fmt.Errorf("the mailbox %q with the role %s went to %q, not to %q", m.Path, m.Role, path, r)
		}
		taken[path], places[m.Path] = m.Path, path
	}
	return places, nil
}

// verify holds the importer's own comparison against what was found here: it
// must tell of the failures, and of nothing else.
func (w *way) verify() error {
	var report *importer.VerifyReport
	err := w.run(w.to, disturbance{}, func(ctx context.Context, l *line) error {
		a, err := dial(ctx, l, "http://target.test", w.plan.ImportsAs)
		if err == nil {
			report, err = importer.Verify(ctx, w.ar, a, importer.VerifyOptions{Full: true})
		}
		return err
	})
	if err != nil || report == nil {
		return fmt.Errorf("verify came to no report: %w", err)
	}
	failed, told := map[string]bool{}, map[string]bool{}
	for _, f := range w.result.Failures {
		if f.Type != account.Email.Name {
			continue
		}
		failed[f.Type+" "+f.ID] = true
	}
	sources, err := archived(w.ar)
	if err != nil {
		return err
	}
	for _, d := range report.Differences {
		told[d.Type+" "+d.ID] = true
		if l, ok := sources[d.ID]; ok && d.Type == account.Email.Name && w.mayDiffer(l) {
			continue
		}
		if d.Type != account.Email.Name && excusedType(d.Type, w.plan.Target) {
			continue
		}
		if !failed[d.Type+" "+d.ID] {
			return fmt.Errorf("verify finds a difference where there is none: %+v\nall of them: %+v\nfailures: %+v\nthere: %s", d, report.Differences, w.result.Failures, lines(lettersOf(w.to)))
		}
	}
	for id := range failed {
		if !told[id] {
			return fmt.Errorf("verify does not tell of %s, which failed: %+v\nthere: %s\narchive: %s", id, w.result.Failures, lines(lettersOf(w.to)), lines(slices.Collect(maps.Values(sources))))
		}
	}
	var theirs int64 // which an import does not remove
	for _, l := range lettersOf(w.to) {
		if w.touched[l.raw] {
			theirs++
		}
	}
	if report.Extra > theirs && !w.keeps() {
		return fmt.Errorf("verify finds %d messages too many where there are none", report.Extra)
	}
	return nil
}
