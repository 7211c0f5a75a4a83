package archive

import (
	"archive/tar"
	"bytes"
	"io"
	"time"
	"unicode/utf8"
)

// tarHeader is a member's header. The time is when it was written: tar warns
// about files from 1970.
func tarHeader(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: time.Now().Truncate(time.Second)}
}

// appendMember appends what writeMember writes.
func appendMember(b []byte, name string, body []byte) ([]byte, error) {
	if len(name) > 100 || !isASCII(name) {
		w := bytes.NewBuffer(b)
		err := writeMember(w, name, int64(len(body)), bytes.NewReader(body))
		return w.Bytes(), err
	}
	b = append(appendHeader(b, name, int64(len(body)), time.Now()), body...)
	return append(b, make([]byte, -len(body)&(tarBlock-1))...), nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf || s[i] == 0 {
			return false
		}
	}
	return true
}

// appendHeader appends the header of a plain file (ustar in POSIX.1, "pax
// Interchange Format"), as archive/tar writes it for a short name and a size of
// less than 8 GiB.
func appendHeader(b []byte, name string, size int64, modified time.Time) []byte {
	start := len(b)
	b = append(b, make([]byte, tarBlock)...)
	h := b[start:]
	copy(h, name)
	copy(h[100:], "0000600\x000000000\x000000000\x00") // mode, owner, group
	octalField(h[124:135], size)
	octalField(h[136:147], modified.Unix())
	h[156] = tar.TypeReg
	copy(h[257:], "ustar\x0000")
	copy(h[329:], "0000000\x000000000\x00") // device
	sum := int64(8 * ' ')
	for _, c := range h {
		sum += int64(c)
	}
	octalField(h[148:154], sum)
	h[155] = ' '
	return b
}

// octalField fills a field with octal digits.
func octalField(field []byte, n int64) {
	for i := len(field) - 1; i >= 0; i-- {
		field[i] = '0' + byte(n&7)
		n >>= 3
	}
}

func writeMember(w io.Writer, name string, size int64, body io.Reader) error {
	t := tar.NewWriter(w)
	if err := t.WriteHeader(tarHeader(name, size)); err != nil {
		return err
	}
	if _, err := io.Copy(t, body); err != nil {
		return err
	}
	return t.Flush() // pads to a whole block; Close would add the trailer
}
