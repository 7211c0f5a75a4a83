package archive

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// PruneReport is what a Prune did, or would do.
type PruneReport struct {
	Kept      []int `json:"kept"` // snapshots
	Forgotten []int `json:"forgotten"`
	Records   int64 `json:"records"`   // of objects, that no snapshot needs any more; 0 in a dry run
	Blobs     int64 `json:"blobs"`     // the same of blobs; 0 in a dry run
	Removed   int   `json:"removed"`   // packs of which nothing was needed
	Rewritten int   `json:"rewritten"` // packs of which something was
	Before    int64 `json:"before"`    // bytes of all packs
	After     int64 `json:"after"`     // in a dry run by estimate
}

// mostDead is the part of a pack, in percent, that may lie unused: to copy the
// rest for less is not worth it.
const mostDead = 5

// leastDead is how many bytes must lie unused for packs to be touched when no
// snapshot is to be forgotten and no earlier Prune was killed. Less than that a Prune leaves behind itself.
const leastDead = 64 << 10

// Prune forgets the snapshots that no rule keeps, and frees what only they need:
// packs are removed, or what is needed of them is copied, frame by frame as it
// is, into new ones. What the kept snapshots hold does not change. With dryRun it
// changes nothing and tells what it would do.
//
// It needs the archive for itself (*LockedError while an export or an import is
// at work) but for readers, and every export finished. A damaged frame that would
// have to be copied ends it with a *DamagedError, and its pack stays. It may be
// killed at any time: the archive is whole then, and a later Prune with the same
// rules goes on. progress, unless nil, is told how many bytes of the packs that
// have to go were gone through.
func (a *Archive) Prune(ctx context.Context, keep Keep, dryRun bool, progress func(done, total int64)) (*PruneReport, error) {
	if err := keep.check(); err != nil {
		return nil, err
	}
	if dryRun {
		p, err := a.planPrune(keep)
		if err != nil {
			return nil, err
		}
		return &p.report, nil
	}
	if a.readOnly {
		return nil, fmt.Errorf("archive %s is on read-only media: copy it to where it can be written", a.dir)
	}
	r := newRun(a)
	for _, name := range []string{writerLock, catalogLock} {
		l, err := a.takeLock(name)
		if err != nil {
			return nil, errors.Join(err, r.unlock())
		}
		r.locks = append(r.locks, l)
	}
	if err := a.sameCatalog(); err != nil {
		return nil, errors.Join(err, r.unlock())
	}
	report, err := r.prune(ctx, keep, progress)
	return report, errors.Join(err, r.end())
}

// pruning is what a Prune has to do.
type pruning struct {
	report PruneReport
	oblivion
	victims []packRow // packs to be taken away
	live    map[int]int64
}

// planPrune works out what a Prune has to do.
func (a *Archive) planPrune(keep Keep) (*pruning, error) {
	if n, _, open, err := a.Unfinished(); err != nil {
		return nil, err
	} else if open {
		return nil, fmt.Errorf("archive %s can not be pruned yet: snapshot %d is not finished; run its export again until it is done", a.dir, n)
	}
	list, err := a.Snapshots()
	if err != nil {
		return nil, err
	}
	before, err := a.forgotten()
	if err != nil {
		return nil, err
	}
	p := &pruning{live: map[int]int64{}}
	p.report.Kept, p.report.Forgotten = keep.choose(list)
	now := slices.DeleteFunc(list, func(rec SnapshotRecord) bool { return slices.Contains(p.report.Kept, rec.Snapshot) })
	p.oblivion = forgetting(p.report.Kept, before, now)
	if err := p.findVictims(a, removedPacks(before)); err != nil {
		return nil, err
	}
	p.markVictims(now)
	return p, nil
}

// markVictims has it written down, in the mark of the last forgotten snapshot,
// which packs are going to be missed. Marks that say nothing new are dropped.
func (p *pruning) markVictims(now []SnapshotRecord) {
	if len(p.marks) == 0 {
		return
	}
	last := &p.marks[len(p.marks)-1]
	fresh := map[int]bool{}
	for _, rec := range now {
		fresh[rec.Snapshot] = true
	}
	for _, v := range p.victims {
		if !slices.Contains(last.Removed, v.n) {
			last.Removed = append(last.Removed, v.n)
			fresh[last.Snapshot] = true
		}
	}
	p.marks = slices.DeleteFunc(p.marks, func(rec SnapshotRecord) bool { return !fresh[rec.Snapshot] })
}

