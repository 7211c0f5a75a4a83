package mailgen

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// HardMailboxes are paths that migrations trip over: deep, non-ASCII, quoted,
// space-led, full of what IMAP treats specially, near-twins. Not every server
// takes every one of them. All are in Unicode's NFC: JMAP knows no other names
// (RFC 8621 §2), Cyrus shows a decomposed one composed.
func HardMailboxes() []string {
	return []string{
		"Projects/2024/Q1/Offers/Final/Really final",
		"Entwürfe – alt",
		"Проекты/Почта",
		"日本語/メール/受信",
		"emoji 📬",
		`Said "so"`,
		`"quoted"`,
		"'single'",
		" space-led",
		"two  spaces",
		"100% done",
		"star * struck",
		"R&D",
		"&AOk- literal",
		"~home",
		"[Gmail]/All mail",
		"(round)",
		"{curly}",
		`back\slash`,
		"a.b.c",
		"semi;colon",
		"comma, after",
		"#hash",
		"a=b?c:d",
		"less<more>",
		"pipe|bang!",
		"@host",
		"-dash",
		"Archiv",
		"archive (old)",
		"Inbox copies",
		"0",
	}
}

// Hard are the messages that migrations are known to lose, double, undate or
// change. Each lies in a mailbox of [HardMailboxes] or in the inbox.
func Hard() []Message {
	at := func(s string) time.Time {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			panic(err)
		}
		return t
	}
	plain := func(subject, headers, body string) []byte {
		return []byte("From: Alice <alice@example.org>\r\nTo: bob@example.com\r\nSubject: " + subject + "\r\n" + headers + "\r\n" + body)
	}
	in := func(paths ...string) []string { return paths }
	return []Message{
		{in(Inbox, "Projects/2024/Q1/Offers/Final/Really final"), []string{"$seen", "$flagged"}, at("2024-02-29T23:59:59Z"),
			plain("one message in two folders", "Message-ID: <two-folders@example.org>\r\n", "Once.\r\n")},
		{in(Inbox), []string{"$seen"}, at("2023-05-01T10:00:00Z"),
			plain("first of one Message-ID", "Message-ID: <twin@example.org>\r\n", "The first.\r\n")},
		{in(Inbox), nil, at("2023-05-01T10:00:00Z"),
			plain("second of one Message-ID", "Message-ID: <twin@example.org>\r\n", "The other.\r\n")},
		{in("Entwürfe – alt"), []string{"$draft", "$seen"}, at("2022-07-07T07:07:07Z"),
			plain("no Message-ID", "", "A draft.\r\n")},
		{in("Entwürfe – alt"), []string{"$draft", "$seen"}, at("2022-07-07T07:07:07Z"),
			plain("no Message-ID", "", "Adraft.\r\n ")}, // same size, same date, no id: only the bytes differ
		{in(Inbox), []string{"$seen"}, at("2001-09-09T01:46:40Z"),
			plain("Gr\xfc\xdfe aus K\xf6ln", "X-Raw: \xe4\xf6\xfc \x80\xff\r\nMessage-ID: <latin1@example.org>\r\n", "8-bit in the header.\r\n")},
		{in("日本語/メール/受信"), nil, at("2011-03-11T05:46:24Z"),
			plain("生の UTF-8 の件名", "Message-ID: <rawutf8@example.org>\r\n", "ヘッダーに 8 ビット。\r\n")},
		{in(Inbox), []string{"$seen"}, at("2020-06-01T12:00:00Z"), large(20 << 20)},
		{in(Inbox), nil, at("2019-01-01T00:00:00Z"),
			plain("empty body", "Message-ID: <empty@example.org>\r\n", "")},
		{in(Inbox), nil, at("1995-01-01T00:00:01Z"),
			plain("from 1995", "Date: Sun, 1 Jan 1995 00:00:00 +0000\r\nMessage-ID: <y1995@example.org>\r\n", "Old.\r\n")},
		{in(Inbox), []string{"$seen"}, at("2030-12-31T23:59:58Z"),
			plain("from 2030", "Date: Tue, 31 Dec 2030 23:59:58 +0000\r\nMessage-ID: <y2030@example.org>\r\n", "To come.\r\n")},
		{in(Inbox), []string{"$answered"}, at("2010-10-10T10:10:10Z"),
			plain("received long after it was sent", "Date: Mon, 1 Jan 1990 00:00:00 +1400\r\nMessage-ID: <late@example.org>\r\n", "Late.\r\n")},
		{in(" space-led"), manyKeywords(), at("2018-08-08T08:08:08Z"),
			plain("many keywords", "Message-ID: <keywords@example.org>\r\n", "Labelled.\r\n")},
		{in("R&D"), nil, at("2017-07-17T17:17:17Z"),
			plain("folded\r\n\t oddly\r\n   here", "References:\r\n <a@example.org>\r\n\t<b@example.org>\r\nMessage-ID:\r\n <folded@example.org>\r\nX-Empty:\r\nX-Long: "+strings.Repeat("long ", 180)+"\r\n", "Folded.\r\n")},
		{in("100% done"), nil, at("2016-06-16T16:16:16Z"),
			plain("lines that look like something", "Message-ID: <lines@example.org>\r\n", "From the start\r\n.\r\n..\r\n>From quoted\r\n)\r\n* BYE\r\nA1 OK\r\n")},
		{in("100% done"), nil, at("2016-06-16T16:16:17Z"),
			plain("no line end at the end", "Message-ID: <noeol@example.org>\r\n", "It stops here")},
		{in(Inbox), []string{"$seen"}, at("2015-05-15T15:15:15Z"),
			plain("one very long line", "Message-ID: <longline@example.org>\r\n", strings.Repeat("x", 20000)+"\r\n")},
		{in(Inbox), nil, at("2014-04-14T14:14:14Z"), nested()},
		{in(Inbox), nil, at("2013-03-13T13:13:13Z"),
			plain("a broken date and address", "Date: yesterday\r\nCc: undisclosed-recipients:;, \"no end <x@\r\nMessage-ID: no brackets\r\n", "Broken.\r\n")},
	}
}

