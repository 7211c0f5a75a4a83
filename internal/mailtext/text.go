package mailtext

import (
	"io"
	"strings"

	"github.com/emersion/go-message/mail"
)

// Text is what a message says.
type Text struct {
	Header      mail.Header
	Body        string // its text: that of the plain part where there is one beside an HTML part
	Attachments []Attachment
	Cut         bool // Body is not all
}

// Attachment is a part that is not the text.
type Attachment struct {
	Part
	Size int64 // octets, decoded
}

// Read reads a message's text, no more than about most octets of it, and what is
// attached. What can't be decoded (a cut base64) is no error; reading r is.
func Read(r io.Reader, most int) (*Text, error) {
	t := &Text{}
	var plain, rich strings.Builder
	var err error
	t.Header, err = walk(r, func(p Part, content io.Reader) error {
		if p.Attached {
			n, _ := io.Copy(io.Discard, content)
			t.Attachments = append(t.Attachments, Attachment{p, n})
			return nil
		}
		into := &plain
		if p.Type == "text/html" {
			into = &rich
		}
		left := max(0, most-into.Len())
		data, _ := io.ReadAll(io.LimitReader(content, int64(left)+1))
		if len(data) > left {
			data, t.Cut = data[:left], true
		}
		text := strings.ToValidUTF8(string(data), "\uFFFD")
		if p.Type == "text/html" {
			text = htmlText(text)
		}
		if into.Len() > 0 && text != "" {
			into.WriteString("\n")
		}
		into.WriteString(text)
		return nil
	})
	if t.Body = plain.String(); strings.TrimSpace(t.Body) == "" {
		t.Body = rich.String()
	}
	t.Body = strings.ReplaceAll(t.Body, "\r\n", "\n")
	return t, err
}
