package importer

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

// Options for an import.
type Options struct {
	At     int   // snapshot; 0 the newest finished, negative: also what an unfinished export holds
	DryRun bool  // change nothing, report the plan
	Delete bool  // remove from the target what is gone from the source and was imported earlier
	IMAP   *IMAP // also append over IMAP what the server's Email/import drops; nil: don't
	Events progress.Func

	Scope Scope  // what of the archive is restored
	Into  string // path of a mailbox that everything is put below, beside what is there; "": to its place
	// ResetFlags sets keywords and mailboxes of messages that are there back to the archive's,
	// also where the target's user changed them.
	ResetFlags bool
	Conflict   Conflict // what is done with what both sides changed; "": ConflictReport
}

// run is one import, or the reading half of one for a plan or a comparison.
type run struct {
	ar     *archive.Archive
	to     *jmapclient.Account
	o      Options
	at     int // as the archive's readers take it
	snap   archive.SnapshotRecord
	j      *archive.Journal // nil: there is none, and none may be made
	boxes  *boxMap
	scope  scope
	known  hashes
	merged map[string]bool // target ids that the server named as existing
	// putRight are messages that this run counted as created and then updated.
	putRight int64
	// strays are messages sent that are in no known mailbox, partStrays those
	// that are in some.
	strays, partStrays int64
	// swallowed are messages that the server keeps as one with an identical one,
	// although they are a copy in the same mailbox or have another date.
	swallowed int64
	// alsoBelow are messages that are elsewhere, and that the server keeps as one with their
	// copies below the mailbox that everything goes into.
	alsoBelow int64
	oneByOne  atomic.Bool // blobs do not go up many in one call
	isFull    bool        // and a message was named for it; under locks.serial
	ration    ration
	pace      pace
	unsure    unsure
	locks     locks
	listing   *beside // the target's messages, nil once that was waited for
	keeper    *keeper // while messages are sent
	fresh     bool    // the listing is of after the last answer
	imap      *appender
	imapGone  atomic.Bool // it was tried and can't be used
	// rationedByIMAP are messages that came in over IMAP for the quota's sake.
	rationedByIMAP int64
	// dropped are messages that the server said it stored, and did not.
	dropped []archive.PendingItem

	sharees map[string]sharee // by name in the archive

	things things     // what is neither mail nor small
	mu     sync.Mutex // guards res and dropped
	res    *Result
}

// Import restores an archive's account into the target account. The Result is
// there with an error too: it says what was done until then. On a cancelled
// context the request in flight is finished and journalled, and ctx's error
// returned; the same call goes on where it stopped.
func Import(ctx context.Context, ar *archive.Archive, target *jmapclient.Account, o Options) (*Result, error) {
	r, err := newRun(ar, target, o)
	if err != nil {
		return nil, err
	}
	if target.ReadOnly {
		return nil, &jmapclient.Error{Kind: jmapclient.Forbidden, Op: "import", Account: target.Name,
			Detail: "the account is read-only for the signed-in user"}
	}
	if err := r.checkOptions(); err != nil {
		return nil, err
	}
	if err := r.narrow(); err != nil {
		return nil, err
	}
	if o.DryRun {
		err = r.plan(ctx)
	} else {
		id, name := r.journalName()
		if r.j, err = ar.Journal(target.Client.Origin(), id, name); err != nil {
			return nil, fmt.Errorf("open the import journal for %s: %w", name, err)
		}
		err = r.restore(ctx)
		if cerr := r.j.Close(); err == nil {
			err = cerr
		}
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return r.res, r.orDead(ctx, err)
}

// orDead is the error that ends a run, or that the server is dead if it is: the
// client knows after some requests, and the run may end with the first.
func (r *run) orDead(ctx context.Context, err error) error {
	if jmapclient.KindOf(err) != jmapclient.ServerFault {
		return err
	}
	for range 3 {
		_, now := r.to.State(ctx, account.Email)
		if now == nil {
			break
		}
		if jmapclient.KindOf(now) == jmapclient.Unreachable {
			return now
		}
	}
	return err
}

// newRun finds the snapshot that is meant.
func newRun(ar *archive.Archive, target *jmapclient.Account, o Options) (*run, error) {
	r := &run{ar: ar, to: target, o: o, at: o.At, merged: map[string]bool{}, locks: newLocks()}
	r.known = hashes{run: r, byBlob: map[string]archive.Hash{}}
	r.res = &Result{Types: map[string]Counts{}}
	snaps, err := ar.Snapshots()
	if err != nil {
		return nil, err
	}
	if o.At < 0 {
		n, _, open, err := ar.Unfinished()
		if err != nil {
			return nil, err
		}
		if open {
			if len(snaps) > 0 { // what is known of subscriptions and the like
				r.snap.Unknown = snaps[len(snaps)-1].Unknown
			}
			r.snap.Snapshot = n
			r.res.Snapshot = n
			return r, nil
		}
		r.at = 0
	}
	for _, s := range snaps {
		if r.at == 0 || s.Snapshot == r.at {
			r.snap = s
		}
	}
	if r.snap.Snapshot == 0 {
		return nil, r.noSnapshot(len(snaps))
	}
	r.at = r.snap.Snapshot
	r.res.Snapshot = r.at
	return r, nil
}

func (r *run) noSnapshot(finished int) error {
	if finished > 0 {
		return fmt.Errorf("%s has no snapshot %d: %w", r.ar.Dir(), r.o.At, archive.ErrNotFound)
	}
	return fmt.Errorf("%s holds no finished export: run the export again to finish it, "+
		"or import what there is of it (--incomplete): %w", r.ar.Dir(), archive.ErrNotFound)
}
