package exporter

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/textproto"
	"path"
	"path/filepath"
	"strings"

	"mailhaul/account"
)

// blobPath is where a blob's file is. The id comes from outside: it must be a
// plain name.
func blobPath(blobID string) (string, error) {
	if blobID == "" || blobID == "." || strings.ContainsAny(blobID, "/\\\x00") || len(blobID) > 255 || !filepath.IsLocal(blobID) {
		return "", fmt.Errorf("the blob id %.80q is no plain file name", blobID)
	}
	return path.Join("blobs", blobID), nil
}

func (s *oldCLI) statBlob(blobID string) (fs.FileInfo, error) {
	name, err := blobPath(blobID)
	if err != nil {
		return nil, err
	}
	st, err := s.root.Stat(name)
	if err == nil && !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	return st, err
}

// Fetch reads a blob's file. Only an Email's comes with a size: there the file
// is looked at for signs that it was cut short.
func (s *oldCLI) Fetch(_ context.Context, blobID string, size int64, take func(io.Reader) error) error {
	name, err := blobPath(blobID)
	if err != nil {
		return err
	}
	f, err := s.regular(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: the export it comes from did not write it", name)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() == 0 {
		return fmt.Errorf("%s is empty: the export it comes from cut it short", name)
	}
	if size < 0 {
		return take(f)
	}
	var probe cutProbe
	if err := take(io.TeeReader(f, &probe)); err != nil {
		return err
	}
	if sign := probe.sign(); sign != "" {
		s.warn(account.Email, probe.item(name), "it may have been cut short by the export it comes from: "+sign+"; it is kept as it is")
	}
	return nil
}

// mostHeader bounds how much of a message is looked at for the end of its
// header; one that is longer is not judged.
const mostHeader = 256 << 10

// cutProbe watches a message go by for signs that its end is missing.
type cutProbe struct {
	head    []byte
	inBody  bool
	header  textproto.MIMEHeader
	closing []byte // what ends a multipart (RFC 2046 §5.1.1), nil: seen or not to be expected
	tail    []byte
}

func (p *cutProbe) Write(b []byte) (int, error) {
	n := len(b)
	if !p.inBody {
		b = p.inHeader(b)
	}
	if p.inBody && p.closing != nil {
		p.tail = append(p.tail, b...)
		if bytes.Contains(p.tail, p.closing) {
			p.closing = nil
		}
		p.tail = append([]byte(nil), p.tail[max(0, len(p.tail)-len(p.closing)):]...)
	}
	return n, nil
}

// inHeader takes what belongs to the header and answers what is behind it.
func (p *cutProbe) inHeader(b []byte) []byte {
	from := max(0, len(p.head)-3)
	p.head = append(p.head, b...)
	end := -1
	for _, blank := range []string{"\n\r\n", "\n\n"} {
		if i := bytes.Index(p.head[from:], []byte(blank)); i >= 0 && (end < 0 || from+i+len(blank) < end) {
			end = from + i + len(blank)
		}
	}
	if bytes.HasPrefix(p.head, []byte("\r\n")) || bytes.HasPrefix(p.head, []byte("\n")) {
		end = 0 // no header at all
	}
	if end < 0 {
		p.inBody = len(p.head) > mostHeader
		return nil
	}
	p.inBody = true
	rest := p.head[end:]
	// A header that can't be read all through still gives the fields before that.
	p.header, _ = textproto.NewReader(bufio.NewReader(bytes.NewReader(p.head[:end]))).ReadMIMEHeader()
	kind, params, err := mime.ParseMediaType(p.header.Get("Content-Type"))
	if err == nil && strings.HasPrefix(kind, "multipart/") && params["boundary"] != "" {
		p.closing = []byte("--" + params["boundary"] + "--")
	}
	p.head = nil
	return rest
}

// sign says what speaks for a cut, "" if nothing does.
func (p *cutProbe) sign() string {
	switch {
	case !p.inBody:
		return "its header has no end"
	case p.closing != nil:
		return "the end of its last part is missing"
	}
	return ""
}

// item names the message for a person.
func (p *cutProbe) item(file string) string {
	if p.header == nil {
		return file
	}
	return fmt.Sprintf("%.80q %.80s in %s", p.header.Get("Subject"), p.header.Get("Message-Id"), file)
}
