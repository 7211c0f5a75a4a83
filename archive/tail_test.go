package archive

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
)

func TestAPackThatATornWriteEndsIsTakenUpToItsLastWholeMember(t *testing.T) {
	t.Parallel() // with the next one: both wait for the disk
	k, tried := killARun(t), some(t, 1, 13)
	for size := int(k.members[0].start); size <= len(k.pack); size++ {
		whole, edge := 0, false
		for _, f := range k.members {
			end := int(f.start + f.length)
			if end <= size {
				whole++
			}
			edge = edge || size >= end-1 && size <= end+1
		}
		if last := int(k.members[4].start); !edge && size%9 != 0 && size < last || !tried() {
			continue // every byte of the last member, some of the others
		}
		a := k.with(t, k.pack[:size])
		must(t, k.expect(t, a, whole).Close())
		must(t, a.Close())
		if t.Failed() {
			t.Fatalf("cut to %d of %d bytes", size, len(k.pack))
		}
	}
}

func TestAFlippedBitEndsWhatIsTakenUp(t *testing.T) {
	t.Parallel()
	k := killARun(t)
	step := every(5, 61)
	harmless := 0
	for n, f := range k.members {
		for i := f.start; i < f.start+f.length; i += int64(step) {
			bad := bytes.Clone(k.pack)
			bad[i] ^= byte(1 << (i % 8))
			expected := n
			// Not every bit of a frame makes a difference to what it decompresses to.
			if g := readFrame(bytes.NewReader(bad), 1, f.start, int64(len(bad))); g.err == nil && g.name == f.name && bytes.Equal(g.data, f.data) && sameRow(g, f) {
				expected = len(k.members)
				harmless++
			}
			a := k.with(t, bad)
			must(t, k.expect(t, a, expected).Close())
			must(t, a.Close())
			if t.Failed() {
				t.Fatalf("a bit of byte %d flipped, in member %d", i, n)
			}
		}
	}
	t.Logf("%d flips made no difference", harmless)
}

func TestOnlyWhatTheRunWouldHaveWrittenIsTakenUp(t *testing.T) {
	k := killARun(t)
	whole := func(name, body string) []byte {
		data, err := wholeFrame(name, []byte(body))
		must(t, err)
		return data
	}
	good := whole(blobName(sumOf([]byte("good"))), "good")
	for name, tail := range map[string][]byte{
		"an object of a later snapshot":         whole(objectName("Email", "M9", 2), `{"id":"M9"}`),
		"an object of no snapshot that is open": whole(objectName("Email", "M9", 7), `{"id":"M9"}`),
		"an object under another's name":        whole(objectName("Email", "M9", 1), `{"id":"M8"}`),
		"an object that is no JSON":             whole(objectName("Email", "M9", 1), `{"id":"M9"`),
		"an object without its content":         whole(objectName("Email", "M9", 1), `{"id":"M9","mailhaul:blob":"`+string(sumOf([]byte("x")))+`"}`),
		"a blob that is not what its name says": whole(blobName(sumOf([]byte("x"))), "y"),
		"a snapshot's record":                   whole(snapshotName(1), `{"snapshot":1}`),
		"the trailer":                           trailerFrame(),
		"a hole":                                make([]byte, 4096),
		"a name that no archive has":            whole("../x", "x"),
		"a frame that is no tar file":           wholeEncoder().EncodeAll(bytes.Repeat([]byte("x"), 2000), nil),
	} {
		t.Run(name, func(t *testing.T) {
			a := k.with(t, bytes.Join([][]byte{k.pack, tail, good}, nil))
			defer a.Close()
			r := k.expect(t, a, len(k.members))
			if held, err := r.held(sumOf([]byte("good"))); held != nil || err != nil {
				t.Errorf("what follows is taken up: %v %v", held, err)
			}
			putEmail(t, r, 4)
			must(t, r.Finish(SnapshotRecord{}))
			verifyClean(t, a)
			if got := contents(t, a, 0); len(got) != 3 {
				t.Errorf("%d objects of 3", len(got))
			}
		})
	}
}

// Whatever pieces a pack ends in, in whatever order: the next run takes up what
// makes an archive that is whole, and goes on.
func TestAnyTailLeavesAWholeArchive(t *testing.T) {
	k := killARun(t)
	committed := k.members[0].start
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 2))
	pieces := [][]byte{trailerFrame(), make([]byte, 700)}
	for _, f := range k.members {
		pieces = append(pieces, k.pack[f.start:f.start+f.length])
	}
	takenUp := 0
	for range 60 {
		tail := bytes.Clone(k.pack[:committed])
		for range rng.IntN(8) {
			piece := bytes.Clone(pieces[rng.IntN(len(pieces))])
			switch rng.IntN(12) {
			case 0:
				piece = piece[:rng.IntN(len(piece))]
			case 1:
				piece[rng.IntN(len(piece))] ^= byte(1 + rng.IntN(255))
			}
			tail = append(tail, piece...)
		}
		a := k.with(t, tail)
		members := left(t, a)
		r := begin(t, a)
		takenUp += int(r.pack.length - committed)
		if r.pack.length > committed && len(members) == 0 {
			t.Error("taken up though nothing is whole")
		}
		report := verifyClean(t, a)
		if report.Bytes != r.pack.length {
			t.Errorf("%d bytes are committed of %d", report.Bytes, r.pack.length)
		}
		if got := readBlob(t, a, sumOf(message(1))); !bytes.Equal(got, message(1)) {
			t.Error("what was committed before differs")
		}
		putEmail(t, r, 4)
		must(t, r.Finish(SnapshotRecord{}))
		verifyClean(t, a)
		must(t, a.Close())
		if t.Failed() {
			t.Fatalf("seed %d, the pack goes on with %x", seed, tail[committed:])
		}
	}
	t.Logf("%d bytes were taken up", takenUp)
	if takenUp == 0 {
		t.Error("nothing was ever taken up: nothing was tested")
	}
}
