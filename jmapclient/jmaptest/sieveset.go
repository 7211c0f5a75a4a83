package jmaptest

import (
	"encoding/json"
)

// scriptSet is RFC 9661 §2.2.
func (c *call) scriptSet() (any, error) {
	var g struct {
		setArgs
		Activate   *string `json:"onSuccessActivateScript"`
		Deactivate bool    `json:"onSuccessDeactivateScript"`
	}
	if err := c.read(&g); err != nil {
		return nil, err
	}
	for _, raw := range g.Create {
		if err := c.checkScriptBlob(raw); err != nil {
			return nil, err
		}
	}
	o, err := c.set(g.setArgs, writer{typ: typeScript, create: c.scriptCreate, update: c.scriptUpdate, destroy: c.scriptDestroy})
	if err != nil {
		return nil, err
	}
	switch {
	case !allDone(o): // RFC 9661 §2.2
	case g.Activate != nil:
		if sc := c.a.scripts.byID[c.resolveID(*g.Activate)]; sc != nil {
			c.a.activate(sc)
			c.sayActive(o, sc)
		}
	case g.Deactivate:
		c.a.activate(nil)
	}
	o["newState"] = c.a.state(typeScript)
	return o, nil
}

// checkScriptBlob refuses the call for a malformed blobId, where the profile does.
func (c *call) checkScriptBlob(raw json.RawMessage) error {
	if !c.s.p.MalformedFailsCall {
		return nil
	}
	var item struct{ BlobID *string }
	if json.Unmarshal(raw, &item) != nil || item.BlobID == nil {
		return nil // the item's error
	}
	if _, ok := c.s.parseBlobID(*item.BlobID); !ok {
		return malformed(*item.BlobID)
	}
	return nil
}

// sayActive tells that a script is active now, where it was created or as updated.
func (c *call) sayActive(o object, sc *script) {
	made, _ := o["created"].(map[string]any)
	for _, v := range made {
		if v := v.(object); v["id"] == sc.id {
			v["isActive"] = true
			return
		}
	}
	changed, _ := o["updated"].(map[string]any)
	if changed == nil {
		changed = map[string]any{}
	}
	changed[sc.id] = object{"isActive": true}
	o["updated"] = changed
}

func (c *call) scriptCreate(f fields) (object, *setError) {
	name, b, bad := c.scriptFields(f, nil)
	if bad != nil {
		return nil, bad
	}
	if b == nil {
		return nil, invalid("A script has a blobId.", "blobId")
	}
	sc := c.a.scriptAdd(name, b)
	o := object{"id": sc.id, "blobId": sc.blobID, "isActive": false}
	return o, nil
}

func (c *call) scriptUpdate(id string, _ json.RawMessage, f fields) (any, *setError) {
	sc := c.a.scripts.byID[id]
	if sc == nil {
		return nil, refused("notFound", "")
	}
	name, b, bad := c.scriptFields(f, sc)
	if bad != nil {
		return nil, bad
	}
	sc.name = name
	var answer any
	if b != nil {
		c.a.scriptContent(sc, b)
		answer = object{"blobId": sc.blobID}
	}
	c.a.note(typeScript, id, updated)
	return answer, nil
}

// scriptFields reads a create or the update of the script was; the blob is nil when none is named.
func (c *call) scriptFields(f fields, was *script) (name string, b *blob, bad *setError) {
	if was != nil {
		name = was.name
	}
	for prop, raw := range f {
		var text string
		if prop != "name" && prop != "blobId" {
			return "", nil, invalid("The property cannot be set.", prop)
		}
		if json.Unmarshal(raw, &text) != nil || text == "" {
			return "", nil, invalid("It is no text.", prop)
		}
		if prop == "name" {
			name = text
			continue
		}
		if b = c.a.blobByID(c.resolveID(text)); b == nil {
			return "", nil, refused("blobNotFound", "There is no blob "+text+".")
		}
	}
	switch other := c.a.scriptNamed(name); {
	case name == "":
		return "", nil, invalid("A script has a name.", "name")
	case name == c.s.p.VacationScript && c.s.p.VacationScript != "":
		return "", nil, &setError{Type: "forbidden", Description: "That name is the server's own.", Properties: []string{"name"}}
	case len(name) > 512:
		return "", nil, invalid("The name is too long.", "name")
	case other != nil && other != was:
		return "", nil, &setError{Type: "alreadyExists", Description: "There is a script of that name.", ExistingID: other.id}
	}
	if b != nil {
		if err := checkSieve(b.data); err != nil {
			return "", nil, c.s.p.sieveError("invalidSieve", "invalidScript", err.Error())
		}
	}
	return name, b, nil
}

// sieveError is RFC 9661's error, or the one that was before it.
func (p *Profile) sieveError(now, before, description string) *setError {
	if p.OldSieveErrors {
		now = before
	}
	return refused(now, description)
}

func (c *call) scriptDestroy(id string) *setError {
	sc := c.a.scripts.byID[id]
	switch {
	case sc == nil:
		return refused("notFound", "")
	case sc.active:
		return c.s.p.sieveError("sieveIsActive", "scriptIsActive", "It is the active script.")
	}
	c.a.scriptGone(sc)
	return nil
}
