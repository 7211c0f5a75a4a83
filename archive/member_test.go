package archive

import (
	"archive/tar"
	"bytes"
	"testing"
	"time"
)

func TestAHeaderIsAsArchiveTarWritesIt(t *testing.T) {
	for _, name := range []string{"snapshot/1.json", blobName(sumOf(nil)), objectName("Email", "M1", 12), string(bytes.Repeat([]byte{'a'}, 100))} {
		for _, size := range []int64{0, 1, 511, 512, 513, 1 << 20, 1<<33 - 1} {
			when := time.Unix(1_800_000_000, 0)
			var want bytes.Buffer
			h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: when}
			must(t, tar.NewWriter(&want).WriteHeader(h))
			got := appendHeader(nil, name, size, when)
			for i := range min(want.Len(), len(got)) {
				if got[i] != want.Bytes()[i] {
					t.Errorf("%s, %d bytes: byte %d is %#x, not %#x", name, size, i, got[i], want.Bytes()[i])
				}
			}
			if len(got) != want.Len() {
				t.Errorf("%s, %d bytes: the header has %d bytes, not %d", name, size, len(got), want.Len())
			}
		}
	}
}

func TestAMemberIsAsArchiveTarWritesIt(t *testing.T) {
	long := objectName("Email", string(bytes.Repeat([]byte{'x'}, 200)), 1)
	for _, name := range []string{"snapshot/1.json", long} {
		for _, size := range []int{0, 1, 511, 512, 513} {
			body := bytes.Repeat([]byte{'b'}, size)
			var want bytes.Buffer
			must(t, writeMember(&want, name, int64(size), bytes.NewReader(body)))
			got, err := appendMember(nil, name, body)
			must(t, err)
			if len(got) != want.Len() || !bytes.HasSuffix(got, want.Bytes()[want.Len()-size-(-size&511):]) {
				t.Errorf("%.20s, %d bytes: %d bytes instead of %d", name, size, len(got), want.Len())
			}
			if h, err := tar.NewReader(bytes.NewReader(got)).Next(); err != nil || h.Name != name || h.Size != int64(size) {
				t.Errorf("%.20s, %d bytes: read as %+v, %v", name, size, h, err)
			}
		}
	}
}
