package migrate

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the driver
)

const (
	stateFile = "migrate.db"
	lockFile  = "migrate.lock"
	// stateVersion is the schema's; a later one is not touched.
	stateVersion = 1
)

// schema of the state. Times are Unix milliseconds, details JSON.
const schema = `
CREATE TABLE IF NOT EXISTS account (
  name TEXT PRIMARY KEY, target TEXT NOT NULL, ord INTEGER NOT NULL, wanted INTEGER NOT NULL,
  grp INTEGER NOT NULL DEFAULT 0, mapped TEXT NOT NULL DEFAULT '', messages INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outcome (
  account TEXT NOT NULL, step TEXT NOT NULL, state TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL,
  runs INTEGER NOT NULL, messages INTEGER NOT NULL, bytes INTEGER NOT NULL, error TEXT NOT NULL, advice TEXT NOT NULL,
  detail TEXT NOT NULL, PRIMARY KEY (account, step)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS point (at INTEGER PRIMARY KEY, step TEXT NOT NULL, messages INTEGER NOT NULL, bytes INTEGER NOT NULL, accounts INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS borrowed (
  server TEXT NOT NULL, account TEXT NOT NULL, token TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (server, account, token)
) WITHOUT ROWID;`

// store is the file that knows how far everything is.
type store struct {
	db   *sql.DB
	lock *flock.Flock // nil: for reading
}

// BusyError: another run is at work on the same plan.
type BusyError struct{ Directory string }

func (e *BusyError) Error() string {
	return fmt.Sprintf("another run is at work in %s: `mailhaul migrate status` shows how far it is; wait for it, or stop it", e.Directory)
}

// ErrNoState: nothing was done yet.
var ErrNoState = errors.New("nothing was done yet for this plan")

// openStore opens the state for the one run that may write it.
func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("could not make the directory of the archives: %w", err)
	}
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	switch got, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("could not lock %s: %w", dir, err)
	case !got:
		return nil, &BusyError{dir}
	}
	s := &store{lock: lock}
	if err := s.open(filepath.Join(dir, stateFile)); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return s, nil
}

func (s *store) open(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600) // SQLite would make it readable for others
	if err != nil {
		return fmt.Errorf("could not open the state: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("could not open the state: %w", err)
	}
	// Durable when the power goes is only what says that a sign-in is borrowed,
	// see lend; whatever else is lost then is done again.
	if s.db, err = sql.Open("sqlite", dsn(file, "_pragma=busy_timeout(30000)", "_pragma=journal_mode(WAL)", "_pragma=synchronous(NORMAL)", "_txlock=immediate")); err != nil {
		return fmt.Errorf("could not open the state: %w", err)
	}
	s.db.SetMaxOpenConns(1)
	var version int
	err = s.db.QueryRow("PRAGMA user_version").Scan(&version)
	if err == nil && version > stateVersion {
		err = fmt.Errorf("a later mailhaul made it (version %d)", version)
	}
	if err == nil {
		_, err = s.db.Exec(schema + fmt.Sprintf("PRAGMA user_version = %d", stateVersion))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("could not open the state %s: %w", file, err), s.db.Close())
	}
	return nil
}

// readStore opens the state for reading, while a run may be at work.
func readStore(dir string) (*store, error) {
	file := filepath.Join(dir, stateFile)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no %s", ErrNoState, file)
	}
	db, err := sql.Open("sqlite", dsn(file, "_pragma=busy_timeout(30000)", "_pragma=query_only(1)"))
	if err != nil {
		return nil, fmt.Errorf("could not open the state: %w", err)
	}
	return &store{db: db}, nil
}

// busy says whether a run is at work in the directory.
func busy(dir string) bool {
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if got {
		_ = lock.Unlock() // it was taken to be given back
	}
	return err == nil && !got
}

func dsn(file string, params ...string) string {
	if abs, err := filepath.Abs(file); err == nil {
		file = abs
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(file)}
	if filepath.VolumeName(file) != "" {
		u.Path = "/" + u.Path
	}
	text := u.String()
	for i, p := range params {
		text += map[bool]string{true: "?", false: "&"}[i == 0] + p
	}
	return text
}

func (s *store) Close() error {
	err := s.db.Close()
	if s.lock != nil {
		err = errors.Join(err, s.lock.Unlock())
	}
	return err
}

// exec runs statements of which all or none are to be.
func (s *store) exec(do func(tx *sql.Tx) error) error {
	tx, err := s.db.Begin()
	if err == nil {
		if err = do(tx); err == nil {
			err = tx.Commit()
		} else {
			err = errors.Join(err, tx.Rollback())
		}
	}
	if err != nil {
		return fmt.Errorf("could not write the state: %w", err)
	}
	return nil
}

// Account is an account of the plan and what became of it.
type Account struct {
	Name     string           `json:"account"`
	Target   string           `json:"target"`
	Group    bool             `json:"group,omitempty"`
	Messages int64            `json:"messages"` // on the old server when it was asked
	Bytes    int64            `json:"bytes"`    // by estimate
	Steps    map[Step]Outcome `json:"steps"`
}

