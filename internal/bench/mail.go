package main

import (
	"encoding/base64"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"mailhaul/internal/mailgen"
)

// A class is a distribution of sizes.
type class struct {
	name string
	// share is how many messages there are for each small one.
	share float64
	mail  func(n int) iter.Seq[mailgen.Message]
}

const (
	seed     = 7
	largest  = 25 << 20
	aLot     = 1 << 20 // the median of the tail
	tailEach = 150     // of how many mixed messages one is in the tail
)

var classes = []class{
	{"small", 1, func(n int) iter.Seq[mailgen.Message] { return mailgen.Sized(seed, n, 8<<10) }},
	{"mixed", 0.25, mixed},
	{"large", 0.008, func(n int) iter.Seq[mailgen.Message] { return bounded(mailgen.Sized(seed, 2*n, 4<<20), n) }},
	{"metadata", 1, func(n int) iter.Seq[mailgen.Message] { return equal(n, 0) }},
	{"huge", 0.004, func(n int) iter.Seq[mailgen.Message] { return equal(n, largest) }},
}

// equal are messages of the same size: a header, and a body up to size octets.
func equal(n, size int) iter.Seq[mailgen.Message] {
	return func(yield func(mailgen.Message) bool) {
		random := rand.NewChaCha8([32]byte{seed})
		line := make([]byte, 54)
		for i := range n {
			raw := fmt.Appendf(nil, "Message-ID: <%d.%d@example.org>\r\nFrom: sender@example.org\r\nSubject: number %d\r\n\r\n", i, size, i)
			raw = slices.Grow(raw, max(0, size-len(raw)))
			for len(raw)+74 <= size {
				_, _ = random.Read(line) // it never fails
				raw = append(base64.StdEncoding.AppendEncode(raw, line), "\r\n"...)
			}
			received := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Minute)
			if !yield(mailgen.Message{Mailboxes: []string{mailgen.Inbox}, ReceivedAt: received, Raw: raw}) {
				return
			}
		}
	}
}

func classNamed(name string) (class, error) {
	for _, c := range classes {
		if c.name == name {
			return c, nil
		}
	}
	return class{}, fmt.Errorf("there is no class of sizes %q: small, mixed, large, metadata, huge", name)
}

// mixed is mail as it lies in accounts: log-normal around 25 KB, and a tail of
// attachments of up to 25 MB.
func mixed(n int) iter.Seq[mailgen.Message] {
	return func(yield func(mailgen.Message) bool) {
		random := rand.New(rand.NewPCG(seed, 1))
		next, stop := iter.Pull(bounded(mailgen.Sized(seed+1, n, aLot), n))
		defer stop()
		for m := range mailgen.Sized(seed, n, 25<<10) {
			if random.IntN(tailEach) == 0 {
				if large, ok := next(); ok {
					m = large
				}
			}
			if !yield(m) {
				return
			}
		}
	}
}

// bounded leaves out what is larger than mail can be on most servers, and ends
// after n messages.
func bounded(all iter.Seq[mailgen.Message], n int) iter.Seq[mailgen.Message] {
	return func(yield func(mailgen.Message) bool) {
		for m := range all {
			if len(m.Raw) > largest {
				continue
			}
			if n--; n < 0 || !yield(m) {
				return
			}
		}
	}
}
