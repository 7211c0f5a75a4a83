package importer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/bubble"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

func TestMessagesArriveAsTheyWere(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	ls := mails(130)
	ls[3].boxes = []string{"inbox", "p"}
	ls[4].keywords = nil
	ls[5].keywords = []string{"$flagged", "a/b~c", "work"}
	ls[6].msgID, ls[6].raw = "", "Subject: no id\r\n\r\nx\r\n"
	snapshot(t, ar, contents{folders: []folder{inbox, {id: "p", name: "Projects"}}, letters: ls})
	res := s.imports(ar, Options{})
	same(t, "messages", s.holds(), wants(ls, map[string]string{"inbox": "Inbox", "p": "Projects"}))
	emailCounts(t, res, Counts{Total: 130, Created: 130})
}

func TestSecondImportWritesNothing(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	snapshot(t, ar, contents{folders: []folder{inbox, {id: "p", name: "Projects", order: 7}}, letters: mails(60),
		scripts: []script{{"main", "keep;\r\n", true}}, identities: []account.Object{identity("Alice", "alice@example.org", "-- A")},
		vacation: account.Object{"isEnabled": account.Marshal(false), "subject": account.Marshal("away")}})
	s.imports(ar, Options{})
	s.ResetCounts()
	res := s.imports(ar, Options{})
	for method, n := range s.Requests() {
		if method == "upload" || strings.HasSuffix(method, "/set") || strings.HasSuffix(method, "/import") || method == "Blob/upload" {
			t.Errorf("%d %s", n, method)
		}
	}
	if n := s.Requests()["api"]; n > 12 {
		t.Errorf("%d requests for an import with nothing to do", n)
	}
	emailCounts(t, res, Counts{Total: 60, Present: 60})
}

func identity(name, email, signature string) account.Object {
	o := account.Object{}
	o.Put("name", name)
	o.Put("email", email)
	o.Put("textSignature", signature)
	return o
}

// batchesOf20 is a server that takes no more at once.
var batchesOf20 = jmaptest.Profile{Limits: jmaptest.Limits{MaxObjectsInSet: 20}}

func TestEveryLostAnswerEndsInExactlyOneCopy(t *testing.T) {
	ls := mails(50) // three batches
	for n := 1; n <= 3; n++ {
		for _, do := range []jmaptest.FaultKind{jmaptest.DropAfter, jmaptest.DropBefore, jmaptest.Status500, jmaptest.CutBody} {
			t.Run(fmt.Sprintf("batch %d %s", n, do), func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					s, ar := newQuietTarget(t, batchesOf20), newArchive(t)
					snapshot(t, ar, onlyInbox(ls))
					s.Inject(jmaptest.Fault{Match: nth(n, "Email/import"), Times: 1, Do: do, Bytes: 20})
					res := s.imports(ar, Options{})
					same(t, "messages", s.holds(), wants(ls, inboxOnly))
					emailCounts(t, res, Counts{Total: 50, Created: 50})
				})
			})
		}
	}
}

func TestLostAnswersOnServersThatStoreDoublesAndReuseIDs(t *testing.T) {
	ls := mails(60)
	ls[45] = mail(46)
	ls[45].id = "twin" // two real copies in one batch
	ls[59] = mail(19)  // and two in two: they go by date
	ls[59].id, ls[59].keywords = "other twin", nil
	for _, p := range []jmaptest.Profile{{}, {ReuseIDs: true}, {MergeThreads: true}, {HistoryEntries: 10}} {
		p.Limits = batchesOf20.Limits
		for _, lost := range [][2]jmaptest.FaultKind{{jmaptest.DropAfter, jmaptest.DropAfter}, {jmaptest.DropBefore, jmaptest.DropAfter}, {jmaptest.DropAfter, jmaptest.DropBefore}} {
			bubble.Test(t, func(t *testing.T) {
				s, ar := newQuietTarget(t, p), newArchive(t)
				snapshot(t, ar, onlyInbox(ls))
				for i, do := range lost {
					s.Inject(jmaptest.Fault{Match: nth(1+i, "Email/import"), Times: 1, Do: do})
				}
				s.imports(ar, Options{})
				same(t, "messages", s.holds(), wants(ls, inboxOnly))
			})
		}
	}
}

