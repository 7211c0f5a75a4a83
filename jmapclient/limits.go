package jmapclient

import (
	"encoding/json"
	"math"
)

// coreURN is the core capability (RFC 8620 §2).
const coreURN = "urn:ietf:params:jmap:core"

// Limits are the core capability's seven (RFC 8620 §2), in octets and counts.
// What a server leaves out or sets to nonsense has the RFC's suggested value;
// what is beyond use is cut down to what this client is ready for.
type Limits struct {
	MaxSizeUpload, MaxConcurrentUpload, MaxSizeRequest, MaxConcurrentRequests int64
	MaxCallsInRequest, MaxObjectsInGet, MaxObjectsInSet                       int64
}

// readLimits reads the core capability's object.
func readLimits(core json.RawMessage) Limits {
	var said map[string]json.RawMessage
	_ = json.Unmarshal(core, &said) // anything else than an object says nothing
	var l Limits
	for _, f := range []struct {
		name          string
		into          *int64
		usually, most int64
	}{
		{"maxSizeUpload", &l.MaxSizeUpload, 50_000_000, 1 << 40},
		{"maxConcurrentUpload", &l.MaxConcurrentUpload, 4, mostAtOnce},
		{"maxSizeRequest", &l.MaxSizeRequest, 10_000_000, 64 << 20},
		{"maxConcurrentRequests", &l.MaxConcurrentRequests, 4, mostAtOnce},
		{"maxCallsInRequest", &l.MaxCallsInRequest, 16, 64},
		{"maxObjectsInGet", &l.MaxObjectsInGet, 500, 5000},
		{"maxObjectsInSet", &l.MaxObjectsInSet, 500, 5000},
	} {
		*f.into = f.usually
		var n float64
		if json.Unmarshal(said[f.name], &n) != nil || n < 1 || math.IsNaN(n) {
			continue
		}
		*f.into = int64(min(n, float64(f.most)))
	}
	return l
}
