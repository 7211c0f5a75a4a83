package archive

import (
	"database/sql"
	"iter"
	"slices"

	"mailhaul/account"
)

// Candidate pairs a source Email that has no done entry with the unclaimed
// listed messages (ids that no done entry names) that share its key.
type Candidate struct {
	SourceID   string
	Blob       Hash
	Key        string
	MessageIDs string
	State      State // of its entry, "" if none
	Listed     []Listed
}

// sameContent is the condition that an entry and a record of one id are of the
// same content. What names a message is (id, blob): an entry for other content
// under the same id is another message's. One that tells no content stands for
// the id alone.
const sameContent = `(e.blob IS NULL OR r.blob IS NULL OR e.blob = r.blob)`

// pendingJoins narrows record r to the Emails of a snapshot that have no done
// entry. Arguments: ?1 journal, ?2 snapshot.
const pendingJoins = `
	LEFT JOIN entry e ON e.journal = ?1 AND e.type = 'Email' AND e.source_id = r.id AND ` + sameContent + `
	LEFT JOIN blob b ON b.hash = r.blob
	WHERE r.type = 'Email' AND r.snapshot <= ?2 AND (r.until IS NULL OR r.until > ?2) AND NOT r.gone
		AND (e.state IS NULL OR e.state <> 'done')`

// unclaimed is the condition on listed messages that no done entry names them.
// Without being told the index, SQLite walks over all entries for each.
const unclaimed = ` AND NOT EXISTS (SELECT 1 FROM entry d INDEXED BY entry_target WHERE d.journal = l.journal AND d.type = 'Email' AND d.target_id = l.id AND d.state = 'done')`

// Candidates yields the source Emails of snapshot at without a done entry for
// which unclaimed listed messages share the key, grouped by key: all sources of
// a key come one after the other, and each carries the same list, as it was
// before the first of them was yielded. ids narrows to these source ids (nil:
// all). Its body may change the journal.
func (j *Journal) Candidates(at int, ids []string) iter.Seq2[Candidate, error] {
	return func(yield func(Candidate, error) bool) {
		n, err := j.a.snapshotAt(at)
		after := ""
		var few []string
		all := true // few are all keys that come into question
		if err == nil && ids == nil {
			few, all, err = j.looseKeys()
		}
		for {
			var keys []string
			var list []Candidate
			switch {
			case err != nil:
			case ids == nil && all:
				keys = few[:min(len(few), pageRows)]
				few = few[len(keys):]
			default:
				keys, err = j.candidateKeys(ids, after)
			}
			if err == nil && len(keys) > 0 {
				list, err = j.candidates(n, ids, keys)
			}
			if err != nil {
				yield(Candidate{}, j.a.catalogError("compare with the listing", err))
				return
			}
			for _, c := range list {
				if !yield(c, nil) {
					return
				}
			}
			if len(keys) == 0 {
				return
			}
			after = keys[len(keys)-1]
		}
	}
}

// mostLoose is how many keys of unclaimed messages are kept in memory.
const mostLoose = 10_000

// looseKeys are the keys of the unclaimed listed messages, in order. all: there
// are no more; of an import that goes on they are few, however much is listed.
// The listing and the index of targets are walked side by side, in the order of
// both: to take the one in any other order is to look up the other at random.
func (j *Journal) looseKeys() (keys []string, all bool, err error) {
	keys, err = rows(j.a.cat, func(rs *sql.Rows) (key string, err error) { return key, rs.Scan(&key) },
		`SELECT l.match_key FROM listed l WHERE l.journal = ?1`+unclaimed+` ORDER BY l.journal, l.id LIMIT ?2`, j.n, mostLoose+1)
	slices.Sort(keys)
	return slices.Compact(keys), len(keys) <= mostLoose, err
}

// candidateKeys are the next keys with unclaimed listed messages.
func (j *Journal) candidateKeys(ids []string, after string) ([]string, error) {
	narrow := ""
	args := []any{j.n, after, pageRows}
	if ids != nil {
		narrow = ` AND l.match_key IN (SELECT r.match_key FROM json_each(?4) w CROSS JOIN record r ON r.type = 'Email' AND r.id = w.value)`
		args = append(args, string(account.Marshal(ids)))
	}
	return rows(j.a.cat, func(rs *sql.Rows) (key string, err error) { return key, rs.Scan(&key) },
		`SELECT DISTINCT l.match_key FROM listed l WHERE l.journal = ?1 AND l.match_key > ?2`+narrow+unclaimed+` ORDER BY l.match_key LIMIT ?3`, args...)
}

