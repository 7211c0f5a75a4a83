package archive

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"mailhaul/account"
)

// FuzzPack reads any bytes as a pack.
func FuzzPack(f *testing.F) {
	a, _ := small(f, 2)
	pack, err := os.ReadFile(a.packPath(1))
	must(f, err)
	f.Add(pack)
	f.Add(pack[:len(pack)/2])
	f.Add(pack[3:])
	f.Add(append(bytes.Clone(pack[:100]), pack...))
	f.Add([]byte{0x28, 0xB5, 0x2F, 0xFD})
	e, err := zstd.NewWriter(nil)
	must(f, err)
	f.Add(e.EncodeAll(make([]byte, 10<<20), nil)) // much from little
	f.Fuzz(func(t *testing.T, data []byte) {
		var at int64
		must(t, scanPack(t.Context(), bytes.NewReader(data), 1, int64(len(data)), func(f frame) error {
			if f.start != at || f.length <= 0 || f.start+f.length > int64(len(data)) {
				t.Fatalf("the frame at %d is %+v", at, f.place)
			}
			at += f.length
			if g := readFrame(bytes.NewReader(data), 1, f.start, int64(len(data))); g.length == f.length &&
				(g.name != f.name || g.size != f.size || g.trailer != f.trailer || !bytes.Equal(g.data, f.data) || !sameRow(g, f) || fmt.Sprint(g.err) != fmt.Sprint(f.err)) {
				t.Fatalf("in one piece %+v, as a stream %+v", f, g)
			}
			if f.crc != crc32.ChecksumIEEE(data[:at]) {
				t.Fatalf("the checksum of the first %d bytes is %08x", at, f.crc)
			}
			if f.err == nil && !f.trailer {
				if _, ok := parseName(f.name); !ok {
					t.Fatalf("a member is named %q", f.name)
				}
			}
			return nil
		}))
		if at != int64(len(data)) {
			t.Fatalf("read up to %d of %d", at, len(data))
		}
	})
}

// FuzzHeader reads any bytes as a member's header: what is taken for a plain one
// means the same to archive/tar.
func FuzzHeader(f *testing.F) {
	for _, name := range []string{blobName(sumOf(nil)), objectName("Email", strings.Repeat("long", 60), 1), ""} {
		var b bytes.Buffer
		must(f, writeMember(&b, name, 3, strings.NewReader("abc")))
		f.Add(b.Bytes(), uint16(0), byte(0))
		for _, at := range []uint16{0, 100, 124, 135, 136, 148, 156, 257, 345} {
			f.Add(b.Bytes(), at, byte('7'))
			f.Add(b.Bytes(), at, byte(0x80))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint16, c byte) {
		if len(data) < tarBlock {
			return
		}
		data[at%tarBlock] = c
		if at%2 == 0 { // with the right checksum
			sum := 8 * int(' ')
			for i, c := range data[:tarBlock] {
				if i < 148 || i >= 156 {
					sum += int(c)
				}
			}
			copy(data[148:156], fmt.Sprintf("%06o\x00 ", sum))
		}
		name, size, ok := plainHeader(data)
		if !ok {
			return
		}
		h, err := tar.NewReader(bytes.NewReader(data)).Next()
		if err != nil || h.Name != name || h.Size != size || h.Typeflag != tar.TypeReg || len(h.PAXRecords) > 0 {
			t.Fatalf("%q of %d bytes; to archive/tar it is %+v %v", name, size, h, err)
		}
	})
}

// FuzzManifest reads any bytes as mailhaul.json.
func FuzzManifest(f *testing.F) {
	good, err := json.Marshal(Manifest{Format: formatName, Version: FormatVersion, ID: "x", Account: testOrigin})
	must(f, err)
	f.Add(good)
	f.Add([]byte(`{"format":"mailhaul","version":99,"id":7}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`<html>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data)
		if err == nil && (m.Format != formatName || m.Version != FormatVersion) {
			t.Fatalf("taken for an archive of format %q, version %d", m.Format, m.Version)
		}
	})
}

// FuzzObject reads any bytes as an object's member: what is taken is written
// and read back as the same.
func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"id":"M1","mailhaul:blob":"` + string(sumOf(nil)) + `","size":12,"messageId":["<a@b>"]}`))
	f.Add([]byte(`{"id":"M1","mailhaul:gone":true}`))
	f.Add([]byte(`{"id":"../\u0000","receivedAt":"0000-00-00T00:00:00Z","size":1e99}`))
	f.Add([]byte(`{"id":"\ud800","x":1.0}`))
	f.Add([]byte(`{"id":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := account.ParseObject(data)
		if err != nil || o.ID() == "" {
			return
		}
		name := objectName("Email", o.ID(), 3)
		m, ok := parseName(name)
		if !ok || m.snapshot != 3 || m.typ != "Email" || m.id != encodeID(o.ID()) {
			t.Fatalf("%q is named %q, which reads as %+v", o.ID(), name, m)
		}
		body, err := encodeObject(o)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := wholeFrame(name, body)
		must(t, err)
		var back frame
		must(t, scanPack(t.Context(), bytes.NewReader(packed), 1, int64(len(packed)), func(f frame) error {
			back = f
			return f.err
		}))
		r := back.row
		must(t, back.rowErr)
		if want := newRow("Email", o, 3); !bytes.Equal(r.digest, want.digest) || r.blob != want.blob || r.gone != want.gone {
			t.Fatalf("read back: %+v, written: %+v", r, want)
		}
		if r.blob != "" && !r.blob.valid() {
			t.Fatalf("blob %q", r.blob)
		}
	})
}

// A frame may not make the reader keep more than it grants.
func TestAFrameThatAsksForALargeWindowIsRefused(t *testing.T) {
	var b bytes.Buffer
	e, err := zstd.NewWriter(&b, zstd.WithWindowSize(64<<20), zstd.WithEncoderCRC(true))
	must(t, err)
	must(t, writeMember(e, blobName(sumOf(nil)), 70<<20, &endless{size: 70 << 20}))
	must(t, e.Close())
	m, err := openFrame(bytes.NewReader(b.Bytes()), 0, int64(b.Len()))
	if !errors.Is(err, zstd.ErrWindowSizeExceeded) {
		t.Errorf("a window of 64 MiB: %v %v", m, err)
	}
}

// sameRow says whether two frames give the catalog the same row.
func sameRow(f, g frame) bool {
	if f.row == nil || g.row == nil {
		return f.row == g.row && fmt.Sprint(f.rowErr) == fmt.Sprint(g.rowErr)
	}
	return f.row.equal(g.row) && f.row.place == g.row.place
}
