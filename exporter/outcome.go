package exporter

import (
	"slices"

	"mailhaul/account"
	"mailhaul/archive"
)

// foundNothing says whether the account was listed anew and there was nothing
// to put. A new state is something: the next run asks for the changes since it,
// and has not to list all again.
func (e *export) foundNothing(rec archive.SnapshotRecord) bool {
	if e.run.Resumed() || e.got.blobs.Load() > 0 || rec.Types[account.Email.Name].State != e.lastOf(account.Email).State {
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
