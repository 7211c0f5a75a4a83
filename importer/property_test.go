package importer

import (
	"context"
	"flag"
	"fmt"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"mailhaul/jmapclient/jmaptest"
)

// TestAnyFaultsThenACleanRunEndExactlyOnce imports random accounts under random
// faults and interruptions, again and again; a clean run at the end leaves
// every message there once, where it belongs.
func TestAnyFaultsThenACleanRunEndExactlyOnce(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue { // each takes a second of waiting for retries
		must(t, f.Value.Set(anyFaults))
		defer func() { must(t, f.Value.Set(f.DefValue)) }()
	}
	rapid.Check(t, func(rt *rapid.T) {
		profile := rapid.SampledFrom([]jmaptest.Profile{
			{}, {ReuseIDs: true}, {MergeThreads: true}, {HistoryEntries: 20}, withoutDigests(true), {UploadKeep: 3000},
			{OmitEmpty: true, NoCreationIDsInBlobID: true, SpamHeader: "X-Spam-Status: Yes"}, jmaptest.Stalwart07,
		}).Draw(rt, "profile")
		s, ar := newTarget(t, profile), newArchive(t)
		defer s.Close()
		open, untouched := s.account, func(testing.TB) {}
		if profile.DropKnownMessageID {
			open, untouched = s.asAdmin, s.adminsMail()
		}
		ls := drawLetters(rt)
		folders := []folder{inbox, {id: "p", name: "Projects"}, {id: "q", name: "Quiet", parent: "p"}}
		snapshot(t, ar, contents{folders: folders, letters: ls})
		there := 0
		for _, l := range ls {
			if rapid.IntRange(0, 9).Draw(rt, "there already") == 0 && len(l.boxes) > 0 && l.boxes[0] == "inbox" {
				l.keywords = nil
				s.put(l, "Inbox")
				there++
			}
		}
		for range rapid.IntRange(0, 4).Draw(rt, "runs") {
			ctx, cancel := context.WithCancel(context.Background())
			var n atomic.Int32
			stop := int32(rapid.IntRange(1, 40).Draw(rt, "stop"))
			bad := int32(rapid.IntRange(1, 20).Draw(rt, "bad"))
			do := rapid.SampledFrom([]jmaptest.FaultKind{jmaptest.DropAfter, jmaptest.DropBefore, jmaptest.CutBody, jmaptest.WrongSize}).Draw(rt, "fault")
			s.Inject(jmaptest.Fault{Do: do, Times: 2, Bytes: 10, Match: func(r jmaptest.Request) bool {
				i := n.Add(1)
				if i == stop {
					cancel()
				}
				return i >= bad && r.Kind == "api"
			}})
			_, _ = Import(ctx, ar, open(), Options{}) // may well fail: that is the point
			cancel()
			s.ClearFaults()
		}
		res, err := Import(context.Background(), ar, open(), Options{})
		must(t, err)
		if len(res.Failures) > 0 {
			rt.Fatalf("failures of a clean run: %+v", res.Failures)
		}
		got, want := s.holds(), wants(ls, map[string]string{"inbox": "Inbox", "p": "Projects", "q": "Projects/Quiet"})
		if fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Fatalf("%d messages (%d were there), want %d:\n%s\nwant\n%s", len(got), there, len(want), got, want)
		}
		untouched(t)
	})
}

func drawLetters(rt *rapid.T) (ls []letter) {
	for i := range rapid.IntRange(0, 110).Draw(rt, "messages") {
		l := mail(rapid.IntRange(0, 200).Draw(rt, "mail")) // the same one twice is two copies
		l.id = fmt.Sprintf("s%d", i)
		l.boxes = rapid.SampledFrom([][]string{{"inbox"}, {"inbox"}, {"p"}, {"inbox", "q"}}).Draw(rt, "boxes")
		l.keywords = rapid.SampledFrom([][]string{nil, {"$seen"}, {"$flagged", "$seen"}, {"a/b"}}).Draw(rt, "keywords")
		switch rapid.IntRange(0, 9).Draw(rt, "kind") {
		case 0:
			l.raw = "X-Spam-Status: Yes\r\n" + l.raw
		case 1: // another text under the same Message-ID, size and date
			l.raw = l.raw[:len(l.raw)-3] + fmt.Sprintf("%c\r\n", 'A'+i%20)
		}
		ls = append(ls, l)
	}
	return ls
}
