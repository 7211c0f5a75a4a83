package exporter

import (
	"testing"

	"mailhaul/jmapclient/jmaptest"
)

// A server sorts all of an account for a page of it, so that the ids of many
// pages are asked for with one of them: the queries do not grow with the pages.
func TestJMAPAListingAsksForManyIDsAtOnce(t *testing.T) {
	queries := map[int]int{}
	for _, messages := range []int{90, 300} {
		w := newWorld(t, narrow(jmaptest.Strict, 20))
		for i := range messages {
			w.deliver(i)
		}
		src := w.alice(t)
		ar := newArchive(t, src)
		w.ResetCounts()
		mustExport(t, src, ar)
		w.has(t, ar)
		queries[messages] = w.Requests()["Email/query"]
	}
	if queries[90] != queries[300] || queries[300] > 6 {
		t.Errorf("queries by messages, of which 20 make a page: %v", queries)
	}
}
