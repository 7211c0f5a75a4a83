package jmaptest

import "encoding/json"

// blobSet is Cyrus's method from before RFC 9404; its blobs are gone when the
// request has been answered.
func (c *call) blobSet() (any, error) {
	f, err := c.arguments("accountId", "ifInState", "create", "update", "destroy")
	if err != nil {
		return nil, err
	}
	if c.req.blobs == nil {
		c.req.blobs = map[string]*blob{}
	}
	o, err := c.makeBlobs(f["create"], c.blobSetOne)
	if err != nil {
		return nil, err
	}
	delete(o, "newState")
	o["oldState"] = nil
	return o, nil
}

func (c *call) blobSetOne(raw json.RawMessage) (object, *setError) {
	f, _ := members(raw)
	data, bad := c.sourceBytes(f, "type")
	if bad != nil {
		return nil, bad
	}
	typ := f["type"]
	if _, ok := text(typ); !ok && given(typ) {
		return nil, invalid("It is no text.", "type")
	}
	b := c.s.keep(data)
	id := c.s.uploadBlobID(b.hash)
	c.req.blobs[id] = b
	return object{"id": id, "blobId": id, "type": typ, "size": len(data)}, nil
}
