package importer

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"mailhaul/internal/bubble"
	"mailhaul/jmapclient/jmaptest"
)

func TestAPieceOfAGentleWriteHasTheWholeDeadline(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer here.Close()
		go io.Copy(io.Discard, there)
		began := time.Now()
		conn := newGentle(here, 10_000)
		must(t, conn.SetWriteDeadline(began.Add(time.Minute)))
		_, err := conn.Write(make([]byte, 3_000_000))
		must(t, err)
		if took := time.Since(began); took < 299*time.Second || took > 301*time.Second {
			t.Errorf("3 MB at 10 kB a second took %v", took)
		}
		must(t, there.SetReadDeadline(time.Now())) // now nobody reads
		if _, err := conn.Write(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a write that nobody takes: %v", err)
		}
	})
}

func TestWhatGoesOverIMAPKeepsToTheRate(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s, ar := newQuietTarget(t, jmaptest.Stalwart07), newArchive(t)
		ls := mails(2) // of one Message-ID: the second is dropped, and appended
		for i := range ls {
			ls[i].raw = "Message-ID: <one@example.org>\r\n" + strings.Replace(ls[i].raw, "Message-ID:", "X-Was:", 1) + strings.Repeat("a line\r\n", 50_000)
		}
		snapshot(t, ar, onlyInbox(ls))
		door := openQuietIMAP(t, &imapDoor{s: s.Server})
		door.Rate = 10_000
		began := time.Now()
		res, err := Import(context.Background(), ar, s.account(), Options{IMAP: door})
		must(t, err)
		same(t, "failures", res.Failures, []Failure(nil))
		if took := time.Since(began); took < 39*time.Second {
			t.Errorf("400 kB at 10 kB a second took %v", took)
		}
		if n := len(s.Messages("alice")); n != 2 {
			t.Errorf("%d messages are there", n)
		}
	})
}
