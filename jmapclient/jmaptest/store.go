package jmaptest

import (
	"crypto/sha256"
	"strings"
	"time"
)

type hash [sha256.Size]byte

// blob is bytes, kept once for the whole server.
type blob struct {
	hash hash
	data []byte
}

// upload is a blob that nothing refers to yet.
type upload struct {
	hash hash
	at   time.Time
	typ  string
}

// The names of the data types.
const (
	typeMailbox  = "Mailbox"
	typeEmail    = "Email"
	typeThread   = "Thread"
	typeIdentity = "Identity"
	typeScript   = "SieveScript"
	typeVacation = "VacationResponse"
)

// account is one account, a user's or a group's.
type account struct {
	s      *Server
	id     string
	user   User
	hidden bool   // no principal
	number uint64 // that management calls it by

	seq       int64
	histories map[string]*history

	held    map[hash]int       // how many objects hold the blob
	uploads map[hash]time.Time // unreferenced uploads by their last time
	queue   []upload           // all uploads, oldest first: for quota and eviction

	mailboxes mailboxes
	emails    emails
	identity  identities
	scripts   scripts
	vacation  *vacation
	things    map[string]*things // by the name of the type
	sent      []Sent
	rate      window
}

func newAccount(s *Server, id string, u User) *account {
	a := &account{
		s: s, id: id, user: u,
		histories: map[string]*history{},
		held:      map[hash]int{},
		uploads:   map[hash]time.Time{},
		things:    map[string]*things{},
	}
	a.mailboxes.init()
	a.emails.init()
	a.identity.byID = map[string]*identity{}
	a.scripts.byID = map[string]*script{}
	for _, d := range s.p.Mailboxes {
		m := a.mailboxes.add(a, &mailbox{name: d.Name, role: d.Role})
		if d.Subscribed {
			m.subscribe(a, true)
		}
		if s.p.DefaultsNoted {
			a.note(typeMailbox, m.id, created)
		}
	}
	for _, n := range []*numbers{&a.emails.docs, &a.emails.threads.numbers, &a.identity.numbers, &a.scripts.numbers} {
		n.next = s.p.FirstNumber
	}
	a.mailboxes.numbers.next = max(a.mailboxes.numbers.next, s.p.FirstMailbox)
	if s.p.vacationAlways() {
		a.vacation = &vacation{}
	}
	return a
}

// keep stores bytes, once.
func (s *Server) keep(data []byte) *blob {
	h := hash(sha256.Sum256(data))
	b := s.blobs[h]
	if b == nil {
		b = &blob{h, data}
		s.blobs[h] = b
	}
	return b
}

// hold and release count the objects of an account that hold a blob.
func (a *account) hold(h hash) { a.held[h]++ }

func (a *account) release(h hash) {
	if a.held[h]--; a.held[h] <= 0 {
		delete(a.held, h)
	}
}

// blobByID is a blob that the account may read: one of an object's, or an
// upload that has not expired. nil if there is none.
func (a *account) blobByID(id string) *blob {
	h, ok := a.s.parseBlobID(id)
	if !ok {
		return nil
	}
	if a.held[h] == 0 {
		at, ok := a.uploads[h]
		if !ok || a.s.now().Sub(at) >= a.s.p.UploadExpiry {
			return nil
		}
	}
	return a.s.blobs[h]
}

// addUpload notes an upload, and lets the oldest go where the server keeps only so much.
func (a *account) addUpload(b *blob, typ string) {
	now := a.s.now()
	a.uploads[b.hash] = now
	a.queue = append(a.queue, upload{b.hash, now, typ})
	most := a.s.p.UploadKeep
	if most == 0 {
		return
	}
	var sum int64
	for i := len(a.queue) - 1; i >= 0; i-- {
		u := a.queue[i]
		if a.held[u.hash] > 0 {
			continue
		}
		if sum += int64(len(a.s.blobs[u.hash].data)); sum > most && i < len(a.queue)-1 {
			if at, ok := a.uploads[u.hash]; ok && at.Equal(u.at) {
				delete(a.uploads, u.hash)
			}
		}
	}
}

// uploadRefused says whether octets more would pass the upload quota of the last hour.
func (a *account) uploadRefused(octets int64) bool {
	p := &a.s.p
	if p.UploadFilesPerHour == 0 && p.UploadOctetsPerHour == 0 {
		return false
	}
	since := a.s.now().Add(-time.Hour)
	files, sum := 1, octets
	for _, u := range a.queue {
		if u.at.After(since) {
			files++
			sum += int64(len(a.s.blobs[u.hash].data))
		}
	}
	return p.UploadFilesPerHour > 0 && files > p.UploadFilesPerHour ||
		p.UploadOctetsPerHour > 0 && sum > p.UploadOctetsPerHour
}

// has says whether the caller may use the account.
func (s *Server) allowed(caller, a *account) bool {
	return caller == a || caller.user.Admin || s.member(caller, a)
}

// member says whether the caller belongs to the group (or list) a.
func (s *Server) member(caller, a *account) bool {
	if !a.user.Group && !(a.user.List && s.p.ListsAreAccounts) {
		return false
	}
	for _, g := range caller.user.MemberOf {
		if strings.EqualFold(g, a.user.Login) {
			return true
		}
	}
	return false
}

// window counts requests in the last minute.
type window struct{ at []time.Time }

// take counts one more, and says false when that is one too many.
func (w *window) take(now time.Time, most int) bool {
	old := 0
	for old < len(w.at) && now.Sub(w.at[old]) >= time.Minute {
		old++
	}
	w.at = w.at[old:]
	if len(w.at) >= most {
		return false
	}
	w.at = append(w.at, now)
	return true
}
