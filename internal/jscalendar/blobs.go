package jscalendar

import (
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// Attachments of events are links. JMAP lets a link name a blob (blobId) in the
// place of an href; Cyrus refuses that and takes a data: URI.

// eachLink visits the links of an event, of its locations and participants, and
// those in its overrides.
func eachLink(v any, visit func(link map[string]any)) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		last := k[strings.LastIndexByte(k, '/')+1:]
		entry, isObject := m[k].(map[string]any)
		switch {
		case !isObject:
		case last == "links":
			for _, link := range inner(m, k) {
				visit(link)
			}
		case strings.HasSuffix(strings.TrimSuffix(k, last), "links/"):
			visit(entry)
		default:
			eachLink(entry, visit)
		}
	}
}

// Blobs are the ids of the blobs that an event's links are.
func Blobs(o account.Object) []string {
	m, err := js.Decode(o)
	if err != nil {
		return nil
	}
	var ids []string
	eachLink(m, func(link map[string]any) {
		if id := text(link, "blobId"); id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	})
	return ids
}

// WithBlobs is an event with other ids for its blobs: those that the target gave
// them. What has no other id stays.
func WithBlobs(o account.Object, ids map[string]string) account.Object {
	m, err := js.Decode(o)
	if err != nil {
		return o
	}
	eachLink(m, func(link map[string]any) {
		if id, ok := ids[text(link, "blobId")]; ok {
			link["blobId"] = id
		}
	})
	return js.Encode(m)
}

// Inline is an event whose links are data: URIs (RFC 2397) instead of blobs. What
// load does not give stays a blob.
func Inline(o account.Object, load func(blobID string) ([]byte, bool)) account.Object {
	m, err := js.Decode(o)
	if err != nil {
		return o
	}
	eachLink(m, func(link map[string]any) {
		id := text(link, "blobId")
		if data, ok := load(id); ok && id != "" {
			link["href"] = js.DataURI(text(link, "contentType"), data)
			delete(link, "blobId")
		}
	})
	return js.Encode(m)
}
