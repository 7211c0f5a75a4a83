package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

const (
	// uploadsAtOnce bounds how many blobs are on their way; each is streamed,
	// so it bounds the memory they take as well.
	uploadsAtOnce = 4
	// smallBlob is what is read whole before it is sent, so that damage is
	// found before a request is spent on it.
	smallBlob = 1 << 20
)

// upload sends the blobs of a batch and yields the messages whose blob arrived,
// or is to go with the import, and those whose blob an hourly quota holds up.
// Those that the archive has damaged, or the server refuses, are failed by name.
func (r *run) upload(ctx context.Context, items []*item) (sent, held []*item, err error) {
	for _, it := range items {
		it.blobID, it.raw, it.held, it.refusal = "", nil, "", nil
	}
	rest, err := r.takeAlong(items)
	if err != nil {
		return nil, nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(int(min(uploadsAtOnce, max(1, r.to.Client.Limits().MaxConcurrentUpload))))
	for _, parcel := range r.parcels(rest) {
		g.Go(func() error { return r.uploadParcel(ctx, parcel) })
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	// Only now is it known that it was the messages and not the server.
	for _, it := range items {
		switch {
		case it.blobID != "" || it.raw != nil:
			sent = append(sent, it)
		case it.held != "":
			held = append(held, it)
		default:
			if err := r.uploadFailed(it, it.refusal); err != nil {
				return nil, nil, err
			}
		}
	}
	return sent, held, nil
}

// uploadParcel sends some of a batch's blobs, many at once if there are many.
func (r *run) uploadParcel(ctx context.Context, items []*item) (err error) {
	rest := items
	if r.takesMany() && (len(items) > 1 || rationed(r.to) && items[0].size <= rationEach) {
		if rest, err = r.uploadMany(ctx, items); err != nil {
			return err
		}
	}
	for _, it := range rest {
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.imapOpen() && rationed(r.to) && !it.notByIMAP && !r.ration.room(it.size) {
			it.held = "what the server usually lets a user upload in an hour was uploaded"
			continue
		}
		up, err := r.sendBlob(ctx, r.to, "message/rfc822", it.blob, it.size)
		switch {
		case err == nil:
			it.blobID = up.BlobID
		case endsRun(err) && !isDamage(err), jmapclient.KindOf(err) == jmapclient.OverQuota:
			return r.uploadFailed(it, err)
		default:
			it.refusal = err
		}
	}
	for _, it := range items {
		if it.blobID != "" {
			it.counted = true
			r.ration.note(it.size)
			r.count(account.Email, func(c *Counts) { c.Bytes += it.size })
		}
	}
	return nil
}

// sendBlob uploads a blob of the archive into an account.
func (r *run) sendBlob(ctx context.Context, to *jmapclient.Account, contentType string, blob archive.Hash, size int64) (*jmapclient.Uploaded, error) {
	src := &blobSource{ar: r.ar, blob: blob}
	if size <= smallBlob {
		if err := src.hold(); err != nil {
			return nil, err
		}
	}
	up, err := to.Upload(ctx, contentType, size, src.open)
	if src.err != nil {
		return nil, src.err // the archive's fault, whatever the transfer made of it
	}
	return up, err
}

// uploadFailed says what the failure of one upload means: the message's
// failure, or the end of the run.
func (r *run) uploadFailed(it *item, err error) error {
	var damaged *archive.DamagedError
	switch kind := jmapclient.KindOf(err); {
	case errors.As(err, &damaged), errors.Is(err, archive.ErrNotFound):
		return r.failEmail(it.object, it.blob, "damaged in the archive: "+err.Error(), adviceDamaged)
	case kind == jmapclient.OverQuota:
		if e, ok := errors.AsType[*jmapclient.Error](err); ok && (e.Status == 403 || e.Status == 429) {
			return r.rationOut(e.Detail)
		}
		return r.full(it, err.Error())
	case kind == jmapclient.Limit:
		return r.failEmail(it.object, it.blob, "too large for the server: "+err.Error(), "raise the server's limit for uploads and run the import again")
	case endsRun(err):
		return err
	}
	return r.failEmail(it.object, it.blob, "the server refused the upload: "+err.Error(), "run the import again; if it stays, look at the server's log")
}

// blobSource opens a blob of the archive as often as an upload is tried, and
// remembers when it was the archive that failed.
type blobSource struct {
	ar   *archive.Archive
	blob archive.Hash
	held []byte
	err  error
}

func (s *blobSource) hold() error {
	src, size, err := s.ar.OpenBlob(s.blob)
	if err != nil {
		return err
	}
	defer src.Close()
	var held bytes.Buffer
	held.Grow(int(min(size, smallBlob)) + bytes.MinRead)
	_, err = held.ReadFrom(src)
	s.held = held.Bytes()
	return err
}

func (s *blobSource) open() (io.ReadCloser, error) {
	if s.held != nil {
		return io.NopCloser(bytes.NewReader(s.held)), nil
	}
	if s.err != nil {
		return nil, s.err
	}
	src, _, err := s.ar.OpenBlob(s.blob)
	if err != nil {
		s.err = fmt.Errorf("read blob %s: %w", s.blob, err)
		return nil, s.err
	}
	return &watched{src, s}, nil
}

// watched notes an error of the archive's reader on its way to the transfer.
type watched struct {
	io.ReadCloser
	source *blobSource
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		w.source.err = err
	}
	return n, err
}
