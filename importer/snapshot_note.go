package importer

import (
	"fmt"

	"mailhaul/account"
	"mailhaul/archive"
)

// snapshotNote is the journal's note of a snapshot: what every done message
// has got is at least as new.
const snapshotNote = "source snapshot"

// followed notes how far the source has been followed. A part of the messages, or
// of their mailboxes, is no snapshot: after it the next import compares them all.
func (r *run) followed(since int) error {
	now := r.settledSnapshot()
	if r.scope.emails != nil {
		now = 0
	}
	if since == now && now > 0 {
		return nil
	}
	return r.j.SetNote(snapshotNote, now)
}

// followPart notes, before a part of the messages is restored, that what an
// import has followed before holds no more.
func (r *run) followPart() error {
	if r.scope.emails == nil {
		return nil
	}
	var since int
	if ok, err := r.j.Note(snapshotNote, &since); err != nil || !ok || since == 0 {
		return err
	}
	return r.j.SetNote(snapshotNote, 0)
}

// appliedSnapshot is the snapshot since which changes are to be looked for; 0
// when an older snapshot than the last one is restored. fresh: nothing was
// imported yet.
func (r *run) appliedSnapshot() (since int, fresh bool, err error) {
	ok, err := r.j.Note(snapshotNote, &since)
	if err != nil {
		return 0, false, fmt.Errorf("read the journal: %w", err)
	}
	if !ok {
		counts, err := r.j.Counts(account.Email.Name)
		return 0, counts[archive.Done] == 0, err
	}
	if r.snap.Snapshot < since {
		since = 0
	}
	return since, false, nil
}

// settledSnapshot is the newest snapshot whose records can't change any more.
func (r *run) settledSnapshot() int {
	if r.at < 0 {
		return r.snap.Snapshot - 1
	}
	return r.snap.Snapshot
}
