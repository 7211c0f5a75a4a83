package importer

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"mailhaul/account"
	"mailhaul/archive"
)

// comparison holds both sides' messages in a temporary database, so that
// accounts of any size are compared in little memory and without a journal.
type comparison struct {
	r   *run
	db  *sql.DB
	dir string
	ins *sql.Tx
	n   int
}

const comparisonTables = `
CREATE TABLE target (id TEXT PRIMARY KEY, blob TEXT, key TEXT, mids TEXT, boxes TEXT, words TEXT, size INTEGER, received INTEGER,
	claims INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE source (n INTEGER PRIMARY KEY, id TEXT UNIQUE, blob TEXT, key TEXT, mids TEXT, boxes TEXT, target TEXT);
CREATE INDEX target_key ON target (key);
CREATE INDEX source_key ON source (key);
CREATE INDEX source_target ON source (target) WHERE target IS NOT NULL;`

// targetRow is a message on the target.
type targetRow struct {
	archive.Listed
	boxes, words   []string
	size, received int64
}

func (r *run) compare(ctx context.Context) (c *comparison, err error) {
	dir, err := os.MkdirTemp("", "mailhaul-compare-")
	if err != nil {
		return nil, fmt.Errorf("make room for the comparison: %w", err)
	}
	c = &comparison{r: r, dir: dir}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.db, err = sql.Open("sqlite", filepath.Join(dir, "compare.db")); err != nil {
		return c, err
	}
	c.db.SetMaxOpenConns(1)
	for _, s := range []string{"PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -8000", comparisonTables} {
		if _, err := c.db.ExecContext(ctx, s); err != nil {
			return c, fmt.Errorf("make room for the comparison in %s: %w", dir, err)
		}
	}
	if err := c.readTarget(ctx); err != nil {
		return c, err
	}
	if err := c.readSource(ctx); err != nil {
		return c, err
	}
	if err := c.pairByJournal(ctx); err != nil {
		return c, err
	}
	if err := c.pairByKey(ctx); err != nil {
		return c, err
	}
	return c, c.shareIdentical(ctx)
}

func (c *comparison) close() {
	if c.ins != nil {
		_ = c.ins.Rollback()
	}
	if c.db != nil {
		_ = c.db.Close()
	}
	_ = os.RemoveAll(c.dir) // only a temporary copy of what both sides hold
}

// exec runs a statement in a long transaction, which commit ends.
func (c *comparison) exec(ctx context.Context, query string, args ...any) (err error) {
	if c.ins == nil {
		if c.ins, err = c.db.BeginTx(context.WithoutCancel(ctx), nil); err != nil {
			return err
		}
	}
	if _, err = c.ins.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("compare (in %s): %w", c.dir, err)
	}
	if c.n++; c.n%10_000 == 0 {
		return c.commit()
	}
	return nil
}

func (c *comparison) commit() error {
	if c.ins == nil {
		return nil
	}
	err := c.ins.Commit()
	c.ins = nil
	return err
}

// readTarget lists the target by pages.
func (c *comparison) readTarget(ctx context.Context) error {
	r := c.r
	st := r.stage("listing "+r.to.Name, 0, 0)
	defer st.finish()
	props := append([]string{"mailboxIds", "keywords"}, listProps...)
	reset := func() error { return c.exec(ctx, "DELETE FROM target") }
	err := eachPage(ctx, r.to, r.pageSize(), props, reset, func(list []account.Object) error {
		for _, o := range list {
			if !r.boxes.within(o.Set("mailboxIds")) {
				continue
			}
			err := c.exec(ctx, "INSERT OR REPLACE INTO target (id, blob, key, mids, boxes, words, size, received) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
				o.ID(), o.Text("blobId"), account.MatchKey(o), account.MessageIDs(o), encodeList(o.Set("mailboxIds")), encodeList(o.Set("keywords")),
				o.Int("size"), o.Time("receivedAt").Unix())
			if err != nil {
				return err
			}
		}
		st.add(int64(len(list)), 0)
		return nil
	})
	if err != nil {
		return err
	}
	return c.commit()
}

// readSource lists the archive.
func (c *comparison) readSource(ctx context.Context) error {
	for rec, err := range c.r.ar.Objects(c.r.at, account.Email) {
		if err != nil {
			return fmt.Errorf("read the archive's messages: %w", err)
		}
		o := rec.Object
		p := c.r.placeNow(o.Set("mailboxIds"), nil)
		err := c.exec(ctx, "INSERT INTO source (id, blob, key, mids, boxes) VALUES (?, ?, ?, ?, ?)",
			o.ID(), string(rec.Blob), account.MatchKey(o), account.MessageIDs(o), encodeList(p.mailboxes))
		if err != nil {
			return err
		}
	}
	return c.commit()
}

func encodeList(list []string) string { return string(account.Marshal(list)) }

func decodeList(s string) (list []string) {
	readJSON(s, &list)
	return list
}

// pair notes that a message of the target stands for one of the source.
func (c *comparison) pair(ctx context.Context, sourceID, targetID string) error {
	if err := c.exec(ctx, "UPDATE source SET target = ? WHERE id = ?", targetID, sourceID); err != nil {
		return err
	}
	return c.exec(ctx, "UPDATE target SET claims = claims + 1 WHERE id = ?", targetID)
}

// row reads one message of the target.
func (c *comparison) row(ctx context.Context, id string) (t targetRow, ok bool, err error) {
	var boxes, words string
	err = c.db.QueryRowContext(ctx, "SELECT id, blob, key, mids, boxes, words, size, received FROM target WHERE id = ?", id).
		Scan(&t.ID, &t.BlobID, &t.Key, &t.MessageIDs, &boxes, &words, &t.size, &t.received)
	if err == sql.ErrNoRows {
		return t, false, nil
	}
	t.boxes, t.words = decodeList(boxes), decodeList(words)
	return t, err == nil, err
}

// targetOf is the message that stands for a source message, "" if none does.
func (c *comparison) targetOf(ctx context.Context, sourceID string) (string, error) {
	var id sql.NullString
	err := c.db.QueryRowContext(ctx, "SELECT target FROM source WHERE id = ?", sourceID).Scan(&id)
	if err == sql.ErrNoRows {
		err = nil
	}
	return id.String, err
}

// pairByJournal takes what an import remembers, as far as it still fits. A
// message that stands for several is left to shareIdentical but for the first.
func (c *comparison) pairByJournal(ctx context.Context) error {
	if c.r.j == nil {
		return nil
	}
	for e, err := range c.r.j.Entries(account.Email.Name, archive.Done) {
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		err := c.exec(ctx, `UPDATE source SET target = ?1 WHERE id = ?2 AND blob = ?3
			AND EXISTS (SELECT 1 FROM target WHERE id = ?1 AND blob = ?4)
			AND NOT EXISTS (SELECT 1 FROM source WHERE target = ?1)`, e.TargetID, e.SourceID, string(e.Blob), e.TargetBlobID)
		if err != nil {
			return err
		}
	}
	if err := c.exec(ctx, "UPDATE target SET claims = 1 WHERE id IN (SELECT target FROM source WHERE target IS NOT NULL)"); err != nil {
		return err
	}
	return c.commit()
}
