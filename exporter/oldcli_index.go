package exporter

import (
	"fmt"
	"hash/maphash"
	"io"
	"slices"

	"mailhaul/account"
)

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
