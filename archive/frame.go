package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	tarBlock = 512
	// trailerSize is the end of a tar file: two blocks of zeros (POSIX pax).
	trailerSize = 2 * tarBlock
	// windowSize is how far back a frame that is written here refers.
	windowSize = 1 << 20
	// maxWindow is the largest window that a frame may ask a reader to keep;
	// what zstd itself uses up to level 19.
	maxWindow = 8 << 20
	// zstdMagic begins every frame (RFC 8878 §3.1.1).
	zstdMagic = 0xFD2FB528
)

// newEncoder makes an encoder of the fastest level: the next one makes mail two
// percent smaller and takes half as long again. Base64 is all literals, of which
// that level leaves out the entropy coder unless it is told not to.
func newEncoder(concurrency int) *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(concurrency), zstd.WithWindowSize(windowSize),
		zstd.WithEncoderCRC(true), zstd.WithLowerEncoderMem(true), zstd.WithAllLitEntropyCompression(true))
	if err != nil {
		panic("archive: " + err.Error()) // the options are constants
	}
	return e
}

// wholeEncoder compresses members that are in memory, several at once.
var wholeEncoder = sync.OnceValue(func() *zstd.Encoder { return newEncoder(runtime.GOMAXPROCS(0)) })

// streamEncoders compress members that are not, one each.
var streamEncoders = sync.Pool{New: func() any { return newEncoder(1) }}

// decoder decompresses one frame after another.
type decoder struct {
	*zstd.Decoder
	buf *bufio.Reader // the zstd reader asks for a few bytes at a time
}

var decoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		panic("archive: " + err.Error())
	}
	return &decoder{Decoder: d, buf: bufio.NewReaderSize(nil, 64<<10)}
}}

// makeFrame makes the frame of one member.
func makeFrame(name string, body []byte) (madeFrame, error) {
	buf := members.Get().(*[]byte)
	defer members.Put(buf)
	var err error
	if *buf, err = appendMember((*buf)[:0], name, body); err != nil {
		return madeFrame{}, err
	}
	frame := members.Get().(*[]byte)
	*frame = wholeEncoder().EncodeAll(*buf, (*frame)[:0])
	return madeFrame{frame}, nil
}

// madeFrame is a frame in memory. release it.
type madeFrame struct{ data *[]byte }

func (f madeFrame) writeTo(w io.Writer) error {
	_, err := w.Write(*f.data)
	return err
}

func (f madeFrame) release() { members.Put(f.data) }

// members hold what is at most one small blob and its header, before or after it
// was compressed; buffers the blob.
var (
	members = sync.Pool{New: func() any { return new([]byte) }}
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
)

// streamFrame writes the frame of one member to w.
func streamFrame(w io.Writer, name string, size int64, body io.Reader) error {
	e := streamEncoders.Get().(*zstd.Encoder)
	defer streamEncoders.Put(e)
	e.Reset(w)
	defer e.Reset(nil)
	if err := writeMember(e, name, size, body); err != nil {
		return err
	}
	return e.Close()
}

// trailerFrame seals a pack.
func trailerFrame() []byte { return wholeEncoder().EncodeAll(make([]byte, trailerSize), nil) }

// errCut says that a frame ends before it is whole.
var errCut = errors.New("the frame is cut short")

