package importer

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"mailhaul/archive"
)

// pairByKey pairs what is left as an import does.
func (c *comparison) pairByKey(ctx context.Context) error {
	after := ""
	for {
		groups, err := c.groups(ctx, after)
		if err != nil || len(groups) == 0 {
			return err
		}
		after = groups[len(groups)-1].sources[0].Key
		matches, err := c.r.known.pair(ctx, groups)
		if err != nil {
			return err
		}
		for _, m := range matches {
			if err := c.pair(ctx, m.source.SourceID, m.listed.ID); err != nil {
				return err
			}
		}
		if err := c.commit(); err != nil {
			return err
		}
	}
}

// groups reads the next unpaired messages that share keys.
func (c *comparison) groups(ctx context.Context, after string) ([]group, error) {
	keys, err := c.strings(ctx, `SELECT DISTINCT key FROM source s WHERE target IS NULL AND key > ?
		AND EXISTS (SELECT 1 FROM target t WHERE t.key = s.key AND claims = 0) ORDER BY key LIMIT ?`, after, claimChunk)
	if err != nil {
		return nil, err
	}
	var groups []group
	for _, key := range keys {
		g := group{}
		err := c.each(ctx, func(scan func(...any) error) error {
			s := archive.Candidate{Key: key}
			if err := scan(&s.SourceID, &s.Blob, &s.MessageIDs); err != nil {
				return err
			}
			g.sources = append(g.sources, s)
			return nil
		}, "SELECT id, blob, mids FROM source WHERE key = ? AND target IS NULL ORDER BY n", key)
		if err != nil {
			return nil, err
		}
		err = c.each(ctx, func(scan func(...any) error) error {
			l := archive.Listed{Key: key}
			if err := scan(&l.ID, &l.BlobID, &l.MessageIDs); err != nil {
				return err
			}
			g.listed = append(g.listed, l)
			return nil
		}, "SELECT id, blob, mids FROM target WHERE key = ? AND claims = 0 ORDER BY id", key)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// shareIdentical pairs what is left with messages of the same bytes that stand
// for another one already, where that keeps every mailbox's messages: some
// servers (Cyrus) keep identical messages of an account as one in several
// mailboxes. Two copies in one mailbox need two.
func (c *comparison) shareIdentical(ctx context.Context) error {
	left, err := c.strings(ctx, `SELECT id FROM source s WHERE target IS NULL AND blob <> ''
		AND EXISTS (SELECT 1 FROM source o WHERE o.key = s.key AND o.blob = s.blob AND o.target IS NOT NULL) ORDER BY n`)
	if err != nil {
		return err
	}
	for _, id := range left {
		if err := c.shareOne(ctx, id); err != nil {
			return err
		}
	}
	return c.commit()
}

func (c *comparison) shareOne(ctx context.Context, id string) error {
	if err := c.commit(); err != nil {
		return err
	}
	var boxes string
	if err := c.db.QueryRowContext(ctx, "SELECT boxes FROM source WHERE id = ?", id).Scan(&boxes); err != nil {
		return err
	}
	targets, err := c.strings(ctx, `SELECT DISTINCT o.target FROM source o JOIN source s ON o.key = s.key AND o.blob = s.blob
		WHERE s.id = ? AND o.target IS NOT NULL ORDER BY o.target`, id)
	if err != nil {
		return err
	}
	for _, t := range targets {
		others, err := c.wantedOf(ctx, t)
		if err != nil {
			return err
		}
		overlaps := func(b string) bool { return slices.Contains(others, b) }
		if !slices.ContainsFunc(decodeList(boxes), overlaps) {
			return c.pair(ctx, id, t)
		}
	}
	return nil
}

// twinOf is the target message that stands for a source message of these bytes,
// "" for none.
func (c *comparison) twinOf(ctx context.Context, blob archive.Hash) (string, error) {
	if err := c.exec(ctx, "CREATE INDEX IF NOT EXISTS source_blob ON source (blob)"); err != nil { // few comparisons need it
		return "", err
	}
	if err := c.commit(); err != nil {
		return "", err
	}
	list, err := c.strings(ctx, "SELECT target FROM source WHERE blob = ? AND target IS NOT NULL ORDER BY target LIMIT 1", string(blob))
	if err != nil || len(list) == 0 {
		return "", err
	}
	return list[0], nil
}

// wantedOf are the mailboxes that all source messages want a target message in.
func (c *comparison) wantedOf(ctx context.Context, targetID string) ([]string, error) {
	lists, err := c.strings(ctx, "SELECT boxes FROM source WHERE target = ?", targetID)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, l := range lists {
		all = append(all, decodeList(l)...)
	}
	return all, nil
}

func (c *comparison) strings(ctx context.Context, query string, args ...any) (list []string, err error) {
	err = c.each(ctx, func(scan func(...any) error) error {
		var s sql.NullString
		if err := scan(&s); err != nil {
			return err
		}
		list = append(list, s.String)
		return nil
	}, query, args...)
	return list, err
}

func (c *comparison) each(ctx context.Context, take func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := c.db.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("compare (in %s): %w", c.dir, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := take(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
