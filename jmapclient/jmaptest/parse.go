package jmaptest

import (
	"bufio"
	"bytes"
	"mime"
	"regexp"
	"strings"
	"time"

	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-message/textproto"
)

// parsed is what the server knows of a message from its header, read once.
type parsed struct {
	messageID, inReplyTo, references   []string
	sender, from, to, cc, bcc, replyTo []address
	subject                            *string
	sentAt                             *string
	received                           time.Time // of the newest Received field, zero if none
	hasAttachment                      bool
	isMessage                          bool // it has a header at all
}

type address struct {
	Name  *string `json:"name"`
	Email string  `json:"email"`
}

// parse reads a message. Any bytes will do: what cannot be read is not there.
func parse(raw []byte) *parsed {
	head, _ := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(raw))) // what was read before an error counts
	h := mail.Header{}
	h.Header.Header = head
	p := &parsed{
		messageID:  ids(h.Get("Message-Id")),
		inReplyTo:  ids(h.Get("In-Reply-To")),
		references: ids(h.Get("References")),
		sender:     addresses(&h, "Sender"),
		from:       addresses(&h, "From"),
		to:         addresses(&h, "To"),
		cc:         addresses(&h, "Cc"),
		bcc:        addresses(&h, "Bcc"),
		replyTo:    addresses(&h, "Reply-To"),
		isMessage:  head.Len() > 0,
	}
	if h.Has("Subject") {
		subject, err := h.Subject()
		if err != nil {
			subject = h.Get("Subject")
		}
		subject = strings.ToValidUTF8(subject, "\uFFFD")
		p.subject = &subject
	}
	if date, err := h.Date(); err == nil && !date.IsZero() {
		sent := date.Format(time.RFC3339)
		p.sentAt = &sent
	}
	if _, stamp, ok := cutLast(h.Get("Received"), ";"); ok {
		var d mail.Header
		d.Set("Date", strings.TrimSpace(stamp))
		if t, err := d.Date(); err == nil {
			p.received = t.UTC()
		}
	}
	if typ, _, err := mime.ParseMediaType(h.Get("Content-Type")); err == nil && strings.HasPrefix(typ, "multipart/") {
		p.hasAttachment = attaches(raw)
	}
	return p
}

var messageIDs = regexp.MustCompile(`<([^<>\s]+)>`)

// ids are the message ids in a field, nil when it has none.
func ids(field string) []string {
	var list []string
	for _, m := range messageIDs.FindAllStringSubmatch(field, -1) {
		list = append(list, strings.ToValidUTF8(m[1], "\uFFFD"))
	}
	return list
}

func addresses(h *mail.Header, field string) []address {
	if !h.Has(field) {
		return nil
	}
	parsed, err := h.AddressList(field)
	if err != nil {
		return []address{{Email: strings.ToValidUTF8(h.Get(field), "\uFFFD")}}
	}
	var list []address
	for _, a := range parsed {
		one := address{Email: a.Address}
		if a.Name != "" {
			name := strings.ToValidUTF8(a.Name, "\uFFFD")
			one.Name = &name
		}
		list = append(list, one)
	}
	return list
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// attaches says whether a part of a multipart message is an attachment. It
// looks for the field and does not take the message apart.
func attaches(raw []byte) bool {
	for {
		i := bytes.Index(raw, []byte("isposition:"))
		if i < 0 {
			return false
		}
		raw = raw[i+len("isposition:"):]
		value := bytes.TrimSpace(raw[:min(len(raw), 40)])
		if len(value) >= 10 && strings.EqualFold(string(value[:10]), "attachment") {
			return true
		}
	}
}

// body is what follows the header.
func body(raw []byte) []byte {
	for _, sep := range []string{"\r\n\r\n", "\n\n"} {
		if _, after, ok := bytes.Cut(raw, []byte(sep)); ok {
			return after
		}
	}
	return nil
}

// preview is the beginning of the text, at most 256 characters (RFC 8621 §4.1.4).
func preview(raw []byte) string {
	b := body(raw)
	text := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(string(b[:min(len(b), 1024)]), "\uFFFD")), " "))
	return string(text[:min(len(text), 256)])
}

// subjectBase is a subject less its Re: and Fwd:, by which threads are told apart.
func subjectBase(subject *string) string {
	if subject == nil {
		return ""
	}
	s := strings.ToLower(strings.TrimSpace(*subject))
	for {
		cut := s
		for _, prefix := range []string{"re:", "fwd:", "fw:"} {
			cut = strings.TrimSpace(strings.TrimPrefix(cut, prefix))
		}
		if cut == s {
			return s
		}
		s = cut
	}
}
