package jsschema

import (
	"regexp"
	"strings"
	"time"
)

// Formats of strings.
var (
	// ID is RFC 8620 §1.2's, which RFC 9553 §1.4.1 and RFC 8984 §1.4.1 share.
	ID = matching("an id (1 to 255 letters, digits, - or _)", `[A-Za-z0-9_-]{1,255}`)
	// URI is RFC 3986's with its scheme, or an IRI, as people type it.
	URI = matching("a URI", `[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f]+`)
	// MediaType is RFC 6838's, with parameters.
	MediaType = matching("a media type", `[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+( *;[^\x00-\x1f]*)?`)
	// TimeZone is a name of the IANA database, or a custom zone's (RFC 8984 §1.4.10).
	TimeZone = matching("a time zone's name", `/?[A-Za-z0-9][A-Za-z0-9_+/.-]*`)
	// Language is a tag of RFC 5646, by its alphabet.
	Language = matching("a language tag", `[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*`)
	// Country is ISO 3166-1 alpha-2.
	Country = matching("a country code of two letters", `[A-Za-z]{2}`)
	// Geo is RFC 5870's.
	Geo = matching("a geo: URI", `geo:-?[0-9.]+,-?[0-9.]+(,-?[0-9.]+)?(;.*)?`)

	// UTCDateTime is RFC 8984 §1.4.4 and RFC 9553 §1.4.5.
	UTCDateTime = Text("a date and time in UTC", func(s string) bool {
		rest, ok := strings.CutSuffix(s, "Z")
		return ok && local(rest)
	})
	// LocalDateTime is RFC 8984 §1.4.5.
	LocalDateTime = Text("a local date and time", local)
	// Duration is RFC 8984 §1.4.6.
	Duration = matching("a duration", duration)
	// SignedDuration is RFC 8984 §1.4.7.
	SignedDuration = matching("a duration with or without sign", `[+-]?`+duration)
)

const (
	durationTime = `T(\d+H(\d+M(\d+(\.\d+)?S)?)?|\d+M(\d+(\.\d+)?S)?|\d+(\.\d+)?S)`
	duration     = `P((\d+W(\d+D)?|\d+D)(` + durationTime + `)?|` + durationTime + `)`
)

func matching(what, pattern string) *Form {
	return Text(what, regexp.MustCompile(`^(?:`+pattern+`)$`).MatchString)
}

var dateTime = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d*[1-9])?$`)

func local(s string) bool {
	if !dateTime.MatchString(s) {
		return false
	}
	_, err := time.Parse("2006-01-02T15:04:05", s) // takes fractions too
	return err == nil
}
