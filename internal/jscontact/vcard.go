package jscontact

import (
	"slices"
	"strings"

	"mailhaul/account"
	js "mailhaul/internal/jsschema"
)

// shown are the properties of a vCard that Cyrus shows in a Contact, as far as
// it has a place for them, and those that say nothing about the person.
var shown = []string{"BEGIN", "END", "VERSION", "PRODID", "REV", "UID", "N", "NICKNAME", "ORG", "TITLE", "BDAY", "ANNIVERSARY", "X-ANNIVERSARY",
	"EMAIL", "TEL", "ADR", "URL", "IMPP", "NOTE", "PHOTO", "X-ABLABEL", "X-FM-ONLINE-OTHER"}

// Supplement gives a card that [FromCyrus] made what the contact's vCard (the
// Contact's blobId) has beyond what Cyrus shows: the whole name of somebody who
// has no parts of one (FN), what kind of thing the card is about (KIND), and tags
// (CATEGORIES). Each further property that Cyrus does not show is told, once, as
// "vCard/NAME".
func Supplement(card account.Object, vcard []byte) (account.Object, []js.Problem) {
	m, err := js.Decode(card)
	if err != nil {
		return card, nil
	}
	var told []js.Problem
	for _, l := range js.Lines(vcard) {
		name, value := l.Name, l.Value
		switch {
		case slices.Contains(shown, name):
		case name == "FN":
			if s := strings.TrimSpace(unescape(value)); m["name"] == nil && s != "" {
				m["name"] = map[string]any{"@type": "Name", "full": s}
			}
		case name == "KIND" && slices.Contains([]string{"individual", "org", "location", "device", "application"}, strings.ToLower(value)):
			m["kind"] = strings.ToLower(value)
		case name == "CATEGORIES":
			for _, tag := range split(value) {
				addKeyword(m, tag)
			}
		default:
			p := js.Problem{Property: js.Join("vCard", name), Reason: "Cyrus does not show it; it is in the contact's vCard"}
			if !slices.Contains(told, p) {
				told = append(told, p)
			}
		}
	}
	return js.Encode(m), told
}

func addKeyword(m map[string]any, tag string) {
	if tag == "" {
		return
	}
	keywords, ok := m["keywords"].(map[string]any)
	if !ok {
		keywords = map[string]any{}
		m["keywords"] = keywords
	}
	keywords[tag] = true
}

var unescaper = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\N`, "\n", `\,`, ",", `\;`, ";")

// unescape is RFC 6350 §3.4.
func unescape(s string) string { return unescaper.Replace(s) }

// split is a list's elements: commas that are not escaped are between them.
func split(s string) []string {
	var all []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ',':
			all = append(all, strings.TrimSpace(unescape(s[start:i])))
			start = i + 1
		}
	}
	return append(all, strings.TrimSpace(unescape(s[start:])))
}
