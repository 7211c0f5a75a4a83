package jscontact

import "regexp"

// What the RFC asks of several properties together.

// verifyOrder is RFC 9553 §2.2.1.1 and §2.5.1.1: what depends on the order of
// components needs components in order.
func verifyOrder(o map[string]any) (property, reason string) {
	components, has := o["components"].([]any)
	ordered, _ := o["isOrdered"].(bool)
	if _, set := o["defaultSeparator"]; set && !(has && ordered) {
		return "defaultSeparator", "it needs components in order"
	}
	if _, set := o["sortAs"]; set && !has {
		return "sortAs", "it needs components"
	}
	only := has
	for _, c := range components {
		if c.(map[string]any)["kind"] != "separator" {
			only = false
		} else if !ordered {
			return "components", "a separator needs components in order"
		}
	}
	if only && o["full"] == nil {
		return "", "it has no component but separators"
	}
	return "", ""
}

// verifyDate is RFC 9553 §2.8.1: a month needs a year or a day, a day a month.
func verifyDate(o map[string]any) (property, reason string) {
	_, year := o["year"]
	_, month := o["month"]
	_, day := o["day"]
	switch {
	case day && !month:
		return "", "a day needs its month"
	case month && !day && !year:
		return "", "a month needs its year or day"
	case !year && !month && !day:
		return "", "the date is empty"
	}
	return "", ""
}

// verifyCard is RFC 9553 §2.1.6 and §2.2.5.
func verifyCard(o map[string]any) (property, reason string) {
	if _, set := o["members"]; set && o["kind"] != "group" {
		return "members", "only a card of kind group has members"
	}
	return "", ""
}

var isScript = regexp.MustCompile(`^[A-Za-z]{4}$`).MatchString