// findVictims finds the packs of which too much is not needed. begun are those
// that an earlier Prune was to take away: if one is left it was killed, and this
// one goes on.
func (p *pruning) findVictims(a *Archive, begun map[int]bool) error {
	packs, err := a.packRows()
	if err != nil {
		return err
	}
	if err := p.weigh(a); err != nil {
		return err
	}
	for _, pack := range packs {
		p.report.Before += pack.length
		dead := pack.length - p.live[pack.n]
		if len(p.marks) == 0 || dead*100 <= pack.length*mostDead || pack.length == 0 || !pack.sealed {
			p.report.After += pack.length
			continue
		}
		p.victims = append(p.victims, pack)
		p.report.After += p.live[pack.n]
		if p.live[pack.n] == 0 {
			p.report.Removed++
		} else {
			p.report.Rewritten++
		}
	}
	goesOn := slices.ContainsFunc(p.victims, func(v packRow) bool { return begun[v.n] })
	if len(p.report.Forgotten) == 0 && !goesOn && p.report.Before-p.report.After < leastDead {
		p.victims, p.report.Removed, p.report.Rewritten, p.report.After = nil, 0, 0, p.report.Before
	}
	return nil
}

// weigh finds out how many bytes of each pack are needed.
func (p *pruning) weigh(a *Archive) error {
	type weight struct {
		pack  int
		bytes int64
	}
	kept, _ := json.Marshal(p.report.Kept)
	list, err := rows(a.cat, func(rs *sql.Rows) (w weight, err error) { return w, rs.Scan(&w.pack, &w.bytes) }, p.with+`
		SELECT pack, sum(length) FROM (
			SELECT r.pack, r.length FROM record r WHERE NOT `+isDead+`
			UNION ALL SELECT pack, length FROM blob WHERE NOT (hash IN (SELECT r.blob FROM record r WHERE r.blob IS NOT NULL AND `+isDead+`)
				AND hash NOT IN (SELECT r.blob FROM record r WHERE r.blob IS NOT NULL AND NOT `+isDead+`))
			UNION ALL SELECT pack, length FROM snapshot WHERE n IN (SELECT value FROM json_each(?)) OR record IS NOT NULL AND NOT `+isFinished+`
		) GROUP BY pack`, string(kept))
	for _, w := range list {
		p.live[w.pack] = w.bytes
	}
	return a.catalogError("weigh the packs", err)
}

// prune is Prune with the archive locked.
func (r *Run) prune(ctx context.Context, keep Keep, progress func(done, total int64)) (*PruneReport, error) {
	if err := r.recover(); err != nil {
		return nil, err
	}
	p, err := r.a.planPrune(keep)
	if err != nil {
		return nil, err
	}
	if len(p.report.Forgotten) == 0 && len(p.victims) == 0 {
		return &p.report, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.forget(p); err != nil {
		return nil, err
	}
	var done, total int64
	for _, v := range p.victims {
		total += v.length
	}
	for _, v := range p.victims {
		at := func(end int64) {
			if progress != nil {
				progress(done+end, total)
			}
		}
		at(0)
		if err := r.empty(ctx, v, p.newest(), at); err != nil {
			return nil, err
		}
		at(v.length)
		done += v.length
	}
	if err := r.seal(); err != nil {
		return nil, err
	}
	packs, err := r.a.packRows()
	p.report.After = 0
	for _, pack := range packs {
		p.report.After += pack.length
	}
	return &p.report, err
}

func (p *pruning) newest() int { return p.report.Kept[len(p.report.Kept)-1] }

// forget writes down which snapshots are forgotten, and takes what only they
// needed out of the catalog. It lies in the packs all the same, until these are
// taken away.
func (r *Run) forget(p *pruning) error {
	places := make([]place, len(p.marks))
	texts := make([]string, len(p.marks))
	for i, rec := range p.marks {
		data, err := json.Marshal(rec)
		if err != nil {
			return fmt.Errorf("forget snapshot %d: %w", rec.Snapshot, err)
		}
		frame, err := makeFrame(snapshotName(rec.Snapshot), data)
		if err != nil {
			return fmt.Errorf("forget snapshot %d: %w", rec.Snapshot, err)
		}
		places[i], err = r.append(frame.writeTo)
		frame.release()
		if err != nil {
			return err
		}
		texts[i] = string(data)
	}
	return r.settleMoves("forget snapshots", p.newest(), func(tx *sql.Tx) (err error) {
		for i, rec := range p.marks {
			if _, err := tx.Exec(`UPDATE snapshot SET record = ?, pack = ?, start = ?, length = ? WHERE n = ?`,
				texts[i], places[i].pack, places[i].start, places[i].length, rec.Snapshot); err != nil {
				return err
			}
		}
		p.report.Records, p.report.Blobs, err = p.collect(tx)
		return err
	})
}
