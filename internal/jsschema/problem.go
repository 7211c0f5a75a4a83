package jsschema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"mailhaul/account"
)

// Problem is one property that is not as it has to be, or that a conversion
// could not carry over.
type Problem struct {
	// Property is the way to it from the object, as a JSON pointer (RFC 6901)
	// without its first slash: "emails/e1/address". "" is the object itself.
	Property string
	// Reason is for a person, without the property's name.
	Reason string
}

func (p Problem) String() string {
	if p.Property == "" {
		return p.Reason
	}
	return p.Property + ": " + p.Reason
}

// Decode reads an object's properties into Go's own maps and slices, numbers
// as [json.Number] so that none changes.
func Decode(o account.Object) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(account.Marshal(map[string]json.RawMessage(o))))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if m == nil {
		return nil, fmt.Errorf("not a JSON object: null")
	}
	return m, nil
}

// Encode is the reverse of [Decode].
func Encode(m map[string]any) account.Object {
	o := make(account.Object, len(m))
	for k, v := range m {
		o.Put(k, v)
	}
	return o
}

// Clone is a deep copy of a decoded value.
func Clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for k, e := range v {
			c[k] = Clone(e)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = Clone(e)
		}
		return c
	}
	return v
}

var escaper, unescaper = strings.NewReplacer("~", "~0", "/", "~1"), strings.NewReplacer("~1", "/", "~0", "~")

// Join adds a name to the way to a property.
func Join(path, name string) string {
	name = escaper.Replace(name)
	if path == "" {
		return name
	}
	return path + "/" + name
}

// Split is the names on the way to a property.
func Split(path string) []string {
	names := strings.Split(path, "/")
	for i, n := range names {
		names[i] = unescaper.Replace(n)
	}
	return names
}
