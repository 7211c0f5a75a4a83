package importer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/jscalendar"
	"mailhaul/internal/jscontact"
	js "mailhaul/internal/jsschema"
	"mailhaul/jmapclient"
)

// ready makes of a thing what a request carries, in w.target: the blobs that it
// names are uploaded, or inside it. It is false for one that failed, and said so.
func (r *run) ready(ctx context.Context, all []*thing, w *thing) (bool, error) {
	w.target = w.o
	if w.to.Name == account.FileNode.Name && all != nil {
		if ok := r.under(all, w); !ok {
			return false, nil
		}
	}
	if r.things.inline[w.to.Name] {
		if err := r.inlineBlobs(w); err != nil {
			return false, err
		}
	}
	ids := map[string]string{}
	for _, id := range blobsOf(w.to, w.target) {
		to, err := r.uploadThing(ctx, w, id)
		if err != nil {
			return false, err
		}
		if to != "" {
			ids[id] = to
			continue
		}
		if w.to.Name == account.FileNode.Name {
			r.fail(w.t, w.rec.Object.ID(), w.name(), "the archive has no content for it", "run the export again while the old server is there, then the import")
			w.target = nil
			return false, nil
		}
		w.target = w.drop(w.target, id, "the archive has not its content, or the server takes none of that size")
	}
	w.target = withBlobs(w.to, w.target, ids)
	return true, nil
}

// under puts a file into its directory.
func (r *run) under(all []*thing, w *thing) bool {
	w.target = w.target.Without("parentId")
	if id := w.rec.Object.Text("blobId"); id != "" {
		w.target.Put("blobId", id)
	}
	if w.up == "" {
		return true
	}
	i := slices.IndexFunc(all, func(p *thing) bool { return p.rec.Object.ID() == w.up })
	if i < 0 || all[i].target == nil || !all[i].target.Has("id") {
		r.fail(w.t, w.rec.Object.ID(), w.name(), "the folder that it is in could not be made", "see what is said of the folder")
		w.target = nil
		return false
	}
	w.target["parentId"] = all[i].target["id"]
	return true
}

// blobsOf are the ids of the blobs that an object names.
func blobsOf(t account.Type, o account.Object) []string {
	switch t.Name {
	case account.ContactCard.Name, account.Contact.Name:
		return jscontact.Blobs(o)
	case account.CalendarEvent.Name:
		return jscalendar.Blobs(o)
	case account.FileNode.Name:
		if id := o.Text("blobId"); id != "" {
			return []string{id}
		}
	}
	return nil
}

func withBlobs(t account.Type, o account.Object, ids map[string]string) account.Object {
	switch t.Name {
	case account.ContactCard.Name, account.Contact.Name:
		return jscontact.WithBlobs(o, ids)
	case account.CalendarEvent.Name:
		return jscalendar.WithBlobs(o, ids)
	case account.FileNode.Name:
		if id := ids[o.Text("blobId")]; id != "" {
			o = o.Without()
			o.Put("blobId", id)
		}
	}
	return o
}

// drop takes out of an object what is a certain blob, and tells it.
func (w *thing) drop(o account.Object, id, reason string) account.Object {
	m, err := js.Decode(o)
	if err != nil {
		return o
	}
	var walk func(path string, m map[string]any)
	walk = func(path string, m map[string]any) {
		for k, v := range m {
			e, ok := v.(map[string]any)
			switch {
			case ok && e["blobId"] == id:
				delete(m, k)
				w.without(js.Problem{Property: js.Join(path, k), Reason: reason})
			case ok:
				walk(js.Join(path, k), e)
			}
		}
	}
	walk("", m)
	return js.Encode(m)
}

// without notes what is left out of an object.
func (w *thing) without(problems ...js.Problem) {
	w.told = append(w.told, problems...)
	for _, p := range problems {
		w.was.Told = append(w.was.Told, p.Property)
	}
}

