package mailtext

import (
	"bufio"
	"io"
	"mime"
	"strconv"
	"strings"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // texts in other charsets than UTF-8
	"github.com/emersion/go-message/mail"
)

// Bounds on what a hostile message can cost.
const (
	maxDepth = 20  // parts within parts, and messages within messages
	maxParts = 500 // in one message
)

// Part is a part that holds no others.
type Part struct {
	Number string // as IMAP counts: "1", "2.1" (RFC 9051 §6.4.5)
	Type   string // its media type, in lower case
	Name   string // its file name, "" when it has none
	// Attached: the sender did not mean it to be read with the text.
	Attached bool
}

// Walk yields each part of a message with its content, decoded: base64 and the
// like undone, texts in UTF-8 where the charset is known. A message within the
// message is walked too. It ends with the error of visit, or of reading from r;
// what can't be parsed is left out or yielded as it stands.
func Walk(r io.Reader, visit func(Part, io.Reader) error) error {
	_, err := walk(r, visit)
	return err
}

// walk is Walk, and answers the message's header.
func walk(r io.Reader, visit func(Part, io.Reader) error) (mail.Header, error) {
	src := &source{r: r}
	e := read(src)
	err := (&walker{visit: visit}).walk(e, "", 0)
	if err == nil {
		err = src.err
	}
	return mail.Header{Header: e.Header}, err
}

// source keeps apart what goes wrong below the message and what is wrong in it.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// read reads an entity's header; without one that can be read, all is text.
func read(r io.Reader) *message.Entity {
	in := bufio.NewReaderSize(r, 64<<10)
	head := tidyHeader(in)
	// An error along with an entity is about an unknown charset or encoding.
	if e, _ := message.Read(io.MultiReader(strings.NewReader(head), in)); e != nil {
		return e
	}
	e, _ := message.New(message.Header{}, in)
	return e
}

// maxHeader bounds a header, in octets.
const maxHeader = 512 << 10

// tidyHeader reads a header up to the empty line and leaves out the lines that
// are no field: one of them would make the whole unreadable.
func tidyHeader(in *bufio.Reader) string {
	var head strings.Builder
	keep := false
	for head.Len() < maxHeader {
		line, err := in.ReadSlice('\n')
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" && err == nil {
			break
		}
		if folded := text != "" && (text[0] == ' ' || text[0] == '\t'); !folded {
			keep = isField(text)
		}
		if keep {
			head.WriteString(text + "\r\n")
		}
		for err == bufio.ErrBufferFull { // the rest of a line that is too long
			_, err = in.ReadSlice('\n')
		}
		if err != nil {
			break
		}
	}
	return head.String() + "\r\n"
}

// isField says whether a line begins a header field (RFC 5322 §2.2).
func isField(line string) bool {
	name, _, ok := strings.Cut(line, ":")
	name = strings.TrimRight(name, " \t")
	return ok && name != "" && strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

type walker struct {
	visit func(Part, io.Reader) error
	parts int
}

func (w *walker) walk(e *message.Entity, number string, depth int) error {
	typ, params, err := e.Header.ContentType()
	if err != nil || typ == "" {
		typ = "text/plain"
	}
	typ = strings.ToLower(typ)
	if depth < maxDepth && w.parts < maxParts {
		if strings.HasPrefix(typ, "multipart/") {
			if parts := e.MultipartReader(); parts != nil {
				return w.each(parts, number, depth)
			}
		}
		if typ == "message/rfc822" || typ == "message/global" {
			return w.walk(read(e.Body), below(number, 1), depth+1)
		}
	}
	disposition, about, err := e.Header.ContentDisposition()
	if err != nil {
		disposition = ""
	}
	p := Part{Number: number, Type: typ, Name: plainName(about["filename"], params["name"])}
	if p.Number == "" {
		p.Number = "1"
	}
	p.Attached = typ != "text/plain" && typ != "text/html" || strings.EqualFold(disposition, "attachment") ||
		p.Name != "" && !strings.EqualFold(disposition, "inline")
	w.parts++
	return w.visit(p, e.Body)
}

// each walks the parts of a multipart. One that breaks off ends there.
func (w *walker) each(parts message.MultipartReader, number string, depth int) error {
	for n := 1; ; n++ {
		e, err := parts.NextPart()
		if e == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
			return nil
		}
		if w.parts >= maxParts {
			return nil
		}
		if err := w.walk(e, below(number, n), depth+1); err != nil {
			return err
		}
	}
}

func below(number string, n int) string {
	if number == "" {
		return strconv.Itoa(n)
	}
	return number + "." + strconv.Itoa(n)
}

// plainName is the first file name that there is, with encoded words undone
// (RFC 2047 forbids them there, and senders use them).
func plainName(names ...string) string {
	for _, name := range names {
		if name == "" {
			continue
		}
		if plain, err := new(mime.WordDecoder).DecodeHeader(name); err == nil {
			return plain
		}
		return name
	}
	return ""
}
