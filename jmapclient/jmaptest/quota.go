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
	if c.s.p.QuotaOld {
		return c.quotaOld(g)
	}
	id := c.s.id('Q', 0)
	none := whose.user.Quota == 0 && !c.s.p.QuotaAlways
	return c.get(g, reader{
		state: c.s.state(0),
		props: []string{"id", "resourceType", "used", "warnLimit", "softLimit", "hardLimit", "scope", "name", "description", "types"},
		all: func() []string {
			if none {
				return nil
			}
			return []string{id}
		},
		get: func(asked string, want func(string) bool) object {
			if asked != id || none {
				return nil
			}
			o := object{"id": id, "resourceType": "octets", "used": c.a.used(), "hardLimit": whose.user.Quota,
				"warnLimit": nil, "softLimit": nil, "scope": "account", "name": whose.user.Login, "description": nil,
				"types": c.s.p.QuotaTypes}
			if whose.user.Description != "" {
				o["description"] = whose.user.Description
			}
			return pick(o, want)
		},
	})
}

// quotaOld answers as before RFC 9425; a total below 0 is none.
func (c *call) quotaOld(g getArgs) (any, error) {
	return c.get(g, reader{
		state: c.s.state(0),
		props: []string{"id", "used", "total"},
		all:   func() []string { return []string{"mail"} },
		get: func(id string, want func(string) bool) object {
			if id != "mail" {
				return nil
			}
			o := object{"id": id, "used": c.a.used(), "total": int64(-1024)}
			if c.a.user.Quota > 0 {
				o["total"] = c.a.user.Quota
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
