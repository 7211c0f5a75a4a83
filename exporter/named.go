package exporter

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"mailhaul/account"
	"mailhaul/internal/jscalendar"
	"mailhaul/internal/jscontact"
	"mailhaul/internal/progress"
)

// blobsOf are the ids of the blobs that the objects of a type name, by the type.
var blobsOf = map[string]func(account.Object) []string{
	account.ContactCard.Name: jscontact.Blobs,
	account.Contact.Name: func(o account.Object) []string {
		return append(jscontact.Blobs(o), o.Text("blobId"))
	},
	account.CalendarEvent.Name: func(o account.Object) []string {
		return append(jscalendar.Blobs(o), o.Text("blobId"))
	},
	account.FileNode.Name: func(o account.Object) []string { return []string{o.Text("blobId")} },
}

// sharedTypes are those with a property shareWith, a map by the ids of principals.
var sharedTypes = []account.Type{account.Mailbox, account.AddressBook, account.Calendar, account.FileNode}

// sharedWith are the principals that an object names (RFC 9670 §4).
func sharedWith(o account.Object) []string {
	var rights map[string]json.RawMessage
	_ = json.Unmarshal(o["shareWith"], &rights) // of another kind it names none
	return slices.Collect(maps.Keys(rights))
}

// mentions are the ids of one type that the archive's objects name now, and which
// object does, for a person.
func (e *export) mentions(t account.Type) (map[string]string, error) {
	ids := map[string]string{}
	of := func(holder account.Type, named func(account.Object) []string) error {
		if !e.src.Has(holder) {
			return nil
		}
		for rec, err := range e.run.Current(holder) {
			if err != nil {
				return kept(err)
			}
			for _, id := range named(rec.Object) {
				if id != "" && ids[id] == "" {
					ids[id] = describe(holder, rec.Object)
				}
			}
		}
		return nil
	}
	if t.Name == account.Blob.Name {
		for _, holder := range account.Types {
			if named := blobsOf[holder.Name]; named != nil {
				if err := of(holder, named); err != nil {
					return nil, err
				}
			}
		}
		return ids, nil
	}
	for _, holder := range sharedTypes {
		if err := of(holder, sharedWith); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// named exports a type of which only those are wanted that other objects name.
func (e *export) named(ctx context.Context, t account.Type) error {
	isBlob := t.Name == account.Blob.Name
	if isBlob && e.blobsStand() {
		return nil
	}
	mentions, err := e.mentions(t)
	if err != nil {
		return err
	}
	ids := slices.Sorted(maps.Keys(mentions))
	stage := e.stage(t.Name)
	stage.total.Store(int64(len(ids)))
	k := e.taker(ctx, t, stage)
	defer k.close()
	k.whose = mentions
	for some := range slices.Chunk(ids, getAtOnce) {
		var list []account.Object
		if isBlob {
			list, err = k.blobs(ctx, some)
		} else {
			list, err = e.src.Get(ctx, t, some)
		}
		if err != nil {
			return err
		}
		l := &lot{}
		feedErr := k.feed(l, list)
		if err := k.finish(l); err != nil {
			return err
		}
		if feedErr != nil {
			return feedErr
		}
	}
	named := map[string]bool{}
	for _, id := range ids {
		named[id] = true
	}
	for _, id := range k.tally.suspects() {
		if !named[id] {
			k.tally.drop(id, false)
		}
	}
	if err := e.dropUnlisted(t, named); err != nil {
		return err
	}
	stage.emit(progress.Finished)
	return nil
}

// blobsStand says whether the blobs that objects name are those of the last
// snapshot, and all were had.
func (e *export) blobsStand() bool {
	last, known := e.lastTypes()[account.Blob.Name]
	if !known || last.Absent || last.Outside || last.Error != "" || e.run.Resumed() || len(e.tallies[account.Blob.Name].suspects()) > 0 {
		return false
	}
	for name := range blobsOf {
		if e.tallies[name].moved() > 0 {
			return false
		}
	}
	return true
}

// blobs are objects for blobs by their ids, with their sizes as far as the
// source tells them before they are fetched: what is small comes with others.
func (k *taker) blobs(ctx context.Context, ids []string) ([]account.Object, error) {
	list := make([]account.Object, len(ids))
	var wanted []string
	for i, id := range ids {
		list[i] = account.Object{}
		list[i].Put("id", id)
		_, held, err := k.held(list[i])
		if err != nil {
			return nil, err
		}
		if !held {
			wanted = append(wanted, id)
		}
	}
	if k.batch == nil || len(wanted) < 2 {
		return list, nil
	}
	sizes, err := k.batch.sizes(ctx, wanted)
	if err != nil && stops(err) {
		return nil, err // else they come one by one
	}
	for _, o := range list {
		if n, ok := sizes[o.ID()]; ok {
			o.Put("size", n)
		}
	}
	return list, nil
}
