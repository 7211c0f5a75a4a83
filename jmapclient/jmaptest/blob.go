package jmaptest

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxSizeBlobSet bounds one Blob/upload, in octets (RFC 9404 §3.1).
const maxSizeBlobSet = 7_499_488

var blobProps = []string{"data:asText", "data:asBase64", "data", "size", "digest:sha", "digest:sha-256",
	"isEncodingProblem", "isTruncated"}

// blobGet is RFC 9404 §4.2.
func (c *call) blobGet() (any, error) {
	var g struct {
		getArgs
		Offset int64  `json:"offset"`
		Length *int64 `json:"length"`
	}
	if err := c.read(&g); err != nil {
		return nil, err
	}
	if g.IDs == nil {
		return nil, failed("invalidArguments", "ids must be given.")
	}
	if c.s.p.MalformedFailsCall {
		for _, id := range *g.IDs {
			if _, ok := c.s.parseBlobID(id); !ok {
				return nil, malformed(id)
			}
		}
	}
	if c.s.p.SkipMalformedBlobs {
		known := slices.DeleteFunc(slices.Clone(*g.IDs), func(id string) bool {
			_, ok := c.s.parseBlobID(id)
			return !ok
		})
		g.IDs = &known
	}
	r := reader{props: []string{"data", "size"}, more: blobProps, checked: true}
	if c.s.p.NoDigests {
		r.more = slices.DeleteFunc(slices.Clone(blobProps), func(p string) bool { return strings.HasPrefix(p, "digest:") })
	}
	r.get = func(id string, want func(string) bool) object {
		b := c.a.blobByID(id)
		if b == nil {
			return nil
		}
		if want("data") || want("data:asText") || want("data:asBase64") {
			c.s.traffic.fetched(id)
		}
		return blobObject(id, b.data, g.Offset, g.Length, want)
	}
	o, err := c.get(g.getArgs, r)
	if err != nil {
		return nil, err
	}
	delete(o, "state")
	return o, nil
}

func blobObject(id string, data []byte, offset int64, length *int64, want func(string) bool) object {
	o := object{"id": id}
	part := data[min(max(offset, 0), int64(len(data))):]
	truncated := false
	if length != nil && *length >= 0 {
		truncated = *length > int64(len(part))
		part = part[:min(*length, int64(len(part)))]
	}
	text := utf8.Valid(part)
	if want("data:asText") || want("data") && text {
		o["data:asText"] = nil
		if text {
			o["data:asText"] = string(part)
		} else {
			o["isEncodingProblem"] = true
		}
	}
	if want("data:asBase64") || want("data") && !text {
		o["data:asBase64"] = base64.StdEncoding.EncodeToString(part)
	}
	if want("size") {
		o["size"] = len(data)
	}
	if want("digest:sha") {
		sum := sha1.Sum(part)
		o["digest:sha"] = base64.StdEncoding.EncodeToString(sum[:])
	}
	if want("digest:sha-256") {
		sum := sha256.Sum256(part)
		o["digest:sha-256"] = base64.StdEncoding.EncodeToString(sum[:])
	}
	if truncated {
		o["isTruncated"] = true
	}
	return o
}

// makeBlobs makes the blobs of Blob/upload or Blob/set, which differ in how one
// is made.
func (c *call) makeBlobs(create json.RawMessage, one func(json.RawMessage) (object, *setError)) (object, error) {
	items, ok := members(create)
	if !ok && given(create) {
		return nil, failed("invalidArguments", "create is no object.")
	}
	r := newSetResult()
	for _, key := range slices.Sorted(maps.Keys(items)) {
		o, bad := one(items[key])
		if bad != nil {
			r.notCreated[key] = bad
			continue
		}
		c.req.created[key] = o["id"].(string)
		r.created[key] = o
	}
	return c.setAnswer(r, "", ""), nil
}

// blobUpload is RFC 9404 §4.1.
func (c *call) blobUpload() (any, error) {
	f, err := c.arguments("accountId", "create")
	if err != nil {
		return nil, err
	}
	o, err := c.makeBlobs(f["create"], c.uploadOne)
	if err != nil {
		return nil, err
	}
	for k := range o {
		if !slices.Contains([]string{"accountId", "created", "notCreated"}, k) {
			delete(o, k)
		}
	}
	return o, nil
}

