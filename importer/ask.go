package importer

import (
	"context"
	"maps"
	"slices"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

// ask sends a batch's Email/import and journals what was stored. An error is
// that of the request: what became of the batch is not known then.
func (r *run) ask(ctx context.Context, items []*item) (*outcome, error) {
	if err := r.locks.out.Acquire(ctx, 1); err != nil { // see reconcile
		return nil, err
	}
	defer r.locks.out.Release(1)
	if err := r.markInFlight(items); err != nil {
		return nil, err
	}
	// From here the request is out: an interruption waits for its answer.
	res, err := r.ship(context.WithoutCancel(ctx), items)
	if err != nil {
		r.pace.lost(len(items))
		r.unsure.add(items)
		return nil, err
	}
	out := &outcome{}
	for i, it := range items {
		if err := r.judge(out, it, creationID(i), res); err != nil {
			return nil, err
		}
	}
	r.unsure.add(out.doubtful)
	if len(out.done) > 0 {
		if err := r.j.Put(out.done...); err != nil {
			return nil, err
		}
		r.count(account.Email, func(c *Counts) { c.Created += int64(len(out.done)) })
		if r.keeper != nil {
			r.keeper.add(out.done)
		}
	}
	r.pace.went(slices.ContainsFunc(items, func(it *item) bool { return it.raw != nil }))
	return out, nil
}

// ship is the request. The blobs that are not uploaded yet go with it, and the
// emails name them by their creation ids.
func (r *run) ship(ctx context.Context, items []*item) (*jmapclient.ImportResult, error) {
	blobs := map[string][]byte{}
	emails := make(map[string]jmapclient.EmailImport, len(items))
	for i, it := range items {
		key := creationID(i)
		emails[key] = it.asImport(key)
		if it.blobID == "" {
			blobs[key] = it.raw
		}
	}
	if len(blobs) == 0 {
		return r.to.Import(ctx, emails)
	}
	d, err := r.to.ImportBlobs(ctx, blobs, emails)
	lasting := r.to.BlobCall().Lasting
	for i, it := range items {
		key := creationID(i)
		up, ok := d.Uploaded[key]
		if !ok {
			continue
		}
		if !it.counted {
			it.counted = true
			r.ration.note(it.size)
			r.count(account.Email, func(c *Counts) { c.Bytes += it.size })
		}
		if lasting {
			it.blobID = up.BlobID
		}
	}
	if d.UploadErr != nil {
		r.pace.parts()
	}
	if err != nil || len(d.Uploaded) < len(blobs) || !lasting || !unresolved(d.Import, blobs) {
		return d.Import, err
	}
	r.pace.apart()
	for i, it := range items {
		key := creationID(i)
		if emails[key] = it.asImport(key); blobs[key] == nil {
			delete(emails, key) // it has its answer
		}
	}
	again, err := r.to.Import(ctx, emails)
	if err != nil {
		return nil, err
	}
	for key := range emails {
		delete(d.Import.NotCreated, key)
	}
	maps.Copy(d.Import.Created, again.Created)
	maps.Copy(d.Import.NotCreated, again.NotCreated)
	return d.Import, nil
}

// unresolved says whether a server that has the blobs knows none of them by its
// creation id.
func unresolved(res *jmapclient.ImportResult, blobs map[string][]byte) bool {
	for key := range blobs {
		if e, refused := res.NotCreated[key]; !refused || !blobGone(e) {
			return false
		}
	}
	return true
}

func (it *item) asImport(key string) jmapclient.EmailImport {
	e := jmapclient.EmailImport{
		BlobID:     it.blobID,
		MailboxIDs: account.SetOf(it.place.mailboxes...),
		Keywords:   account.SetOf(it.place.keywords...),
		ReceivedAt: it.object.Text("receivedAt"),
	}
	if e.BlobID == "" {
		e.BlobID = "#" + key
	}
	return e
}
