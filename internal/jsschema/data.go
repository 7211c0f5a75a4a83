package jsschema

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/url"
	"strings"
)

// DataURI is data as a URI, RFC 2397. The media type may be "".
func DataURI(mediaType string, data []byte) string {
	return "data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(data)
}

// ReadData reads a data: URI, RFC 2397. The media type is "" where it says none.
func ReadData(uri string) (mediaType string, data []byte, err error) {
	rest, ok := strings.CutPrefix(uri, "data:")
	head, body, comma := strings.Cut(rest, ",")
	if !ok || !comma {
		return "", nil, fmt.Errorf("not a data: URI")
	}
	raw, err := url.PathUnescape(body)
	if err != nil {
		return "", nil, fmt.Errorf("a data: URI with a wrong escape: %w", err)
	}
	data = []byte(raw)
	if meta, is64 := strings.CutSuffix(head, ";base64"); is64 {
		head = meta
		if data, err = base64.StdEncoding.DecodeString(raw); err != nil {
			return "", nil, fmt.Errorf("a data: URI with wrong base64: %w", err)
		}
	}
	if mediaType, _, err = mime.ParseMediaType(head); err != nil {
		mediaType = ""
	}
	return mediaType, data, nil
}
