package jmaptest

import (
	"maps"
	"slices"
)

// script is RFC 9661 §2.
type script struct {
	n      uint32
	id     string
	name   string
	blob   *blob
	blobID string
	active bool
}

type scripts struct {
	byID    map[string]*script
	numbers numbers
}

var scriptProps = []string{"id", "name", "blobId", "isActive"}

func (a *account) sortedScripts() []*script {
	return slices.SortedFunc(maps.Values(a.scripts.byID), func(x, y *script) int { return int(x.n) - int(y.n) })
}

func (a *account) scriptNamed(name string) *script {
	for _, sc := range a.scripts.byID {
		if sc.name == name {
			return sc
		}
	}
	return nil
}

// scriptAdd stores a script and notes it.
func (a *account) scriptAdd(name string, b *blob) *script {
	sc := &script{n: a.scripts.numbers.take(), name: name}
	sc.id = a.s.id('S', uint64(sc.n))
	a.scriptContent(sc, b)
	a.scripts.byID[sc.id] = sc
	a.note(typeScript, sc.id, created)
	return sc
}

func (a *account) scriptContent(sc *script, b *blob) {
	if sc.blob != nil {
		a.release(sc.blob.hash)
	}
	sc.blob = b
	a.hold(b.hash)
	sc.blobID = a.s.storedBlobID(b.hash, a, sc.n)
}

func (a *account) scriptGone(sc *script) {
	delete(a.scripts.byID, sc.id)
	a.release(sc.blob.hash)
	if a.s.p.ReuseIDs {
		a.scripts.numbers.giveBack(sc.n)
	}
	a.note(typeScript, sc.id, destroyed)
}

// activate makes one script the active one; nil: none is.
func (a *account) activate(which *script) {
	for _, sc := range a.sortedScripts() {
		if on := sc == which; sc.active != on {
			sc.active = on
			a.note(typeScript, sc.id, updated)
			if sc.name == a.s.p.VacationScript && a.vacation != nil {
				a.vacation.IsEnabled = on
			}
		}
	}
}

func (c *call) scriptGet() (any, error) {
	var g getArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	r := reader{state: c.a.state(typeScript), props: scriptProps}
	if c.s.p.ScriptGetNoActive {
		r.props, r.more = scriptProps[:3], scriptProps[3:]
	}
	r.all = func() []string {
		var ids []string
		for _, sc := range c.a.sortedScripts() {
			ids = append(ids, sc.id)
		}
		return ids
	}
	r.get = func(id string, want func(string) bool) object {
		sc := c.a.scripts.byID[id]
		if sc == nil {
			return nil
		}
		return pick(object{"id": sc.id, "name": sc.name, "blobId": sc.blobID, "isActive": sc.active}, want)
	}
	return c.get(g, r)
}

func (c *call) scriptQuery() (any, error) {
	var g queryArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	var f struct {
		Name     *string `json:"name"`
		IsActive *bool   `json:"isActive"`
	}
	if len(g.Filter) > 0 {
		if err := strictDecode(g.Filter, &f); err != nil {
			return nil, failed("unsupportedFilter", err.Error())
		}
	}
	var ids []string
	for _, sc := range c.a.sortedScripts() {
		if (f.Name == nil || sc.name == *f.Name) && (f.IsActive == nil || sc.active == *f.IsActive) {
			ids = append(ids, sc.id)
		}
	}
	return c.queryAnswer(g, c.a.state(typeScript), ids)
}

// scriptValidate is RFC 9661 §2.5.
func (c *call) scriptValidate() (any, error) {
	var g struct {
		AccountID string `json:"accountId"`
		BlobID    string `json:"blobId"`
	}
	if err := c.read(&g); err != nil {
		return nil, err
	}
	b := c.a.blobByID(c.resolveID(g.BlobID))
	if b == nil {
		return nil, failed("blobNotFound", g.BlobID)
	}
	o := object{"accountId": c.a.id, "error": nil}
	if err := checkSieve(b.data); err != nil {
		o["error"] = c.s.p.sieveError("invalidSieve", "invalidScript", err.Error())
	}
	return o, nil
}
