package jmaptest

import (
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

type dataSource struct {
	Text   *string `json:"data:asText"`
	Base64 *string `json:"data:asBase64"`
	BlobID *string `json:"blobId"`
	Offset int64   `json:"offset"`
	Length *int64  `json:"length"`
}

// makeBlobs makes the blobs of Blob/upload or Blob/set, which differ in how one
// is made.
func (c *call) makeBlobs(create map[string]json.RawMessage, one func(json.RawMessage) (object, *setError)) object {
	r := newSetResult()
	for _, key := range slices.Sorted(maps.Keys(create)) {
		o, bad := one(create[key])
		if bad != nil {
			r.notCreated[key] = bad
			continue
		}
		c.req.created[key] = o["id"].(string)
		r.created[key] = o
	}
	return c.setAnswer(r, "", "")
}

// blobUpload is RFC 9404 §4.1.
func (c *call) blobUpload() (any, error) {
	var g struct {
		AccountID string                     `json:"accountId"`
		Create    map[string]json.RawMessage `json:"create"`
	}
	if err := c.read(&g); err != nil {
		return nil, err
	}
	o := c.makeBlobs(g.Create, c.uploadOne)
	for k := range o {
		if !slices.Contains([]string{"accountId", "created", "notCreated"}, k) {
			delete(o, k)
		}
	}
	return o, nil
}

func (c *call) uploadOne(raw json.RawMessage) (object, *setError) {
	var item struct {
		Data []dataSource `json:"data"`
		Type *string      `json:"type"`
	}
	if err := strictDecode(raw, &item); err != nil {
		return nil, invalid(err.Error(), "data")
	}
	var b strings.Builder
	for _, d := range item.Data {
		part, bad := c.sourceBytes(d)
		if bad != nil {
			return nil, bad
		}
		b.Write(part)
	}
	if b.Len() > maxSizeBlobSet {
		return nil, refused("tooLarge", "It is larger than maxSizeBlobSet.")
	}
	data := []byte(b.String())
	if !c.s.exempt(c.caller) && c.a.uploadRefused(int64(len(data))) {
		return nil, refused("overQuota", c.s.uploadQuotaText())
	}
	typ := "application/octet-stream"
	if item.Type != nil {
		typ = *item.Type
	}
	stored := c.s.keep(data)
	c.a.addUpload(stored, typ)
	return object{"id": c.s.uploadBlobID(stored.hash), "type": typ, "size": len(data)}, nil
}

func (c *call) sourceBytes(d dataSource) ([]byte, *setError) {
	switch {
	case d.Text != nil:
		return []byte(*d.Text), nil
	case d.Base64 != nil:
		data, err := base64.StdEncoding.DecodeString(*d.Base64)
		if err != nil {
			return nil, invalid("It is no base64.", "data")
		}
		return data, nil
	case d.BlobID != nil:
		b := c.a.blobByID(c.resolveID(*d.BlobID))
		if b == nil {
			return nil, refused("blobNotFound", *d.BlobID)
		}
		part := b.data[min(max(d.Offset, 0), int64(len(b.data))):]
		if d.Length != nil {
			if *d.Length < 0 || *d.Length > int64(len(part)) {
				return nil, invalid("The range is not in the blob.", "data")
			}
			part = part[:*d.Length]
		}
		return part, nil
	}
	return nil, invalid("A data source has text, base64 or a blobId.", "data")
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