func TestAWrongSizeIsNotBelieved(t *testing.T) {
	t.Run("stored all the same", func(t *testing.T) {
		s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
		snapshot(t, ar, onlyInbox(mails(20)))
		s.Inject(jmaptest.Fault{Match: at("Email/import"), Times: 1, Do: jmaptest.WrongSize})
		res := s.imports(ar, Options{})
		same(t, "messages", s.holds(), wants(mails(20), inboxOnly))
		emailCounts(t, res, Counts{Total: 20, Created: 20})
	})
	t.Run("dropped for its Message-ID", func(t *testing.T) {
		s, ar := newTarget(t, jmaptest.Profile{DropKnownMessageID: true}), newArchive(t)
		ls := mails(3)
		ls[2].raw = ls[1].raw + "another text\r\n"
		ls[2].msgID = ls[1].msgID
		snapshot(t, ar, onlyInbox(ls))
		res := s.imports(ar, Options{})
		emailCounts(t, res, Counts{Total: 3, Created: 2, Failed: 1})
		if len(res.Failures) != 1 || !strings.Contains(res.Failures[0].Item, "m1@example.org") ||
			!strings.Contains(res.Failures[0].Reason, "Message-ID") || !strings.Contains(res.Failures[0].Advice, "administrator") {
			t.Errorf("failures: %+v", res.Failures)
		}
		// It stays failed, and is tried again.
		emailCounts(t, s.imports(ar, Options{}), Counts{Total: 3, Present: 2, Failed: 1})
	})
}

func TestAlreadyExistsIsMerged(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Profile{DuplicateAlreadyExists: true}), newArchive(t)
	a, b := mail(1), mail(1)
	b.id, b.boxes, b.keywords = "twin", []string{"p"}, []string{"$flagged"}
	snapshot(t, ar, contents{folders: []folder{inbox, {id: "p", name: "Projects"}}, letters: []letter{a, b}})
	for range 2 {
		s.imports(ar, Options{})
		same(t, "messages", s.holds(), []string{line([]string{"Inbox", "Projects"}, []string{"$flagged", "$seen"}, a.received, a.raw)})
	}
	rep, err := Verify(context.Background(), ar, s.account(), VerifyOptions{})
	must(t, err)
	same(t, "differences", rep.Differences, []Difference(nil))
}

func TestACopyThatTheServerSwallowsIsReported(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Profile{DuplicateAlreadyExists: true}), newArchive(t)
	a, b := mail(1), mail(1)
	b.id = "twin"
	snapshot(t, ar, onlyInbox([]letter{a, b}))
	res := s.imports(ar, Options{})
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "1 message") || !strings.Contains(res.Warnings[0], "identical") {
		t.Errorf("warnings: %q", res.Warnings)
	}
	// verify says what the import said; from the archive alone it can't know.
	other := newArchive(t)
	snapshot(t, other, onlyInbox([]letter{a, b}))
	for ar, want := range map[*archive.Archive][2]string{ar: {"copy", "identical messages of an account as one"}, other: {"missing", "an identical message is"}} {
		rep, err := Verify(context.Background(), ar, s.account(), VerifyOptions{})
		must(t, err)
		if len(rep.Differences) != 1 || rep.Differences[0].What != want[0] || !strings.Contains(rep.Differences[0].Detail, want[1]) {
			t.Errorf("differences: %+v", rep.Differences)
		}
	}
}

// TestTheKeywordsOfARemovedCopyStay where one message stands for several: they
// may be the owner's by now, and what was read must not become unread.
func TestTheKeywordsOfARemovedCopyStay(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Cyrus36), newArchive(t)
	a, b := mail(1), mail(1)
	b.id, b.boxes, b.keywords = "twin", []string{"p"}, []string{"$flagged"}
	snapshot(t, ar, contents{folders: twoBoxes, letters: []letter{a, b}})
	s.imports(ar, Options{})
	snapshot(t, ar, contents{folders: twoBoxes, letters: []letter{a}})
	s.imports(ar, Options{Delete: true})
	same(t, "messages", s.holds(), []string{line([]string{"Inbox"}, []string{"$flagged", "$seen"}, a.received, a.raw)})
}

func TestOversizedMessagesAreNamedAndTheOthersArrive(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Profile{Limits: jmaptest.Limits{MaxSizeUpload: 1000}}), newArchive(t)
	ls := mails(5)
	ls[2].raw += strings.Repeat("y", 2000)
	snapshot(t, ar, onlyInbox(ls))
	res := s.imports(ar, Options{})
	emailCounts(t, res, Counts{Total: 5, Created: 4, Failed: 1})
	if f := res.Failures[0]; !strings.Contains(f.Item, "INBOX") || !strings.Contains(f.Item, "mail 2") || !strings.Contains(f.Reason, "too large") {
		t.Errorf("failure: %+v", f)
	}
}