// frameLength walks over the block headers of the frame at off (RFC 8878
// §3.1.1) and says how long it is, without decompressing it, and what size it
// claims to have then, maxInt64 when it makes no claim.
func frameLength(r io.ReaderAt, off, end int64) (length, size int64, err error) {
	var buf [zstd.HeaderMaxSize]byte
	n, err := r.ReadAt(buf[:min(int64(len(buf)), end-off)], off)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	if n < 4 {
		return 0, 0, errCut
	}
	if binary.LittleEndian.Uint32(buf[:]) != zstdMagic {
		return 0, 0, errors.New("no frame begins here")
	}
	var h zstd.Header
	if err := h.Decode(buf[:n]); errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, 0, errCut
	} else if err != nil {
		return 0, 0, fmt.Errorf("bad frame header: %w", err)
	}
	if !h.HasCheckSum {
		return 0, 0, errors.New("the frame has no checksum")
	}
	pos := off + int64(h.HeaderSize)
	for {
		if pos+3 > end {
			return 0, 0, errCut
		}
		if _, err := r.ReadAt(buf[:3], pos); err != nil {
			return 0, 0, err
		}
		head := uint32(buf[0]) | uint32(buf[1])<<8 | uint32(buf[2])<<16
		last, kind, block := head&1 == 1, head>>1&3, int64(head>>3)
		switch kind {
		case 1: // RLE: one byte stands for that many
			block = 1
		case 3:
			return 0, 0, errors.New("reserved block type")
		}
		if block > 128<<10 {
			return 0, 0, errors.New("block larger than 128 KiB")
		}
		pos += 3 + block
		if last {
			break
		}
	}
	pos += 4 // the checksum
	if pos > end {
		return 0, 0, errCut
	}
	size = math.MaxInt64
	if h.HasFCS && h.FrameContentSize < math.MaxInt64 {
		size = int64(h.FrameContentSize)
	}
	return pos - off, size, nil
}

// frameReader reads the one member of a frame, or the trailer.
type frameReader struct {
	Name    string // "" for the trailer
	Size    int64
	trailer bool
	done    bool // the end was reached and found good

	dec   *decoder
	tar   *tar.Reader
	count int64 // uncompressed bytes taken from the decoder
	want  int64 // how many there must be
}

// openFrame begins to read the frame that lies at off. Close it.
func openFrame(r io.ReaderAt, off, length int64) (*frameReader, error) {
	f := &frameReader{dec: decoders.Get().(*decoder)}
	f.dec.buf.Reset(io.NewSectionReader(r, off, length))
	if err := f.dec.Reset(f.dec.buf); err != nil {
		f.Close()
		return nil, err
	}
	f.tar = tar.NewReader(readerFunc(f.raw))
	h, err := f.tar.Next()
	switch {
	case errors.Is(err, io.EOF) && f.count == trailerSize:
		f.trailer, f.want = true, trailerSize
		return f, nil
	case errors.Is(err, io.EOF):
		err = errors.New("no member in the frame")
	case err == nil:
		err = checkHeader(h)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	f.Name, f.Size = h.Name, h.Size
	f.want = f.count + (h.Size+tarBlock-1)/tarBlock*tarBlock
	return f, nil
}

// checkHeader refuses what no archive holds: anything but a plain file.
func checkHeader(h *tar.Header) error {
	if h.Typeflag != tar.TypeReg {
		return fmt.Errorf("member %.80q is no plain file", h.Name)
	}
	for key := range h.PAXRecords {
		switch key {
		case "path", "size", "mtime":
		default:
			return fmt.Errorf("member %.80q has the attribute %.40q", h.Name, key)
		}
	}
	if _, ok := parseName(h.Name); !ok {
		return fmt.Errorf("member with the unknown name %.80q", h.Name)
	}
	return nil
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func (f *frameReader) raw(p []byte) (int, error) {
	n, err := f.dec.Read(p)
	f.count += int64(n)
	return n, err
}

// Read reads the member's content. io.EOF comes after all of the frame, its
// padding and checksum included, was read and found good.
func (f *frameReader) Read(p []byte) (int, error) {
	if f.trailer {
		return 0, f.finish()
	}
	n, err := f.tar.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if _, err := f.tar.Next(); err == nil {
		return n, errors.New("a second member in the frame")
	} else if !errors.Is(err, io.EOF) {
		return n, err
	}
	return n, f.finish()
}

// finish is io.EOF when the frame ended where it must.
func (f *frameReader) finish() error {
	var one [1]byte
	for f.count <= f.want {
		n, err := f.raw(one[:])
		if errors.Is(err, io.EOF) && f.count == f.want {
			f.done = true
			return io.EOF
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 0 && err != nil {
			break
		}
	}
	return errors.New("the frame holds more or less than its member")
}

func (f *frameReader) Close() {
	_ = f.dec.Reset(nil)
	f.dec.buf.Reset(nil)
	decoders.Put(f.dec)
}
