package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// VerifyReport is what Verify found.
type VerifyReport struct {
	Packs     int64     `json:"packs"`
	Blobs     int64     `json:"blobs"`
	Objects   int64     `json:"objects"` // records of them
	Snapshots int64     `json:"snapshots"`
	Bytes     int64     `json:"bytes"` // of packs read
	Problems  []Problem `json:"problems,omitempty"`
	// Holes are damaged places that nothing in the catalog points at: a reindex
	// left them out. What they cost was named then, and may be held again since.
	Holes []Problem `json:"holes,omitempty"`
}

// Problem is one thing that is wrong.
type Problem struct {
	Pack   int      `json:"pack,omitempty"` // 0 when it is not about one
	Offset int64    `json:"offset"`
	Member string   `json:"member,omitempty"` // "blob/…"
	Items  []string `json:"items,omitempty"`  // the messages (or scripts) it costs, for a person
	Reason string   `json:"reason"`
}

// verification is a Verify at work.
type verification struct {
	a        *Archive
	report   VerifyReport
	lost     map[Hash]int // blobs that can not be read, and the problem that says so
	holes    []Problem    // damage that no row points at, of the pack at work
	progress func(done, total int64)
	total    int64
	// forgotten are snapshots that a Prune gave up: what only they needed may lie
	// about still, though the catalog does not know it.
	forgotten map[int]bool
	removed   map[int]bool // packs that a Prune took away
}

// Verify reads everything: every hash, every record, the catalog against the
// packs. It may run while another process writes, and then checks what was
// committed when it came to a pack. An error is what kept it from looking;
// what it found wrong is in the report.
func (a *Archive) Verify(ctx context.Context, progress func(done, total int64)) (*VerifyReport, error) {
	v := &verification{a: a, lost: map[Hash]int{}, progress: progress}
	packs, err := a.packRows()
	if err != nil {
		return nil, err
	}
	if err := v.readForgotten(); err != nil {
		return nil, err
	}
	for _, p := range packs {
		v.total += p.length
	}
	for _, p := range packs {
		if err := v.pack(ctx, p); err != nil {
			return nil, err
		}
	}
	for _, step := range []func() error{v.strayPacks, v.missingBlobs, v.nameLost, v.counts} {
		if err := errors.Join(ctx.Err(), step()); err != nil {
			return nil, err
		}
	}
	return &v.report, nil
}

func (v *verification) readForgotten() error {
	list, err := v.a.forgotten()
	v.forgotten, v.removed = map[int]bool{}, removedPacks(list)
	for _, rec := range list {
		v.forgotten[rec.Snapshot] = true
	}
	return err
}

func (v *verification) problem(p Problem) {
	v.report.Problems = append(v.report.Problems, p)
}

// pack reads one pack along with the rows that point into it.
func (v *verification) pack(ctx context.Context, p packRow) error {
	file, err := os.Open(v.a.packPath(p.n))
	if errors.Is(err, fs.ErrNotExist) {
		there, err := v.a.cat.row(`SELECT 1 FROM pack WHERE n = ?`, []any{p.n}, new(int))
		if err != nil || !there {
			return v.a.catalogError("verify", err) // a Prune copied it meanwhile
		}
	}
	v.report.Packs++
	if err != nil {
		v.problem(Problem{Pack: p.n, Reason: fmt.Sprintf("the pack can not be opened: %v", err)})
		return v.rowsUntil(v.a.placed(p.n), p.length, "the pack can not be opened")
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("verify %s: %w", packName(p.n), err)
	}
	end, before := min(p.length, info.Size()), len(v.report.Problems)
	rows := v.a.placed(p.n)
	v.holes = nil
	sealed, crc := false, uint32(0)
	err = scanPack(ctx, file, p.n, end, func(f frame) error {
		v.report.Bytes += f.length
		if v.progress != nil {
			v.progress(v.report.Bytes, v.total)
		}
		sealed, crc = f.trailer && f.err == nil, f.crc
		return v.frame(rows, f)
	})
	if err != nil {
		return err
	}
	if end < p.length {
		v.problem(Problem{Pack: p.n, Offset: end, Reason: fmt.Sprintf("the pack is cut short: it has %d bytes of %d", end, p.length)})
	} else if p.sealed && !sealed {
		v.problem(Problem{Pack: p.n, Offset: end, Reason: "the pack does not end with a tar file's trailer"})
	}
	if err := v.rowsUntil(rows, p.length, "the pack holds nothing there"); err != nil {
		return err
	}
	if len(v.report.Problems) > before {
		v.report.Problems = append(v.report.Problems, v.holes...)
		return nil
	}
	// Not every bit of a frame makes a difference to what it decompresses to.
	if crc == p.crc {
		v.report.Holes = append(v.report.Holes, v.holes...)
	} else if len(v.holes) > 0 {
		v.report.Problems = append(v.report.Problems, v.holes...)
	} else {
		v.problem(Problem{Pack: p.n, Reason: "its bytes changed since they were written (CRC-32), though all members still read as they should"})
	}
	return nil
}

