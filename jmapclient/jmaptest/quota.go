package jmaptest

// quotaGet is RFC 9425 §4.2.
func (c *call) quotaGet() (any, error) {
	var g getArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	whose := c.a
	if c.s.p.QuotaIsCallers {
		whose = c.caller
	}
	id := c.s.id('Q', 0)
	return c.get(g, reader{
		state: c.s.state(0),
		props: []string{"id", "resourceType", "used", "warnLimit", "softLimit", "hardLimit", "scope", "name", "description", "types"},
		all: func() []string {
			if whose.user.Quota == 0 {
				return nil
			}
			return []string{id}
		},
		get: func(asked string, want func(string) bool) object {
			if asked != id || whose.user.Quota == 0 {
				return nil
			}
			o := object{"id": id, "resourceType": "octets", "used": c.a.used(), "hardLimit": whose.user.Quota,
				"warnLimit": nil, "softLimit": nil, "scope": "account", "name": whose.user.Login, "description": nil,
				"types": []string{typeEmail, typeScript}}
			if whose.user.Description != "" {
				o["description"] = whose.user.Description
			}
			return pick(o, want)
		},
	})
}

// used is what the account's messages and scripts take, in octets.
func (a *account) used() int64 {
	n := a.emails.used
	for _, sc := range a.scripts.byID {
		n += int64(len(sc.blob.data))
	}
	return n
}
