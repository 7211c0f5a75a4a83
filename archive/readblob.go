package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// OpenBlob reads one blob by a seek. The last bytes are handed out only after
// the whole was checked against its hash: a damaged blob ends in a
// *DamagedError, never in io.EOF.
func (a *Archive) OpenBlob(h Hash) (io.ReadCloser, int64, error) {
	var b blobRow
	ok, err := a.cat.row(`SELECT size, pack, start, length FROM blob WHERE hash = ?`, []any{h.bytes()}, &b.size, &b.pack, &b.start, &b.length)
	if err != nil {
		return nil, 0, a.catalogError("find blob", err)
	}
	if !ok {
		return nil, 0, fmt.Errorf("blob %.80s: %w", h, ErrNotFound)
	}
	file, err := a.openPackAt(&b.place, blobName(h), `SELECT pack, start, length FROM blob WHERE hash = ?`, h.bytes())
	if err != nil {
		return nil, 0, err
	}
	if data, ok := readWhole(file, b.place, blobName(h)); ok && int64(len(data)) == b.size {
		if sum := sha256.Sum256(data); hashOf(sum[:]) == h {
			return io.NopCloser(bytes.NewReader(data)), b.size, file.Close()
		}
	}
	m, err := openNamed(file, b.place, blobName(h))
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	if m.Size != b.size {
		m.Close()
		_ = file.Close()
		return nil, 0, damaged(b.place, blobName(h), fmt.Errorf("it has %d bytes, not %d", m.Size, b.size))
	}
	return &blobReader{file: file, frame: m, place: b.place, want: h, sum: sha256.New()}, b.size, nil
}

// blobReader reads a blob and always holds back the last piece it has read,
// until it knows whether the blob is good.
type blobReader struct {
	file  *os.File
	frame *frameReader
	place place
	want  Hash
	sum   hash.Hash

	ready, held []byte // ready is to be handed out, held is not yet
	spare       []byte
	err         error // after ready
}

const holdBack = 64 << 10

func (b *blobReader) Read(p []byte) (int, error) {
	for len(b.ready) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.fill()
	}
	n := copy(p, b.ready)
	b.ready = b.ready[n:]
	return n, nil
}

func (b *blobReader) fill() {
	if b.spare == nil {
		size := min(b.frame.Size, holdBack) + 1
		b.spare, b.held = make([]byte, size), make([]byte, 0, size)
	}
	buf := b.spare[:cap(b.spare)]
	n, err := io.ReadFull(b.frame, buf)
	b.sum.Write(buf[:n])
	switch {
	case err == nil:
		b.ready, b.held, b.spare = b.held, buf[:n], b.held
	case b.frame.done:
		if hashOf(b.sum.Sum(nil)) != b.want {
			b.fail(errors.New("its bytes do not match its SHA-256"))
			return
		}
		b.ready, b.err = bytes.Join([][]byte{b.held, buf[:n]}, nil), io.EOF
	default:
		b.fail(err)
	}
}

func (b *blobReader) fail(err error) { b.err = damaged(b.place, blobName(b.want), err) }

func (b *blobReader) Close() error {
	if b.frame != nil {
		b.frame.Close()
		b.frame = nil
		b.ready, b.err = nil, os.ErrClosed
	}
	return b.file.Close()
}
