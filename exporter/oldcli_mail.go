package exporter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/maphash"
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

// mailIndex is what must be known of emails.json before it can be paged.
type mailIndex struct {
	count int64
	whole bool // it could be read to its end
	// doubles are the ids that stand there more than once, with what is made
	// of them.
	doubles map[string][]account.Object
}

// indexed reads the whole of emails.json once. It keeps eight octets an entry.
func (s *oldCLI) indexed() (*mailIndex, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.index != nil {
		return s.index, nil
	}
	x := &mailIndex{doubles: map[string][]account.Object{}}
	seed := maphash.MakeSeed()
	var hashes []uint64
	err := s.eachMail(func(o account.Object) {
		hashes = append(hashes, maphash.String(seed, o.ID()))
	})
	if hashes == nil && err != nil {
		return nil, err
	}
	x.whole = err == nil
	x.count = int64(len(hashes))
	slices.Sort(hashes)
	twice := map[uint64]bool{}
	for i := 1; i < len(hashes); i++ {
		if hashes[i] == hashes[i-1] {
			twice[hashes[i]] = true
		}
	}
	hashes = nil
	if len(twice) > 0 {
		_ = s.eachMail(func(o account.Object) { // it was read before
			if id := o.ID(); twice[maphash.String(seed, id)] {
				x.doubles[id] = append(x.doubles[id], o)
			}
		})
		s.resolve(x)
	}
	s.index = x
	return x, nil
}

// resolve decides what becomes of entries with one id: those of one blob are
// one message, with the mailboxes and keywords of all; others are messages of
// their own and get an id of their own.
func (s *oldCLI) resolve(x *mailIndex) {
	for id, entries := range x.doubles {
		if len(entries) == 1 {
			delete(x.doubles, id) // two ids of one hash
			continue
		}
		var made []account.Object
		for _, o := range entries {
			i := slices.IndexFunc(made, func(p account.Object) bool { return p.Text("blobId") == o.Text("blobId") })
			if i >= 0 {
				for _, prop := range []string{"mailboxIds", "keywords"} {
					made[i].Put(prop, account.SetOf(append(made[i].Set(prop), o.Set(prop)...)...))
				}
				continue
			}
			if len(made) > 0 {
				o.Put("id", fmt.Sprintf("%s~%d", id, len(made)+1))
			}
			made = append(made, o)
		}
		x.doubles[id] = made
		x.count += int64(len(made) - len(entries))
		s.warn(account.Email, account.Describe(entries[0]), fmt.Sprintf(
			"emails.json lists its id %d times: %d message(s) were made of them", len(entries), len(made)))
	}
}

// eachMail reads emails.json and calls do for each entry that names something.
func (s *oldCLI) eachMail(do func(account.Object)) error {
	c, err := s.openMail(nil)
	if err != nil {
		return err
	}
	defer c.close()
	for {
		o, err := c.entry()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		do(o)
	}
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
