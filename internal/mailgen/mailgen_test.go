package mailgen_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/emersion/go-message/mail"

	"mailhaul/internal/mailgen"
)

func TestSameSeedSameBytes(t *testing.T) {
	sum := func(seed uint64) string {
		h := sha256.New()
		for m := range mailgen.Account(seed, 200) {
			fmt.Fprintln(h, m.Mailboxes, m.Keywords, m.ReceivedAt)
			h.Write(m.Raw)
		}
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	first := sum(1)
	if again := sum(1); again != first {
		t.Error("one seed gave two accounts")
	}
	if first == sum(2) {
		t.Error("two seeds gave one account")
	}
}

func TestSizesFollowTheMedian(t *testing.T) {
	const median = 20 << 10
	var sizes []int
	for m := range mailgen.Sized(7, 2000, median) {
		sizes = append(sizes, len(m.Raw))
	}
	slices.Sort(sizes)
	if got := sizes[len(sizes)/2]; got < median*8/10 || got > median*12/10 {
		t.Errorf("median %d, want about %d", got, median)
	}
	if big := sizes[len(sizes)-1]; big < 5*median {
		t.Errorf("largest %d: no tail", big)
	}
}

func TestMessagesAreMessages(t *testing.T) {
	seen := map[[32]byte]bool{}
	ids := map[string]bool{}
	replies, attachments := 0, 0
	for m := range mailgen.Account(3, 500) {
		if h := sha256.Sum256(m.Raw); seen[h] {
			t.Fatal("two messages with the same bytes")
		} else {
			seen[h] = true
		}
		if bytes.Contains(bytes.ReplaceAll(m.Raw, []byte("\r\n"), nil), []byte("\n")) {
			t.Fatal("a bare line feed")
		}
		r, err := mail.CreateReader(bytes.NewReader(m.Raw))
		if err != nil {
			t.Fatalf("%v in\n%.800s", err, m.Raw)
		}
		id, err := r.Header.MessageID()
		if err != nil || id == "" || ids[id] {
			t.Fatalf("Message-ID %q: %v, or seen before", id, err)
		}
		ids[id] = true
		if refs, _ := r.Header.MsgIDList("References"); len(refs) > 0 {
			replies++
			if !ids[refs[0]] {
				t.Errorf("%s refers to %s, which there is not", id, refs[0])
			}
		}
		for {
			p, err := r.NextPart()
			if err != nil {
				break
			}
			if _, ok := p.Header.(*mail.AttachmentHeader); ok {
				attachments++
			}
		}
	}
	if replies < 100 || attachments < 50 {
		t.Errorf("%d replies and %d attachments in 500 messages: not like mail", replies, attachments)
	}
}

func TestHardMessagesLieInHardMailboxes(t *testing.T) {
	paths := append(mailgen.HardMailboxes(), mailgen.Inbox)
	for _, m := range mailgen.Hard() {
		for _, p := range m.Mailboxes {
			if !slices.Contains(paths, p) {
				t.Errorf("%q is no hard mailbox", p)
			}
		}
	}
}
