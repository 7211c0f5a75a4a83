package importer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/jscalendar"
	"mailhaul/internal/jscontact"
	js "mailhaul/internal/jsschema"
)

// serverSet are properties that a server sets and no client may.
var serverSet = map[string][]string{
	account.ContactCard.Name:   {"id"},
	account.Contact.Name:       {"id", "blobId", "size", "x-href", "x-hasPhoto"},
	account.ContactGroup.Name:  {"id", "x-href"},
	account.CalendarEvent.Name: {"id", "isOrigin", "baseEventId", "utcStart", "utcEnd", "blobId", "debugBlobId", "x-href", "participantId"},
}

// convert makes of an archive's object what the target is to have. What the
// target's form does not say is told; an object that can't be converted is bad.
func (r *run) convert(ctx context.Context, t account.Type, rec archive.Record) (*thing, error) {
	w := &thing{t: t, to: r.becomes(t), rec: rec}
	var err error
	switch t.Name {
	case account.ContactCard.Name, account.Contact.Name, account.ContactGroup.Name:
		err = r.convertContact(w)
	case account.CalendarEvent.Name:
		err = r.convertEvent(w)
	case account.Calendar.Name:
		r.convertCalendar(w)
	default:
		w.o = rec.Object.Only(t.Writable...)
		if t.Name == account.FileNode.Name {
			w.o = w.o.Without("isSubscribed")
			w.up = rec.Object.Text("parentId")
		}
	}
	if err != nil {
		return nil, err
	}
	if w.bad != "" {
		return w, nil
	}
	w.o = nullless(w.o.Without(serverSet[w.to.Name]...))
	w.key = key(w.to, w.o)
	return w, r.contain(ctx, w)
}

func (r *run) convertContact(w *thing) error {
	o := w.rec.Object
	cyrus := w.to.Name != account.ContactCard.Name
	var err error
	switch {
	case w.t.Name == account.ContactCard.Name && cyrus:
		o = w.unlined(o)
		if o.Text("kind") == "group" {
			w.to = account.ContactGroup
			w.o, w.told, err = jscontact.GroupToCyrus(o)
		} else {
			w.o, w.told, err = jscontact.ToCyrus(o)
		}
	case w.t.Name == account.Contact.Name && !cyrus:
		if w.o, w.told, err = jscontact.FromCyrus(o); err != nil {
			break
		}
		raw, rerr := r.blobBytes(o.Text("blobId"))
		if rerr != nil {
			return rerr
		}
		var more []js.Problem
		w.o, more = jscontact.Supplement(w.o, raw)
		w.told = append(w.told, more...)
	case w.t.Name == account.ContactGroup.Name && !cyrus:
		var uids map[string]bool
		if uids, err = r.contactUIDs(); err != nil {
			return err
		}
		w.o, w.told, err = jscontact.GroupFromCyrus(o, uids)
	default:
		w.o = o
	}
	w.refuse(err)
	return nil
}

func (r *run) convertEvent(w *thing) error {
	o := w.rec.Object
	fromCyrus, toCyrus := isCyrusEvent(o), r.cyrusCalendars()
	var err error
	switch {
	case fromCyrus && !toCyrus:
		if w.o, w.told, err = jscalendar.FromCyrus(o); err != nil {
			break
		}
		raw, rerr := r.blobBytes(o.Text("blobId"))
		if rerr != nil {
			return rerr
		}
		w.told = append(w.told, jscalendar.Unshown(o, raw)...)
	case !fromCyrus && toCyrus:
		w.o, w.told, err = jscalendar.ToCyrus(o.Without(serverSet[w.t.Name]...))
	default:
		w.o = o
	}
	if w.refuse(err); err == nil && toCyrus {
		quiet, told := jscalendar.Quiet(w.o, r.things.own, time.Now())
		w.o, w.told = quiet, append(w.told, told...)
	}
	return nil
}

func isCyrusEvent(o account.Object) bool { return o.Text("@type") == "jsevent" || o.Has("calendarId") }

