package archive

import (
	"cmp"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// A run commits by itself when this much is pending.
const (
	defaultGroupBytes = 16 << 20
	groupRows         = 6_000
	// defaultGroupTime is how long something stays pending at most.
	defaultGroupTime = 2 * time.Second
)

// pending is what a run has put and not committed yet: the rows that the
// catalog lacks of what lies in the pack. It is small, so that the transaction
// is short and importers can write their journals meanwhile.
type pending struct {
	blobs    map[Hash]blobRow
	rows     map[objectKey]*row
	blobIDs  map[string]Hash // of rows
	seen     map[objectKey]struct{}
	progress map[string]string
	bytes    int64
	sealed   bool
	finished *finished
}

type objectKey struct{ typ, id string }

func (k objectKey) compare(o objectKey) int {
	return cmp.Or(strings.Compare(k.typ, o.typ), strings.Compare(k.id, o.id))
}

// finished is the record that closes the snapshot.
type finished struct {
	text string
	place
}

func newPending() *pending {
	return &pending{blobs: map[Hash]blobRow{}, rows: map[objectKey]*row{}, blobIDs: map[string]Hash{},
		seen: map[objectKey]struct{}{}, progress: map[string]string{}}
}

func (p *pending) size() int { return len(p.blobs) + len(p.rows) + len(p.seen) + len(p.progress) }

func (p *pending) empty() bool { return p.size() == 0 && !p.sealed && p.finished == nil }

// due says whether so much is pending that it must be committed.
func (p *pending) due(a *Archive) bool { return p.bytes >= a.groupBytes || p.size() >= groupRows }

func (p *pending) row(typ, id string) *row { return p.rows[objectKey{typ, id}] }

func (p *pending) putRow(r *row) {
	p.rows[objectKey{r.typ, r.id}] = r
	if r.blobID != "" && r.blob != "" {
		p.blobIDs[r.blobID] = r.blob
	}
	p.bytes += r.length
}

func (p *pending) putBlob(h Hash, b blobRow) {
	p.blobs[h] = b
	p.bytes += b.length
}

// group is what is committed at a time: rows, and the pack that they point into
// as it was when the last of them was put.
type group struct {
	*pending
	file *packWriter // nil when nothing was appended
	pack packRow
}

// merge adds what was put later.
func (p *pending) merge(later *pending) {
	maps.Copy(p.blobs, later.blobs)
	maps.Copy(p.rows, later.rows)
	maps.Copy(p.blobIDs, later.blobIDs)
	maps.Copy(p.seen, later.seen)
	maps.Copy(p.progress, later.progress)
	p.bytes += later.bytes
	p.sealed = p.sealed || later.sealed
	if later.finished != nil {
		p.finished = later.finished
	}
}

// Commit makes all that was put so far durable (pack fsync, then catalog). The
// run also commits by itself every so many bytes, rows or seconds.
func (r *Run) Commit() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.writable(); err != nil {
		return err
	}
	return r.commit()
}

// commitIfDue has a group committed when enough is pending, and sees to it that
// what is pending does not stay so for long. It seals a pack that is large
// enough. The lock may be given up meanwhile.
func (r *Run) commitIfDue() error {
	switch {
	case r.packFull():
		r.settle()
		if err := r.writable(); err != nil || !r.packFull() {
			return err
		}
		return r.seal()
	case r.pending.due(r.a):
		r.settle() // one group at a time: who is faster than the disk waits here
		if err := r.writable(); err != nil || !r.pending.due(r.a) {
			return err
		}
		r.commitBehind()
	case r.timer == nil:
		r.timer = time.AfterFunc(r.a.groupTime, r.timedCommit)
	}
	return nil
}

func (r *Run) packFull() bool { return r.pack != nil && r.pack.length >= r.a.packLimit }

func (r *Run) timedCommit() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.settle(); r.writable() == nil {
		r.commitBehind() // on an error the run is broken: the next call tells
	}
}

// settle waits until nothing is being committed. The lock is given up meanwhile.
func (r *Run) settle() {
	for r.behind != nil {
		r.settled.Wait()
	}
}

// commit makes all that is pending durable.
func (r *Run) commit() error {
	r.settle()
	return r.commitNow()
}

