package jmaptest

import (
	"regexp"
	"strings"
)

// shape says what a property of JSContact or JSCalendar looks like: what a
// server that keeps to the standards looks at before it takes an object.
type shape string

// The shapes. A map's or a list's members are objects, which have one of the
// members named after the colon, "map:uri|blobId".
const (
	shapeText     shape = "text"
	shapeSet      shape = "set"      // of keys, each true
	shapeObject   shape = "object"   // of whatever
	shapeLocal    shape = "local"    // RFC 8984 §1.4.4's LocalDateTime
	shapeDuration shape = "duration" // RFC 8984 §1.4.6
	shapeUTC      shape = "utc"      // UTCDateTime
	shapeFile     shape = "file"     // a name that is one in any file system
	shapeEvent    shape = "=Event"   // just this word
	shapeCard     shape = "=Card"
)

var (
	localTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?$`)
	utcTime   = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?Z$`)
	duration  = regexp.MustCompile(`^P(\d+W)?(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$`)
)

// wellShaped looks at the properties that have a shape.
func (w *write) wellShaped() *setError {
	for p, s := range w.t.Shapes {
		if v, ok := w.props[p]; ok && v != nil && !s.fits(v) {
			return invalid("The property is not of the form that it has to be.", p)
		}
	}
	return nil
}

func (s shape) fits(v any) bool {
	t, isText := v.(string)
	o, isObject := v.(object)
	switch s {
	case shapeText:
		return isText
	case shapeFile:
		return isText && t != "." && t != ".." && !strings.ContainsAny(t, "/\x00")
	case shapeObject:
		return isObject
	case shapeLocal:
		return isText && localTime.MatchString(t)
	case shapeUTC:
		return isText && utcTime.MatchString(t)
	case shapeDuration:
		return isText && duration.MatchString(t) && len(t) > 1 && !strings.HasSuffix(t, "T")
	case shapeSet:
		for _, on := range o {
			if on != true {
				return false
			}
		}
		return isObject
	}
	if word, ok := strings.CutPrefix(string(s), "="); ok {
		return t == word
	}
	kind, needs, _ := strings.Cut(string(s), ":")
	var inner []any
	if kind == "list" {
		list, ok := v.([]any)
		if !ok {
			return false
		}
		inner = list
	} else if !isObject {
		return false
	}
	for key, e := range o {
		if key == "" || len(key) > 255 {
			return false
		}
		inner = append(inner, e)
	}
	for _, e := range inner {
		if e, ok := e.(object); !ok || !hasOne(e, needs) {
			return false
		}
	}
	return true
}

// hasOne says whether an object has one of the members "a|b"; any will do for "".
func hasOne(o object, names string) bool {
	for name := range strings.SplitSeq(names, "|") {
		if name == "" || o[name] != nil {
			return true
		}
	}
	return false
}
