package jmaptest

import "encoding/json"

// blobSet is Cyrus's method from before RFC 9404; its blobs are gone when the
// request has been answered.
func (c *call) blobSet() (any, error) {
	var g setArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	if c.req.blobs == nil {
		c.req.blobs = map[string]*blob{}
	}
	o := c.makeBlobs(g.Create, c.blobSetOne)
	delete(o, "newState")
	o["oldState"] = nil
	return o, nil
}

func (c *call) blobSetOne(raw json.RawMessage) (object, *setError) {
	var item struct {
		dataSource
		Type *string `json:"type"`
	}
	if err := strictDecode(raw, &item); err != nil {
		return nil, invalid(err.Error())
	}
	data, bad := c.sourceBytes(item.dataSource)
	if bad != nil {
		return nil, bad
	}
	b := c.s.keep(data)
	id := c.s.uploadBlobID(b.hash)
	c.req.blobs[id] = b
	return object{"id": id, "blobId": id, "type": item.Type, "size": len(data)}, nil
}