// commitNow is commit when nothing is behind; the lock is held all the time.
func (r *Run) commitNow() error {
	if r.unsynced {
		return r.broken
	}
	g := r.nextGroup()
	if g == nil {
		return nil
	}
	return r.groupEnded(g, g.write(r))
}

// commitBehind commits what is pending while more is being put.
func (r *Run) commitBehind() {
	if r.behind = r.nextGroup(); r.behind == nil {
		return
	}
	go func(g *group) {
		err := g.write(r)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.behind = nil
		_ = r.groupEnded(g, err) // the run is broken then: the next call tells
		r.settled.Broadcast()
	}(r.behind)
}

// nextGroup takes all that is pending, nil when that is nothing.
func (r *Run) nextGroup() *group {
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	if r.pending.empty() {
		return nil
	}
	g := &group{pending: r.pending}
	r.pending = newPending()
	if r.pack != nil {
		g.file, g.pack = r.pack, r.pack.packRow
		g.pack.sealed = g.sealed
	}
	return g
}

// groupEnded takes note of how a group's commit ended. What is not in the
// catalog is pending again.
func (r *Run) groupEnded(g *group, err error) error {
	if err == nil {
		r.commits++
		return nil
	}
	g.merge(r.pending)
	r.pending = g.pending
	var unsynced *unsyncedError
	if errors.As(err, &unsynced) {
		r.unsynced = true
		err = g.file.takeBack(unsynced.err)
	}
	return r.fail(err)
}

// unsyncedError is why a pack could not be synced.
type unsyncedError struct{ err error }

func (e *unsyncedError) Error() string { return e.err.Error() }

// write makes a group durable.
func (g *group) write(r *Run) error {
	if g.file != nil && (g.bytes > 0 || g.sealed) {
		if err := g.file.sync(g.pack.length); err != nil {
			return &unsyncedError{err}
		}
	}
	return r.a.catalogError("commit", r.a.cat.update("commit", func(tx *sql.Tx) error { return g.writeRows(tx, r) }))
}

// writeRows puts a group into the catalog.
func (p *group) writeRows(tx *sql.Tx, r *Run) error {
	exec := func(query string, args ...any) error {
		_, err := tx.Exec(query, args...)
		return err
	}
	if p.size() > len(p.seen) || p.finished != nil { // to have looked is no reason for a snapshot
		if err := exec(`INSERT OR IGNORE INTO snapshot (n, started) VALUES (?, ?)`, r.n, formatTime(r.started)); err != nil {
			return err
		}
	}
	if p.file != nil {
		if err := putPack(tx, p.pack); err != nil {
			return err
		}
	}
	ins, err := prepareInserts(tx)
	if err != nil {
		return err
	}
	// In the order of the tables: then what is next to each other is written together.
	for _, h := range slices.Sorted(maps.Keys(p.blobs)) {
		if err := ins.putBlob(h, p.blobs[h]); err != nil {
			return err
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(p.rows), objectKey.compare) {
		if err := ins.putRecord(p.rows[key]); err != nil {
			return err
		}
	}
	if err := p.writeSeen(tx); err != nil {
		return err
	}
	for key, value := range p.progress {
		if err := exec(`INSERT OR REPLACE INTO progress (key, value) VALUES (?, ?)`, key, value); err != nil {
			return err
		}
	}
	if f := p.finished; f != nil {
		if err := exec(`UPDATE snapshot SET record = ?, pack = ?, start = ?, length = ? WHERE n = ?`, f.text, f.pack, f.start, f.length, r.n); err != nil {
			return err
		}
		return exec(`DELETE FROM seen; DELETE FROM progress`)
	}
	return nil
}

func (p *pending) writeSeen(tx *sql.Tx) error {
	if len(p.seen) == 0 {
		return nil
	}
	put, err := tx.Prepare(`INSERT OR IGNORE INTO seen (type, id) VALUES (?, ?)`)
	if err != nil {
		return err
	}
	for _, k := range slices.SortedFunc(maps.Keys(p.seen), objectKey.compare) {
		if _, err := put.Exec(k.typ, k.id); err != nil {
			return err
		}
	}
	return nil
}
