package archive

import (
	"database/sql"
	"iter"
)

// ImportFailure is an object that an import could not bring to its target.
type ImportFailure struct {
	Server, AccountName string // the target
	Type, ID            string // the object, in the archive
	Reason              string
}

// ImportFailures yields what is failed by every journal, target by target. It
// takes no lock: an import may be at work.
func (a *Archive) ImportFailures() iter.Seq2[ImportFailure, error] {
	type at struct {
		journal int64
		ImportFailure
	}
	list := pages(func(last *at) ([]at, error) {
		var after at
		if last != nil {
			after = *last
		}
		list, err := rows(a.cat, func(rs *sql.Rows) (f at, err error) {
			return f, rs.Scan(&f.journal, &f.Server, &f.AccountName, &f.Type, &f.ID, &f.Reason)
		}, `SELECT e.journal, j.server, j.account_name, e.type, e.source_id, e.reason FROM entry e JOIN journal j ON j.n = e.journal
			WHERE e.state = ? AND (e.journal, e.type, e.source_id) > (?, ?, ?) ORDER BY e.journal, e.type, e.source_id LIMIT ?`,
			Failed, after.journal, after.Type, after.ID, pageRows)
		return list, a.catalogError("list what failed", err)
	})
	return func(yield func(ImportFailure, error) bool) {
		for f, err := range list {
			if !yield(f.ImportFailure, err) {
				return
			}
		}
	}
}