func (r *run) convertCalendar(w *thing) {
	o := w.rec.Object
	fromCyrus, toCyrus := o.Has("x-href") || o.Has("scheduleAddressSet") || o.Has("mayReadFreeBusy"), r.cyrusCalendars()
	var err error
	switch {
	case toCyrus: // drops of its own what it does not take
		w.o, w.told, err = jscalendar.CalendarToCyrus(o.Only(account.Calendar.Writable...))
	case fromCyrus:
		w.o, w.told, err = jscalendar.CalendarFromCyrus(o)
	default:
		w.o = o.Only(account.Calendar.Writable...)
	}
	w.refuse(err)
}

// refuse takes the error of a conversion.
func (w *thing) refuse(err error) {
	if err != nil {
		w.bad = "it can't be converted for the server: " + err.Error()
	}
}

// unlined is a card whose data: URIs are blobs.
func (w *thing) unlined(o account.Object) account.Object {
	ids := map[string]string{}
	w.data = map[string][]byte{}
	for _, up := range jscontact.Uploads(o) {
		sum := sha256.Sum256(up.Data)
		id := "data-" + hex.EncodeToString(sum[:])
		ids[up.ID], w.data[id] = id, up.Data
	}
	return jscontact.Blobbed(o, ids)
}

// contactUIDs are the ids and uids of the archive's Contacts.
func (r *run) contactUIDs() (map[string]bool, error) {
	if r.things.uids != nil {
		return r.things.uids, nil
	}
	uids := map[string]bool{}
	for rec, err := range r.ar.Objects(r.at, account.Contact) {
		var damaged *archive.DamagedError
		if err != nil && !errors.As(err, &damaged) {
			return nil, fmt.Errorf("read the archive's contacts: %w", err)
		}
		if err == nil {
			uids[rec.Object.Text("uid")] = true
		}
	}
	r.things.uids = uids
	return uids, nil
}

// blobOf finds what a source's blobId names; false where the archive has it not.
func (r *run) blobOf(id string) (archive.Hash, bool, error) {
	if id == "" {
		return "", false, nil
	}
	rec, err := r.ar.Object(r.at, account.Blob, id)
	var damaged *archive.DamagedError
	if errors.Is(err, archive.ErrNotFound) || errors.As(err, &damaged) {
		return "", false, nil
	}
	return rec.Blob, err == nil && rec.Blob != "", err
}

// mostInline bounds a blob that is read into memory.
const mostInline = 16 << 20

// blobBytes reads a small blob, nil where the archive has it not.
func (r *run) blobBytes(id string) ([]byte, error) {
	h, ok, err := r.blobOf(id)
	if err != nil || !ok {
		return nil, err
	}
	src, size, err := r.ar.OpenBlob(h)
	if err != nil {
		var damaged *archive.DamagedError
		if errors.As(err, &damaged) || errors.Is(err, archive.ErrNotFound) {
			return nil, nil
		}
		return nil, err
	}
	defer src.Close()
	if size > mostInline {
		return nil, nil
	}
	data, err := io.ReadAll(src)
	var damaged *archive.DamagedError
	if errors.As(err, &damaged) {
		return nil, nil
	}
	return data, err
}

// key is what an object is recognised by on another server, "" for nothing. Of a
// FileNode it is the name alone: see match.
func key(t account.Type, o account.Object) string {
	switch t.Name {
	case account.ContactCard.Name, account.Contact.Name, account.ContactGroup.Name:
		return o.Text("uid")
	case account.CalendarEvent.Name:
		return strings.TrimSuffix(o.Text("uid")+" "+o.Text("recurrenceId"), " ")
	case account.ParticipantIdentity.Name:
		return strings.ToLower(o.Text("calendarAddress"))
	}
	return o.Text("name")
}

// nullless is an object without what is null, which says nothing in a create and
// which Cyrus refuses. Patches of overrides, where null takes away, keep it.
func nullless(o account.Object) account.Object {
	m, err := js.Decode(o)
	if err != nil {
		return o
	}
	var strip func(m map[string]any)
	strip = func(m map[string]any) {
		for k, v := range m {
			switch v := v.(type) {
			case nil:
				delete(m, k)
			case map[string]any:
				if k != "recurrenceOverrides" && k != "localizations" {
					strip(v)
				}
			case []any:
				for _, e := range v {
					if e, ok := e.(map[string]any); ok {
						strip(e)
					}
				}
			}
		}
	}
	strip(m)
	return js.Encode(m)
}
