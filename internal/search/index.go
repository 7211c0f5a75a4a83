package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver

	"mailhaul/account"
	"mailhaul/archive"
)

// FileName is the index's file in the archive's directory.
const FileName = "search.db"

// version of the tables. An index of another version is made anew.
const version = 2

const schema = `
CREATE TABLE message (n INTEGER PRIMARY KEY, id TEXT NOT NULL, blob TEXT NOT NULL, received INTEGER NOT NULL, UNIQUE (id, blob)) STRICT;
CREATE TABLE snapshot (n INTEGER PRIMARY KEY) STRICT; -- whose messages are in the index, all but those of
CREATE TABLE unread (snapshot INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (snapshot, id)) STRICT, WITHOUT ROWID; -- which could not be read
CREATE VIRTUAL TABLE word USING fts5(subject, people, body, files, content='', tokenize="unicode61 remove_diacritics 2");
`

// Index is an archive's index, open.
type Index struct {
	ar *archive.Archive
	db *sql.DB
}

// Open opens the archive's index, and makes an empty one if there is none.
func Open(ar *archive.Archive) (*Index, error) {
	path := filepath.Join(ar.Dir(), FileName)
	for fresh := false; ; fresh = true {
		x, is, err := open(ar, path)
		if err == nil && is == version {
			return x, nil
		}
		if err == nil {
			err = fmt.Errorf("it has version %d", is)
			_ = x.Close()
		}
		if fresh {
			return nil, fmt.Errorf("open the search index %s: %w; it can be deleted, and is made anew then", path, err)
		}
		// Of another version, or damaged: nothing in it is not in the archive too.
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("make the search index anew: %w", err)
		}
	}
}

func open(ar *archive.Archive, path string) (*Index, int, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite would let others read it
	if err != nil {
		return nil, 0, err
	}
	if err := f.Close(); err != nil {
		return nil, 0, err
	}
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(),
		RawQuery: "mode=rw&_txlock=immediate&_pragma=busy_timeout(30000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=cache_size(-16000)"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, 0, err
	}
	x := &Index{ar: ar, db: db}
	var is, tables int
	err = db.QueryRow(`SELECT (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`).Scan(&is, &tables)
	if err == nil && tables == 0 {
		is = version
		_, err = db.Exec(fmt.Sprintf("BEGIN IMMEDIATE; %s PRAGMA user_version = %d; COMMIT", schema, version))
	}
	if err != nil {
		return nil, 0, errors.Join(err, db.Close())
	}
	return x, is, nil
}

// Close closes the index.
func (x *Index) Close() error { return x.db.Close() }

// Hit is a message that was found.
type Hit struct {
	ID     string // of the Email
	Record archive.Record
}

// Find yields the messages of a snapshot that match a query, newest first. See
// [Match] for queries; the snapshot must have been taken into the index.
func (x *Index) Find(ctx context.Context, at int, query string) iter.Seq2[Hit, error] {
	return func(yield func(Hit, error) bool) {
		err := x.find(ctx, at, query, yield)
		if err != nil {
			yield(Hit{}, err)
		}
	}
}

func (x *Index) find(ctx context.Context, at int, query string, yield func(Hit, error) bool) error {
	match, err := Match(query)
	if err != nil {
		return err
	}
	rows, err := x.db.QueryContext(ctx, `SELECT m.id, m.blob FROM word JOIN message m ON m.n = word.rowid
		WHERE word MATCH ? ORDER BY m.received DESC, m.id`, match)
	if err != nil {
		return fmt.Errorf("search for %q: %w", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var h Hit
		var blob archive.Hash
		if err := rows.Scan(&h.ID, &blob); err != nil {
			return fmt.Errorf("search for %q: %w", query, err)
		}
		h.Record, err = x.ar.Object(at, account.Email, h.ID)
		var damage *archive.DamagedError
		switch {
		case errors.Is(err, archive.ErrNotFound): // in another snapshot only
			continue
		case err != nil && !errors.As(err, &damage):
			return err
		case h.Record.Blob != blob: // the id was another message's
			continue
		}
		if !yield(h, nil) {
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("search for %q: %w", query, err)
	}
	return nil
}
