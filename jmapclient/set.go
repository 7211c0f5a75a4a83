package jmapclient

import (
	"context"
	"maps"
	"slices"
	"strings"

	"mailhaul/account"
)

// SetArgs are the arguments of Foo/set (RFC 8620 §5.3).
type SetArgs struct {
	Create  map[string]account.Object
	Update  map[string]map[string]any // patches
	Destroy []string
	Extra   map[string]any // onSuccessActivateScript, onDestroyRemoveEmails, …
}

// SetResult is what Foo/set answers. Its maps are never nil.
type SetResult struct {
	OldState, NewState                   string
	Created                              map[string]account.Object
	Updated                              map[string]bool
	Destroyed                            []string
	NotCreated, NotUpdated, NotDestroyed map[string]SetError
}

// SetError says why one object was not created, updated or destroyed.
type SetError struct {
	Type        string   `json:"type"`
	Description string   `json:"description"`
	Properties  []string `json:"properties"`
	ExistingID  string   `json:"existingId"`
}

// UnmarshalJSON reads what is there and of the right kind.
func (e *SetError) UnmarshalJSON(data []byte) error {
	o, _ := account.ParseObject(data) // anything but an object says nothing
	*e = SetError{Type: o.Text("type"), Description: o.Text("description"), Properties: o.Strings("properties"), ExistingID: o.Text("existingId")}
	return nil
}

// String words the error for a person: "overQuota: You have exceeded …".
func (e SetError) String() string {
	s := quote(e.Type)
	if e.Description != "" {
		s += ": " + quote(e.Description)
	}
	if len(e.Properties) > 0 {
		s += " (" + quote(strings.Join(e.Properties, ", ")) + ")"
	}
	return s
}

// Set is Foo/set, in as many requests as maxObjectsInSet and maxSizeRequest
// demand: first what is created, then what is updated, then what is destroyed.
//
// References ("#key") between creates, or from updates to creates, hold only
// within one request: whoever uses them keeps the call within Limits. Of Extra,
// arguments named onSuccess… go with the last request, the others with each.
//
// When a request fails, the result of those before it comes with the error. A
// request that creates is not sent again once it may have been carried out
// (kind Unknown). Updates and destroys are; what a second try finds gone counts
// as destroyed.
func (a *Account) Set(ctx context.Context, t account.Type, s SetArgs) (*SetResult, error) {
	method := t.Name + "/set"
	using, err := a.using(t, method)
	if err != nil {
		return nil, err
	}
	using = a.sharingUsing(t, s, using)
	res := newSetResult()
	batches := s.split(a.Client.limits)
	for i, b := range batches {
		args := map[string]any{}
		for k, v := range s.Extra {
			if i == len(batches)-1 || !strings.HasPrefix(k, "onSuccess") {
				args[k] = v
			}
		}
		if len(b.Create) > 0 {
			args["create"] = b.Create
		}
		if len(b.Update) > 0 {
			args["update"] = b.Update
		}
		if len(b.Destroy) > 0 {
			args["destroy"] = b.Destroy
		}
		k := a.call(method, args)
		r := a.request(using, k)
		r.creates = len(b.Create) > 0
		var said setAnswer
		k.read = into(&said)
		if err := a.Client.send(ctx, r); err != nil {
			return res, err
		}
		res.add(&said, r.tries > 1)
	}
	return res, nil
}

// split cuts the work into batches that fit one request each.
func (s SetArgs) split(l Limits) []SetArgs {
	const envelope = 1 << 10 // using, method, account id, states
	room := l.MaxSizeRequest - envelope - int64(len(account.Marshal(s.Extra)))
	var batches []SetArgs
	var objects, size int64
	next := func(key string, value any) *SetArgs {
		n := int64(len(account.Marshal(key)) + len(account.Marshal(value)) + 2)
		if len(batches) == 0 || objects == l.MaxObjectsInSet || size+n > room {
			batches = append(batches, SetArgs{Create: map[string]account.Object{}, Update: map[string]map[string]any{}})
			objects, size = 0, 0
		}
		objects++
		size += n
		return &batches[len(batches)-1]
	}
	for _, key := range slices.Sorted(maps.Keys(s.Create)) {
		next(key, s.Create[key]).Create[key] = s.Create[key]
	}
	for _, id := range slices.Sorted(maps.Keys(s.Update)) {
		next(id, s.Update[id]).Update[id] = s.Update[id]
	}
	for _, id := range s.Destroy {
		b := next(id, "")
		b.Destroy = append(b.Destroy, id)
	}
	if len(batches) == 0 && len(s.Extra) > 0 {
		batches = append(batches, SetArgs{}) // SieveScript/set may but activate
	}
	return batches
}

// setAnswer is Foo/set's answer as servers send it: maps may be missing or
// null, the values in created and updated too.
type setAnswer struct {
	OldState, NewState                   string
	Created                              map[string]account.Object
	Updated                              map[string]account.Object
	Destroyed                            []string
	NotCreated, NotUpdated, NotDestroyed map[string]SetError
}

func newSetResult() *SetResult {
	return &SetResult{
		Created: map[string]account.Object{}, Updated: map[string]bool{},
		NotCreated: map[string]SetError{}, NotUpdated: map[string]SetError{}, NotDestroyed: map[string]SetError{},
	}
}

// add takes one answer in. again says that the request had been sent before: an
// object that is not there now was destroyed by the first.
func (r *SetResult) add(a *setAnswer, again bool) {
	if r.OldState == "" {
		r.OldState = a.OldState
	}
	r.NewState = a.NewState
	for key, o := range a.Created {
		if o == nil {
			o = account.Object{}
		}
		r.Created[key] = o
	}
	for id := range a.Updated {
		r.Updated[id] = true
	}
	r.Destroyed = append(r.Destroyed, a.Destroyed...)
	maps.Copy(r.NotCreated, a.NotCreated)
	maps.Copy(r.NotUpdated, a.NotUpdated)
	for id, e := range a.NotDestroyed {
		if again && e.Type == "notFound" {
			r.Destroyed = append(r.Destroyed, id)
		} else {
			r.NotDestroyed[id] = e
		}
	}
}
