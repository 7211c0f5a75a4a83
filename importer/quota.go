package importer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"mailhaul/jmapclient"
)

// quota is RFC 9425's, as far as it matters here.
type quota struct {
	ResourceType string   `json:"resourceType"`
	Used         int64    `json:"used"`
	HardLimit    int64    `json:"hardLimit"`
	Limit        int64    `json:"limit"` // an early draft's name
	Scope        string   `json:"scope"`
	Types        []string `json:"types"`
	DataTypes    []string `json:"dataTypes"` // an early draft's name
}

const quotaURN = "urn:ietf:params:jmap:quota"

// checkQuota stops before anything is sent to an account that can't hold it.
// It only does when the answer is the account's: Stalwart up to 0.11 answers
// the limit of whoever asks.
func (r *run) checkQuota(ctx context.Context, bytes int64) error {
	if _, ok := r.to.Capabilities[quotaURN]; !ok {
		return nil
	}
	raw, err := r.to.Call(ctx, []string{"urn:ietf:params:jmap:core", quotaURN}, "Quota/get", map[string]any{"ids": nil}, true)
	if err != nil {
		if k := jmapclient.KindOf(err); k == jmapclient.Unsupported || k == jmapclient.ServerFault || k == jmapclient.Invalid || k == jmapclient.Forbidden {
			r.note("the server does not say how much room the account has: %v", err)
			return nil
		}
		return err
	}
	var got struct{ List []quota }
	if json.Unmarshal(raw, &got) != nil {
		return nil
	}
	for _, q := range got.List {
		limit := max(q.HardLimit, q.Limit)
		missing := bytes - (limit - q.Used)
		if q.ResourceType != "octets" || limit <= 0 || missing <= 0 || !coversMail(append(q.Types, q.DataTypes...)) {
			continue
		}
		text := fmt.Sprintf("the account may hold %s and holds %s; %s are to be imported: %s are missing",
			size(limit), size(q.Used), size(bytes), size(missing))
		if !r.to.Own {
			r.warn("%s (if the server answered for %s and not for the signed-in user)", text, r.to.Name)
			continue
		}
		return &jmapclient.Error{Kind: jmapclient.OverQuota, Op: "import", Account: r.to.Name, Detail: text}
	}
	return nil
}

func coversMail(types []string) bool {
	return len(types) == 0 || slices.Contains(types, "Email") || slices.Contains(types, "Mail")
}

// size words a number of octets.
func size(n int64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d bytes", n)
	}
	f, prefix := float64(n), -1
	for f >= unit && prefix < 4 {
		f /= unit
		prefix++
	}
	return fmt.Sprintf("%.1f %cB", f, "kMGTP"[prefix])
}
