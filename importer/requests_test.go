package importer

import (
	"context"
	"testing"

	"mailhaul/internal/bubble"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// TestRequestsAreFew: servers ration them.
func TestRequestsAreFew(t *testing.T) {
	const n = fewRequests
	for _, tc := range []struct {
		name    string
		profile jmaptest.Profile
		login   func(*target) *jmapclient.Account
		most    int
	}{
		{"blobs ahead of the import", jmaptest.Stalwart07, (*target).asAdmin, 25 + n/25},
		{"blobs with the import", jmaptest.Strict, (*target).account, 25 + n/60},
		{"blobs that end with the request", jmaptest.Cyrus36, (*target).account, 25 + n/60},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				s, ar := newQuietTarget(t, tc.profile), newArchive(t)
				snapshot(t, ar, onlyInbox(mails(n)))
				requests := func() int64 {
					acc := tc.login(s)
					before := acc.Client.Stats().Requests
					res, err := Import(context.Background(), ar, acc, Options{})
					must(t, err)
					same(t, "failures", res.Failures, []Failure(nil))
					return acc.Client.Stats().Requests - before
				}
				if got := requests(); got > int64(tc.most) {
					t.Errorf("an import of %d messages took %d requests, more than %d", n, got, tc.most)
				}
				if got := len(s.Messages("alice")); got != n {
					t.Errorf("%d messages are there", got)
				}
				// As many as reading the ids of 1000 messages takes, but for what else there is.
				if got := requests(); got > 6 {
					t.Errorf("an import without changes took %d requests", got)
				}
			})
		})
	}
}
