package jmapclient

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
)

// BlobCall is how an account takes blobs within an API request.
type BlobCall struct {
	Method  string // Blob/upload (RFC 9404 §4.1), Cyrus's Blob/set from before it, "" for none
	Lasting bool   // a blob outlives its request; else only an import in the same request can use it
	MaxSize int64  // of one blob, in octets
	urn     string
}

// BlobCall tells what the account announces. Whether an import may name a blob
// of the same request by its creation id is announced nowhere: it has to be
// tried (ImportBlobs). Strict servers and Cyrus take it, Stalwart refuses it.
func (a *Account) BlobCall() BlobCall {
	for _, b := range []BlobCall{
		{Method: "Blob/upload", Lasting: true, urn: blobURN},
		{Method: "Blob/set", urn: cyrusBlobURN},
	} {
		raw, ok := a.Capabilities[b.urn]
		if !ok {
			continue
		}
		b.MaxSize = a.Client.limits.MaxSizeRequest
		o, _ := account.ParseObject(raw) // something else than an object sets no limit
		// Cyrus 3.6 announces 4096, in no unit that holds: it takes megabytes.
		if most := o.Int("maxSizeBlobSet"); most > 0 && b.Lasting {
			b.MaxSize = min(b.MaxSize, most)
		}
		return b
	}
	return BlobCall{}
}

// RequestRoom is how many octets of one request may be blobs and emails.
func (a *Account) RequestRoom() int64 {
	const envelope = 4 << 10 // using, methods, account id twice
	return a.Client.limits.MaxSizeRequest - envelope
}

// BlobInRequest is how many octets of a request a blob takes, at most, under
// this creation id.
func BlobInRequest(key string, size int64) int64 {
	return (size+2)/3*4 + int64(len(account.Marshal(key))) + int64(len(blobHead[0]+blobTail[0])) + 1
}

// InRequest is how many octets of a request an import takes, at most, under
// this creation id.
func (e EmailImport) InRequest(key string) int64 {
	return int64(len(account.Marshal(key))+len(account.Marshal(e))) + 2
}

// Delivery is what became of a request with blobs and emails.
type Delivery struct {
	Uploaded    map[string]Uploaded // by creation id, with the size that was sent
	NotUploaded map[string]SetError // those that were refused, or counted otherwise
	// UploadErr says that the blobs were refused as a whole. The import does not
	// depend on that unless it names them.
	UploadErr error
	Import    *ImportResult // nil where nothing was to be imported, or with an error
}

// ImportBlobs uploads blobs and imports emails in one request, both by creation
// id; either may be empty. It splits nothing: the caller keeps within Limits and
// RequestRoom.
//
// An email's BlobID may be "#key" for a blob of the same request: then the blobs
// go first. Where that is not taken (Stalwart: the import fails as Invalid, or
// each email does, and the blobs are there all the same) one request carries the
// emails of the last batch and the blobs of the next; then the emails go first,
// lest the new blobs drive out those they need.
//
// Emails are imported as by Import: a request with any is not sent again once it
// may have been carried out (kind Unknown). The error is the import's, or the
// upload's where there are no emails; a Delivery that comes with an error tells
// which blobs the server has nevertheless. Kind Unsupported: no BlobCall.
func (a *Account) ImportBlobs(ctx context.Context, blobs map[string][]byte, emails map[string]EmailImport) (*Delivery, error) {
	d := &Delivery{Uploaded: map[string]Uploaded{}, NotUploaded: map[string]SetError{}}
	how := a.BlobCall()
	using := []string{coreURN}
	var up, in *call
	var said importAnswer
	if len(blobs) > 0 {
		if how.Method == "" {
			return d, &Error{Kind: Unsupported, Op: "Blob/upload", Account: a.label(), Detail: "the account does not take blobs in requests"}
		}
		up = a.call(how.Method, nil)
		up.blobs, up.blobSet, up.mayFail = blobs, !how.Lasting, len(emails) > 0
		up.read = d.uploads(blobs)
		using = append(using, how.urn)
	}
	if len(emails) > 0 {
		mail, err := a.using(account.Email, "Email/import")
		if err != nil {
			return d, err
		}
		in = a.call("Email/import", map[string]any{"emails": emails})
		in.read = into(&said)
		using = append(using, mail[1:]...)
	}
	calls := []*call{in, up}
	if slices.ContainsFunc(slices.Collect(maps.Values(emails)), func(e EmailImport) bool { return strings.HasPrefix(e.BlobID, "#") }) {
		calls = []*call{up, in}
	}
	r := a.request(using, slices.DeleteFunc(calls, func(k *call) bool { return k == nil })...)
	if len(r.calls) == 0 {
		return d, nil
	}
	r.creates = in != nil
	err := a.Client.send(ctx, r)
	if up != nil && up.failed != nil {
		d.UploadErr = &up.failed.Error
	}
	if err == nil && in != nil {
		d.Import = said.result()
	}
	return d, err
}

// uploads reads the answer to Blob/upload or Blob/set.
func (d *Delivery) uploads(blobs map[string][]byte) func([]byte) error {
	return func(args []byte) error {
		var said struct {
			Created    map[string]account.Object
			NotCreated map[string]SetError
		}
		if err := into(&said)(args); err != nil {
			return err
		}
		clear(d.Uploaded)
		d.NotUploaded = orEmpty(said.NotCreated)
		for key, o := range said.Created {
			id := o.ID()
			if id == "" {
				id = o.Text("blobId")
			}
			sent, ours := blobs[key]
			switch size := o.Int("size"); {
			case !ours || id == "":
			case size != int64(len(sent)):
				d.NotUploaded[key] = SetError{Type: "serverFail", Description: fmt.Sprintf("%d bytes were sent and the server counts %d", len(sent), size)}
			default:
				d.Uploaded[key] = Uploaded{BlobID: id, Type: o.Text("type"), Size: size}
			}
		}
		return nil
	}
}

// What stands around a blob's base64, by RFC 9404 and in Cyrus's Blob/set.
var (
	blobHead = [2]string{`:{"type":"message/rfc822","data":[{"data:asBase64":"`, `:{"type":"message/rfc822","data:asBase64":"`}
	blobTail = [2]string{`"}]}`, `"}`}
)

// create writes a call's blobs as the arguments of Blob/upload or Blob/set.
func (k *call) create() payload {
	form := 0
	if k.blobSet {
		form = 1
	}
	args := account.Marshal(k.args) // accountId
	text := append(args[:len(args)-1], `,"create":{`...)
	var p payload
	for i, key := range slices.Sorted(maps.Keys(k.blobs)) {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, account.Marshal(key)...)
		text = append(text, blobHead[form]...)
		p = append(p, part{text: text}, part{blob: k.blobs[key]})
		text = []byte(blobTail[form])
	}
	return append(p, part{text: append(text, "}}"...)})
}