// candidates are the sources with these keys. A key begins with the received
// seconds (account.MatchKey), by which there is an index. A CROSS JOIN keeps its
// order: look up the keys, don't walk over all Emails.
func (j *Journal) candidates(n int, ids, keys []string) ([]Candidate, error) {
	narrow := ""
	args := []any{j.n, n, string(account.Marshal(keys))}
	if ids != nil {
		narrow = ` AND r.id IN (SELECT value FROM json_each(?4))`
		args = append(args, string(account.Marshal(ids)))
	}
	list, err := rows(j.a.cat, func(rs *sql.Rows) (c Candidate, err error) {
		var blob []byte
		err = rs.Scan(&c.Key, &c.SourceID, &blob, &c.MessageIDs, &c.State)
		c.Blob = hashOf(blob)
		return c, err
	}, `SELECT r.match_key, r.id, b.hash, r.message_ids, coalesce(e.state, '')
		FROM json_each(?3) k CROSS JOIN record r INDEXED BY record_order ON r.received = CAST(k.value AS INTEGER) AND r.match_key = k.value`+pendingJoins+narrow+
		` ORDER BY r.match_key, r.id`, args...)
	if err != nil {
		return nil, err
	}
	return list, j.addListed(list, keys)
}

// addListed gives each candidate the listed messages with its key.
func (j *Journal) addListed(list []Candidate, keys []string) error {
	listed, err := rows(j.a.cat, scanListed, `SELECT `+listedColumns+` FROM json_each(?2) k CROSS JOIN listed l INDEXED BY listed_key
		WHERE l.journal = ?1 AND l.match_key = k.value`+unclaimed+` ORDER BY l.id`, j.n, string(account.Marshal(keys)))
	if err != nil {
		return err
	}
	byKey := map[string][]Listed{}
	for _, l := range listed {
		byKey[l.Key] = append(byKey[l.Key], l)
	}
	for i := range list {
		list[i].Listed = byKey[list[i].Key]
	}
	return nil
}

// behind is a place behind which all lies that was written after a snapshot:
// behind its record, unless a Prune has copied things since.
func (a *Archive) behind(n int) (p place, err error) {
	last, err := a.lastPruned()
	switch {
	case err != nil || n < last.Snapshot:
		return p, err
	case n == last.Snapshot && n > 0:
		return place{pack: last.Pack + 1, start: -1}, nil
	}
	_, err = a.cat.row(`SELECT pack, start FROM snapshot WHERE n = ? AND `+isFinished, []any{n}, &p.pack, &p.start)
	return p, a.catalogError("look for what changed", err)
}

// Changed yields the objects of the type as snapshot at has them that have a
// done entry and whose record was written after snapshot since, in the order of
// writing. An Email is its entry's only while it has the same content.
func (j *Journal) Changed(at, since int, t account.Type) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		n, err := j.a.snapshotAt(at)
		if err != nil {
			yield(Record{}, err)
			return
		}
		began, err := j.a.behind(since)
		if err != nil {
			yield(Record{}, err)
			return
		}
		for f, err := range pages(func(last *found) ([]found, error) {
			after := began
			if last != nil {
				after = last.place
			}
			// The + keeps the planner from walking over all objects of the type.
			list, err := rows(j.a.cat, scanFound, `SELECT `+foundColumns+` FROM record r
				CROSS JOIN entry e ON e.journal = ?1 AND e.type = r.type AND e.source_id = r.id AND e.state = 'done'
				WHERE +r.type = ?2 AND r.snapshot > ?3 AND r.snapshot <= ?4 AND (r.until IS NULL OR r.until > ?4) AND NOT r.gone
					AND (r.type <> 'Email' OR e.blob IS NULL OR e.blob = r.blob)
					AND (r.pack, r.start) > (?5, ?6)
				ORDER BY r.pack, r.start LIMIT ?7`, j.n, t.Name, since, n, after.pack, after.start, pageRows)
			return list, j.a.catalogError("look for what changed", err)
		}) {
			var rec Record
			if err == nil {
				rec, err = j.a.readRecord(t.Name, f)
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}