func (c *call) uploadOne(raw json.RawMessage) (object, *setError) {
	f, _ := members(raw)
	sources, ok := elements(f["data"])
	typ, isText := text(f["type"])
	switch {
	case !ok:
		return nil, invalid("It is no list of data sources.", "data")
	case !isText && given(f["type"]):
		return nil, invalid("It is no text.", "type")
	case !isText:
		typ = "application/octet-stream"
	}
	for name := range f {
		if name != "data" && name != "type" {
			return nil, invalid("There is no property "+name+".", name)
		}
	}
	var data []byte
	for i, source := range sources {
		d, _ := members(source)
		part, bad := c.sourceBytes(d)
		if bad != nil {
			return nil, bad
		}
		if i == 0 {
			data = slices.Clip(part) // which may be another blob's
			continue
		}
		data = append(data, part...)
	}
	if len(data) > maxSizeBlobSet {
		return nil, refused("tooLarge", "It is larger than maxSizeBlobSet.")
	}
	if !c.s.exempt(c.caller) && c.a.uploadRefused(int64(len(data))) {
		return nil, refused("overQuota", c.s.uploadQuotaText())
	}
	stored := c.s.keep(data)
	c.a.addUpload(stored, typ)
	return object{"id": c.s.uploadBlobID(stored.hash), "type": typ, "size": len(data)}, nil
}

var sourceMembers = []string{"data:asText", "data:asBase64", "blobId", "offset", "length"}

// given says whether a member is there and not null.
func given(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] != 'n' }

// sourceBytes is what a data source stands for (RFC 9404 §4.1); it may have more members.
func (c *call) sourceBytes(d fields, more ...string) ([]byte, *setError) {
	for name := range d {
		if !slices.Contains(sourceMembers, name) && !slices.Contains(more, name) {
			return nil, invalid("There is no property "+name+".", name)
		}
	}
	if s, ok := text(d["data:asText"]); ok {
		return []byte(s), nil
	}
	if raw := d["data:asBase64"]; len(raw) > 1 && raw[0] == '"' {
		return decodeBase64(raw)
	}
	if id, ok := text(d["blobId"]); ok {
		return c.partOf(id, d["offset"], d["length"])
	}
	return nil, invalid("A data source has text, base64 or a blobId.", "data")
}

// decodeBase64 reads a string of base64, in place where it has no escapes.
func decodeBase64(raw json.RawMessage) ([]byte, *setError) {
	encoded := raw[1 : len(raw)-1]
	if bytes.IndexByte(encoded, '\\') >= 0 {
		encoded = []byte(unquoted(raw))
	}
	data := make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
	n, err := base64.StdEncoding.Decode(data, encoded)
	if err != nil {
		return nil, invalid("It is no base64.", "data")
	}
	return data[:n], nil
}

// partOf is length octets of a blob from offset on, all that there are where those are not given.
func (c *call) partOf(id string, offset, length json.RawMessage) ([]byte, *setError) {
	b := c.a.blobByID(c.resolveID(id))
	if b == nil {
		return nil, refused("blobNotFound", id)
	}
	var from int64
	var n *int64
	if given(offset) && json.Unmarshal(offset, &from) != nil || given(length) && json.Unmarshal(length, &n) != nil {
		return nil, invalid("It is no number.", "data")
	}
	part := b.data[min(max(from, 0), int64(len(b.data))):]
	if n == nil {
		return part, nil
	}
	if *n < 0 || *n > int64(len(part)) {
		return nil, invalid("The range is not in the blob.", "data")
	}
	return part[:*n], nil
}

// blobLookup is RFC 9404 §4.3.
func (c *call) blobLookup() (any, error) {
	var g struct {
		AccountID string   `json:"accountId"`
		TypeNames []string `json:"typeNames"`
		IDs       []string `json:"ids"`
	}
	if err := c.read(&g); err != nil {
		return nil, err
	}
	list, notFound := []object{}, []string{}
	for _, id := range g.IDs {
		b := c.a.blobByID(id)
		if b == nil {
			notFound = append(notFound, id)
			continue
		}
		matched := map[string][]string{}
		for _, typ := range g.TypeNames {
			matched[typ] = []string{}
			switch typ {
			case typeEmail:
				for _, e := range c.a.emails.order {
					if e.blob == b {
						matched[typ] = append(matched[typ], e.id)
					}
				}
			case typeScript:
				for id, s := range c.a.scripts.byID {
					if s.blob == b {
						matched[typ] = append(matched[typ], id)
					}
				}
			default:
				return nil, failed("unknownDataType", typ)
			}
		}
		list = append(list, object{"id": id, "matchedIds": matched})
	}
	return object{"accountId": c.a.id, "list": list, "notFound": notFound}, nil
}
