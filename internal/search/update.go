package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/emersion/go-message/mail"
	"golang.org/x/sync/errgroup"

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
// unfinished export holds) into the index: those that no snapshot there had, and again
// those that could not be read. It answers how many can not be.
func (x *Index) Update(ctx context.Context, at int, progress func(done, total int64)) (unread int64, err error) {
	todo, err := x.toRead(ctx, at)
	if err != nil {
		return 0, err
	}
	if todo.total == 0 && todo.known {
		return 0, nil
	}
	bad, err := x.take(ctx, todo, progress)
	if err != nil {
		return int64(len(bad)), err
	}
	if at > 0 {
		err = x.settle(ctx, at, bad)
	}
	return int64(len(bad)), x.failed(err)
}

// settle notes that a snapshot's messages are in the index, but for some.
func (x *Index) settle(ctx context.Context, at int, unread []string) error {
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	_, err = tx.Exec(`INSERT OR IGNORE INTO snapshot (n) VALUES (?)`, at)
	if err == nil {
		_, err = tx.Exec(`DELETE FROM unread WHERE snapshot = ?`, at)
	}
	for _, id := range unread {
		if err == nil {
			_, err = tx.Exec(`INSERT OR IGNORE INTO unread (snapshot, id) VALUES (?, ?)`, at, id)
		}
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// take reads messages into the index, and answers the ids of those that can't be read.
func (x *Index) take(ctx context.Context, from reading, progress func(done, total int64)) (unread []string, err error) {
	g, gctx := errgroup.WithContext(ctx)
	todo, ready := make(chan archive.Record), make(chan words)
	g.Go(func() error {
		defer close(todo)
		for rec, err := range from.records {
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
		unread, err = x.write(gctx, ready, from.total, progress)
		return err
	})
	return unread, g.Wait()
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
	whole := &watched{Reader: content}
	text, err := mailtext.Read(whole, maxText)
	if err == nil {
		_, err = io.Copy(io.Discard, whole) // at the end its hash is looked at
	}
	if whole.err != nil {
		err = whole.err
	}
	return text, err
}

// watched remembers that what it reads could not be read: to mailtext that is
// a message that ends early.
type watched struct {
	io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// write adds what is ready, and answers what could not be read.
func (x *Index) write(ctx context.Context, ready <-chan words, total int64, progress func(done, total int64)) (unread []string, err error) {
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
			unread = append(unread, w.id)
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
