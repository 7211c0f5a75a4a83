package mailgen

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"mime"
	"strings"
	"time"
)

// compose writes the next message of a thread, about size octets long: text
// alone when small, HTML beside it when larger, and what then is missing as
// attachments.
func (g *generator) compose(t *thread, id string, size int) []byte {
	var b bytes.Buffer
	b.Grow(size + size/8 + 2048)
	g.header(&b, t, id)
	mixed := fmt.Sprintf("=_mix_%016x", g.rand.Uint64())
	switch kind := g.rand.IntN(10); {
	case size < 3000 || kind == 0:
		b.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
		g.text(&b, t, max(size-b.Len(), 200))
	case kind < 6 && size < 60<<10:
		g.alternative(&b, t, size-b.Len())
	default:
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%s\r\n", mixed, mixed)
		g.alternative(&b, t, min(size/4, 6000))
		for left := size - b.Len(); left > 400; left = size - b.Len() {
			fmt.Fprintf(&b, "\r\n--%s\r\n", mixed)
			g.attachment(&b, min(left, 4000+g.rand.IntN(400<<10)))
		}
		fmt.Fprintf(&b, "\r\n--%s--\r\n", mixed)
	}
	return b.Bytes()
}

func (g *generator) header(b *bytes.Buffer, t *thread, id string) {
	me := person{"Alice Weber", "alice@example.org"}
	from, to := t.with, me
	if t.mailbox == "Sent" || t.mailbox == "Drafts" || len(t.references)%3 == 2 {
		from, to = me, t.with
	}
	date := t.last.In(zones[g.rand.IntN(len(zones))])
	fmt.Fprintf(b, "Return-Path: <%s>\r\n", from.address)
	fmt.Fprintf(b, "Received: from mx%d.%s (mx%d.%s [192.0.2.%d])\r\n\tby mail.example.org with ESMTPS id %08X\r\n\tfor <%s>; %s\r\n",
		g.rand.IntN(4), from.domain(), g.rand.IntN(4), from.domain(), g.rand.IntN(256), g.rand.Uint32(), to.address, date.Format(time.RFC1123Z))
	fmt.Fprintf(b, "Date: %s\r\nFrom: %s\r\nTo: %s\r\n", date.Add(-3*time.Second).Format(time.RFC1123Z), from, to)
	subject := t.subject
	if len(t.references) > 0 {
		subject = "Re: " + subject
	}
	fmt.Fprintf(b, "Subject: %s\r\nMessage-ID: <%s>\r\n", mime.QEncoding.Encode("utf-8", subject), id)
	if refs := t.references; len(refs) > 0 {
		refs = refs[max(0, len(refs)-8):]
		fmt.Fprintf(b, "In-Reply-To: <%s>\r\nReferences: <%s>\r\n", refs[len(refs)-1], strings.Join(refs, ">\r\n <"))
	}
	b.WriteString("MIME-Version: 1.0\r\n")
}

// text writes about n octets of sentences, a quotation of what is answered, and
// a signature.
func (g *generator) text(b *bytes.Buffer, t *thread, n int) {
	fmt.Fprintf(b, "%s,\r\n\r\n", greetings[g.rand.IntN(len(greetings))])
	for end := b.Len() + n - 60; b.Len() < end; {
		quote := ""
		if len(t.references) > 0 && g.rand.IntN(3) == 0 {
			quote = "> "
		}
		for range 2 + g.rand.IntN(5) {
			b.WriteString(quote)
			g.line(b, 40+g.rand.IntN(32))
			b.WriteString("\r\n")
		}
		b.WriteString("\r\n")
	}
	fmt.Fprintf(b, "-- \r\n%s\r\n", t.with.name)
}

// line writes words until it is about n octets long.
func (g *generator) line(b *bytes.Buffer, n int) {
	for start := b.Len(); b.Len()-start < n; {
		if b.Len() > start {
			b.WriteByte(' ')
		}
		// The product of two draws favours the head of the list, as in language.
		k := g.rand.IntN(len(words)) * g.rand.IntN(len(words)) / len(words)
		b.WriteString(words[k])
	}
}

func (g *generator) alternative(b *bytes.Buffer, t *thread, n int) {
	boundary := fmt.Sprintf("=_alt_%016x", g.rand.Uint64())
	fmt.Fprintf(b, "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n--%s\r\n", boundary, boundary)
	b.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
	g.text(b, t, max(n/4, 150))
	fmt.Fprintf(b, "\r\n--%s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", boundary)
	b.WriteString("<!DOCTYPE html>\r\n<html><head><meta charset=\"utf-8\"></head><body style=\"font-family:sans-serif\">\r\n")
	for end := b.Len() + n/2; b.Len() < end; {
		fmt.Fprintf(b, "<p style=\"margin:0 0 %dpx;color:#%06x\">", g.rand.IntN(24), g.rand.IntN(1<<24))
		g.line(b, 60)
		fmt.Fprintf(b, "\r\n<a href=\"https://www.example.com/%x\">", g.rand.Uint32())
		g.line(b, 12)
		b.WriteString("</a></p>\r\n")
	}
	fmt.Fprintf(b, "</body></html>\r\n\r\n--%s--\r\n", boundary)
}

// attachment writes a part of about n octets whose content does not compress.
func (g *generator) attachment(b *bytes.Buffer, n int) {
	kind := attachments[g.rand.IntN(len(attachments))]
	name := fmt.Sprintf("%s %d%s", kind.name, 1+g.rand.IntN(90), kind.suffix)
	fmt.Fprintf(b, "Content-Type: %s\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n filename*=utf-8''%s\r\n\r\n",
		kind.mediaType, strings.ReplaceAll(name, " ", "%20"))
	content := append([]byte(kind.magic), g.noise(n*57/78)...)
	const perLine = 57 // 76 characters of base64
	line := make([]byte, base64.StdEncoding.EncodedLen(perLine))
	for len(content) > 0 {
		k := min(perLine, len(content))
		base64.StdEncoding.Encode(line, content[:k])
		b.Write(line[:base64.StdEncoding.EncodedLen(k)])
		b.WriteString("\r\n")
		content = content[k:]
	}
}

func (g *generator) noise(n int) []byte {
	b := make([]byte, n+8)
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], g.rand.Uint64())
	}
	return b[:n]
}

func (g *generator) subject() string {
	var b bytes.Buffer
	g.line(&b, 8+g.rand.IntN(30))
	s := subjects[g.rand.IntN(len(subjects))]
	return strings.ReplaceAll(s, "*", b.String())
}
