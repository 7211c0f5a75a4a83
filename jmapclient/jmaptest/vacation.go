package jmaptest

import (
	"encoding/json"
	"maps"
	"net/http"
	"time"
)

// vacation is RFC 8621 §8.
type vacation struct {
	IsEnabled bool    `json:"isEnabled"`
	FromDate  *string `json:"fromDate"`
	ToDate    *string `json:"toDate"`
	Subject   *string `json:"subject"`
	TextBody  *string `json:"textBody"`
	HTMLBody  *string `json:"htmlBody"`
}

const singleton = "singleton"

var vacationProps = []string{"id", "isEnabled", "fromDate", "toDate", "subject", "textBody", "htmlBody"}

// vacationType is the type whose state is the vacation response's.
func (s *Server) vacationType() string {
	if s.p.VacationScript != "" {
		return typeScript
	}
	return typeVacation
}

// vacationAlways says whether each account has a vacation response from the start.
func (p *Profile) vacationAlways() bool { return p.VacationScript == "" || p.VacationAlways }

func (c *call) vacationGet() (any, error) {
	if c.s.p.VacationCloses {
		panic(http.ErrAbortHandler) // which ends the connection, and nothing else
	}
	var g getArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	return c.get(g, reader{
		state:   c.a.state(c.s.vacationType()),
		props:   vacationProps,
		checked: true,
		all:     func() []string { return []string{singleton} },
		get: func(id string, want func(string) bool) object {
			if id != singleton || c.a.vacation == nil {
				return nil
			}
			return pick(c.a.vacation.object(), want)
		},
	})
}

func (v *vacation) object() object {
	return object{"id": singleton, "isEnabled": v.IsEnabled, "fromDate": v.FromDate, "toDate": v.ToDate,
		"subject": v.Subject, "textBody": v.TextBody, "htmlBody": v.HTMLBody}
}

func (c *call) vacationSet() (any, error) {
	var g setArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	w := writer{typ: c.s.vacationType()}
	w.create = func(f fields) (object, *setError) {
		if c.s.p.vacationAlways() {
			return nil, refused("singleton", "There is one vacation response, always.")
		}
		if bad := c.vacationPatch(f, &vacation{}); bad != nil {
			return nil, bad
		}
		return object{"id": singleton}, nil
	}
	w.update = func(id string, _ json.RawMessage, f fields) (any, *setError) {
		old := vacation{}
		switch {
		case id == singleton && c.a.vacation != nil:
			old = *c.a.vacation
		case id != singleton || !c.s.p.VacationUpdateMakes:
			return nil, refused("notFound", "")
		}
		return nil, c.vacationPatch(f, &old)
	}
	w.destroy = func(id string) *setError {
		switch {
		case c.s.p.vacationAlways() && id == singleton:
			return refused("singleton", "There is one vacation response, always.")
		case id != singleton || c.a.vacation == nil:
			return refused("notFound", "")
		}
		c.a.vacation = nil
		c.a.scriptGone(c.a.scriptNamed(c.s.p.VacationScript))
		return nil
	}
	return c.set(g, w)
}

// vacationPatch sets properties of v, which then is the account's.
func (c *call) vacationPatch(f fields, v *vacation) *setError {
	known := maps.Clone(v.object())
	delete(known, "id")
	for prop, raw := range f {
		if _, ok := known[prop]; !ok {
			return invalid("The property cannot be set.", prop)
		}
		if prop == "fromDate" || prop == "toDate" {
			var at *time.Time
			if json.Unmarshal(raw, &at) != nil {
				return invalid("It is no date.", prop)
			}
		}
	}
	if err := json.Unmarshal(encode(f), v); err != nil {
		return invalid(err.Error())
	}
	c.a.vacationPut(v)
	return nil
}

// vacationPut gives the account a vacation response, and the script where that is one.
func (a *account) vacationPut(v *vacation) {
	a.vacation = v
	name := a.s.p.VacationScript
	if name == "" {
		a.note(typeVacation, singleton, updated)
		return
	}
	text := "the owner is away"
	if v.TextBody != nil {
		text = *v.TextBody
	}
	b := a.s.keep([]byte("require [\"vacation\"];\r\nvacation " + string(encode(text)) + ";\r\n"))
	sc := a.scriptNamed(name)
	if sc == nil {
		sc = a.scriptAdd(name, b)
	} else {
		a.scriptContent(sc, b)
		a.note(typeScript, sc.id, updated)
	}
	on := v.IsEnabled
	if on {
		a.activate(sc)
	} else if sc.active {
		a.activate(nil)
	}
	v.IsEnabled = on
}
