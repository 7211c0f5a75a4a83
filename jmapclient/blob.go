package jmapclient

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"mailhaul/account"
)

// blobURN is RFC 9404's capability.
const blobURN = "urn:ietf:params:jmap:blob"

// Uploaded is what the server says of an uploaded blob.
type Uploaded struct {
	BlobID string `json:"blobId"`
	Type   string `json:"type"`
	Size   int64  `json:"size"`
}

// Upload sends one blob of size octets, streaming; open is called again for
// each try, and its errors come back as they are. An answer that counts other
// octets than were sent is an error. A full upload quota is waited for.
func (a *Account) Upload(ctx context.Context, contentType string, size int64, open func() (io.ReadCloser, error)) (*Uploaded, error) {
	c := a.Client
	x := &exchange{
		op: "upload", account: a.label(), method: http.MethodPost,
		url:         expand(c.uploadURL, map[string]string{"accountId": a.ID}),
		contentType: contentType, accept: "application/json",
		size: size, open: open, endpoint: Uploads, lane: uploading, transfer: true,
	}
	_, listed := c.session.Accounts[a.ID]
	x.foreign = !listed
	if contentType == "" {
		x.contentType = "application/octet-stream"
	}
	if size > c.limits.MaxSizeUpload {
		return nil, x.says(final, Limit, "%d bytes, and the server takes %d (maxSizeUpload)", size, c.limits.MaxSizeUpload).last(x)
	}
	if err := usableIDs(x, a.ID); err != nil {
		return nil, err
	}
	var up Uploaded
	x.take = func(resp *http.Response) *fault {
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			return c.readFault(x, err)
		}
		up = Uploaded{}
		if err := json.Unmarshal(body, &up); err != nil || up.BlobID == "" {
			return x.says(faulty, ServerFault, "the answer names no blob: %s", c.quote(string(body)))
		}
		if up.Size != size {
			return x.says(faulty, ServerFault, "%d bytes were sent and the server counts %d", size, up.Size)
		}
		return nil
	}
	err := c.do(ctx, x)
	// Cyrus 3.6 answers 404 to one of several first uploads into an account: they
	// make its collection of uploads side by side.
	for try := 0; try < 2 && KindOf(err) == NotFound; try++ {
		err = c.do(ctx, x)
	}
	if err != nil {
		return nil, err
	}
	return &up, nil
}

// maxID bounds the ids that are put into URLs, in octets. RFC 8620 §1.2 has 255,
// an account's may be an address.
const maxID = 1 << 10

// usableIDs refuses ids that a server would take for a step in a path, or for no URL.
func usableIDs(x *exchange, ids ...string) error {
	for _, id := range ids {
		if slices.Contains([]string{"", ".", ".."}, id) || len(id) > maxID {
			return x.says(final, Invalid, "%q is not an id that can be put into a URL", quote(id)).last(x)
		}
	}
	return nil
}

// errLonger ends a download that does not end by itself.
var errLonger = errors.New("the blob is longer than it should be")

// Download streams a blob into take, which is called anew from the first byte
// when the transfer broke and is tried again. An error that take itself returns
// comes back as it is and is not tried again. size is what is expected, -1
// unknown: a body that ends short is a broken transfer, one that is longer is
// cut off. When the error is not nil, what take has had is not the blob.
func (a *Account) Download(ctx context.Context, blobID string, size int64, take func(io.Reader) error) error {
	c := a.Client
	x := &exchange{
		op: "download", account: a.label(), item: "blob " + quote(blobID), method: http.MethodGet,
		url: expand(c.downloadURL, map[string]string{
			"accountId": a.ID, "blobId": blobID, "name": "blob", "type": "application/octet-stream",
		}),
		accept: "*/*", endpoint: Downloads, lane: reading, transfer: true,
	}
	_, listed := c.session.Accounts[a.ID]
	x.foreign = !listed
	if err := usableIDs(x, a.ID, blobID); err != nil {
		return err
	}
	x.take = func(resp *http.Response) *fault {
		r := &wholeReader{r: resp.Body, want: size}
		err := take(r)
		if r.err == nil && err == nil {
			r.end()
		}
		switch {
		case errors.Is(r.err, errLonger):
			return x.says(final, ServerFault, "the server sends more than the %d bytes it should have", size)
		case r.short:
			return x.says(faulty, ServerFault, "the server sent %d of %d bytes", r.got, size)
		case r.err != nil:
			return c.readFault(x, r.err)
		case err != nil:
			return &fault{class: final, own: err}
		}
		if r.ended {
			c.sample.note(x.url, r.got)
		}
		return nil
	}
	return c.do(ctx, x)
}

