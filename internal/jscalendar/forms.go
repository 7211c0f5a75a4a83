package jscalendar

import (
	"encoding/json"
	"regexp"
	"strconv"

	js "mailhaul/internal/jsschema"
)

// Forms that only calendars have.

var (
	isOffset  = regexp.MustCompile(`^[+-]\d{2}:\d{2}(:\d{2})?$`).MatchString
	isAlnum   = regexp.MustCompile(`^[A-Za-z0-9]+$`).MatchString
	lowercase = js.Text("a word in lowercase", regexp.MustCompile(`^[a-z0-9-]+$`).MatchString)
)

// nonZero is a position from the beginning or, negative, from the end.
func nonZero(most int64) *js.Form {
	return js.Int(-most, most).But("not 0", func(v any) bool { return v != json.Number("0") && v != json.Number("-0") })
}

// months are the values of byMonth: "1", and "1L" for leap months (RFC 7529).
func months() []string {
	var all []string
	for i := 1; i <= 13; i++ {
		all = append(all, strconv.Itoa(i), strconv.Itoa(i)+"L")
	}
	return all
}
