package archive

import (
	"database/sql"
	"time"
)

// A run commits by itself when this much is pending.
const (
	groupBytes = 16 << 20
	groupRows  = 2000
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
func (p *pending) due() bool { return p.bytes >= groupBytes || p.size() >= groupRows }

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

// commitIfDue commits when enough is pending, and sees to it that what is
// pending does not stay so for long. It seals a pack that is large enough.
func (r *Run) commitIfDue() error {
	if r.pack != nil && r.pack.length >= r.a.packLimit {
		return r.seal()
	}
	if r.pending.due() {
		return r.commit()
	}
	if r.timer == nil {
		r.timer = time.AfterFunc(r.a.groupTime, r.timedCommit)
	}
	return nil
}

func (r *Run) timedCommit() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writable() == nil {
		_ = r.commit() // on an error the run is broken: the next call tells
	}
}

func (r *Run) commit() error {
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	if r.pending.empty() {
		return nil
	}
	if r.unsynced {
		return r.broken
	}
	if r.pack != nil && r.pending.bytes > 0 || r.pending.sealed {
		if err := r.pack.sync(); err != nil {
			r.unsynced = true
			return r.fail(err)
		}
	}
	if err := r.a.cat.update("commit", r.writeRows); err != nil {
		return r.fail(r.a.catalogError("commit", err))
	}
	r.pending = newPending()
	r.commits++
	return nil
}

// writeRows puts what is pending into the catalog.
func (r *Run) writeRows(tx *sql.Tx) error {
	p := r.pending
	exec := func(query string, args ...any) error {
		_, err := tx.Exec(query, args...)
		return err
	}
	if p.size() > len(p.seen) || p.finished != nil { // to have looked is no reason for a snapshot
		if err := exec(`INSERT OR IGNORE INTO snapshot (n, started) VALUES (?, ?)`, r.n, formatTime(r.started)); err != nil {
			return err
		}
	}
	if r.pack != nil {
		r.pack.sealed = p.sealed
		if err := putPack(tx, r.pack.packRow); err != nil {
			return err
		}
	}
	ins, err := prepareInserts(tx)
	if err != nil {
		return err
	}
	for h, b := range p.blobs {
		if err := ins.putBlob(h, b); err != nil {
			return err
		}
	}
	for _, row := range p.rows {
		if err := ins.putRecord(row); err != nil {
			return err
		}
	}
	for k := range p.seen {
		if err := exec(`INSERT OR IGNORE INTO seen (type, id) VALUES (?, ?)`, k.typ, k.id); err != nil {
			return err
		}
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
