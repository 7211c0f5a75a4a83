package archive

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// wholeLength is the most bytes that a frame may have to be read at once.
	wholeLength = windowLength
	// wholeSize is the most bytes that it may decompress to.
	wholeSize = 1 << 20
)

// wholeReader decompresses frames that are in memory, one after another.
type wholeReader struct {
	dec *zstd.Decoder
	buf []byte // what a frame decompresses to, and no more
}

var wholeReaders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic("archive: " + err.Error()) // the options are constants
	}
	return &wholeReader{dec: d, buf: make([]byte, 0, wholeSize)}
}}

// member is the one member of a whole, good frame: its name, "" for the
// trailer, and its content, which the next call overwrites. It knows frames as
// they are written here. Any other it leaves to openFrame (ok is false), also to
// say what is wrong with it.
func (w *wholeReader) member(raw []byte) (name string, body []byte, ok bool) {
	data, err := w.dec.DecodeAll(raw, w.buf)
	if err != nil {
		return "", nil, false
	}
	if len(data) == trailerSize && allZero(data) {
		return "", nil, true
	}
	name, size, ok := plainHeader(data)
	if !ok || int64(len(data)) != tarBlock+(size+tarBlock-1)/tarBlock*tarBlock {
		return "", nil, false
	}
	return name, data[tarBlock : tarBlock+size], true
}

func allZero(b []byte) bool { return bytes.Count(b, []byte{0}) == len(b) }

// plainHeader reads the first block of a tar file that has a plain file with a
// short name (ustar in POSIX.1, "pax Interchange Format"). Anything beyond that
// is not ok: what it means is for archive/tar to say.
func plainHeader(b []byte) (name string, size int64, ok bool) {
	if len(b) < tarBlock {
		return "", 0, false
	}
	b = b[:tarBlock]
	if string(b[257:265]) != "ustar\x0000" || b[156] != '0' || b[345] != 0 { // magic, type, prefix
		return "", 0, false
	}
	want, ok := octal(b[148:156])
	if !ok {
		return "", 0, false
	}
	sum := int64(8 * ' ') // for the checksum itself
	for _, c := range b[:148] {
		sum += int64(c)
	}
	for _, c := range b[156:] {
		sum += int64(c)
	}
	if sum != want {
		return "", 0, false
	}
	for _, field := range [][]byte{b[100:108], b[108:116], b[116:124], b[136:148], b[329:337], b[337:345]} { // mode, owner, time, device
		if _, ok := octal(field); !ok {
			return "", 0, false
		}
	}
	end := bytes.IndexByte(b[:100], 0)
	if end < 0 {
		end = 100
	}
	size, ok = octal(b[124:136])
	return string(b[:end]), size, ok
}

// octal reads a number of octal digits up to a NUL or a space; none are 0.
func octal(b []byte) (n int64, ok bool) {
	for i, c := range b {
		if c == 0 || c == ' ' {
			return n, len(bytes.Trim(b[i:], " \x00")) == 0
		}
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n<<3 | int64(c-'0')
	}
	return n, true
}
