package jscontact

import (
	"maps"
	"slices"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// How servers take a card. Seen: Stalwart 0.15.5 and 0.16.18 refuse vCardProps,
// and photos by blobId, both as invalidProperties of the whole card; photos as
// data: URIs they take. Cyrus takes an avatar by blobId only.

// needed are properties that no card can be without: where one is refused,
// the card is.
var needed = []string{"@type", "version", "uid", "addressBookIds", "addressbookId"}

// Without is a card, or a Contact of Cyrus's, less a property that a server
// refused, named as the server named it. A refusal of media takes out what is
// there by blobId only, if any is: first try [Inline]. It is not ok when nothing
// can be taken out: then the object itself is refused.
func Without(o account.Object, refused string) (rest account.Object, told []js.Problem, ok bool) {
	m, err := js.Decode(o)
	if err != nil || slices.Contains(needed, refused) {
		return nil, nil, false
	}
	tell := func(path string) {
		told = append(told, js.Problem{Property: path, Reason: "the server does not take it"})
	}
	if refused == "media" {
		for id, e := range all(m, "media") {
			if e["blobId"] != nil {
				tell(js.Remove(m, js.Join("media", id)))
			}
		}
	}
	if len(told) == 0 {
		path := js.Remove(m, refused)
		if path == "" {
			return nil, nil, false
		}
		tell(path)
	}
	return js.Encode(m), told, true
}

// all are the entries of a map that are objects, by id.
func all(m map[string]any, property string) func(func(string, map[string]any) bool) {
	entries, _ := m[property].(map[string]any)
	return func(yield func(string, map[string]any) bool) {
		for _, id := range slices.Sorted(maps.Keys(entries)) {
			if e, ok := entries[id].(map[string]any); ok && !yield(id, e) {
				return
			}
		}
	}
}

// Blobs are the ids of the blobs that a card's media, or a Contact's avatar, are.
func Blobs(o account.Object) []string {
	m, err := js.Decode(o)
	if err != nil {
		return nil
	}
	var ids []string
	for _, e := range all(m, "media") {
		if s := text(e, "blobId"); s != "" {
			ids = append(ids, s)
		}
	}
	if file, ok := m["avatar"].(map[string]any); ok && text(file, "blobId") != "" {
		ids = append(ids, text(file, "blobId"))
	}
	return ids
}

// WithBlobs is a card or a Contact with other ids for its blobs: those that the
// target gave them. What has no other id stays.
func WithBlobs(o account.Object, ids map[string]string) account.Object {
	m, err := js.Decode(o)
	if err != nil {
		return o
	}
	put := func(e map[string]any) {
		if id, ok := ids[text(e, "blobId")]; ok {
			e["blobId"] = id
		}
	}
	for _, e := range all(m, "media") {
		put(e)
	}
	if file, ok := m["avatar"].(map[string]any); ok {
		put(file)
	}
	return js.Encode(m)
}

// Inline is a card whose media are data: URIs (RFC 2397) instead of blobs, for
// servers that refuse blobId. What load does not give stays a blob.
func Inline(o account.Object, load func(blobID string) ([]byte, bool)) account.Object {
	m, err := js.Decode(o)
	if err != nil {
		return o
	}
	for _, e := range all(m, "media") {
		id := text(e, "blobId")
		data, ok := load(id)
		if id == "" || !ok {
			continue
		}
		e["uri"] = js.DataURI(text(e, "mediaType"), data)
		delete(e, "blobId")
	}
	return js.Encode(m)
}

// Upload is a card's medium that is a data: URI.
type Upload struct {
	ID        string // of the medium in the card
	MediaType string
	Data      []byte
}

// Uploads are the media of a card that are data: URIs and have to become blobs
// for a server that takes only these ([Blobbed]).
func Uploads(o account.Object) []Upload {
	m, err := js.Decode(o)
	if err != nil {
		return nil
	}
	var ups []Upload
	for id, e := range all(m, "media") {
		if mediaType, data, err := js.ReadData(text(e, "uri")); err == nil {
			if s := text(e, "mediaType"); s != "" {
				mediaType = s
			}
			ups = append(ups, Upload{id, mediaType, data})
		}
	}
	return ups
}

// Blobbed is a card whose media with these ids are the blobs they were uploaded
// as.
func Blobbed(o account.Object, blobIDs map[string]string) account.Object {
	m, err := js.Decode(o)
	if err != nil {
		return o
	}
	for id, e := range all(m, "media") {
		blobID, ok := blobIDs[id]
		if !ok {
			continue
		}
		if mediaType, _, err := js.ReadData(text(e, "uri")); err == nil && text(e, "mediaType") == "" && mediaType != "" {
			e["mediaType"] = mediaType
		}
		e["blobId"] = blobID
		delete(e, "uri")
	}
	return js.Encode(m)
}
