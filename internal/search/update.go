package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/emersion/go-message/mail"
	"golang.org/x/sync/errgroup"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/mailtext"
)

const (
	// maxText is how much of a message's text is indexed, in octets.
	maxText = 256 << 10
	// commitEvery is after how many messages the index is committed: what an
	// interruption costs.
	commitEvery = 500
)

// words are what is searched of a message.
type words struct {
	id       string
	blob     archive.Hash
	received int64
	columns  [4]string // subject, people, body, files
}

// Update takes the messages of a snapshot (a number, or negative for what an
// unfinished export holds) into the index. One that is there already costs nothing. It answers how many messages could not be
// read.
func (x *Index) Update(ctx context.Context, at int, progress func(done, total int64)) (unread int64, err error) {
	var done bool
	if err := x.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM snapshot WHERE n = ?)`, at).Scan(&done); err != nil || done {
		return 0, x.failed(err)
	}
	total, _, err := x.ar.Count(at, account.Email)
	if err != nil {
		return 0, err
	}
	g, gctx := errgroup.WithContext(ctx)
	todo, ready := make(chan archive.Record), make(chan words)
	g.Go(func() error {
		defer close(todo)
		for rec, err := range x.ar.Objects(at, account.Email) {
			if err != nil && !isDamage(err) {
				return err
			}
			select {
			case todo <- rec:
			case <-gctx.Done():
				return gctx.Err()
			}
		}
		return nil
	})
	readers, rctx := errgroup.WithContext(gctx)
	for range runtime.GOMAXPROCS(0) {
		readers.Go(func() error {
			for rec := range todo {
				w, err := x.read(rec)
				if err != nil {
					return err
				}
				select {
				case ready <- w:
				case <-rctx.Done():
					return rctx.Err()
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(ready)
		return readers.Wait()
	})
	g.Go(func() error {
		var err error
		unread, err = x.write(gctx, ready, total, progress)
		return err
	})
	if err := g.Wait(); err != nil {
		return unread, err
	}
	if at > 0 && unread == 0 {
		_, err = x.db.ExecContext(ctx, `INSERT INTO snapshot (n) VALUES (?)`, at)
	}
	return unread, x.failed(err)
}

func (x *Index) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write the search index in %s: %w", x.ar.Dir(), err)
}

func isDamage(err error) bool {
	var damage *archive.DamagedError
	return errors.As(err, &damage)
}

// read is a message's words; those of one that can't be read have no blob.
func (x *Index) read(rec archive.Record) (words, error) {
	w := words{id: rec.Object.ID(), received: rec.Object.Time("receivedAt").Unix()}
	if rec.Blob == "" {
		return w, nil
	}
	var known bool
	err := x.db.QueryRow(`SELECT EXISTS (SELECT 1 FROM message WHERE id = ? AND blob = ?)`, w.id, rec.Blob).Scan(&known)
	if err != nil {
		return w, x.failed(err)
	}
	if known {
		w.received = isKnown
		w.blob = rec.Blob
		return w, nil
	}
	text, err := x.message(rec.Blob)
	if err != nil {
		if isDamage(err) || errors.Is(err, archive.ErrNotFound) {
			return w, nil
		}
		return w, err
	}
	w.blob = rec.Blob
	subject, err := text.Header.Subject()
	if err != nil {
		subject = text.Header.Get("Subject") // as it stands
	}
	var files []string
	for _, a := range text.Attachments {
		files = append(files, a.Name)
	}
	w.columns = [4]string{subject, people(text.Header), text.Body, strings.Join(files, "\n")}
	return w, nil
}

// isKnown stands for the date of a message that is in the index.
const isKnown = -1 << 63

// people are the names and addresses in a header.
func people(h mail.Header) string {
	var all []string
	for _, field := range []string{"From", "Sender", "Reply-To", "To", "Cc", "Bcc"} {
		list, err := h.AddressList(field)
		if err != nil {
			all = append(all, h.Get(field)) // as it stands
		}
		for _, a := range list {
			all = append(all, a.Name, a.Address)
		}
	}
	return strings.Join(all, "\n")
}

func (x *Index) message(h archive.Hash) (*mailtext.Text, error) {
	content, _, err := x.ar.OpenBlob(h)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return mailtext.Read(content, maxText)
}

// write adds what is ready, and counts what could not be read.
func (x *Index) write(ctx context.Context, ready <-chan words, total int64, progress func(done, total int64)) (unread int64, err error) {
	var tx *sql.Tx
	defer func() {
		if tx != nil {
			_ = tx.Rollback()
		}
	}()
	var done int64
	for w := range ready {
		done++
		switch {
		case w.blob == "":
			unread++
			continue
		case w.received == isKnown:
			continue
		}
		if tx == nil {
			if tx, err = x.db.BeginTx(ctx, nil); err != nil {
				return unread, x.failed(err)
			}
		}
		if err := add(tx, w); err != nil {
			return unread, x.failed(err)
		}
		if done%commitEvery == 0 {
			if err := tx.Commit(); err != nil {
				return unread, x.failed(err)
			}
			tx = nil
			progress(done, total)
		}
	}
	if tx != nil {
		err, tx = tx.Commit(), nil
	}
	progress(done, total)
	return unread, x.failed(err)
}

// add puts a message in; one that has the same bytes under the same id is there.
func add(tx *sql.Tx, w words) error {
	res, err := tx.Exec(`INSERT INTO message (id, blob, received) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, w.id, w.blob, w.received)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	n, err := res.LastInsertId()
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO word (rowid, subject, people, body, files) VALUES (?, ?, ?, ?, ?)`, n, w.columns[0], w.columns[1], w.columns[2], w.columns[3])
	return err
}
