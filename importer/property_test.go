package importer

import (
	"context"
	"flag"
	"fmt"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"mailhaul/archive"
	"mailhaul/internal/bubble"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// disturbed is an import that meets faults and is interrupted.
type disturbed struct {
	stop, bad int32 // from which request on
	do        jmaptest.FaultKind
}

func drawDisturbed(rt *rapid.T) disturbed {
	return disturbed{int32(rapid.IntRange(1, 40).Draw(rt, "stop")), int32(rapid.IntRange(1, 20).Draw(rt, "bad")),
		rapid.SampledFrom([]jmaptest.FaultKind{jmaptest.DropAfter, jmaptest.DropBefore, jmaptest.CutBody, jmaptest.WrongSize}).Draw(rt, "fault")}
}

// run imports under it, which may well fail: that is the point.
func (d disturbed) run(s *target, ar *archive.Archive, acc *jmapclient.Account) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var n atomic.Int32
	s.Inject(jmaptest.Fault{Do: d.do, Times: 2, Bytes: 10, Match: func(r jmaptest.Request) bool {
		i := n.Add(1)
		if i == d.stop {
			cancel()
		}
		return i >= d.bad && r.Kind == "api"
	}})
	_, _ = Import(ctx, ar, acc, Options{})
	s.ClearFaults()
}

// TestAnyFaultsThenACleanRunEndExactlyOnce imports random accounts under random
// faults and interruptions, again and again; a clean run at the end leaves
// every message there once, where it belongs.
func TestAnyFaultsThenACleanRunEndExactlyOnce(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue { // each is a whole account, several times
		must(t, f.Value.Set(anyFaults))
		defer func() { must(t, f.Value.Set(f.DefValue)) }()
	}
	rapid.Check(t, func(rt *rapid.T) {
		profile := rapid.SampledFrom([]jmaptest.Profile{
			{}, {ReuseIDs: true}, {MergeThreads: true}, {HistoryEntries: 20}, withoutDigests(true), {UploadKeep: 3000},
			{OmitEmpty: true, NoCreationIDsInBlobID: true, SpamHeader: "X-Spam-Status: Yes"}, jmaptest.Stalwart07,
		}).Draw(rt, "profile")
		ls := drawLetters(rt)
		there := rapid.SliceOfN(rapid.IntRange(0, 9), len(ls), len(ls)).Draw(rt, "there already where 0")
		runs := rapid.SliceOfN(rapid.Custom(drawDisturbed), 0, 4).Draw(rt, "runs")
		var failures []Failure
		var got, want []string
		bubble.Test(t, func(t *testing.T) {
			s, ar := newQuietTarget(t, profile), newArchive(t)
			open, untouched := s.account, func(testing.TB) {}
			if profile.DropKnownMessageID {
				open, untouched = s.asAdmin, s.adminsMail()
			}
			folders := []folder{inbox, {id: "p", name: "Projects"}, {id: "q", name: "Quiet", parent: "p"}}
			snapshot(t, ar, contents{folders: folders, letters: ls})
			for i, l := range ls {
				if there[i] == 0 && len(l.boxes) > 0 && l.boxes[0] == "inbox" {
					l.keywords = nil
					s.put(l, "Inbox")
				}
			}
			for _, d := range runs {
				d.run(s, ar, open())
			}
			res, err := Import(context.Background(), ar, open(), Options{})
			must(t, err)
			failures = res.Failures
			got, want = s.holds(), wants(ls, map[string]string{"inbox": "Inbox", "p": "Projects", "q": "Projects/Quiet"})
			untouched(t)
		})
		if len(failures) > 0 {
			rt.Fatalf("failures of a clean run: %+v", failures)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Fatalf("%d messages, want %d:\n%s\nwant\n%s", len(got), len(want), got, want)
		}
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
