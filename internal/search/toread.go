package search

import (
	"context"
	"errors"
	"iter"

	"mailhaul/account"
	"mailhaul/archive"
)

// reading is what is to be read into the index.
type reading struct {
	records iter.Seq2[archive.Record, error]
	total   int64
	known   bool // the snapshot has been taken into the index
}

// toRead is what the index may lack of a snapshot: of one that it knows what could not
// be read; else what differs from the nearest one that it knows, and what could not be
// read of that; all, if it knows none.
func (x *Index) toRead(ctx context.Context, at int) (reading, error) {
	base, err := x.nearest(ctx, at)
	if err != nil {
		return reading{}, err
	}
	if base == 0 {
		total, _, err := x.ar.Count(at, account.Email)
		return reading{records: x.ar.Objects(at, account.Email), total: total}, err
	}
	ids, err := x.unread(ctx, base)
	if err != nil {
		return reading{}, err
	}
	if base != at {
		for d, err := range x.ar.Diff(base, at) {
			if err != nil {
				return reading{}, err
			}
			if d.Type == account.Email.Name && d.Kind != archive.Gone && d.OldBlob != d.NewBlob {
				ids = append(ids, d.ID)
			}
		}
	}
	return reading{records: x.records(at, ids), total: int64(len(ids)), known: base == at}, nil
}

// records are a snapshot's messages with these ids, as far as it has them.
func (x *Index) records(at int, ids []string) iter.Seq2[archive.Record, error] {
	return func(yield func(archive.Record, error) bool) {
		for _, id := range ids {
			rec, err := x.ar.Object(at, account.Email, id)
			if errors.Is(err, archive.ErrNotFound) {
				continue
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// nearest is the snapshot in the index that differs least from another, as far as
// numbers tell: itself if it is there, the last one before, or the first one
// behind; 0 if there is none that the archive still has.
func (x *Index) nearest(ctx context.Context, at int) (int, error) {
	list, err := x.ar.Snapshots()
	if err != nil {
		return 0, err
	}
	best := 0
	for _, s := range list {
		if best >= at && best > 0 || at < 0 {
			break
		}
		var known bool
		if err := x.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM snapshot WHERE n = ?)`, s.Snapshot).Scan(&known); err != nil {
			return 0, x.failed(err)
		}
		if known && (s.Snapshot <= at || best == 0) {
			best = s.Snapshot
		}
	}
	return best, nil
}

// unread are the ids of the messages of a snapshot that could not be read.
func (x *Index) unread(ctx context.Context, at int) (ids []string, err error) {
	rows, err := x.db.QueryContext(ctx, `SELECT id FROM unread WHERE snapshot = ?`, at)
	if err != nil {
		return nil, x.failed(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, x.failed(err)
		}
		ids = append(ids, id)
	}
	return ids, x.failed(rows.Err())
}
