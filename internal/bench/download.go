package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"mailhaul/account"
)

const (
	// batchOctets bounds what a bare loop asks for at once beside the number of
	// blobs: beyond it nothing is won.
	batchOctets = 8 << 20
	// alone is the size from which a bare loop downloads a blob by itself: in
	// JSON it costs a third more.
	alone = 512 << 10
)

// exportLoops are the bare loops that fetch all messages.
func exportLoops(w *wire, all []remote) []loop {
	most := min(w.core.MaxConcurrentRequests, 8)
	loops := []loop{downloadLoop(all, most)}
	if urn, _ := w.blob(); urn != "" {
		for _, n := range []int{50, 100, 500} {
			if n <= w.core.MaxObjectsInGet {
				loops = append(loops, blobGetLoop(all, n, most))
			}
		}
	}
	return loops
}

func downloadLoop(all []remote, most int) loop {
	return loop{"download, one blob a request", most, func(_ context.Context, w *wire) ([]job, error) {
		jobs := make([]job, len(all))
		for i, m := range all {
			jobs[i] = w.download(m)
		}
		return jobs, nil
	}}
}

// oldExport is the strategy of Stalwart's old command-line tool.
func oldExport(all []remote) tuned {
	return tuned{downloadLoop(all, machine()), machine()}
}

func (w *wire) download(m remote) job {
	to := strings.NewReplacer("{blobId}", url.PathEscape(m.BlobID), "{name}", "m", "{type}", "message%2Frfc822").Replace(w.downloadURL)
	return func(ctx context.Context) (int, int64, error) {
		return 1, m.Size, w.discard(ctx, http.MethodGet, to, nil, m.Size)
	}
}

func blobGetLoop(all []remote, n, most int) loop {
	return loop{fmt.Sprintf("Blob/get of %d", n), most, func(_ context.Context, w *wire) ([]job, error) {
		var jobs []job
		var batch []remote
		var octets int64
		flush := func() error {
			if len(batch) == 0 {
				return nil
			}
			j, err := w.blobGet(batch, octets)
			jobs, batch, octets = append(jobs, j), nil, 0
			return err
		}
		for _, m := range all {
			if m.Size >= alone {
				jobs = append(jobs, w.download(m))
				continue
			}
			if len(batch) == n || octets+m.Size > batchOctets {
				if err := flush(); err != nil {
					return nil, err
				}
			}
			batch, octets = append(batch, m), octets+m.Size
		}
		return jobs, flush()
	}}
}

func (w *wire) blobGet(batch []remote, octets int64) (job, error) {
	ids := make([]string, len(batch))
	for i, m := range batch {
		ids[i] = m.BlobID
	}
	urn, _ := w.blob()
	body, err := json.Marshal(map[string]any{"using": []string{coreURN, urn}, "methodCalls": []any{
		[]any{"Blob/get", map[string]any{"accountId": w.accountID, "ids": ids, "properties": []string{"data:asBase64", "size"}}, "0"}}})
	return func(ctx context.Context) (int, int64, error) {
		return len(batch), octets, w.discard(ctx, http.MethodPost, w.apiURL, body, octets*4/3)
	}, err
}

// listLoop is what an export needs beside the blobs: every message's object, by
// pages, with the properties that mailhaul keeps. It is shown for comparison.
func listLoop(all []remote, most int) loop {
	const page = 500
	return loop{"(listing alone: Email/query and Email/get)", most, func(_ context.Context, w *wire) ([]job, error) {
		var jobs []job
		for at := 0; at < len(all); at += page {
			args := map[string]any{"accountId": w.accountID, "limit": page, "sort": []any{map[string]any{"property": "receivedAt", "isAscending": true}}}
			if at > 0 {
				args["anchor"], args["anchorOffset"] = all[at-1].ID, 1
			}
			body, err := json.Marshal(map[string]any{"using": mailUsing, "methodCalls": []any{
				[]any{"Email/query", args, "0"},
				[]any{"Email/get", map[string]any{"accountId": w.accountID, "properties": account.Email.Properties,
					"#ids": map[string]any{"resultOf": "0", "name": "Email/query", "path": "/ids"}}, "1"},
			}})
			if err != nil {
				return nil, err
			}
			n := min(page, len(all)-at)
			jobs = append(jobs, func(ctx context.Context) (int, int64, error) {
				return n, 0, w.discard(ctx, http.MethodPost, w.apiURL, body, int64(n)*100)
			})
		}
		return jobs, nil
	}}
}
