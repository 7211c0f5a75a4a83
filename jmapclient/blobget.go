package jmapclient

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"sync"

	"mailhaul/account"
)

// cyrusBlobURN announces Blob/get and Blob/set as Cyrus had them before RFC 9404.
const cyrusBlobURN = "https://cyrusimap.org/ns/jmap/blob"

// blobGet is the capability under which the account has Blob/get, "" for none,
// and whether it announces SHA-256 digests.
func (a *Account) blobGet() (urn string, digests bool) {
	if raw, ok := a.Capabilities[blobURN]; ok {
		o, _ := account.ParseObject(raw) // something else than an object announces nothing in particular
		return blobURN, slices.Contains(o.Strings("supportedDigestAlgorithms"), "sha-256")
	}
	if _, ok := a.Capabilities[cyrusBlobURN]; ok {
		return cyrusBlobURN, false
	}
	return "", false
}

// HasBlobs says whether the account announces Blob/get, so that Blobs may work.
func (a *Account) HasBlobs() bool {
	urn, _ := a.blobGet()
	return urn != ""
}

// Blobs reads small blobs whole, many in a request (RFC 9404 §4.2, and Cyrus's
// own): for these, requests cost more than bytes. It hands to take what is as
// long as the server says and, where the server tells it, has that SHA-256;
// data is valid until take returns. What is missing, cut short or not what it
// should be is left out: the caller downloads it, and learns why. How many bytes
// are asked for at once is the caller's choice; an answer is bounded by 64 MB of
// base64. An error of take ends it and comes back as it is.
//
// The error is of kind Unsupported where the account does not announce Blob/get.
func (a *Account) Blobs(ctx context.Context, ids []string, take func(id string, data []byte) error) error {
	urn, digests := a.blobGet()
	if urn == "" {
		return &Error{Kind: Unsupported, Op: "Blob/get", Account: a.label(), Detail: "the account does not have it"}
	}
	props := []string{"data:asBase64", "size"}
	if digests {
		props = append(props, "digest:sha-256")
	}
	body, buf := bodies.Get().(*[]byte), bodies.Get().(*[]byte)
	defer func() { bodies.Put(body); bodies.Put(buf) }()
	for chunk := range slices.Chunk(ids, int(a.Client.limits.MaxObjectsInGet)) {
		k := a.call("Blob/get", map[string]any{"ids": chunk, "properties": props})
		var list []heldBlob
		k.read = func(args []byte) (err error) {
			list, err = readBlobs(args)
			return err
		}
		r := a.request([]string{coreURN, urn}, k)
		r.body = body
		if err := a.Client.send(ctx, r); err != nil {
			return err
		}
		for _, b := range list {
			if data, ok := b.bytes(buf); ok {
				if err := take(b.id, data); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// BlobSizes asks for the sizes of blobs in octets, many in a request, so that
// Blobs can be asked for as much as fits. What the server does not tell is left out.
//
// The error is of kind Unsupported where the account does not announce Blob/get.
func (a *Account) BlobSizes(ctx context.Context, ids []string) (map[string]int64, error) {
	urn, _ := a.blobGet()
	if urn == "" {
		return nil, &Error{Kind: Unsupported, Op: "Blob/get", Account: a.label(), Detail: "the account does not have it"}
	}
	sizes := make(map[string]int64, len(ids))
	for chunk := range slices.Chunk(ids, int(a.Client.limits.MaxObjectsInGet)) {
		k := a.call("Blob/get", map[string]any{"ids": chunk, "properties": []string{"size"}})
		var list []heldBlob
		k.read = func(args []byte) (err error) {
			list, err = readBlobs(args)
			return err
		}
		if err := a.Client.send(ctx, a.request([]string{coreURN, urn}, k)); err != nil {
			return nil, err
		}
		for _, b := range list {
			if b.size >= 0 {
				sizes[b.id] = b.size
			}
		}
	}
	return sizes, nil
}

// bodies are buffers for answers that are megabytes large and soon done with.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// heldBlob is a blob in an answer.
type heldBlob struct {
	id        string
	data      []byte // base64 as JSON: a string where it lies in the answer, or null
	size      int64  // -1 not told
	digest    string // base64 of SHA-256, "" not told
	truncated bool
}

// readBlobs finds the blobs in the arguments of Blob/get's answer.
func readBlobs(args []byte) (list []heldBlob, err error) {
	s := &scanner{data: args}
	err = s.object(func(key string) error {
		if key == "list" {
			list = nil
		}
		if key != "list" || s.next() != '[' {
			_, err := s.value()
			return err
		}
		return s.array(func() error {
			b := heldBlob{size: -1}
			err := s.object(func(key string) error {
				raw, err := s.value()
				if err != nil {
					return err
				}
				switch key {
				case "id":
					b.id, err = text(raw)
				case "data:asBase64":
					b.data = raw
				case "digest:sha-256":
					b.digest, err = text(raw)
				case "isTruncated":
					b.truncated = string(raw) == "true"
				case "size":
					if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
						b.size = n
					}
				}
				return err
			})
			list = append(list, b)
			return err
		})
	})
	return list, err
}

// bytes are the blob's, in buf, if they are what the server says they are.
func (b *heldBlob) bytes(buf *[]byte) ([]byte, bool) {
	if b.truncated || b.size < 0 {
		return nil, false
	}
	encoded, ok := plain(b.data)
	if !ok { // there is an escape in it, or it is no string
		var s *string
		if json.Unmarshal(b.data, &s) != nil || s == nil {
			return nil, false
		}
		encoded = []byte(*s)
	}
	most := base64.StdEncoding.DecodedLen(len(encoded))
	if b.size > int64(most) {
		return nil, false
	}
	*buf = slices.Grow((*buf)[:0], most)
	n, err := decodeBase64((*buf)[:most], encoded)
	if err != nil || int64(n) != b.size {
		return nil, false
	}
	data := (*buf)[:n:n]
	if b.digest != "" {
		sum := sha256.Sum256(data)
		if b.digest != base64.StdEncoding.EncodeToString(sum[:]) {
			return nil, false
		}
	}
	return data, true
}
