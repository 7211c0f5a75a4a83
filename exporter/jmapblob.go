package exporter

import (
	"context"
	"errors"
	"fmt"
	"io"

	"mailhaul/jmapclient"
)

// batchRefusals is how many refusals of Blob/get in a row are taken for the
// server's last word on it.
const batchRefusals = 3

// errNoDownloads: the server answers, but no blob comes any more. One after the
// other would fail for the same reason.
var errNoDownloads = errors.New("the server hands out no messages any more")

func (s *jmapSource) batches() bool { return s.a.HasBlobs() && s.refusals.Load() < batchRefusals }

func (s *jmapSource) batchLimit() int { return int(s.a.Client.Limits().MaxObjectsInGet) }

func (s *jmapSource) sizes(ctx context.Context, blobIDs []string) (map[string]int64, error) {
	return s.a.BlobSizes(ctx, blobIDs)
}

// fetchBatch reads blobs with Blob/get (RFC 9404 §4.2): for small ones requests
// cost more than bytes, and servers ration requests.
func (s *jmapSource) fetchBatch(ctx context.Context, blobIDs []string, take func(string, []byte) error) error {
	if !s.batches() {
		return nil
	}
	err := s.a.Blobs(ctx, blobIDs, take)
	switch jmapclient.KindOf(err) {
	case jmapclient.Unsupported:
		s.refusals.Store(batchRefusals)
	case jmapclient.Limit: // fewer may do
	case 0:
		if err == nil {
			s.refusals.Store(0)
		}
	default:
		s.refusals.Add(1)
	}
	return err
}

func (s *jmapSource) Fetch(ctx context.Context, blobID string, size int64, take func(io.Reader) error) error {
	err := s.a.Download(ctx, blobID, size, take)
	switch kind := jmapclient.KindOf(err); {
	case kind == jmapclient.NotFound:
		return fmt.Errorf("%w: %w", ErrBlobGone, err)
	case kind == jmapclient.Unreachable && s.a.Client.Dead(jmapclient.Downloads):
		return fmt.Errorf("%w: %w", errNoDownloads, err)
	}
	return err
}
