package importer

import (
	"context"
	"slices"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// keeper keeps the listing up to date and reads back what was stored while more
// is sent: at the end little is left of both, which are round trips in which
// nothing is sent. What it misses is done at the end.
type keeper struct {
	r          *run
	wake, quit chan struct{}
	ended      chan struct{}

	// Under r.mu.
	stored map[string]archive.Entry  // not read back, by target id
	seen   map[string]account.Object // listed, and not known to be stored
	missed bool                      // some are there that were never stored, or never seen
}

// seenProps are what is read of a message that is listed and read back at once.
var seenProps = append(slices.Clone(listProps), "mailboxIds", "keywords")

// mostSeen bounds what is remembered of messages that are listed before the
// answer to their import is there, as those of batches on their way are.
const mostSeen = 2 * batchesAtOnce * batchItems

// keep begins; end must follow.
func (r *run) keep(ctx context.Context) *keeper {
	k := &keeper{r: r, wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
		stored: map[string]archive.Entry{}, seen: map[string]account.Object{}}
	go func() {
		defer close(k.ended)
		for {
			select {
			case <-k.wake:
			case <-k.quit:
				return
			case <-ctx.Done():
				return
			}
			select {
			case <-k.quit: // the last round is about to come
				return
			default:
			}
			if listed, err := k.round(ctx); err != nil || !listed {
				return // who sends, or lists at the end, meets it as well
			}
		}
	}()
	return k
}

func (k *keeper) end() {
	close(k.quit)
	<-k.ended
}

// add notes what was stored.
func (k *keeper) add(entries []archive.Entry) {
	k.r.mu.Lock()
	defer k.r.mu.Unlock()
	for _, e := range entries {
		k.stored[e.TargetID] = e
	}
	if len(k.stored) < k.r.pageSize() {
		return
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// round lists what changed and checks what was stored. Nothing is put right
// meanwhile, so that both know of each other's changes. listed is false where the
// target does not tell what changed.
func (k *keeper) round(ctx context.Context) (listed bool, err error) {
	r := k.r
	if err := r.locks.serial.Acquire(ctx, 1); err != nil {
		return false, err
	}
	defer r.locks.serial.Release(1)
	var state string
	if ok, err := r.j.Note(listingNote, &state); err != nil || !ok || state == "" {
		return false, err
	}
	err = r.listChanges(ctx, state, seenProps, k.see)
	if jmapclient.KindOf(err) == jmapclient.CannotCalculateChanges {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	entries, there := k.pairs()
	for part := range slices.Chunk(entries, r.pageSize()) {
		if err := r.checkAgainst(ctx, part, there); err != nil {
			return true, err
		}
	}
	return true, nil
}

func (k *keeper) see(list []account.Object) {
	k.r.mu.Lock()
	defer k.r.mu.Unlock()
	for _, o := range list {
		k.seen[o.ID()] = o
	}
}

// pairs takes out what is both stored and seen, as entries and by source id. A
// message with another blobId than the remembered one is another message.
func (k *keeper) pairs() (entries []archive.Entry, there map[string]account.Object) {
	k.r.mu.Lock()
	defer k.r.mu.Unlock()
	there = map[string]account.Object{}
	for id, e := range k.stored {
		o, ok := k.seen[id]
		if !ok {
			continue
		}
		delete(k.seen, id)
		delete(k.stored, id)
		if o.Text("blobId") == e.TargetBlobID {
			entries, there[e.SourceID] = append(entries, e), o
		}
	}
	if len(k.seen) > mostSeen {
		clear(k.seen)
	}
	if len(k.stored) > mostSeen { // the server does not show them; the end of the import finds out
		clear(k.stored)
		k.missed = true
	}
	return entries, there
}

// miss notes that messages may be there that were not stored just now.
func (k *keeper) miss() {
	k.r.mu.Lock()
	defer k.r.mu.Unlock()
	k.missed = true
}

// last is the last round, after end; all may have been seen by then.
func (k *keeper) last(ctx context.Context) (listed bool, err error) {
	k.r.mu.Lock()
	all := len(k.stored) == 0 && !k.missed
	k.r.mu.Unlock()
	if all {
		return true, nil
	}
	return k.round(ctx)
}
