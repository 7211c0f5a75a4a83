package archive

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
)

// settleMoves makes durable what was appended, and then rows that point at it.
func (r *Run) settleMoves(doing string, newest int, f func(tx *sql.Tx) error) error {
	if r.pack != nil { // else nothing was appended
		if err := r.pack.sync(r.pack.length); err != nil {
			return r.fail(r.pack.takeBack(err))
		}
	}
	err := r.a.cat.update(doing, func(tx *sql.Tx) error {
		if r.pack != nil {
			if err := putPack(tx, r.pack.packRow); err != nil {
				return err
			}
		}
		if err := (pruned{Pack: r.lastPack, Snapshot: newest}).put(tx); err != nil {
			return err
		}
		return f(tx)
	})
	return r.fail(r.a.catalogError(doing, err))
}

// move is a row whose member was copied.
type move struct {
	row *placedRow
	to  place
}

// mostMoves is how many rows are moved in one transaction.
const mostMoves = 5000

// empty copies what is needed of a pack into the newest, and removes the pack. at
// is told where each member that was copied ends.
func (r *Run) empty(ctx context.Context, pack packRow, newest int, at func(end int64)) error {
	file, err := os.Open(r.a.packPath(pack.n))
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	defer file.Close()
	rows := r.a.placed(pack.n)
	var moves []move
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		row, err := rows.before(pack.length)
		if err != nil {
			return err
		}
		full := row != nil && r.packFull()
		if row == nil || full || len(moves) >= mostMoves {
			if err := r.settleMoves("move what a pack held", newest, func(tx *sql.Tx) error { return commitMoves(tx, moves, pack.n, row == nil) }); err != nil {
				return err
			}
			moves = moves[:0]
		}
		if row == nil {
			break
		}
		if full {
			if err := r.seal(); err != nil {
				return err
			}
		}
		to, err := r.copyMember(file, row)
		if err != nil {
			return err
		}
		moves = append(moves, move{row, to})
		at(row.start + row.length)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	return writeError(r.a.packPath(pack.n), remove(r.a.packPath(pack.n)))
}

// copyMember appends a frame as it is, after it was checked.
func (r *Run) copyMember(file *os.File, row *placedRow) (place, error) {
	f := readFrame(file, row.pack, row.start, row.start+row.length)
	if f.err == nil && (f.name != row.name() || f.length != row.length) {
		f.err = fmt.Errorf("there lies %.200q", f.name)
	}
	if f.err != nil {
		return place{}, damaged(place{row.pack, row.start, row.length}, row.name(),
			fmt.Errorf("%w; an archive that is damaged can not be pruned: `mailhaul archive reindex %s` leaves out what is damaged", f.err, r.a.dir))
	}
	return r.append(func(w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(file, row.start, row.length))
		return err
	})
}

// commitMoves lets rows point at the copies. last: the pack they were in holds
// nothing any more.
func commitMoves(tx *sql.Tx, moves []move, pack int, last bool) error {
	const to = ` SET pack = ?, start = ?, length = ? WHERE `
	stmts := map[kind]*sql.Stmt{}
	for k, text := range map[kind]string{
		kindBlob:     `UPDATE blob` + to + `hash = ?`,
		kindObject:   `UPDATE record` + to + `type = ? AND id = ? AND snapshot = ?`,
		kindSnapshot: `UPDATE snapshot` + to + `n = ?`,
	} {
		s, err := tx.Prepare(text)
		if err != nil {
			return err
		}
		defer s.Close()
		stmts[k] = s
	}
	for _, m := range moves {
		args := []any{m.to.pack, m.to.start, m.to.length}
		switch m.row.kind {
		case kindBlob:
			args = append(args, m.row.blob.bytes())
		case kindObject:
			args = append(args, m.row.typ, m.row.id, m.row.row.snapshot)
		case kindSnapshot:
			args = append(args, m.row.row.snapshot)
		}
		if _, err := stmts[m.row.kind].Exec(args...); err != nil {
			return err
		}
	}
	if !last {
		return nil
	}
	_, err := tx.Exec(`DELETE FROM pack WHERE n = ?`, pack)
	return err
}

// sealPruned ends a pack that a Prune was writing when it was killed: what is
// written from now on is not to be among what it copied.
func (r *Run) sealPruned() error {
	last, err := r.a.lastPruned()
	if err != nil || r.pack == nil || r.pack.n > last.Pack {
		return err
	}
	return r.seal()
}

// removeLeft removes the packs that a Prune had emptied and did not live to remove.
func (r *Run) removeLeft() error {
	forgotten, err := r.a.forgotten()
	if err != nil || len(forgotten) == 0 {
		return err
	}
	packs, err := r.a.packRows()
	if err != nil {
		return err
	}
	removed := removedPacks(forgotten)
	for _, p := range packs {
		delete(removed, p.n)
	}
	files, err := r.a.packFiles()
	if err != nil {
		return err
	}
	for _, n := range files {
		if removed[n] {
			if err := remove(r.a.packPath(n)); err != nil {
				return writeError(r.a.packPath(n), err)
			}
		}
	}
	return nil
}
