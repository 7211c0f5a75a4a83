package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

const (
	// smallBlob is the size up to which a blob is kept in memory while it is stored.
	smallBlob = 1 << 20
	// spoolPattern names the files that hold larger ones, in the archive's directory.
	spoolPattern = "spool-*"
)

// PutBlob stores what src yields, once, whatever its size, in bounded memory
// (small blobs in memory, large ones spooled to a file in the archive). It
// returns the hash and the size. want is the size it must have, -1 if unknown:
// a mismatch is an error and stores nothing.
func (r *Run) PutBlob(src io.Reader, want int64) (Hash, int64, error) {
	r.mu.Lock()
	err := r.writable()
	r.mu.Unlock()
	if err != nil {
		return "", 0, err
	}
	if want > smallBlob {
		return r.putLarge(nil, src, want)
	}
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	n, err := io.Copy(buf, io.LimitReader(src, smallBlob+1))
	if err != nil {
		return "", n, fmt.Errorf("read blob after %d bytes: %w", n, err)
	}
	if n > smallBlob && want < 0 {
		return r.putLarge(buf.Bytes(), src, want)
	}
	if err := checkSize(n, want); err != nil {
		return "", n, err
	}
	return r.putSmall(buf.Bytes())
}

func checkSize(n, want int64) error {
	if want >= 0 && n != want {
		return fmt.Errorf("blob of %d bytes (or more) where %d were announced", n, want)
	}
	return nil
}

func (r *Run) putSmall(data []byte) (Hash, int64, error) {
	sum := sha256.Sum256(data)
	h, size := hashOf(sum[:]), int64(len(data))
	r.mu.Lock()
	held, err := r.held(h)
	commits := r.commits
	r.mu.Unlock()
	if err != nil || held != nil {
		return h, size, err
	}
	frame, err := makeFrame(blobName(h), data) // the work, outside the lock
	if err != nil {
		return "", 0, fmt.Errorf("store blob: %w", err)
	}
	defer frame.release()
	return h, size, r.addBlob(h, size, commits, frame.writeTo)
}

// putLarge stores a blob whose first bytes were read already.
func (r *Run) putLarge(head []byte, src io.Reader, want int64) (Hash, int64, error) {
	f, err := createSpool(r.a.dir)
	if err != nil {
		return "", 0, r.failSpool(filepath.Join(r.a.dir, spoolPattern), want, err)
	}
	defer remove(f.Name())
	defer f.Close()
	sum := sha256.New()
	spool := &failingWriter{w: f}
	src = io.MultiReader(bytes.NewReader(head), src)
	if want >= 0 {
		src = io.LimitReader(src, want+1)
	}
	n, err := io.Copy(io.MultiWriter(sum, spool), src)
	if spool.err != nil {
		return "", n, r.failSpool(f.Name(), max(want, n), spool.err)
	}
	if err != nil {
		return "", n, fmt.Errorf("read blob after %d bytes: %w", n, err)
	}
	if err := checkSize(n, want); err != nil {
		return "", n, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", n, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	h := hashOf(sum.Sum(nil))
	return h, n, r.addBlob(h, n, -1, func(w io.Writer) error { return streamFrame(w, blobName(h), n, f) })
}

// failingWriter remembers its error, to tell it from one of the source.
type failingWriter struct {
	w   io.Writer
	err error
}

func (f *failingWriter) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	f.err = errors.Join(f.err, err)
	return n, err
}

func (r *Run) failSpool(path string, size int64, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fail(r.tellNeed(writeError(path, err), 2*max(size, 0))) // spooled, and in the pack
}

// addBlob appends a blob's frame unless the blob came to be held meanwhile.
// commits tells what the caller knows: that it was not held at that commit.
func (r *Run) addBlob(h Hash, size int64, commits int, write func(io.Writer) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.writable(); err != nil {
		return err
	}
	if commits != r.commits || r.uncommittedBlob(h) != nil {
		if held, err := r.held(h); err != nil || held != nil {
			return err
		}
	}
	p, err := r.append(write)
	if err != nil {
		return err
	}
	r.pending.putBlob(h, blobRow{size: size, place: p})
	r.first.add("blob", string(h))
	return r.commitIfDue()
}

// uncommittedBlob is a blob that the catalog does not have yet, nil if there is none.
func (r *Run) uncommittedBlob(h Hash) *blobRow {
	b, ok := r.pending.blobs[h]
	if !ok && r.behind != nil {
		b, ok = r.behind.blobs[h]
	}
	if !ok {
		return nil
	}
	return &b
}

// held finds a blob, nil when the archive does not have it.
func (r *Run) held(h Hash) (*blobRow, error) {
	if b := r.uncommittedBlob(h); b != nil {
		return b, nil
	}
	if r.first.lacks("blob", string(h)) {
		return nil, nil
	}
	b := &blobRow{}
	ok, err := r.a.cat.row(`SELECT size, pack, start, length FROM blob WHERE hash = ?`, []any{h.bytes()}, &b.size, &b.pack, &b.start, &b.length)
	if err != nil || !ok {
		return nil, r.a.catalogError("find blob", err)
	}
	return b, nil
}

// BlobFor finds a blob that is held already by the id the server gave it (as
// recorded by PutObject, in any snapshot).
func (r *Run) BlobFor(serverBlobID string) (h Hash, size int64, ok bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok = r.pending.blobIDs[serverBlobID]
	if !ok && r.behind != nil {
		h, ok = r.behind.blobIDs[serverBlobID]
	}
	if ok {
		if b, err := r.held(h); err != nil {
			return "", 0, false, err
		} else if b != nil {
			return h, b.size, true, nil
		}
	}
	if r.first.lacks("blob id", serverBlobID) {
		return "", 0, false, nil
	}
	var hash []byte
	ok, err = r.a.cat.row(`SELECT b.hash, b.size FROM record r JOIN blob b ON b.hash = r.blob
		WHERE r.blob_id = ? ORDER BY r.snapshot DESC LIMIT 1`, []any{serverBlobID}, &hash, &size)
	return hashOf(hash), size, ok, r.a.catalogError("find blob", err)
}
