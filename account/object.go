package account

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// Object is a JMAP object: its properties by name, each as the JSON the server
// sent. Reading a property that is absent, null or of another kind gives the
// zero value, never an error: servers leave out what is unset.
type Object map[string]json.RawMessage

// ParseObject reads one JSON object.
func ParseObject(data []byte) (Object, error) {
	var o Object
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if o == nil {
		return nil, fmt.Errorf("not a JSON object: null")
	}
	return o, nil
}

// ID is the object's id, "" when it has none.
func (o Object) ID() string { return o.Text("id") }

// Has says whether the property is there and not null.
func (o Object) Has(prop string) bool {
	v, ok := o[prop]
	return ok && len(v) > 0 && !bytes.Equal(v, []byte("null"))
}

// Text is the value of a string property.
func (o Object) Text(prop string) string {
	v := o[prop]
	if n := len(v); n >= 2 && v[0] == '"' && bytes.IndexByte(v, '\\') < 0 && utf8.Valid(v) {
		return string(v[1 : n-1])
	}
	var s string
	o.read(prop, &s)
	return s
}

// Bool is the value of a boolean property.
func (o Object) Bool(prop string) bool {
	var b bool
	o.read(prop, &b)
	return b
}

// Int is the value of an integer property.
func (o Object) Int(prop string) int64 {
	var n int64
	o.read(prop, &n)
	return n
}

// Time is the value of a UTCDate property (RFC 8620 §1.4), the zero time when
// it has none or it is no date.
func (o Object) Time(prop string) time.Time {
	t, err := time.Parse(time.RFC3339, o.Text(prop))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// Strings is the value of a property that is an array of strings.
func (o Object) Strings(prop string) []string {
	var s []string
	o.read(prop, &s)
	return s
}

// Set is the value of a property that is a set in JMAP's way, {"key": true}
// (mailboxIds, keywords): the keys that are true, sorted.
func (o Object) Set(prop string) []string {
	var m map[string]bool
	o.read(prop, &m)
	keys := make([]string, 0, len(m))
	for k, v := range m {
		if v {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func (o Object) read(prop string, into any) {
	if v, ok := o[prop]; ok {
		_ = json.Unmarshal(v, into) // another kind of value reads as none
	}
}

// Put gives a property a value.
func (o Object) Put(prop string, value any) { o[prop] = Marshal(value) }

// Only is a copy of the object with just these properties, where it has them.
func (o Object) Only(props ...string) Object {
	c := make(Object, len(props))
	for _, p := range props {
		if v, ok := o[p]; ok {
			c[p] = v
		}
	}
	return c
}

// Without is a copy of the object less these properties.
func (o Object) Without(props ...string) Object {
	c := maps.Clone(o)
	for _, p := range props {
		delete(c, p)
	}
	return c
}

// Encode writes the object in one canonical form: properties sorted, no white
// space, nothing escaped that JSON does not demand. Two objects with the same
// properties and values encode to the same bytes.
func (o Object) Encode() []byte {
	var v any
	raw := Marshal(map[string]json.RawMessage(o))
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return raw
	}
	return Marshal(v)
}

// Equal says whether both have the same properties with the same values,
// however they were written.
func (o Object) Equal(p Object) bool { return bytes.Equal(o.Encode(), p.Encode()) }

// Marshal writes a value as JSON without the escapes for HTML that
// encoding/json adds: some servers keep keywords with their escapes (Stalwart
// 0.4 to 0.11). The value must be one that JSON can hold; it panics otherwise.
func Marshal(value any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic("account: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// SetOf is a JMAP set, {"key": true}, of these keys.
func SetOf(keys ...string) map[string]bool {
	m := make(map[string]bool, len(keys))
	for _, k := range keys {
		m[k] = true
	}
	return m
}
