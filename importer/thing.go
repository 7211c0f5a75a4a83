package importer

import (
	"fmt"

	"mailhaul/account"
	"mailhaul/archive"
	js "mailhaul/internal/jsschema"
)

// Things are objects of the types beyond mail: address books, contacts,
// calendars, events, files. One way leads all of them onto the target:
//
//	convert → match → upload what it names → journal "in flight" → Foo/set → journal "done"
//
// What is there already is recognised by what names it to people or to other
// programs (see key), so that an object whose answer was lost is found again and
// not made twice.

// thing is an object of the archive and what becomes of it on the target.
type thing struct {
	t, to  account.Type // in the archive, on the target
	rec    archive.Record
	o      account.Object    // as it is to be, with the source's blob ids
	data   map[string][]byte // blobs that were data: URIs, by the ids they have in o
	told   []js.Problem      // what o does not say
	bad    string            // why it can't be restored at all
	key    string
	up     string // FileNode: the id of its parent in the archive
	state  archive.State
	was    wrote
	target account.Object // nil: there is none
	ours   bool           // the journal says that an import made it
	made   bool           // by an import: this one
	kept   []string       // properties that both sides changed, to be asked about again
}

// wrote is what the journal keeps of what was written.
type wrote struct {
	Source string            `json:"source"`         // mark of the archive's object
	Want   account.Object    `json:"want"`           // see wants
	Told   []string          `json:"told,omitempty"` // properties that the target does not have of it
	Got    map[string]string `json:"got,omitempty"`  // hashes of what the target made of it
	Made   string            `json:"made,omitempty"` // the type on the target of one that an import made; "": it was there
}

// things is what a run knows of them.
type things struct {
	ids     map[string]map[string]string // of containers: target's by archive's, by type
	def     map[string]string            // the target's default container
	uploads map[archive.Hash]string      // blob ids on the target
	hashes  map[string]archive.Hash      // of blobs on the target
	inline  map[string]bool              // types whose blobs the target takes as data: URIs only
	uids    map[string]bool              // of the archive's Contacts
	own     []string                     // the account's addresses in calendars
	reports map[string]*report
}

// has says whether the target has a type, or one that it can become.
func (r *run) has(t account.Type) bool {
	_, ok := r.to.Using(r.becomes(t))
	return ok
}

// becomes is the type that a type's objects have on the target.
func (r *run) becomes(t account.Type) account.Type {
	standard, cyrus := account.ContactCard, account.Contact
	_, isStandard := r.to.Using(standard)
	_, isCyrus := r.to.Using(cyrus)
	switch t.Name {
	case account.ContactCard.Name:
		if !isStandard && isCyrus {
			return cyrus
		}
	case account.Contact.Name, account.ContactGroup.Name:
		if isStandard {
			return standard
		}
	}
	return t
}

// cyrusCalendars says whether the target speaks Cyrus's own form of calendars.
func (r *run) cyrusCalendars() bool {
	using, ok := r.to.Using(account.Calendar)
	return ok && using[1] != account.Calendar.Capabilities[0]
}

// restorable counts a type's objects that are to be restored, and says what is
// not.
func (r *run) restorable(t account.Type) (int64, error) {
	n, _, err := r.ar.Count(r.at, t)
	if err != nil {
		return 0, fmt.Errorf("count the archive's %s: %w", plural[t.Name], err)
	}
	switch {
	case t.Name == account.Blob.Name: // come with what names them
		return 0, nil
	case t.Informational:
		if t.Name == account.EmailSubmission.Name && n > 0 {
			r.warn("%s on the old server: the archive keeps what is known of it, and nothing is sent again", countedType(n, t))
		}
		return 0, nil
	case t.Name == account.Contact.Name || t.Name == account.ContactGroup.Name:
		cards, _, err := r.ar.Count(r.at, account.ContactCard)
		if err != nil {
			return 0, err
		}
		if cards > 0 { // the server told the same in two forms
			return 0, nil
		}
	}
	switch s := r.scope; {
	case t.Name == account.Mailbox.Name && s.made != nil:
		n = int64(len(s.made))
	case t.Name == account.Email.Name && s.emails != nil:
		n = int64(len(s.emails))
	}
	if n > 0 || isSmall(t) {
		r.count(t, func(c *Counts) { c.Total = n })
	}
	return n, nil
}

// isSmall says whether a type is mail or beside it, and always reported.
func isSmall(t account.Type) bool {
	switch t.Name {
	case account.Mailbox.Name, account.Email.Name, account.Identity.Name, account.SieveScript.Name, account.VacationResponse.Name:
		return true
	}
	return false
}

// needless says why nothing is lost where the target lacks a type, "" if something is:
// a container's objects are counted by themselves.
func (r *run) needless(t account.Type) string {
	switch t.Name {
	case account.AddressBook.Name, account.Calendar.Name, account.ParticipantIdentity.Name:
		return "; what they hold is told by itself"
	}
	return ""
}
