package jmaptest

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// follow walks a JSON pointer (RFC 6901) with RFC 8620 §3.7's "*", which maps
// over an array and flattens arrays of arrays.
func follow(v any, path string) (any, bool) {
	if path == "" {
		return v, true
	}
	if path[0] != '/' {
		return nil, false
	}
	token, rest, more := strings.Cut(path[1:], "/")
	if more {
		rest = "/" + rest
	}
	token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
	switch at := v.(type) {
	case map[string]any:
		next, ok := at[token]
		if !ok {
			return nil, false
		}
		return follow(next, rest)
	case []any:
		if token == "*" {
			return followEach(at, rest)
		}
		i, err := strconv.Atoi(token)
		if err != nil || i < 0 || i >= len(at) || strconv.Itoa(i) != token {
			return nil, false
		}
		return follow(at[i], rest)
	}
	return nil, false
}

func followEach(list []any, rest string) (any, bool) {
	all := []any{}
	for _, e := range list {
		v, ok := follow(e, rest)
		if !ok {
			return nil, false
		}
		if many, ok := v.([]any); ok {
			all = append(all, many...)
		} else {
			all = append(all, v)
		}
	}
	return all, true
}

// resolve puts in what the arguments refer to (RFC 8620 §3.7).
func (c *call) resolve(args json.RawMessage) (json.RawMessage, error) {
	if !bytes.Contains(args, []byte(`"#`)) {
		return args, nil
	}
	all, _ := members(args)
	changed := false
	for key, raw := range all {
		name, ok := strings.CutPrefix(key, "#")
		if !ok {
			continue
		}
		if _, twice := all[name]; twice {
			return nil, failed("invalidArguments", name+" is given twice, once by reference.")
		}
		var ref struct{ ResultOf, Name, Path string }
		if err := json.Unmarshal(raw, &ref); err != nil {
			return nil, failed("invalidArguments", key+" is no reference.")
		}
		v, err := c.req.lookUp(ref.ResultOf, ref.Name, ref.Path)
		if err != nil {
			return nil, err
		}
		delete(all, key)
		all[name] = encode(v)
		changed = true
	}
	if !changed {
		return args, nil
	}
	return encode(all), nil
}

// lookUp finds what a result reference points to.
func (r *request) lookUp(callID, name, path string) (any, error) {
	for i, resp := range r.responses {
		if resp.id != callID {
			continue
		}
		if resp.name != name {
			break
		}
		if _, ok := r.decoded[i]; !ok {
			d := json.NewDecoder(bytes.NewReader(resp.args))
			d.UseNumber()
			var v any
			if err := d.Decode(&v); err != nil {
				return nil, failed("serverFail", err.Error())
			}
			r.decoded[i] = v
		}
		if v, ok := follow(r.decoded[i], path); ok {
			return v, nil
		}
		break
	}
	return nil, failed("invalidResultReference", "Nothing is found at "+path+" of "+name+" "+callID+".")
}
