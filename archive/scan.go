package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
)

// frame is what a scan of a pack comes across: a good member, the trailer, or
// a stretch of bytes that is neither.
type frame struct {
	place
	name    string
	size    int64
	data    []byte // of an object or a snapshot
	trailer bool
	err     error // what is wrong with the stretch
}

// scanPack visits all that lies in a pack up to end, from the pack alone. After
// a damaged frame it goes on with the next whole one.
func scanPack(ctx context.Context, file io.ReaderAt, n int, end int64, visit func(frame) error) error {
	r := &window{r: file}
	for off := int64(0); off < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		f := readFrame(r, n, off, end)
		if f.err != nil && !(f.length > 0 && frameBegins(r, off+f.length, end)) {
			// The damage is in what says how long the frame is.
			f.length = findFrame(r, n, off+1, end) - off
		}
		if err := visit(f); err != nil {
			return err
		}
		off += f.length
	}
	return nil
}

// scanAhead is scanPack, but reads and decompresses while visit works on what was
// read before.
func scanAhead(ctx context.Context, file io.ReaderAt, n int, end int64, visit func(frame) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	frames := make(chan frame, 4) // few: each may hold an object of maxObject
	var scanned error
	go func() {
		defer close(frames)
		scanned = scanPack(ctx, file, n, end, func(f frame) error {
			select {
			case frames <- f:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	var err error
	for f := range frames {
		if err != nil {
			continue // the other side has to come to its end
		}
		if err = visit(f); err != nil {
			cancel()
		}
	}
	if err != nil {
		return err
	}
	return scanned
}

// readFrame reads and checks the frame at off. With an error, length is what
// the frame itself says, 0 when it says nothing.
func readFrame(r io.ReaderAt, n int, off, end int64) frame {
	f := frame{place: place{pack: n, start: off}}
	if f.length, f.err = frameLength(r, off, end); f.err != nil {
		return f
	}
	m, err := openFrame(r, off, f.length)
	if err != nil {
		f.err = err
		return f
	}
	defer m.Close()
	f.name, f.size, f.trailer = m.Name, m.Size, m.trailer
	name, _ := parseName(m.Name)
	switch {
	case f.trailer:
		_, f.err = io.Copy(io.Discard, m)
	case name.kind == kindBlob:
		sum := sha256.New()
		if _, f.err = io.Copy(sum, m); f.err == nil && hashOf(sum.Sum(nil)) != name.hash {
			f.err = errors.New("its bytes do not match its SHA-256")
		}
	default:
		f.data, f.err = readSmall(m)
	}
	return f
}

// frameBegins says whether a frame may begin at off, or the pack ends there.
func frameBegins(r io.ReaderAt, off, end int64) bool {
	var magic [4]byte
	if off == end {
		return true
	}
	if off+4 > end {
		return false
	}
	_, err := r.ReadAt(magic[:], off)
	return err == nil && bytes.Equal(magic[:], zstdMagicBytes)
}

var zstdMagicBytes = []byte{0x28, 0xB5, 0x2F, 0xFD}

// findFrame looks for the next whole frame at or after off, and returns end
// when there is none.
func findFrame(r io.ReaderAt, n int, off, end int64) int64 {
	buf := make([]byte, 64<<10)
	for off < end {
		k, err := r.ReadAt(buf[:min(int64(len(buf)), end-off)], off)
		if err != nil && !errors.Is(err, io.EOF) {
			off += 512 // a bad sector: search behind it
			continue
		}
		i := bytes.Index(buf[:k], zstdMagicBytes)
		switch {
		case i >= 0:
			if readFrame(r, n, off+int64(i), end).err == nil {
				return off + int64(i)
			}
			off += int64(i) + 1
		case k <= 3:
			return end
		default:
			off += int64(k) - 3 // the magic may straddle
		}
	}
	return end
}

// window reads a file from one end to the other in large pieces, however small
// those are that it is asked for.
type window struct {
	r     io.ReaderAt
	buf   []byte
	start int64
}

const windowLength = 256 << 10

func (w *window) ReadAt(p []byte, off int64) (int, error) {
	if len(p) > windowLength {
		return w.r.ReadAt(p, off)
	}
	if off < w.start || off+int64(len(p)) > w.start+int64(len(w.buf)) {
		if w.buf == nil {
			w.buf = make([]byte, windowLength)
		}
		n, err := w.r.ReadAt(w.buf[:windowLength], off)
		w.buf, w.start = w.buf[:n], off
		if n < len(p) {
			return copy(p, w.buf), err
		}
	}
	return copy(p, w.buf[off-w.start:]), nil
}
