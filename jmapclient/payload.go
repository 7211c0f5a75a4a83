package jmapclient

import (
	"encoding/base64"
	"io"
)

// part is a piece of a request's body: text as it stands, or a blob that is
// sent as base64.
type part struct {
	text, blob []byte
}

func (p part) size() int64 {
	return int64(len(p.text) + base64.StdEncoding.EncodedLen(len(p.blob)))
}

// payload is a request's body in pieces. Blobs become base64 on their way into
// the connection: megabytes of it are never in memory.
type payload []part

func (p payload) size() (n int64) {
	for _, part := range p {
		n += part.size()
	}
	return n
}

func (p payload) open() (io.ReadCloser, error) { return &payloadReader{rest: p}, nil }

type payloadReader struct {
	rest payload
	at   int64 // in the first of them, as it is sent
}

func (r *payloadReader) Read(p []byte) (int, error) {
	for len(r.rest) > 0 && r.at == r.rest[0].size() {
		r.rest, r.at = r.rest[1:], 0
	}
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	first := r.rest[0]
	n := 0
	if len(first.text) > 0 {
		n = copy(p, first.text[r.at:])
	} else {
		n = encodeFrom(p, first.blob, r.at)
	}
	r.at += int64(n)
	return n, nil
}

func (r *payloadReader) Close() error { return nil }

// encodeFrom fills p with the base64 of blob, from octet at of it on.
func encodeFrom(p, blob []byte, at int64) int {
	blob = blob[at/4*3:]
	skip := int(at % 4)
	groups := len(p) / 4
	if skip > 0 || groups == 0 { // what is left of a group, or a part of it
		var group [4]byte
		base64.StdEncoding.Encode(group[:], blob[:min(3, len(blob))])
		return copy(p, group[skip:])
	}
	blob = blob[:min(len(blob), 3*groups)]
	base64.StdEncoding.Encode(p, blob)
	return base64.StdEncoding.EncodedLen(len(blob))
}
