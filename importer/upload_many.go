package importer

import (
	"context"
	"errors"
	"strconv"

	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// Servers ration requests, and a request costs them more than the bytes of a
// small message: where many blobs fit into one request, they go that way.
const (
	manyBytes = batchBytes // of blobs in one request
	manyEach  = 256 << 10  // of one of them
)

// blobURN announces Blob/upload (RFC 9404 §4.1), which takes many blobs in one
// call.
const blobURN = "urn:ietf:params:jmap:blob"

// takesMany says whether the target takes many blobs in one call that last.
func (r *run) takesMany() bool { return r.to.BlobCall().Lasting && !r.oneByOne.Load() }

// takesAlong says whether blobs go with the request that imports them. Stalwart
// does not know a blob of the same request by its creation id.
func (r *run) takesAlong() bool {
	return r.to.BlobCall().Method != "" && !r.pace.areApart() && !isStalwart(r.to.Client.Session())
}

// takeAlong reads the blobs that are to go with the request that imports their
// messages, and yields the messages whose blobs are not.
func (r *run) takeAlong(items []*item) (rest []*item, err error) {
	if !r.takesAlong() {
		return items, nil
	}
	room := r.to.RequestRoom()
	for i, it := range items {
		room -= it.asImport(creationID(i)).InRequest(creationID(i))
	}
	each := min(manyEach, r.to.BlobCall().MaxSize)
	for i, it := range items {
		need := jmapclient.BlobInRequest(creationID(i), it.size)
		if it.byItself || it.size > each || need > room {
			rest = append(rest, it)
			continue
		}
		src := &blobSource{ar: r.ar, blob: it.blob}
		if err := src.hold(); err != nil {
			if !isDamage(err) {
				return nil, err
			}
			it.refusal = err
			continue
		}
		it.raw = src.held
		room -= need
	}
	return rest, nil
}

// parcels cuts a batch into what goes up together: small messages many at once,
// each other message alone.
func (r *run) parcels(items []*item) [][]*item {
	limits := r.to.Client.Limits()
	most, each := min(manyBytes, r.to.RequestRoom()*2/3), int64(manyEach)
	if rationed(r.to) {
		each = min(rationEach, limits.MaxSizeRequest/2)
	}
	if !r.takesMany() {
		each = 0
	}
	var parcels [][]*item
	var small []*item
	var bytes int64
	for _, it := range items {
		if it.byItself || it.size > each || it.size > most {
			parcels = append(parcels, []*item{it})
			continue
		}
		if len(small) > 0 && (bytes+it.size > most || int64(len(small)) >= limits.MaxObjectsInSet) {
			parcels = append(parcels, small)
			small, bytes = nil, 0
		}
		small = append(small, it)
		bytes += it.size
	}
	if len(small) > 0 {
		parcels = append(parcels, small)
	}
	return parcels
}

// uploadMany sends a parcel's blobs in one call, and yields those that are to
// go up by themselves: because the server did not take them so, or because the
// archive has them damaged, which is then found again and named. Those that the
// server has no room for in this hour are marked.
func (r *run) uploadMany(ctx context.Context, items []*item) (rest []*item, err error) {
	blobs := map[string][]byte{}
	for i, it := range items {
		src := &blobSource{ar: r.ar, blob: it.blob}
		if err := src.hold(); err != nil {
			var damaged *archive.DamagedError
			if !errors.As(err, &damaged) && !errors.Is(err, archive.ErrNotFound) {
				return nil, err
			}
			continue
		}
		blobs[creationID(i)] = src.held
	}
	d, err := r.to.ImportBlobs(ctx, blobs, nil)
	if err != nil {
		if kind := jmapclient.KindOf(err); endsRun(err) && kind != jmapclient.Forbidden {
			return nil, err
		}
		r.oneByOne.Store(true)
		return items, nil
	}
	for i, it := range items {
		if e := d.NotUploaded[creationID(i)]; e.Type == "overQuota" {
			it.held = e.String()
			continue
		}
		if it.blobID = d.Uploaded[creationID(i)].BlobID; it.blobID == "" {
			rest = append(rest, it)
		}
	}
	return rest, nil
}

func creationID(i int) string { return "m" + strconv.Itoa(i) }
