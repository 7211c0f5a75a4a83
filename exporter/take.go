package exporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// rereads bounds how often an object is read again because the blob it names
// went away.
const rereads = 3

// mostBeyond is how many bytes more than twice its announced size are taken of
// a blob whose size is in doubt: else a server could fill the disk.
const mostBeyond = 64 << 20

// errTooMuch: a blob goes on and on.
var errTooMuch = errors.New("it was given up there, and nothing of it is kept")

// fetched counts the blobs that came from the source in this run.
type fetched struct{ blobs, bytes atomic.Int64 }

// take brings objects into the archive. The error is one that stops the run;
// what costs an item is a failure of the item.
func (k *taker) take(ctx context.Context, objects []account.Object) error {
	var wanted []account.Object
	for _, o := range objects {
		h, ok, err := k.held(o)
		if err != nil {
			return err
		}
		if !ok {
			wanted = append(wanted, o)
			continue
		}
		if err := k.put(o, h); err != nil {
			return err
		}
	}
	if k.batch != nil && len(wanted) > 1 {
		var err error
		if wanted, err = k.takeBatch(ctx, wanted); err != nil {
			return err
		}
	}
	for _, o := range wanted {
		if err := k.takeOne(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// held finds the blob of an object in the archive. A blob id is believed when
// the size fits too: what is in doubt is fetched again and told again, also by
// the run after one that was killed before it could note the doubt.
func (k *taker) held(o account.Object) (archive.Hash, bool, error) {
	blobID := o.Text(k.t.Blob)
	if blobID == "" {
		return "", k.t.Blob == "", nil
	}
	h, n, ok, err := k.run.BlobFor(blobID)
	if err != nil || !ok {
		return "", false, kept(err)
	}
	want := k.sizeOf(o)
	k.measured(o, n)
	return h, want < 0 || n == want, nil
}

// measured notes the size of a Blob, of which nothing else tells it.
func (k *taker) measured(o account.Object, n int64) {
	if k.t.Name == account.Blob.Name && !o.Has("size") {
		o.Put("size", n)
	}
}

// takeAtOnce fetches blobs with one request and answers the objects whose blob
// did not come.
func (k *taker) takeAtOnce(ctx context.Context, objects []account.Object) ([]account.Object, error) {
	byBlob := make(map[string]account.Object, len(objects))
	ids := make([]string, 0, len(objects))
	for _, o := range objects {
		if id := o.Text(k.t.Blob); id != "" {
			byBlob[id] = o
			ids = append(ids, id)
		}
	}
	done := map[string]bool{}
	err := k.batch.fetchBatch(ctx, ids, func(blobID string, data []byte) error {
		o, ok := byBlob[blobID]
		if want := k.sizeOf(o); !ok || want >= 0 && want != int64(len(data)) {
			return nil
		}
		h, n, err := k.run.PutBlob(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return kept(err)
		}
		k.count(n)
		delete(byBlob, blobID)
		done[blobID] = true
		return k.put(o, h)
	})
	var left []account.Object
	for _, o := range objects {
		if !done[o.Text(k.t.Blob)] {
			left = append(left, o)
		}
	}
	return left, err
}

// takeOne fetches the blob of one object. When it is not there, the object is
// read again: it may have gone, or name another blob by now.
func (k *taker) takeOne(ctx context.Context, o account.Object) error {
	var err error
	for range rereads {
		if o.Text(k.t.Blob) == "" {
			return k.fail(o, "", "the server names no content for it")
		}
		var h archive.Hash
		var n int64
		h, n, err = k.fetch(ctx, o, k.sizeOf(o))
		if err == nil {
			k.measured(o, n)
			return k.put(o, h)
		}
		if !errors.Is(err, ErrBlobGone) || k.t.Named {
			break
		}
		now, geterr := k.src.Get(ctx, k.t, []string{o.ID()})
		if geterr != nil {
			err = geterr
			break
		}
		if len(now) == 0 {
			k.stage.add(1, 0)
			return nil // the changes will tell
		}
		same := now[0].Text(k.t.Blob) == o.Text(k.t.Blob)
		o = now[0]
		if same {
			break
		}
	}
	if k.endsRun(ctx, err) {
		return err
	}
	return k.lost(ctx, o, err)
}

// lost puts an object whose blob could not be had as announced. Where the size
// alone was wrong, what the server hands out is kept, and the doubt with it.
func (k *taker) lost(ctx context.Context, o account.Object, cause error) error {
	if k.sizeOf(o) < 0 || errors.Is(cause, ErrBlobGone) || jmapclient.KindOf(cause) == jmapclient.Unreachable {
		return k.fail(o, "", cause.Error())
	}
	h, n, err := k.fetch(ctx, o, -1)
	if err != nil {
		if k.endsRun(ctx, err) {
			return err
		}
		if errors.Is(err, errTooMuch) {
			cause = err
		}
		return k.fail(o, "", cause.Error())
	}
	return k.fail(o, h, fmt.Sprintf("the server says it has %d bytes, but hands out %d, which are kept", k.sizeOf(o), n))
}

// endsRun tells a server that is gone from one that can't hand out this blob.
func (k *taker) endsRun(ctx context.Context, err error) bool {
	if jmapclient.KindOf(err) != jmapclient.Unreachable {
		return stops(err)
	}
	if errors.Is(err, errNoDownloads) {
		return true
	}
	t := k.t
	if t.Named { // it has no state of its own
		t = account.Mailbox
	}
	_, err = k.src.State(ctx, t)
	return err != nil
}

// fetch streams one blob into the archive. When want is not known it takes no
// more than the announced size makes likely.
func (k *taker) fetch(ctx context.Context, o account.Object, want int64) (h archive.Hash, n int64, err error) {
	err = k.src.Fetch(ctx, o.Text(k.t.Blob), want, func(r io.Reader) error {
		seen := &watched{r: r}
		var puterr error
		most := mostBeyond + 2*max(0, k.sizeOf(o))
		h, n, puterr = k.run.PutBlob(&capped{r: seen, left: most}, want)
		switch {
		case puterr == nil:
			return nil
		case errors.Is(puterr, errTooMuch):
			return fmt.Errorf("the server hands out more than %d bytes%s: %w", most, k.announced(o), errTooMuch)
		case seen.err != nil: // the transfer broke, it may be tried again
			return seen.err
		case want >= 0 && seen.n != want:
			return fmt.Errorf("%d bytes came instead of %d", seen.n, want)
		}
		return kept(puterr)
	})
	if err == nil {
		k.count(n)
	}
	return h, n, err
}

// announced says what size an object's blob should have.
func (k *taker) announced(o account.Object) string {
	if n := k.sizeOf(o); n >= 0 {
		return fmt.Sprintf(" where it says there are %d", n)
	}
	return ""
}

// capped ends with errTooMuch after a number of bytes.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left < 0 {
		return 0, errTooMuch
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left+1)])
	if c.left -= int64(n); c.left < 0 {
		return n, errTooMuch
	}
	return n, err
}

// watched remembers how a reader ended.
type watched struct {
	r   io.Reader
	n   int64
	err error // other than io.EOF
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.n += int64(n)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

func (k *taker) count(n int64) {
	k.got.blobs.Add(1)
	k.got.bytes.Add(n)
	k.stage.bytes.Add(n)
}

func (k *taker) put(o account.Object, h archive.Hash) error {
	changed, err := k.run.PutObject(k.t, o, h)
	if err != nil {
		return kept(err)
	}
	k.tally.put(o.ID(), changed)
	k.stage.add(1, 0)
	return nil
}