// manyKeywords are more than people use, with the characters that RFC 8621
// §4.1.1 allows and few expect.
func manyKeywords() []string {
	k := []string{"$seen", "$forwarded", "$mdnsent", "$junk", "$phishing", "$notjunk", "$label1", "nonjunk", "a/b", "x+y=z", "#1", "it's", "semi;colon", "tilde~", "a&b"}
	for i := range 30 {
		k = append(k, fmt.Sprintf("project-%02d", i))
	}
	return k
}

// large is a message of just above size octets, one attachment.
func large(size int) []byte {
	g := &generator{rand: rand.New(rand.NewPCG(20, 20))}
	var b bytes.Buffer
	b.WriteString("From: alice@example.org\r\nTo: bob@example.com\r\nSubject: twenty megabytes\r\nMessage-ID: <large@example.org>\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"big\"\r\n\r\n--big\r\nContent-Type: text/plain\r\n\r\nAttached.\r\n--big\r\n")
	g.attachment(&b, size)
	b.WriteString("--big--\r\n")
	return b.Bytes()
}

// nested is a message in a message in a message.
func nested() []byte {
	inner := "From: c@example.net\r\nSubject: innermost\r\nMessage-ID: <inner@example.net>\r\n\r\nHere.\r\n"
	for depth := range 3 {
		inner = fmt.Sprintf("From: alice@example.org\r\nSubject: forwarded %d\r\nMessage-ID: <nest%d@example.org>\r\nMIME-Version: 1.0\r\n"+
			"Content-Type: multipart/mixed; boundary=\"n%d\"\r\n\r\n--n%d\r\nContent-Type: message/rfc822\r\n\r\n%s\r\n--n%d--\r\n", depth, depth, depth, depth, inner, depth)
	}
	return []byte(inner)
}