// wholeReader hands a blob out and sees to it that it is as long as it should be.
type wholeReader struct {
	r     io.Reader
	want  int64 // -1 unknown
	got   int64
	err   error // what is wrong with the transfer; nil at a proper end
	short bool
	ended bool
}

func (w *wholeReader) Read(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.r.Read(p)
	w.got += int64(n)
	switch {
	case w.want >= 0 && w.got > w.want:
		n -= int(w.got - w.want)
		w.err = errLonger
		return n, w.err
	case err == io.EOF:
		w.ended = true
		if w.want >= 0 && w.got < w.want {
			w.short, w.err = true, fmt.Errorf("ends after %d of %d bytes: %w", w.got, w.want, io.ErrUnexpectedEOF)
			return n, w.err
		}
	case err != nil:
		w.err = err
	}
	return n, err
}

// end looks whether a reader that took just what it needed was at the end.
func (w *wholeReader) end() {
	if w.ended || w.want >= 0 && w.got < w.want {
		return // it did not want the rest
	}
	var one [1]byte
	for !w.ended && w.err == nil && w.got == w.want {
		_, _ = w.Read(one[:]) // Read keeps what went wrong
	}
}

// BlobDigest is what Blob/get tells of a blob.
type BlobDigest struct {
	SHA256 string // lower-case hex
	Size   int64
}

// Digests asks for the SHA-256 and size of blobs (RFC 9404 §4.2 Blob/get). ok is false
// when the server does not offer it. Blobs that are not there are not in the map.
func (a *Account) Digests(ctx context.Context, blobIDs []string) (digests map[string]BlobDigest, ok bool, err error) {
	if !a.hasDigests() {
		return nil, false, nil
	}
	digests = make(map[string]BlobDigest, len(blobIDs))
	for chunk := range slices.Chunk(blobIDs, int(a.Client.limits.MaxObjectsInGet)) {
		k := a.call("Blob/get", map[string]any{"ids": chunk, "properties": []string{"digest:sha-256", "size"}})
		var got struct{ List []account.Object }
		k.read = into(&got)
		err := a.Client.send(ctx, a.request([]string{coreURN, blobURN}, k))
		if k := KindOf(err); k == Unsupported || k == Invalid {
			return nil, false, nil // it has blobs, but not this of them
		}
		if err != nil {
			return nil, false, err
		}
		for _, o := range got.List {
			sum, err := base64.StdEncoding.DecodeString(o.Text("digest:sha-256"))
			if err == nil && len(sum) == 32 {
				digests[o.ID()] = BlobDigest{SHA256: hex.EncodeToString(sum), Size: o.Int("size")}
			}
		}
	}
	return digests, true, nil
}

// hasDigests says whether the account announces SHA-256 of blobs.
func (a *Account) hasDigests() bool {
	raw, ok := a.Capabilities[blobURN]
	if !ok {
		return false
	}
	o, _ := account.ParseObject(raw) // something else than an object announces nothing in particular
	return !o.Has("supportedDigestAlgorithms") || slices.Contains(o.Strings("supportedDigestAlgorithms"), "sha-256")
}
