package jmaptest

import (
	"encoding/json"
	"maps"
	"slices"
)

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
	r := newSetResult()
	for _, key := range slices.Sorted(maps.Keys(g.Create)) {
		o, bad := c.blobSetOne(g.Create[key])
		if bad != nil {
			r.notCreated[key] = bad
			continue
		}
		c.req.created[key] = o["id"].(string)
		r.created[key] = o
	}
	o := c.setAnswer(r, "", "")
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
