package exporter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"mailhaul/account"
)

// oldCLIPage is how many Emails a page has.
const oldCLIPage = 500

// State is a hash of the file: another content is another state.
func (s *oldCLI) State(_ context.Context, t account.Type) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != "" && t.Name == account.Email.Name {
		return s.state, nil
	}
	f, err := s.open(t)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	state := "sha256:" + hex.EncodeToString(h.Sum(nil))
	if t.Name == account.Email.Name {
		s.state = state
	}
	return state, nil
}

// mailCursor reads emails.json from the start.
type mailCursor struct {
	f     *os.File
	r     *arrayReader
	index *mailIndex // nil while it is being made
	done  map[string]bool
	ready []account.Object // entries made of doubles, still to be handed out
	last  string
}

func (s *oldCLI) openMail(x *mailIndex) (*mailCursor, error) {
	f, err := s.open(account.Email)
	if err != nil {
		return nil, err
	}
	return &mailCursor{f: f, r: newArrayReader(f, "emails.json"), index: x, done: map[string]bool{}}, nil
}

func (c *mailCursor) close() { _ = c.f.Close() } // it was only read

// entry is the next entry as it stands. One without an id is named after its
// blob; one that names nothing is passed over.
func (c *mailCursor) entry() (account.Object, error) {
	for {
		o, err := c.r.next()
		if err != nil {
			return nil, err
		}
		if o.ID() == "" && o.Text("blobId") != "" {
			o.Put("id", "blob-"+o.Text("blobId"))
		}
		if o.ID() != "" {
			return o, nil
		}
	}
}

// next is the next Email, each id once.
func (c *mailCursor) next() (account.Object, error) {
	for len(c.ready) == 0 {
		o, err := c.entry()
		if err != nil {
			return nil, err
		}
		id := o.ID()
		made, double := c.index.doubles[id]
		switch {
		case !double:
			c.ready = []account.Object{o}
		case !c.done[id]:
			c.done[id] = true
			c.ready = slices.Clone(made)
		}
	}
	o := maps.Clone(c.ready[0])
	c.ready = c.ready[1:]
	c.last = o.ID()
	return o, nil
}

// Page lists the Emails in the order of the file.
func (s *oldCLI) Page(_ context.Context, _ account.Type, after string) (*SourcePage, error) {
	c, err := s.seek(after)
	if err != nil {
		return nil, err
	}
	page := &SourcePage{Total: c.index.count}
	for len(page.IDs) < oldCLIPage {
		o, err := c.next()
		if err == io.EOF || err != nil && len(page.IDs) > 0 {
			page.Last = err == io.EOF
			break
		}
		if err != nil {
			return nil, err
		}
		page.IDs = append(page.IDs, o.ID())
		page.List = append(page.List, s.mail(o))
	}
	return page, nil
}

// seek is a cursor behind an id: the open one if it is there.
func (s *oldCLI) seek(after string) (*mailCursor, error) {
	x, err := s.indexed()
	if err != nil {
		return nil, err
	}
	if s.cursor != nil && after != "" && s.cursor.last == after {
		return s.cursor, nil
	}
	if s.cursor != nil {
		s.cursor.close()
	}
	if s.cursor, err = s.openMail(x); err != nil {
		return nil, err
	}
	for after != "" && s.cursor.last != after {
		if _, err := s.cursor.next(); err == io.EOF {
			return nil, ErrAnchorGone
		} else if err != nil {
			return nil, err
		}
	}
	return s.cursor, nil
}

// Get reads the whole file for what is asked.
func (s *oldCLI) Get(_ context.Context, _ account.Type, ids []string) ([]account.Object, error) {
	x, err := s.indexed()
	if err != nil {
		return nil, err
	}
	c, err := s.openMail(x)
	if err != nil {
		return nil, err
	}
	defer c.close()
	var list []account.Object
	for {
		o, err := c.next()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains(ids, o.ID()) {
			list = append(list, s.mail(o))
		}
	}
}

func (s *oldCLI) Count(context.Context, account.Type) (int64, error) {
	x, err := s.indexed()
	if err != nil || !x.whole {
		return -1, err
	}
	return x.count, nil
}

// mail adds what the files leave out and looks for what is wrong with an entry.
func (s *oldCLI) mail(o account.Object) account.Object {
	if st, err := s.statBlob(o.Text("blobId")); err == nil {
		o.Put("size", st.Size())
	}
	s.mu.Lock()
	known := s.mailboxes
	s.mu.Unlock()
	if known == nil {
		return o // mailboxes.json itself is missing, and that was said
	}
	in := o.Set("mailboxIds")
	var strange []string
	for _, id := range in {
		if !known[id] {
			strange = append(strange, id)
		}
	}
	switch {
	case len(in) == len(strange):
		s.warn(account.Email, account.Describe(o), "none of its mailboxes is listed: it is kept, and restored into a mailbox of its own")
	case len(strange) > 0:
		s.warn(account.Email, account.Describe(o), "some of its mailboxes are not listed: "+strings.Join(strange, ", "))
	}
	return o
}
