package archive

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Journal is what an import knows about one target account. It is the
// importer's; the archive only keeps it. Every method that changes something is
// durable when it returns, but for those that say otherwise. Its methods may be
// called from several goroutines.
type Journal struct {
	a     *Archive
	n     int64
	locks []*lock

	mu       sync.Mutex
	surveyed surveyed     // the last survey
	writes   atomic.Int64 // how often entries were written
	losses   atomic.Int64 // how often some were taken away, or became another message's
}

// State of an entry.
type State string

// The states. An object without an entry was never tried.
const (
	InFlight State = "in flight" // its request may have left
	Done     State = "done"
	Failed   State = "failed"
)

// Entry is one object's fate on the target. No entry: planned.
type Entry struct {
	Type         string
	SourceID     string
	Blob         Hash // what names a message over time is (id, blob); an entry without speaks of the id alone
	State        State
	TargetID     string
	TargetBlobID string
	Applied      string // what was written for it last (importer's own coding), so that a later run sees what changed
	Checked      bool   // read back from the target and found right
	Reason       string // why it failed
}

// JournalInfo tells of one target.
type JournalInfo struct {
	Server, AccountID, AccountName string
	Updated                        time.Time
	Counts                         map[string]map[State]int64 // by type
}

// Journal opens the journal for a target account, making it if it is new, and
// locks it (one import per target at a time: *LockedError).
func (a *Archive) Journal(server, accountID, accountName string) (*Journal, error) {
	if a.readOnly {
		return nil, fmt.Errorf("archive %s is on read-only media, an import can not keep its journal there: copy it to where it can be written", a.dir)
	}
	sum := sha256.Sum256([]byte(server + "\n" + accountID))
	l, err := a.takeLock(writerLock + "-" + hex.EncodeToString(sum[:8]))
	if err != nil {
		return nil, err
	}
	j := &Journal{a: a, locks: []*lock{l}}
	if l, err = a.shareCatalog(); err == nil {
		j.locks = append(j.locks, l)
		err = j.update("open the journal", func(tx *sql.Tx) error {
			if err := reformIndexes(tx); err != nil {
				return err
			}
			return tx.QueryRow(`INSERT INTO journal (server, account_id, account_name, updated) VALUES (?, ?, ?, ?)
				ON CONFLICT DO UPDATE SET account_name = excluded.account_name RETURNING n`, server, accountID, accountName, now()).Scan(&j.n)
		})
	}
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

func now() string { return formatTime(time.Now()) }

// formatTime is how the catalog writes a time.
func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Journals lists the targets there are journals for, with counts by state.
func (a *Archive) Journals() ([]JournalInfo, error) {
	infos := map[int64]*JournalInfo{}
	order, err := rows(a.cat, func(rs *sql.Rows) (*JournalInfo, error) {
		var n int64
		var updated string
		info := &JournalInfo{Counts: map[string]map[State]int64{}}
		if err := rs.Scan(&n, &info.Server, &info.AccountID, &info.AccountName, &updated); err != nil {
			return nil, err
		}
		info.Updated, _ = time.Parse(time.RFC3339, updated) // zero when it can't be read: it is only shown
		infos[n] = info
		return info, nil
	}, `SELECT n, server, account_id, account_name, updated FROM journal ORDER BY updated, n`)
	if err != nil {
		return nil, a.catalogError("list journals", err)
	}
	counts, err := a.countEntries("TRUE")
	if err != nil {
		return nil, a.catalogError("list journals", err)
	}
	for _, c := range counts {
		if info := infos[c.journal]; info != nil {
			if info.Counts[c.typ] == nil {
				info.Counts[c.typ] = map[State]int64{}
			}
			info.Counts[c.typ][c.state] = c.n
		}
	}
	list := make([]JournalInfo, len(order))
	for i, info := range order {
		list[i] = *info
	}
	return list, nil
}

// Close gives up the journal's lock.
func (j *Journal) Close() error {
	var errs []error
	for _, l := range j.locks {
		errs = append(errs, l.release())
	}
	j.locks = nil
	return errors.Join(errs...)
}

func (j *Journal) update(doing string, f func(tx *sql.Tx) error) error {
	return j.tell(doing, j.a.cat.update, f)
}

// updateSoon is update for what a loss of power may undo, see catalog.updateSoon.
func (j *Journal) updateSoon(doing string, f func(tx *sql.Tx) error) error {
	return j.tell(doing, j.a.cat.updateSoon, f)
}

func (j *Journal) tell(doing string, update func(string, func(*sql.Tx) error) error, f func(tx *sql.Tx) error) error {
	if j.locks == nil {
		return errors.New("the journal is closed")
	}
	return j.tellNeed(j.a.catalogError(doing, update(doing, f)))
}

const entryColumns = `e.type, e.source_id, e.blob, e.state, e.target_id, e.target_blob_id, e.applied, e.checked, e.reason`

const getEntry = `SELECT ` + entryColumns + ` FROM entry e WHERE e.journal = ? AND e.type = ? AND e.source_id = ?`

func scanEntry[R interface{ Scan(into ...any) error }](rs R) (e Entry, err error) {
	var blob []byte
	err = rs.Scan(&e.Type, &e.SourceID, &blob, &e.State, &e.TargetID, &e.TargetBlobID, &e.Applied, &e.Checked, &e.Reason)
	e.Blob = hashOf(blob)
	return e, err
}

// Get reads one entry.
func (j *Journal) Get(typ, sourceID string) (Entry, bool, error) {
	list, err := rows(j.a.cat, scanEntry, getEntry, j.n, typ, sourceID)
	if err != nil || len(list) == 0 {
		return Entry{}, false, j.a.catalogError("read the journal", err)
	}
	return list[0], true, nil
}

// Entries yields the type's entries in these states, all when none is named, by
// source id. Its body may change the journal.
func (j *Journal) Entries(typ string, states ...State) iter.Seq2[Entry, error] {
	where := ""
	var args []any
	if len(states) > 0 {
		where = ` AND e.state IN (?` + strings.Repeat(", ?", len(states)-1) + `)`
		for _, s := range states {
			args = append(args, s)
		}
		if !slices.Contains(states, Done) {
			where += ` AND e.state <> 'done'` // they are few, and have an index
		}
	}
	return j.entries(typ, where, args)
}

// entries yields the type's entries for which a condition holds.
func (j *Journal) entries(typ, where string, args []any) iter.Seq2[Entry, error] {
	return pages(func(last *Entry) ([]Entry, error) {
		after := ""
		if last != nil {
			after = last.SourceID
		}
		list, err := rows(j.a.cat, scanEntry, `SELECT `+entryColumns+` FROM entry e WHERE e.journal = ? AND e.type = ? AND e.source_id > ?`+where+
			` ORDER BY e.source_id LIMIT ?`, append(append([]any{j.n, typ, after}, args...), pageRows)...)
		return list, j.a.catalogError("read the journal", err)
	})
}

// Counts counts the type's entries by state.
func (j *Journal) Counts(typ string) (map[State]int64, error) {
	list, err := j.a.countEntries("e.journal = ? AND e.type = ?", j.n, typ)
	counts := map[State]int64{}
	for _, c := range list {
		counts[c.state] = c.n
	}
	return counts, j.a.catalogError("read the journal", err)
}

// entryCount is how many entries of a journal and type have a state.
type entryCount struct {
	journal int64
	typ     string
	state   State
	n       int64
}

// countEntries counts entries for which a condition holds. Those that are done
// and those that are not have an index each.
func (a *Archive) countEntries(where string, args ...any) ([]entryCount, error) {
	return rows(a.cat, func(rs *sql.Rows) (c entryCount, err error) {
		return c, rs.Scan(&c.journal, &c.typ, &c.state, &c.n)
	}, `SELECT journal, type, state, count(*) FROM entry e WHERE `+where+` AND e.state <> 'done' GROUP BY journal, type, state
		UNION ALL SELECT journal, type, 'done', count(*) FROM entry e WHERE `+where+` AND e.state = 'done' GROUP BY journal, type`, append(args, args...)...)
}

// SetNote keeps a small JSON value by key for this target (the state that a
// listing is for).
func (j *Journal) SetNote(key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("note %q: %w", key, err)
	}
	return j.update("write the journal", func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT OR REPLACE INTO note (journal, key, value) VALUES (?, ?, ?)`, j.n, key, string(text))
		return err
	})
}

// Note reads what SetNote kept into value, and says whether there was anything.
func (j *Journal) Note(key string, value any) (bool, error) {
	var text string
	ok, err := j.a.cat.row(`SELECT value FROM note WHERE journal = ? AND key = ?`, []any{j.n, key}, &text)
	if err != nil || !ok {
		return false, j.a.catalogError("read the journal", err)
	}
	if err := json.Unmarshal([]byte(text), value); err != nil {
		return false, fmt.Errorf("note %q: %w", key, err)
	}
	return true, nil
}
