package exporter

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"mailhaul/jmapclient"
)

// The capabilities under which servers have Blob/get: RFC 9404, and Cyrus's
// own, which gives no digests.
const (
	blobCapability  = "urn:ietf:params:jmap:blob"
	cyrusCapability = "https://cyrusimap.org/ns/jmap/blob"
	coreCapability  = "urn:ietf:params:jmap:core"
)

// blobUsing is the capability for Blob/get and whether it gives SHA-256
// digests; "" when the account has none.
func (s *jmapSource) blobUsing() (urn string, digests bool) {
	if raw, ok := s.a.Capabilities[blobCapability]; ok {
		var c struct {
			Digests []string `json:"supportedDigestAlgorithms"`
		}
		_ = json.Unmarshal(raw, &c) // a capability of another shape offers none
		return blobCapability, slices.Contains(c.Digests, "sha-256")
	}
	if _, ok := s.a.Capabilities[cyrusCapability]; ok {
		return cyrusCapability, false
	}
	return "", false
}

// batchRefusals is how many refusals of Blob/get are taken for the server's
// last word on it.
const batchRefusals = 2

func (s *jmapSource) batches() bool {
	urn, _ := s.blobUsing()
	return urn != "" && s.refusals.Load() < batchRefusals
}

// fetchBatch reads blobs with Blob/get (RFC 9404 §4.2): for small ones requests
// cost more than bytes, and servers ration requests.
func (s *jmapSource) fetchBatch(ctx context.Context, blobIDs []string, take func(string, []byte) error) error {
	if s.refusals.Load() >= batchRefusals {
		return nil
	}
	urn, digests := s.blobUsing()
	props := []string{"data:asBase64", "size"}
	if digests {
		props = append(props, "digest:sha-256")
	}
	raw, err := s.a.Call(ctx, []string{coreCapability, urn}, "Blob/get", map[string]any{"ids": blobIDs, "properties": props}, true)
	if err != nil {
		s.refusals.Add(1)
		if k := jmapclient.KindOf(err); k == jmapclient.Unsupported || k == jmapclient.Invalid {
			s.refusals.Store(batchRefusals)
		}
		return err
	}
	var answer struct {
		List []batchedBlob `json:"list"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		s.refusals.Add(1)
		return fmt.Errorf("the answer to Blob/get makes no sense: %w", err)
	}
	for _, b := range answer.List {
		if data, ok := b.bytes(); ok {
			if err := take(b.ID, data); err != nil {
				return err
			}
		}
	}
	return nil
}

type batchedBlob struct {
	ID        string  `json:"id"`
	Data      *string `json:"data:asBase64"`
	Size      int64   `json:"size"`
	Digest    string  `json:"digest:sha-256"`
	Truncated bool    `json:"isTruncated"`
}

// bytes are the blob's, if they are what the server says they are.
func (b batchedBlob) bytes() ([]byte, bool) {
	if b.Data == nil || b.Truncated {
		return nil, false
	}
	data, err := base64.StdEncoding.DecodeString(*b.Data)
	if err != nil || int64(len(data)) != b.Size {
		return nil, false
	}
	sum := sha256.Sum256(data)
	if b.Digest != "" && b.Digest != base64.StdEncoding.EncodeToString(sum[:]) {
		return nil, false
	}
	return data, true
}
