package archive

import (
	"bytes"
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
	data    []byte // of a snapshot
	row     *row   // of an object: what the catalog has to say of it
	rowErr  error  // why there is none
	trailer bool
	err     error  // what is wrong with the stretch
	crc     uint32 // of the pack up to the end of the stretch, if scanPack read it
}

// readFrame reads and checks the frame at off. With an error, length is what
// the frame itself says, 0 when it says nothing.
func readFrame(r io.ReaderAt, n int, off, end int64) frame {
	f := frame{place: place{pack: n, start: off}}
	if f.length, _, f.err = frameLength(r, off, end); f.err == nil {
		f.read(r)
	}
	return f
}

// read reads and checks a frame of any length.
func (f *frame) read(r io.ReaderAt) {
	m, err := openFrame(r, f.start, f.length)
	if err != nil {
		f.err = err
		return
	}
	defer m.Close()
	f.name, f.size, f.trailer = m.Name, m.Size, m.trailer
	name, _ := parseName(m.Name)
	switch {
	case f.trailer:
		_, f.err = io.Copy(io.Discard, m)
	case name.kind == kindBlob:
		sum := sha256.New()
		if _, f.err = io.Copy(sum, m); f.err == nil {
			f.err = name.hash.check(sum.Sum(nil))
		}
	default:
		var data []byte
		if data, f.err = readSmall(m); f.err == nil {
			f.take(name, data)
		}
	}
}

// take makes of a member that is not a blob what is needed of it.
func (f *frame) take(m member, data []byte) {
	if m.kind == kindObject {
		f.row, f.rowErr = parseRow(m, data, f.place)
	} else {
		f.data = data
	}
}

// readWhole is read for a frame that is in memory. It says no, and changes
// nothing, when the frame is not good or not as it would be written here.
func (f *frame) readWhole(w *wholeReader, raw []byte) bool {
	name, body, ok := w.member(raw)
	m, known := parseName(name)
	switch {
	case !ok || !known && name != "":
		return false
	case m.kind == kindBlob:
		sum := sha256.Sum256(body)
		f.err = m.hash.check(sum[:])
	case m.kind == kindObject:
		f.take(m, body)
	case name != "":
		f.take(m, bytes.Clone(body))
	}
	f.name, f.size, f.trailer = name, int64(len(body)), name == ""
	return true
}

// check compares the SHA-256 of what was read with the hash it has to have.
func (h Hash) check(sum []byte) error {
	if hashOf(sum) != h {
		return errors.New("its bytes do not match its SHA-256")
	}
	return nil
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
