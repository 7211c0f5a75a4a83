// Package mailgen makes mail that looks like people's mail: threads that quote
// and refer, HTML beside the text, photographs and documents that do not
// compress, folders within folders, dates over years, flags as people leave
// them. The same seed gives the same bytes on every machine.
//
// [Account] is an ordinary account, [Sized] one of a chosen weight for
// measurements, [Hard] and [HardMailboxes] what migrations are known to break.
// None of it is anyone's mail: names are invented, domains are RFC 2606's.
package mailgen

import "time"

// Inbox is the path that stands for the inbox, whatever a server calls it.
const Inbox = "INBOX"

// Message is one message and where and how it lies in its account.
type Message struct {
	Mailboxes  []string // paths, "Projects/2024"; [Inbox] for the inbox
	Keywords   []string // JMAP's names in lower case: "$seen"
	ReceivedAt time.Time
	Raw        []byte // RFC 5322, lines end in CRLF
}