// rowsUntil reports the rows that point before end and were not met.
func (v *verification) rowsUntil(rows *placedRows, end int64, reason string) error {
	for {
		row, err := rows.before(end)
		if err != nil || row == nil {
			return err
		}
		v.lose(row, reason)
	}
}

// frame checks what lies in a pack against its row.
func (v *verification) frame(rows *placedRows, f frame) error {
	if err := v.rowsUntil(rows, f.start, "the pack holds nothing there"); err != nil {
		return err
	}
	if f.err != nil {
		met := false
		for {
			row, err := rows.before(f.start + f.length)
			if err != nil {
				return err
			}
			if row == nil {
				break
			}
			v.lose(row, f.err.Error())
			met = true
		}
		if !met {
			v.holes = append(v.holes, Problem{Pack: f.pack, Offset: f.start, Reason: fmt.Sprintf("%v (nothing that is needed)", f.err)})
		}
		return nil
	}
	row, err := rows.before(f.start + 1)
	if err != nil || f.trailer && row == nil {
		return err
	}
	if row == nil {
		return v.unrowed(f)
	}
	if reason := v.compare(row, f); reason != "" {
		v.lose(row, reason)
	}
	return nil
}

// compare says what is wrong between a row and the whole member it points at.
func (v *verification) compare(row *placedRow, f frame) string {
	if row.name() != f.name || row.length != f.length {
		return fmt.Sprintf("the catalog points at it, but there lies %.200q (%d bytes)", f.name, f.length)
	}
	switch row.kind {
	case kindBlob:
		v.report.Blobs++
		if row.size != f.size {
			return fmt.Sprintf("the catalog says %d bytes, it has %d", row.size, f.size)
		}
	case kindObject:
		v.report.Objects++
		if f.rowErr != nil {
			return f.rowErr.Error()
		}
		fresh := f.row
		if !fresh.equal(&row.row) {
			return "the catalog's row does not fit the object"
		}
	case kindSnapshot:
		v.report.Snapshots++
		var rec SnapshotRecord
		if err := json.Unmarshal(f.data, &rec); err != nil || rec.Snapshot != row.snapshot {
			return "it is no record of that snapshot"
		}
		if string(f.data) != row.text {
			return "the catalog's copy of the record differs"
		}
	}
	return ""
}

// equal says whether two rows say the same of an object.
func (r *row) equal(o *row) bool {
	return r.typ == o.typ && r.id == o.id && r.snapshot == o.snapshot && r.gone == o.gone && r.blob == o.blob && r.blobID == o.blobID &&
		r.size == o.size && r.received == o.received && r.key == o.key && r.messageIDs == o.messageIDs && bytes.Equal(r.digest, o.digest)
}

// lose reports a row whose member can not be had.
func (v *verification) lose(row *placedRow, reason string) {
	p := Problem{Pack: row.pack, Offset: row.start, Member: row.name(), Reason: reason}
	switch row.kind {
	case kindBlob:
		v.lost[row.blob] = len(v.report.Problems)
	case kindObject:
		p.Items = []string{fmt.Sprintf("%s %s as of snapshot %d", row.typ, row.id, row.snapshot)}
	}
	v.problem(p)
}
