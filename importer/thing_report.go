package importer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// report is what is told of a property, once for all objects.
type report struct {
	n             int
	first, reason string
}

// tell notes what the target does not have of a thing.
func (r *run) tell(w *thing, problems ...js.Problem) {
	if r.things.reports == nil {
		r.things.reports = map[string]*report{}
	}
	seen := map[string]bool{}
	for _, p := range problems {
		names := js.Split(p.Property)
		where := names[0]
		if strings.HasPrefix(where, "vCard") || strings.HasPrefix(where, "iCalendar") {
			where = p.Property
		}
		if seen[where] {
			continue
		}
		seen[where] = true
		rep := r.things.reports[where]
		if rep == nil {
			rep = &report{first: w.name(), reason: p.Reason}
			if len(r.things.reports) < mostReports {
				r.things.reports[where] = rep
			}
		}
		rep.n++
	}
}

// mostReports bounds how many properties are told of for a type.
const mostReports = 50

// tellReports tells them.
func (r *run) tellReports(t account.Type) {
	for _, where := range slices.Sorted(maps.Keys(r.things.reports)) {
		rep := r.things.reports[where]
		what := ""
		if where != "" {
			what = where + ": "
		}
		of := fmt.Sprintf("%q", rep.first)
		if rep.n > 1 {
			of += fmt.Sprintf(" and %d more", rep.n-1)
		}
		r.warn("%s %s: %s%s", plural[t.Name], of, what, rep.reason)
	}
	r.things.reports = nil
}
