package importer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mailhaul/internal/bubble"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// heard keeps the events of an import.
type heard struct {
	mu     sync.Mutex
	events []progress.Event
}

func (h *heard) take(e progress.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func (h *heard) waits() (list []progress.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.Kind == progress.Wait {
			list = append(list, e)
		}
	}
	return list
}

// long makes messages of so many octets.
func long(n, octets int) []letter {
	ls := mails(n)
	for i := range ls {
		ls[i].raw += strings.Repeat(fmt.Sprintf("%079d\n", i), octets/80)
	}
	return ls
}

func withoutBlobUpload(p jmaptest.Profile) jmaptest.Profile {
	p.Capabilities = slices.DeleteFunc(slices.Clone(p.Capabilities), func(c jmaptest.Capability) bool { return c.URN == blobURN })
	return p
}

// TestAnHourlyQuotaOfUploadsIsWaitedFor imports more than a user may upload in
// an hour, by number or by octets: all arrives, once, as soon as the quota
// allows, and it is said why and until when it waits.
func TestAnHourlyQuotaOfUploadsIsWaitedFor(t *testing.T) {
	expiring := withoutBlobUpload(jmaptest.Stalwart07)
	expiring.UploadExpiry = 20 * time.Minute
	fewer := jmaptest.Stalwart07
	fewer.UploadOctetsPerHour = 4_000_000
	mixed := long(40, 60_000)
	mixed[7].raw += strings.Repeat("z", 2_200_000) // too large for a method call
	for i, tc := range []struct {
		name    string
		profile jmaptest.Profile
		letters []letter
		hours   int // that it takes at least
		says    string
	}{
		{"0.7, messages", jmaptest.Stalwart07, mails(rationedMails), rationedHours - 1, fmt.Sprintf("about %d hour", rationedHours-1)},
		{"0.7, octets", fewer, mixed, 1, "messages"},
		{"0.16, messages", jmaptest.Stalwart016, mails(1100), 1, "about 1 hour"},
		{"0.16, each upload by itself", withoutBlobUpload(jmaptest.Stalwart016), mails(1100), 1, "1100 messages"},
		{"0.7, uploads that expire meanwhile", expiring, mails(1125), 1, "1125 messages"},
	} {
		if i%everyNth > 1 {
			continue
		}
		t.Run(tc.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				s, ar := newQuietTarget(t, tc.profile), newArchive(t)
				var h heard
				s.wait = func(why string, until time.Time) {
					h.take(progress.Event{Kind: progress.Wait, Text: why, Until: until})
				}
				snapshot(t, ar, onlyInbox(tc.letters))
				began := time.Now()
				res := s.imports(ar, Options{Events: h.take})
				same(t, "failures", res.Failures, []Failure(nil))
				n := int64(len(tc.letters))
				emailCounts(t, res, Counts{Total: n, Created: n})
				same(t, "messages", s.holds(), wants(tc.letters, inboxOnly))
				took := time.Since(began)
				t.Logf("took %v, %d requests, %d waits", took, s.Requests()["api"]+s.Requests()["upload"], len(h.waits()))
				if most := time.Duration(tc.hours)*time.Hour + 30*time.Minute; took > most {
					t.Errorf("it took %v, more than %v", took, most)
				}
				if !slices.ContainsFunc(h.waits(), func(e progress.Event) bool {
					return strings.Contains(e.Text, "in an hour") && e.Until.After(began)
				}) {
					t.Errorf("it was not said why it waits")
				}
				if len(h.waits()) > 1000 {
					t.Errorf("%d waits were told of", len(h.waits()))
				}
				if !slices.ContainsFunc(res.Warnings, func(w string) bool {
					return strings.Contains(w, tc.says) && strings.Contains(w, "--imap-url") && strings.Contains(w, "hour")
				}) {
					t.Errorf("warnings: %q", res.Warnings)
				}
			})
		})
	}
}

