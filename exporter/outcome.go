package exporter

import (
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
)

// record is what the snapshot says of the run. What lies outside its scope it says
// as the snapshot before does.
func (e *export) record() archive.SnapshotRecord {
	rec := archive.SnapshotRecord{Types: map[string]archive.TypeRecord{}, Scope: e.scope}
	unknown := maps.Clone(e.unknown)
	for _, t := range account.Types {
		r := e.types[t.Name]
		if !e.scope.HasType(t) {
			was := e.lastOf(t)
			r = archive.TypeRecord{Outside: true, Error: was.Error, Absent: was.Absent}
			for _, name := range e.lastUnknown() {
				if strings.HasPrefix(name, t.Name+".") {
					unknown[name] = true
				}
			}
		}
		r.Failed = e.tallies[t.Name].record().Failed
		rec.Types[t.Name] = r
	}
	rec.Unknown = slices.Sorted(maps.Keys(unknown))
	return rec
}

func (e *export) lastUnknown() []string {
	if e.last == nil {
		return nil
	}
	return e.last.Unknown
}

// foundNothing says whether the account was listed anew and there was nothing
// to put. A new state is something: the next run asks for the changes since it,
// and has not to list all again.
func (e *export) foundNothing(rec archive.SnapshotRecord) bool {
	mail := rec.Types[account.Email.Name]
	if e.run.Resumed() || e.got.blobs.Load() > 0 || !mail.Outside && mail.State != e.lastOf(account.Email).State {
		return false
	}
	for _, n := range e.tallies {
		if n.moved() > 0 {
			return false
		}
	}
	return true
}

// sameOutcome says whether a snapshot in which nothing was put would tell
// nothing that the last one does not tell: the same types and items failed, if
// any did (the words of a failure differ from run to run), and the same types
// are absent.
func sameOutcome(now, last archive.SnapshotRecord) bool {
	for name, r := range now.Types {
		was, known := last.Types[name]
		if !known && r.Absent {
			continue // an older archive does not say so
		}
		if (r.Error == "") != (was.Error == "") || r.Absent != was.Absent ||
			len(r.Failed) != len(was.Failed) || !failedBefore(r.Failed, was.Failed) {
			return false
		}
	}
	return slices.Equal(now.Unknown, last.Unknown)
}

// failedBefore says whether all that failed now had failed earlier.
func failedBefore(now, earlier []archive.Failure) bool {
	known := make(map[string]bool, len(earlier))
	for _, f := range earlier {
		known[f.ID] = true
	}
	return !slices.ContainsFunc(now, func(f archive.Failure) bool { return !known[f.ID] })
}