func TestAFullAccountStopsTheRun(t *testing.T) {
	t.Run("known before", func(t *testing.T) {
		s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
		snapshot(t, ar, onlyInbox(mails(100)))
		s.SetQuota("alice", 500)
		_, err := Import(context.Background(), ar, s.account(), Options{})
		if jmapclient.KindOf(err) != jmapclient.OverQuota || !strings.Contains(err.Error(), "missing") {
			t.Errorf("error: %v", err)
		}
		if n := s.Requests()["Email/import"] + s.Requests()["upload"]; n > 0 {
			t.Errorf("%d requests sent into a full account", n)
		}
	})
	t.Run("found out, and gone on when there is room", func(t *testing.T) {
		s, ar := newTarget(t, jmaptest.Profile{Capabilities: capabilitiesWithout(quotaURN)}), newArchive(t)
		snapshot(t, ar, onlyInbox(mails(100)))
		s.SetQuota("alice", 5000)
		res, err := Import(context.Background(), ar, s.account(), Options{})
		if jmapclient.KindOf(err) != jmapclient.OverQuota || len(res.Failures) != 1 {
			t.Errorf("error: %v, failures %v", err, res.Failures)
		}
		s.SetQuota("alice", 0)
		s.imports(ar, Options{})
		same(t, "messages", s.holds(), wants(mails(100), inboxOnly))
	})
}

func TestExpiredUploadsAreSentAgain(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Profile{UploadKeep: 3000}), newArchive(t)
	snapshot(t, ar, onlyInbox(mails(100)))
	s.imports(ar, Options{})
	same(t, "messages", s.holds(), wants(mails(100), inboxOnly))
}

func TestSpamIsPutBackWhereItWas(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Profile{SpamHeader: "X-Spam-Status: Yes"}), newArchive(t)
	ls := mails(3)
	ls[1].raw = "X-Spam-Status: Yes\r\n" + ls[1].raw
	snapshot(t, ar, onlyInbox(ls))
	res := s.imports(ar, Options{})
	same(t, "messages", s.holds(), wants(ls, inboxOnly))
	emailCounts(t, res, Counts{Total: 3, Created: 3, Updated: 1})
}

func TestWhatWentFromTheTargetIsRestored(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Profile{ReuseIDs: true}), newArchive(t)
	snapshot(t, ar, onlyInbox(mails(10)))
	s.imports(ar, Options{})
	acc := s.account()
	page, err := acc.Page(context.Background(), account.Email, jmapclient.PageArgs{Sort: byReceived})
	must(t, err)
	for _, id := range page.IDs[:4] {
		s.Destroy("alice", id)
	}
	stranger := mail(77)
	s.put(stranger, "Inbox") // gets one of the freed ids
	res := s.imports(ar, Options{})
	same(t, "messages", s.holds(), wants(append(mails(10), stranger), inboxOnly))
	emailCounts(t, res, Counts{Total: 10, Created: 4, Present: 6})
	if len(res.Warnings) == 0 || !strings.Contains(res.Warnings[0], "4 messages") {
		t.Errorf("warnings: %q", res.Warnings)
	}
}

func TestMessagesInNoKnownMailboxGoToRecovered(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	ls := mails(4)
	ls[1].boxes = []string{"nowhere"}
	ls[2].boxes = nil
	ls[3].boxes = []string{"nowhere", "inbox"}
	snapshot(t, ar, onlyInbox(ls))
	res := s.imports(ar, Options{})
	s.imports(ar, Options{})
	ls[2].boxes = []string{"nowhere"}
	ls[3].boxes = []string{"inbox"}
	same(t, "messages", s.holds(), wants(ls, inboxOnly))
	if !strings.Contains(strings.Join(res.Warnings, "\n"), recoveredName) {
		t.Errorf("warnings: %q", res.Warnings)
	}
}