// want makes these the accounts of the plan. What is known of others is kept.
func (s *store) want(all []Wanted) error {
	return s.exec(func(tx *sql.Tx) error {
		if _, err := tx.Exec("UPDATE account SET wanted = 0"); err != nil {
			return err
		}
		for i, w := range all {
			if _, err := tx.Exec(`INSERT INTO account (name, target, ord, wanted) VALUES (?, ?, ?, 1)
				ON CONFLICT (name) DO UPDATE SET target = excluded.target, ord = excluded.ord, wanted = 1`, w.Old, w.New, i); err != nil {
				return err
			}
		}
		return nil
	})
}

// sized notes how large an account is.
func (s *store) sized(name string, group bool, messages, bytes int64) error {
	return s.exec(func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE account SET grp = ?, messages = ?, bytes = ? WHERE name = ?", group, messages, bytes, name)
		return err
	})
}

// mapped notes what an account is called on the new server since it was made there.
func (s *store) mapped(name, target string) error {
	return s.exec(func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE account SET mapped = ?, target = ? WHERE name = ?", target, target, name)
		return err
	})
}

// madeAs are the names that mapped noted, by account.
func (s *store) madeAs() (map[string]string, error) {
	names := map[string]string{}
	err := s.each("SELECT name, mapped FROM account WHERE mapped <> ''", func(scan func(...any) error) error {
		var name, target string
		err := scan(&name, &target)
		names[name] = target
		return err
	})
	return names, err
}

// accounts are those of the plan, in its order.
func (s *store) accounts() ([]*Account, error) {
	var all []*Account
	byName := map[string]*Account{}
	err := s.each("SELECT name, target, grp, messages, bytes FROM account WHERE wanted ORDER BY ord", func(scan func(...any) error) error {
		a := &Account{Steps: map[Step]Outcome{}}
		all = append(all, a)
		err := scan(&a.Name, &a.Target, &a.Group, &a.Messages, &a.Bytes)
		byName[a.Name] = a
		return err
	})
	if err != nil {
		return nil, err
	}
	err = s.each("SELECT account, step, state, started, ended, runs, messages, bytes, error, advice, detail FROM outcome", func(scan func(...any) error) error {
		var name, detail string
		var o Outcome
		var started, ended int64
		if err := scan(&name, &o.Step, &o.State, &started, &ended, &o.Runs, &o.Messages, &o.Bytes, &o.Error, &o.Advice, &detail); err != nil {
			return err
		}
		o.Started, o.Ended = moment(started), moment(ended)
		if err := json.Unmarshal([]byte(detail), &o.Detail); err != nil {
			return err
		}
		if a := byName[name]; a != nil {
			a.Steps[o.Step] = o
		}
		return nil
	})
	return all, err
}

func (s *store) each(query string, row func(scan func(...any) error) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("could not read the state: %w", err)
		}
	}()
	rows, err := s.db.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// put notes the outcome of a step; where it begins anew, what came after it is
// not to be believed any more.
func (s *store) put(name string, o Outcome) error {
	detail, err := json.Marshal(o.Detail)
	if err != nil {
		return err
	}
	return s.exec(func(tx *sql.Tx) error {
		if o.State == Working {
			for _, later := range o.Step.later() {
				if _, err := tx.Exec("DELETE FROM outcome WHERE account = ? AND step = ?", name, later); err != nil {
					return err
				}
			}
		}
		_, err := tx.Exec("INSERT OR REPLACE INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", name, o.Step, o.State,
			stamp(o.Started), stamp(o.Ended), o.Runs, o.Messages, o.Bytes, o.Error, o.Advice, string(detail))
		return err
	})
}

// note keeps a value of the run as a whole; noted reads it.
func (s *store) note(key string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return s.exec(func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT OR REPLACE INTO note VALUES (?, ?)", key, string(b))
		return err
	})
}

func (s *store) noted(key string, value any) (bool, error) {
	var text string
	err := s.db.QueryRow("SELECT value FROM note WHERE key = ?", key).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), value)
	}
	if err != nil {
		return false, fmt.Errorf("could not read the state: %w", err)
	}
	return true, nil
}

// Point is how far a run was at a moment.
type Point struct {
	At       time.Time `json:"at"`
	Step     Step      `json:"step"`
	Messages int64     `json:"messages"`
	Bytes    int64     `json:"bytes"`
	Accounts int64     `json:"accounts"`
}

func (s *store) point(p Point) error {
	return s.exec(func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT OR REPLACE INTO point VALUES (?, ?, ?, ?, ?)", stamp(p.At), p.Step, p.Messages, p.Bytes, p.Accounts)
		return err
	})
}

func (s *store) points() ([]Point, error) {
	var all []Point
	err := s.each("SELECT at, step, messages, bytes, accounts FROM point ORDER BY at", func(scan func(...any) error) error {
		var p Point
		var at int64
		err := scan(&at, &p.Step, &p.Messages, &p.Bytes, &p.Accounts)
		p.At = moment(at)
		all = append(all, p)
		return err
	})
	return all, err
}

func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
