package archive

import (
	"cmp"
	"context"
	"hash/crc32"
	"io"
	"runtime"
	"sync"
)

// scanPack visits all that lies in a pack up to end, in order, from the pack
// alone. After a damaged frame it goes on with the next whole one. Frames are
// read and checked ahead of visit, on all processors.
func scanPack(ctx context.Context, file io.ReaderAt, n int, end int64, visit func(frame) error) error {
	ahead, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &splitter{file: file, pack: n, end: end, batches: make(chan *batch, min(runtime.GOMAXPROCS(0), 4))}
	go s.run(ahead)
	var err error
	for b := range s.batches {
		<-b.read
		err = cmp.Or(err, ctx.Err())
		for i := 0; err == nil && i < len(b.tasks); i++ {
			err = visit(b.tasks[i].frame)
		}
		if err != nil {
			cancel() // and wait for what is still being read
		}
	}
	return cmp.Or(err, s.err, ctx.Err())
}

const (
	// batchLength is how much of a file is read at once: some whole frames.
	batchLength = 2 * wholeLength
	// batchSize is how much may come out of it, and be kept until it is visited.
	batchSize = 4 * wholeSize
)

// batch is frames that follow each other, as one piece of work.
type batch struct {
	span
	tasks []task
	size  int64         // what they decompress to
	read  chan struct{} // closed when they are read and checked
}

// task is a frame to be read and checked.
type task struct {
	frame
	raw  []byte // its bytes, in the batch; nil when they are many
	done bool
}

// span is a part of a file in memory. The rest can be read all the same.
type span struct {
	file  io.ReaderAt
	data  []byte
	start int64
}

// at are n bytes at off, nil when not all of them are in the span.
func (s *span) at(off, n int64) []byte {
	if off < s.start || off+n > s.start+int64(len(s.data)) {
		return nil
	}
	return s.data[off-s.start:][:n]
}

func (s *span) ReadAt(p []byte, off int64) (int, error) {
	if b := s.at(off, int64(len(p))); b != nil {
		return copy(p, b), nil
	}
	return s.file.ReadAt(p, off)
}

// spare are buffers of batches.
var spare = sync.Pool{New: func() any { return new([batchLength]byte) }}

// run reads what is not read yet.
func (b *batch) run() {
	defer close(b.read)
	w := wholeReaders.Get().(*wholeReader)
	defer wholeReaders.Put(w)
	for i := range b.tasks {
		t := &b.tasks[i]
		if !t.done && (t.raw == nil || !t.readWhole(w, t.raw)) {
			t.frame.read(&b.span)
		}
		t.raw = nil
	}
}

// splitter finds out where the frames of a pack end, and hands them on in
// batches to be read.
type splitter struct {
	file    io.ReaderAt
	pack    int
	end     int64
	crc     uint32
	batches chan *batch // each is being read
	err     error       // what ended the splitter early; to look at when batches is closed
}

func (s *splitter) run(ctx context.Context) {
	defer close(s.batches)
	for off := int64(0); off < s.end; {
		buf := spare.Get().(*[batchLength]byte)
		b := s.batch(buf, off)
		last := b.tasks[len(b.tasks)-1]
		off = last.start + last.length
		select {
		case <-ctx.Done():
			s.err = ctx.Err()
			return
		case s.batches <- b:
			go func() {
				b.run()
				spare.Put(buf)
			}()
		}
	}
}

// batch makes a batch of the frames from off on: those that are whole in memory,
// or else the first alone.
func (s *splitter) batch(buf *[batchLength]byte, off int64) *batch {
	n, _ := s.file.ReadAt(buf[:min(batchLength, s.end-off)], off) // what can not be read will be found out
	b := &batch{span: span{file: s.file, data: buf[:n], start: off}, read: make(chan struct{})}
	for off < s.end {
		t, size := s.next(&b.span, off)
		if t.length <= wholeLength && size <= wholeSize {
			t.raw = b.at(off, t.length)
		}
		if len(b.tasks) > 0 && (t.raw == nil || b.size+size > batchSize) {
			break
		}
		t.crc = s.sum(t)
		b.tasks = append(b.tasks, t)
		if t.raw == nil {
			break
		}
		b.size += size
		off += t.length
	}
	return b
}

// next finds the frame at off, and what it says that it decompresses to. Where
// no other begins behind it, it has to be read to know where it ends.
func (s *splitter) next(file *span, off int64) (t task, size int64) {
	t.place = place{pack: s.pack, start: off}
	t.length, size, t.err = frameLength(file, off, s.end)
	if t.err == nil && frameBegins(file, off+t.length, s.end) {
		return t, size
	}
	t = task{frame: readFrame(file, s.pack, off, s.end), done: true}
	if t.err != nil { // the damage is in what says how long it is
		t.length = findFrame(file, s.pack, off+1, s.end) - off
	}
	return t, int64(len(t.data))
}

// sum is the CRC-32 up to the end of t.
func (s *splitter) sum(t task) uint32 {
	if t.raw != nil {
		s.crc = crc32.Update(s.crc, crc32.IEEETable, t.raw)
		return s.crc
	}
	// Bytes that can not be read are left out: that there is damage is known then.
	c := &countingWriter{w: io.Discard, crc: s.crc}
	_, _ = io.CopyBuffer(c, io.NewSectionReader(s.file, t.start, t.length), make([]byte, 64<<10))
	s.crc = c.crc
	return s.crc
}
