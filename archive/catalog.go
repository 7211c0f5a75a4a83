package archive

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"mailhaul/internal/failpoint"
)

const (
	catalogFile = "catalog.db"
	// catalogID is the catalog's application_id, "mhcl".
	catalogID = 0x6d68636c
	// catalogVersion is its user_version. An older mailhaul refuses a newer one.
	catalogVersion = 1
)

// catalog is an open catalog.db: a few connections that read, and one that
// writes. A read never waits for a write (SQLite's write-ahead log).
type catalog struct {
	path  string
	read  *sql.DB
	write *sql.DB // nil on read-only media

	mu    sync.Mutex
	stmts map[string]*sql.Stmt // of read, by text
}

// createCatalog makes an empty catalog at path.
func createCatalog(path string) error {
	f, err := createFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR) // SQLite gives its other files the same mode
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return failpoint.Do("create the catalog", path, func() error {
		db, err := sql.Open("sqlite", dsn(path, "_pragma=synchronous(FULL)", "_pragma=journal_mode(WAL)"))
		if err != nil {
			return err
		}
		_, err = db.Exec(fmt.Sprintf("BEGIN; %s; PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", schema, catalogID, catalogVersion))
		return errors.Join(err, db.Close())
	})
}

// dsn is the name under which the driver opens a database file.
func dsn(path string, params ...string) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // a Windows path: file:///C:/…
	}
	u := url.URL{Scheme: "file", Path: p}
	return u.String() + "?" + strings.Join(params, "&")
}

// openCatalog opens an existing catalog. The caches are small: an archive may
// be open beside many others.
func openCatalog(path string, readOnly bool) (*catalog, error) {
	c := &catalog{path: path, stmts: map[string]*sql.Stmt{}}
	params := []string{"_pragma=busy_timeout(30000)", "_pragma=cache_size(-2000)", "_pragma=query_only(1)"}
	if readOnly {
		if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
			return nil, fmt.Errorf("%s has a write-ahead log that can not be read on read-only media: copy the archive to where it can be written", path)
		}
		params = append(params, "mode=ro", "immutable=1")
	} else {
		params = append(params, "mode=rw")
	}
	var err error
	if c.read, err = sql.Open("sqlite", dsn(path, params...)); err != nil {
		return nil, err
	}
	c.read.SetMaxOpenConns(4)
	c.read.SetMaxIdleConns(4)
	if !readOnly {
		c.write, err = sql.Open("sqlite", dsn(path, "mode=rw", "_txlock=immediate", "_pragma=busy_timeout(30000)", "_pragma=cache_size(-8000)",
			"_pragma=synchronous(FULL)", "_pragma=journal_size_limit(67108864)", "_pragma=wal_autocheckpoint(4000)"))
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.write.SetMaxOpenConns(1)
	}
	if err := c.checkVersion(path); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *catalog) checkVersion(path string) error {
	var id, version int
	err := c.read.QueryRow("SELECT application_id, user_version FROM pragma_application_id, pragma_user_version").Scan(&id, &version)
	switch {
	case err != nil:
		return err
	case id != catalogID:
		return &DamagedError{Member: path, Reason: "it is no catalog of mailhaul's; `mailhaul archive reindex` builds one from the packs"}
	case version > catalogVersion:
		return fmt.Errorf("%s has version %d, this mailhaul knows versions up to %d: %w", path, version, catalogVersion, errNewer)
	}
	return nil
}

func (c *catalog) close() error {
	return failpoint.Do("close the catalog", c.path, c.closeAll)
}

func (c *catalog) closeAll() error {
	var errs []error
	if c.write != nil {
		// All of it into the one file, so that the directory can be copied. A
		// reader elsewhere may prevent that: then the log stays, and is as good.
		_, _ = c.write.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	}
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	errs = append(errs, c.read.Close())
	if c.write != nil {
		errs = append(errs, c.write.Close())
	}
	return errors.Join(errs...)
}

// prepare prepares a reading statement, once.
func (c *catalog) prepare(query string) (*sql.Stmt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.stmts[query]; s != nil {
		return s, nil
	}
	s, err := c.read.Prepare(query)
	if err == nil {
		c.stmts[query] = s
	}
	return s, err
}

// row reads one row; found is false when there is none.
func (c *catalog) row(query string, args []any, into ...any) (found bool, err error) {
	s, err := c.prepare(query)
	if err != nil {
		return false, err
	}
	err = s.QueryRow(args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// rows reads all rows of a query, which must be one that limits itself.
func rows[T any](c *catalog, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	s, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	rs, err := s.Query(args...)
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	var list []T
	for rs.Next() {
		v, err := scan(rs)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rs.Err()
}

// update runs f in one transaction on the writing connection, which is durable
// when it returns. What for is said as for a person.
func (c *catalog) update(doing string, f func(tx *sql.Tx) error) error {
	if c.write == nil {
		return fs.ErrPermission
	}
	return failpoint.Do(doing, c.path, func() error {
		tx, err := c.write.Begin()
		if err != nil {
			return err
		}
		return finishTx(tx, f(tx))
	})
}

// updateSoon is update but for this: a loss of power may undo it, together with
// all that came after it, until the next update returns. The death of a process
// undoes nothing. It spares the disk an fsync.
func (c *catalog) updateSoon(doing string, f func(tx *sql.Tx) error) error {
	if c.write == nil {
		return fs.ErrPermission
	}
	return failpoint.Do(doing, c.path, func() error {
		ctx := context.Background()
		conn, err := c.write.Conn(ctx) // the one there is: an update waits meanwhile
		if err != nil {
			return err
		}
		_, err = conn.ExecContext(ctx, `PRAGMA synchronous = NORMAL`)
		if err == nil {
			var tx *sql.Tx
			if tx, err = conn.BeginTx(ctx, nil); err == nil {
				err = finishTx(tx, f(tx))
			}
		}
		if _, e := conn.ExecContext(ctx, `PRAGMA synchronous = FULL`); e != nil { // then a new connection takes its place
			err = errors.Join(err, e)
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		return errors.Join(err, ignoreClosed(conn.Close()))
	})
}

func ignoreClosed(err error) error {
	if errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}

// finishTx ends a transaction whose work came to err.
func finishTx(tx *sql.Tx, err error) error {
	if err != nil {
		_ = tx.Rollback() // after some errors, as of a full disk, SQLite has done so itself
		return err
	}
	return tx.Commit()
}
