package mailtext

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// letter joins lines as mail does.
func letter(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n" }

const most = 1 << 20

func TestWhatAMessageSays(t *testing.T) {
	for _, c := range []struct {
		name, raw, body string
		attached        []string // number, type, name
	}{
		{"plain text without a header for it", letter("Subject: a", "", "Grüße"), "Grüße\n", nil},
		{"base64 in an old charset", letter("Content-Type: text/plain; charset=iso-8859-1", "Content-Transfer-Encoding: base64", "", "R3L832U="), "Grüße", nil},
		{"a charset that nobody knows", letter("Content-Type: text/plain; charset=klingon", "", "nuqneH"), "nuqneH\n", nil},
		{"HTML alone", letter("Content-Type: text/html", "", "<head><title>no</title><style>p{}</style></head><p>One &amp; two</p><script>no</script><td>a</td><td>b</td>"), "One & two\na b", nil},
		{"HTML beside plain text", letter("Content-Type: multipart/alternative; boundary=x", "", "--x", "", "plain", "--x", "Content-Type: text/html", "", "<b>rich</b>", "--x--"), "plain", nil},
		{"attachments", letter("Content-Type: multipart/mixed; boundary=x", "", "--x", "", "text", "--x",
			"Content-Type: application/pdf; name=\"=?utf-8?q?R=C3=A9sum=C3=A9.pdf?=\"", "Content-Transfer-Encoding: base64", "", "AAAA", "--x",
			"Content-Type: text/plain", "Content-Disposition: attachment; filename*=utf-8''n%C3%B6te.txt", "", "12", "--x--"),
			"text", []string{"2 application/pdf Résumé.pdf 3", "3 text/plain nöte.txt 2"}},
		{"a message within", letter("Content-Type: multipart/mixed; boundary=x", "", "--x", "", "outer", "--x", "Content-Type: message/rfc822", "",
			"Subject: inner", "", "inner", "--x--"), "outer\ninner", nil},
		{"a line in the header that is no field", letter("From mailer Tue Jan  1 00:00:00 2019", "Subject: a", "not a field", "Content-Type: text/plain; charset=utf-8", "", "text"), "text\n", nil},
		{"a multipart without an end", letter("Content-Type: multipart/mixed; boundary=x", "", "--x", "", "text"), "text", nil},
		{"base64 that is cut", letter("Content-Transfer-Encoding: base64", "", "R3LDvMOfZQ"), "Grüß", nil},
		{"no header at all", "\r\njust text", "just text", nil},
		{"nothing", "", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Read(strings.NewReader(c.raw), most)
			if err != nil {
				t.Fatal(err)
			}
			var attached []string
			for _, a := range got.Attachments {
				attached = append(attached, strings.Join([]string{a.Number, a.Type, a.Name, string('0' + rune(a.Size))}, " "))
			}
			if diff := cmp.Diff(c.body, got.Body) + cmp.Diff(c.attached, attached); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTextIsBounded(t *testing.T) {
	got, err := Read(io.MultiReader(strings.NewReader("Subject: long\r\n\r\n"), io.LimitReader(neverEnding{}, 1<<20)), 1000)
	if err != nil || len(got.Body) != 1000 || !got.Cut {
		t.Errorf("%d octets, cut %v, %v", len(got.Body), got.Cut, err)
	}
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestAnErrorOfReadingIsNoText(t *testing.T) {
	broken := errors.New("the disk")
	for _, head := range []string{"Subject: a\r\n", "Subject: a\r\n\r\ntext", "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext"} {
		if _, err := Read(io.MultiReader(strings.NewReader(head), iotest.ErrReader(broken)), most); !errors.Is(err, broken) {
			t.Errorf("%q: %v", head, err)
		}
	}
}

func TestHeader(t *testing.T) {
	got, err := Read(strings.NewReader(letter("Subject: =?iso-8859-1?q?Gr=FC=DFe?=", "From: =?utf-8?q?J=C3=B6rg?= <j@example.org>", "", "x")), most)
	h := got.Header
	if err != nil {
		t.Fatal(err)
	}
	subject, _ := h.Subject()
	from, _ := h.AddressList("From")
	if subject != "Grüße" || len(from) != 1 || from[0].Name != "Jörg" {
		t.Errorf("subject %q, from %v", subject, from)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(letter("Content-Type: multipart/mixed; boundary=x", "", "--x", "Content-Type: message/rfc822", "", "Subject: s", "", "b", "--x--")))
	f.Add([]byte(letter("Content-Type: text/html", "", "<p>a<b>c")))
	f.Add([]byte("\x00:\r\n \r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Read(strings.NewReader(string(data)), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Body) > 8000 { // html's words and U+FFFD may be longer than what they stand for
			t.Errorf("%d octets of text", len(got.Body))
		}
	})
}