// TestAnAdministratorIsNotRationed: no wait, and none is announced.
func TestAnAdministratorIsNotRationed(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s, ar := newQuietTarget(t, jmaptest.Stalwart07), newArchive(t)
		snapshot(t, ar, onlyInbox(mails(1200)))
		began := time.Now()
		res, err := Import(context.Background(), ar, s.asAdmin(), Options{})
		must(t, err)
		same(t, "messages", s.holds(), wants(mails(1200), inboxOnly))
		if strings.Contains(fmt.Sprint(res.Warnings), "hour") {
			t.Errorf("warnings: %q", res.Warnings)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// TestWhereUploadsAreRationedMessagesGoOverIMAP, all of them where it is known
// ahead, else those that are left when the quota is met.
func TestWhereUploadsAreRationedMessagesGoOverIMAP(t *testing.T) {
	other := jmaptest.Stalwart07 // a quota that nobody knows of
	other.UploadFilesPerHour = 300
	for i, tc := range []struct {
		name    string
		profile jmaptest.Profile
		n       int
		door    *imapDoor
		says    string
		waits   bool
	}{
		{"known ahead", jmaptest.Stalwart07, 1001, &imapDoor{}, "1001 messages came in over IMAP, and 0 messages by upload", false},
		{"met", other, 420, &imapDoor{}, "120 messages came in over IMAP, and 300 messages by upload", false},
		{"met, and some appends fail", other, 420, &imapDoor{breaks: map[int]string{3: "stored", 8: "not stored", 20: "refused"}},
			"120 messages came in over IMAP, and 300 messages by upload", false},
		{"met, and IMAP is of no use", other, 420, &imapDoor{empty: true}, "IMAP can't be used", true},
		{"met, and IMAP never takes one", other, 420, &imapDoor{refuses: "mail 333\r\n"}, "119 messages came in over IMAP, and 301 messages by upload", true},
	} {
		if i%everyNth > 2 || i%everyNth == 0 && everyNth > 1 {
			continue
		}
		t.Run(tc.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				s, ar := newQuietTarget(t, tc.profile), newArchive(t)
				ls := mails(tc.n)
				for i := range ls {
					ls[i].boxes = [][]string{{"inbox"}, {"p"}, {"inbox", "p"}}[i%3]
					ls[i].keywords = [][]string{{"$seen"}, nil, {"$flagged", "work"}}[i%3]
				}
				snapshot(t, ar, contents{folders: inboxAndProject, letters: ls, scripts: []script{{"main", "keep;\r\n", true}}})
				before := len(s.Mailboxes("alice"))
				door := tc.door
				door.s = s.Server
				var h heard
				began := time.Now()
				res := s.imports(ar, Options{IMAP: openQuietIMAP(t, door), Events: h.take})
				same(t, "failures", res.Failures, []Failure(nil))
				same(t, "messages", s.holds(), wants(ls, inboxAndProjects))
				if !slices.ContainsFunc(res.Warnings, func(w string) bool { return strings.Contains(w, tc.says) }) {
					t.Errorf("warnings: %q", res.Warnings)
				}
				if n := len(s.Mailboxes("alice")); n != before+1 {
					t.Errorf("%d mailboxes, want %d: %+v", n, before+1, s.Mailboxes("alice"))
				}
				if tc.name == "known ahead" { // a script may be uploaded at once
					same(t, "scripts", res.Types["SieveScript"], Counts{Total: 1, Created: 1, Bytes: 7})
				}
				if got := len(h.waits()) > 0; got != tc.waits {
					t.Errorf("waited: %t, want %t", got, tc.waits)
				}
				t.Logf("took %v", time.Since(began))
				emailCounts(t, s.imports(ar, Options{}), Counts{Total: int64(tc.n), Present: int64(tc.n)})
			})
		})
	}
}

// TestAQuotaThatStaysUsedUpEndsTheRun with how much is missing.
func TestAQuotaThatStaysUsedUpEndsTheRun(t *testing.T) {
	for _, p := range []jmaptest.Profile{jmaptest.Stalwart07, withoutBlobUpload(jmaptest.Stalwart07)} {
		bubble.Test(t, func(t *testing.T) {
			p.UploadFilesPerHour, p.UploadOctetsPerHour = 0, 1000
			s, ar := newQuietTarget(t, p), newArchive(t)
			ls := long(1, 2000) // never
			snapshot(t, ar, onlyInbox(ls))
			res, err := Import(context.Background(), ar, s.account(), Options{})
			if jmapclient.KindOf(err) != jmapclient.OverQuota || !strings.Contains(err.Error(), "still to come: 1 message") {
				t.Errorf("error: %v", err)
			}
			same(t, "failures", res.Failures, []Failure(nil))
		})
	}
}