// uploadThing brings a blob to the target, "" where the archive has it not.
func (r *run) uploadThing(ctx context.Context, w *thing, id string) (string, error) {
	if data, ok := w.data[id]; ok {
		sum := sha256.Sum256(data)
		return r.uploadOnce(w, archive.Hash(hex.EncodeToString(sum[:])), func() (*jmapclient.Uploaded, error) {
			return r.to.Upload(ctx, "application/octet-stream", int64(len(data)), func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
		})
	}
	h, ok, err := r.blobOf(id)
	if err != nil || !ok {
		return "", err
	}
	src, size, err := r.ar.OpenBlob(h)
	if err == nil {
		src.Close()
		var to string
		if to, err = r.uploadOnce(w, h, func() (*jmapclient.Uploaded, error) {
			typ := "application/octet-stream"
			if s := w.o.Text("type"); s != "" && w.to.Name == account.FileNode.Name {
				typ = s
			}
			return r.sendBlob(ctx, r.to, typ, h, size)
		}); err == nil {
			return to, nil
		}
	}
	var damaged *archive.DamagedError
	if errors.As(err, &damaged) || errors.Is(err, archive.ErrNotFound) || jmapclient.KindOf(err) == jmapclient.Limit {
		return "", nil
	}
	return "", err
}

func (r *run) uploadOnce(w *thing, h archive.Hash, send func() (*jmapclient.Uploaded, error)) (string, error) {
	if id := r.things.uploads[h]; id != "" {
		return id, nil
	}
	up, err := send()
	if err != nil {
		return "", err
	}
	if r.things.uploads == nil {
		r.things.uploads = map[archive.Hash]string{}
	}
	r.things.uploads[h] = up.BlobID
	r.count(w.t, func(c *Counts) { c.Bytes += up.Size })
	return up.BlobID, nil
}

// inlineBlobs puts blobs into an object as data: URIs, as far as they fit a request.
func (r *run) inlineBlobs(w *thing) error {
	room := min(r.to.Client.Limits().MaxSizeRequest/2, mostInline)
	var failed error
	load := func(id string) ([]byte, bool) {
		data, err := r.blobBytes(id)
		if err != nil {
			failed = err
		}
		size := int64(len(data)) * 4 / 3
		if data == nil || size > room {
			return nil, false
		}
		room -= size
		return data, true
	}
	switch w.to.Name {
	case account.ContactCard.Name:
		w.target = jscontact.Inline(w.o, load)
	case account.CalendarEvent.Name:
		w.target = jscalendar.Inline(w.o, load)
	}
	return failed
}

// adapt writes a thing the way that a server takes it that refused it, or
// without what it refused; false when nothing helps.
func (r *run) adapt(ctx context.Context, w *thing, se jmapclient.SetError) bool {
	if se.Type == "blobNotFound" && len(r.things.uploads) > 0 { // it expired
		r.things.uploads = nil
		parent, isIn := w.target["parentId"]
		ok, err := r.ready(ctx, nil, w)
		if ok && isIn {
			w.target = w.target.Without()
			w.target["parentId"] = parent
		}
		return ok && err == nil
	}
	if se.Type != "invalidProperties" || len(se.Properties) == 0 {
		return false
	}
	helped := false
	for _, p := range se.Properties {
		root := js.Split(p)[0]
		if (root == "media" || root == "links") && len(blobsOf(w.to, w.target)) > 0 && !r.things.inline[w.to.Name] {
			if r.things.inline == nil {
				r.things.inline = map[string]bool{}
			}
			r.things.inline[w.to.Name] = true
		}
		if (root == "media" || root == "links") && r.things.inline[w.to.Name] && len(blobsOf(w.to, w.target)) > 0 {
			if o, ok := r.relined(w); ok {
				w.target, helped = o, true
				continue
			}
		}
		o, told, ok := withoutProp(w.to, w.target, p)
		if !ok {
			continue
		}
		w.target, helped = o, true
		w.without(told...)
	}
	return helped
}

// relined is an object as it was to be sent but with its blobs as data: URIs; false
// where that changes nothing.
func (r *run) relined(w *thing) (account.Object, bool) {
	sent := w.target
	if r.inlineBlobs(w) != nil || len(blobsOf(w.to, w.target)) >= len(blobsOf(w.to, sent)) {
		w.target = sent
		return nil, false
	}
	for _, id := range blobsOf(w.to, w.target) {
		w.target = w.drop(w.target, id, "it is too large to be sent within the object, and the server takes it in no other way")
	}
	o := sent.Without()
	for _, p := range []string{"media", "links", "locations", "recurrenceOverrides"} {
		if v, ok := w.target[p]; ok && o.Has(p) {
			o[p] = v
		} else if !ok {
			delete(o, p)
		}
	}
	w.target = sent
	return o, true
}

// withoutProp is an object less what a server refused.
func withoutProp(t account.Type, o account.Object, p string) (account.Object, []js.Problem, bool) {
	switch t.Name {
	case account.ContactCard.Name, account.Contact.Name, account.ContactGroup.Name:
		return jscontact.Without(o, p)
	case account.CalendarEvent.Name:
		return jscalendar.Without(o, p)
	}
	root, _, _ := strings.Cut(p, "/")
	if !o.Has(root) || slices.Contains([]string{"name", "blobId", "parentId", "calendarAddress"}, root) {
		return nil, nil, false
	}
	return o.Without(root), []js.Problem{{Property: root, Reason: "the server does not take it"}}, true
}
