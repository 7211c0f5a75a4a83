package importer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// Servers ration requests, and a request costs them more than the bytes of a
// small message: where many blobs fit into one method call, they go that way.
const (
	manyBytes = 1 << 20   // of blobs in one call
	manyEach  = 256 << 10 // of one of them
)

// blobURN announces Blob/upload (RFC 9404 §4.1), which takes many blobs in one
// call. Cyrus's Blob/set is no substitute: 3.6 forgets its blobs at the end of
// the request.
const blobURN = "urn:ietf:params:jmap:blob"

// takesMany says whether the target takes many blobs in one call.
func (r *run) takesMany() bool {
	_, ok := r.to.Capabilities[blobURN]
	return ok && !r.oneByOne.Load()
}

// parcels cuts a batch into what goes up together: small messages many at once,
// each other message alone.
func (r *run) parcels(items []*item) [][]*item {
	limits := r.to.Client.Limits()
	most, each := min(manyBytes, limits.MaxSizeRequest/2), int64(manyEach)
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
		if it.size > each || it.size > most {
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
	create := map[string]any{}
	for i, it := range items {
		src := &blobSource{ar: r.ar, blob: it.blob}
		if err := src.hold(); err != nil {
			var damaged *archive.DamagedError
			if !errors.As(err, &damaged) && !errors.Is(err, archive.ErrNotFound) {
				return nil, err
			}
			continue
		}
		create[creationID(i)] = map[string]any{"type": "message/rfc822",
			"data": []any{map[string]string{"data:asBase64": base64.StdEncoding.EncodeToString(src.held)}}}
	}
	raw, err := r.to.Call(ctx, []string{"urn:ietf:params:jmap:core", blobURN}, "Blob/upload", map[string]any{"create": create}, true)
	if err != nil {
		if kind := jmapclient.KindOf(err); endsRun(err) && kind != jmapclient.Forbidden {
			return nil, err
		}
		r.oneByOne.Store(true)
		return items, nil
	}
	var said struct {
		Created    map[string]account.Object
		NotCreated map[string]jmapclient.SetError
	}
	if json.Unmarshal(raw, &said) != nil {
		r.oneByOne.Store(true)
	}
	for i, it := range items {
		got := said.Created[creationID(i)]
		id := got.ID()
		if e := said.NotCreated[creationID(i)]; e.Type == "overQuota" {
			it.held = e.String()
			continue
		}
		if id == "" || got.Int("size") != it.size {
			rest = append(rest, it)
			continue
		}
		it.blobID = id
	}
	return rest, nil
}

func creationID(i int) string { return "m" + strconv.Itoa(i) }
