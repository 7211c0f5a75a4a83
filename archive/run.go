package archive

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"mailhaul/account"
)

// Run writes one snapshot. Its methods may be called from several goroutines.
//
// Once the pack or the catalog could not be written every method that writes
// returns that error: what was committed is whole, nothing more is taken.
type Run struct {
	a       *Archive
	n       int
	resumed bool
	started time.Time
	locks   []*lock

	expected atomic.Int64 // bytes, see Expect
	first    filter       // what was put, while the archive held nothing before

	mu       sync.Mutex
	pack     *packWriter // nil until the first put
	lastPack int
	pending  *pending
	behind   *group     // is being committed, nil when none is
	settled  *sync.Cond // on mu: behind is nil again
	commits  int        // how often rows went into the catalog
	broken   error      // what ended the writing
	unsynced bool       // the pack could not be synced: a second try would prove nothing
	closed   bool
	timer    *time.Timer
}

// Begin opens the next snapshot for writing, or goes on with the one that an
// earlier run left open. It takes the writer's lock (*LockedError), commits
// what a killed run appended whole to the last pack, and cuts off the rest. A
// snapshot of which nothing was put leaves no trace.
func (a *Archive) Begin() (*Run, error) {
	if a.readOnly {
		return nil, fmt.Errorf("archive %s is on read-only media: copy it to where it can be written", a.dir)
	}
	l, err := a.takeLock(writerLock)
	if err != nil {
		return nil, err
	}
	r := newRun(a)
	r.locks = append(r.locks, l)
	if l, err = a.shareCatalog(); err == nil {
		r.locks = append(r.locks, l)
		err = r.recover()
	}
	if err != nil {
		return nil, errors.Join(err, r.unlock())
	}
	return r, nil
}

func newRun(a *Archive) *Run {
	r := &Run{a: a, pending: newPending()}
	r.settled = sync.NewCond(&r.mu)
	return r
}

// Snapshot is the number of the snapshot that the run writes, from 1.
func (r *Run) Snapshot() int { return r.n }

// Resumed says whether an earlier run began the snapshot.
func (r *Run) Resumed() bool { return r.resumed }

// PutObject records an object of this snapshot. Nothing is written when the
// current record equals it (account.Object.Equal and the same blob); changed
// says. blob is the hash behind the property t.Blob, "" when the type has none
// or the blob could not be had; it must have been stored by PutBlob.
func (r *Run) PutObject(t account.Type, o account.Object, blob Hash) (changed bool, err error) {
	if !validType(t.Name) {
		return false, fmt.Errorf("store object: %.80q is no name of a type", t.Name)
	}
	if o.ID() == "" {
		return false, fmt.Errorf("store %s: the object has no id", t.Name)
	}
	o = serverObject(o)
	if blob != "" {
		o.Put(propBlob, blob)
	}
	return r.putRow(t.Name, o, blob)
}

// MarkGone records that an object is no longer there.
func (r *Run) MarkGone(t account.Type, id string) error {
	r.mu.Lock()
	cur, err := r.current(t.Name, id)
	if err == nil {
		err = r.writable()
	}
	r.mu.Unlock()
	if err != nil || cur == nil || cur.gone {
		return err
	}
	_, err = r.putRow(t.Name, account.Object{"id": account.Marshal(id), propGone: account.Marshal(true)}, "")
	return err
}

// putRow writes an object's member unless the current record is the same. The
// work is done outside the lock.
func (r *Run) putRow(typ string, o account.Object, blob Hash) (changed bool, err error) {
	data, err := encodeObject(o)
	if err != nil {
		return false, fmt.Errorf("store %s: %w", typ, err)
	}
	row := memberRow(typ, o, data, r.n)
	r.mu.Lock()
	if err = r.checkContent(row, blob); err == nil {
		changed, err = r.news(row)
	}
	commits := r.commits
	r.mu.Unlock()
	if err != nil || !changed {
		return false, err
	}
	frame, err := makeFrame(objectName(typ, row.id, r.n), data)
	if err != nil {
		return false, fmt.Errorf("store %s %q: %w", typ, row.id, err)
	}
	defer frame.release()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.writable(); err != nil {
		return false, err
	}
	if commits != r.commits || r.uncommitted(typ, row.id) != nil { // another may have put it meanwhile
		if changed, err = r.news(row); err != nil || !changed {
			return false, err
		}
	}
	if row.place, err = r.append(frame.writeTo); err != nil {
		return false, err
	}
	r.pending.putRow(row)
	r.first.add("object", typ, row.id)
	r.first.add("blob id", row.blobID)
	return true, r.commitIfDue()
}

// checkContent sees whether the run may write, and holds an object's content.
func (r *Run) checkContent(row *row, blob Hash) error {
	if err := r.writable(); err != nil || blob == "" {
		return err
	}
	held, err := r.held(blob)
	if err == nil && held == nil {
		err = fmt.Errorf("store %s %q: its content %.80s was not stored before it: %w", row.typ, row.id, blob, ErrNotFound)
	}
	return err
}

// news says whether a row differs from the current one.
func (r *Run) news(row *row) (bool, error) {
	cur, err := r.current(row.typ, row.id)
	row.replaces = cur != nil
	return err == nil && (cur == nil || string(cur.digest) != string(row.digest)), err
}

// uncommitted is an object's record that the catalog does not have yet, nil if
// there is none.
func (r *Run) uncommitted(typ, id string) *row {
	row := r.pending.row(typ, id)
	if row == nil && r.behind != nil {
		row = r.behind.row(typ, id)
	}
	return row
}

// current is the record that holds now, gone or not, nil if there never was one.
func (r *Run) current(typ, id string) (*row, error) {
	if row := r.uncommitted(typ, id); row != nil {
		return row, nil
	}
	if r.first.lacks("object", typ, id) {
		return nil, nil
	}
	row := &row{typ: typ, id: id}
	var blob []byte
	ok, err := r.a.cat.row(`SELECT snapshot, gone, blob, digest, pack, start, length FROM record WHERE type = ? AND id = ? AND until IS NULL`,
		[]any{typ, id}, &row.snapshot, &row.gone, &blob, &row.digest, &row.pack, &row.start, &row.length)
	if err != nil || !ok {
		return nil, r.a.catalogError("find "+typ, err)
	}
	row.blob = hashOf(blob)
	return row, nil
}

// append adds a frame to the pack, beginning one when there is none.
func (r *Run) append(write func(io.Writer) error) (place, error) {
	if r.pack == nil {
		if err := r.newPack(); err != nil {
			return place{}, r.fail(err)
		}
	}
	p, err := r.pack.append(write)
	if err != nil {
		return place{}, r.fail(err)
	}
	return p, nil
}

// newPack makes the next pack and, before anything is written to it, its row.
func (r *Run) newPack() error {
	pack, err := r.a.openPack(packRow{n: r.lastPack + 1})
	if err != nil {
		return err
	}
	err = r.a.cat.update("begin a pack", func(tx *sql.Tx) error { return putPack(tx, pack.packRow) })
	if err != nil {
		return errors.Join(r.a.catalogError("begin a pack", err), pack.close())
	}
	r.pack, r.lastPack = pack, pack.n
	return nil
}

func frameBytes(frame []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(frame)
		return err
	}
}

// fail ends the writing.
func (r *Run) fail(err error) error {
	if err != nil && r.broken == nil {
		r.broken = r.tellNeed(err, 0)
	}
	return err
}

func (r *Run) writable() error {
	if r.closed {
		return fmt.Errorf("archive %s: the run is closed", r.a.dir)
	}
	return r.broken
}