func TestDamagedMessagesAreNamedAndTheOthersArrive(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	ls := mails(10)
	ls[4].raw += strings.Repeat("0123456789abcdef", 4000)
	snapshot(t, ar, onlyInbox(ls))
	flip(t, ar, 2000)
	res := s.imports(ar, Options{})
	counts := res.Types["Email"]
	if counts.Failed == 0 || counts.Created+counts.Failed != 10 {
		t.Errorf("counts: %+v", counts)
	}
	for _, f := range res.Failures {
		if !strings.Contains(f.Reason, "damaged in the archive") {
			t.Errorf("failure: %+v", f)
		}
	}
	for _, l := range s.holds() {
		found := false
		for _, w := range wants(ls, inboxOnly) {
			found = found || w == l
		}
		if !found {
			t.Errorf("a message that the archive never had: %s", l)
		}
	}
}

// flip changes a byte in the archive's first pack.
func flip(t *testing.T, ar *archive.Archive, offset int64) {
	t.Helper()
	path := filepath.Join(ar.Dir(), "packs", "000001.tar.zst")
	data, err := os.ReadFile(path)
	must(t, err)
	data[offset] ^= 0x55
	must(t, os.WriteFile(path, data, 0o600))
}

func TestAnInterruptedImportGoesOn(t *testing.T) {
	ls := mails(230)
	for stop := 1; stop <= 4; stop++ {
		bubble.Test(t, func(t *testing.T) {
			s, ar := newQuietTarget(t, batchesOf20), newArchive(t)
			snapshot(t, ar, onlyInbox(ls))
			ctx, cancel := context.WithCancel(context.Background())
			var n atomic.Int32
			s.Inject(jmaptest.Fault{Do: jmaptest.DropAfter, Match: func(r jmaptest.Request) bool {
				if at("Email/import")(r) && n.Add(1) == int32(stop) {
					cancel()
				}
				return false
			}})
			_, err := Import(ctx, ar, s.account(), Options{})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("stopped at batch %d: error %v", stop, err)
			}
			// The batches that were out are finished and journalled.
			there := len(s.holds())
			if there < 20*stop || there%20 != 0 {
				t.Errorf("stopped at batch %d: %d messages are there", stop, there)
			}
			s.ResetCounts()
			emailCounts(t, s.imports(ar, Options{}), Counts{Total: 230, Created: int64(230 - there), Present: int64(there)})
			same(t, "messages", s.holds(), wants(ls, inboxOnly))
			if got := s.Requests()["Email/import"]; got != (230-there+19)/20 {
				t.Errorf("stopped at batch %d: %d more batches", stop, got)
			}
			cancel()
		})
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Profile{Limits: jmaptest.Limits{MaxSizeUpload: 1000}}), newArchive(t)
	ls := mails(5)
	ls[2].raw += strings.Repeat("y", 2000)
	snapshot(t, ar, contents{folders: []folder{inbox, {id: "p", name: "Projects"}}, letters: ls})
	s.put(mail(0), "Inbox")
	before, boxes := s.holds(), s.Mailboxes("alice")
	res := s.imports(ar, Options{DryRun: true})
	emailCounts(t, res, Counts{Total: 5, Created: 3, Present: 1, Failed: 1})
	same(t, "mailbox counts", res.Types["Mailbox"], Counts{Total: 2, Created: 1, Present: 1})
	same(t, "messages", s.holds(), before)
	same(t, "mailboxes", s.Mailboxes("alice"), boxes)
	if js, err := ar.Journals(); err != nil || len(js) != 0 {
		t.Errorf("a dry run left a journal: %v %v", js, err)
	}
	// The plan comes true.
	emailCounts(t, s.imports(ar, Options{}), Counts{Total: 5, Created: 3, Present: 1, Failed: 1})
}

func TestWhatCanNotBeImportedIsRefusedAtOnce(t *testing.T) {
	s := newTarget(t, jmaptest.Strict)
	if _, err := Import(context.Background(), newArchive(t), s.account(), Options{}); !errors.Is(err, archive.ErrNotFound) || !strings.Contains(err.Error(), "no finished export") {
		t.Errorf("an archive without a snapshot: %v", err)
	}
	ar := newArchive(t)
	snapshot(t, ar, onlyInbox(mails(1)))
	if _, err := Import(context.Background(), ar, s.account(), Options{At: 9}); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("an unknown snapshot: %v", err)
	}
	s.SetReadOnly("alice", true)
	if _, err := Import(context.Background(), ar, s.account(), Options{}); jmapclient.KindOf(err) != jmapclient.Forbidden || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a read-only target: %v", err)
	}
}
