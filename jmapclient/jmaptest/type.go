package jmaptest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Type is a data type of which a server keeps objects much as they came: a
// row of a profile's table. Mail, identities, scripts and the vacation
// response are apart, because they do more.
type Type struct {
	Name    string
	URN     string   // of the capability
	Methods []string // "get", "changes", "query", "set", "copy"

	// Props are the properties and what they are where nothing is said of them.
	Props object
	// Open: other properties are taken and kept, too (RFC 9553 §1.8.1, RFC 8984 §1.4.4).
	Open bool
	// Required properties are there, and not empty.
	Required []string
	// Fixed properties are the server's: a client may only say what they are.
	Fixed []string
	// Hidden properties are answered only when they are asked for.
	Hidden []string
	// Absent properties are not there when they are null.
	Absent []string
	// Always are answered whatever is asked for.
	Always []string
	// Refused properties cost the object, with these words.
	Refused map[string]string
	// Shapes are what properties of JSContact and JSCalendar look like, see [shape].
	Shapes map[string]shape
	// Rights are what myRights and shareWith tell of.
	Rights []string
	// FlatRights: the rights are properties of the object itself.
	FlatRights bool
	// SharedRights are what shareWith tells of where that is something else.
	SharedRights []string

	// Parent is the property that names the object of the same type that holds this one.
	Parent string
	// In is the property that names the containers of this object, of the type InType.
	// With InOne it is one id and DefaultIn stands for none, else a set of ids. No
	// InType: DefaultIn is the only one.
	In, InType, DefaultIn string
	InOne                 bool
	// Refers are lists of ids of others, which need not be there.
	Refers []string
	// Contents is the type of what this one contains, which DestroyArg lets go with it;
	// else there is the error NotEmpty. No NotEmpty: it goes in any case.
	Contents, DestroyArg, NotEmpty string
	// Unique properties are those that no two objects have all alike.
	Unique []string
	// TakenAlreadyExists: two alike are alreadyExists, in place of invalidProperties.
	TakenAlreadyExists bool
	// IDIsUID: the id of an object is its uid.
	IDIsUID bool
	// Blobs are paths to the ids of blobs, "media/*/blobId".
	Blobs []string
	// InlineBlobs: a data: URI that stands beside such an id becomes a blob.
	InlineBlobs bool
	// BlobsRefused: an object that names a blob is refused, with these words.
	BlobsRefused string
	// Made and Changed are the properties that tell when an object was.
	Made, Changed string
	// Filters are the properties that a query's conditions look at.
	Filters map[string]string
	// QueryHas is a property that an object needs to be found.
	QueryHas string
	// QueryChanges: the query says that changes can be calculated.
	QueryChanges bool
	// Answers are properties that a created object is answered with, beside its id, where the profile answers little.
	Answers []string
	// Stateless: get answers no state.
	Stateless bool
	// First is the number in the first object's id, where the profile's FirstNumber is not.
	First *uint32
	// Seeds are what an account has from the start.
	Seeds func(*account) []object
	// Settle makes of an object what the server makes of it.
	Settle func(a *account, o object, now string)
	// Raw writes an object in the form that it has in WebDAV, which is a blob of its own.
	Raw func(object) string
	// Schedules: writing one tells its participants, with ScheduleArg when that says so,
	// and unless Untold does.
	Schedules   bool
	ScheduleArg string
	Untold      func(c *call, o object) bool
	// Submits: making one sends a message.
	Submits bool
}

// thing is one object of such a type. What props hold is replaced, never changed.
type thing struct {
	n     uint32
	id    string
	props object
	holds []hash
}

// things are an account's of one type.
type things struct {
	byID    map[string]*thing
	byKey   map[string]*thing // by what is unique
	numbers numbers
}

// key is what no two objects have alike, "" where there is no such thing.
func (t *Type) key(props object) string {
	if t.Unique == nil {
		return ""
	}
	var b strings.Builder
	for _, p := range t.Unique {
		b.Write(encode(props[p]))
	}
	return b.String()
}

// typeByName is a row of the profile's table, nil if there is none.
func (s *Server) typeByName(name string) *Type {
	i := slices.IndexFunc(s.p.Types, func(t Type) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &s.p.Types[i]
}

// typeMethod is a method of a type in the table.
func (s *Server) typeMethod(name string) (method, bool) {
	typ, verb, _ := strings.Cut(name, "/")
	t := s.typeByName(typ)
	if t == nil || !slices.Contains(t.Methods, verb) {
		return method{}, false
	}
	do := map[string]func(*call, *Type) (any, error){
		"get": (*call).thingGet, "changes": (*call).thingChanges, "query": (*call).thingQuery,
		"set": (*call).thingSet, "copy": (*call).thingCopy,
	}[verb]
	return method{t.URN, verb == "set" || verb == "copy", func(c *call) (any, error) { return do(c, t) }}, true
}

// of is the account's objects of a type; the first to ask finds the seeds.
func (a *account) of(t *Type) *things {
	all := a.things[t.Name]
	if all != nil {
		return all
	}
	all = &things{byID: map[string]*thing{}, byKey: map[string]*thing{}}
	all.numbers.next = a.s.p.FirstNumber
	if t.First != nil {
		all.numbers.next = *t.First
	}
	a.things[t.Name] = all
	if t.Seeds == nil {
		return all
	}
	for _, seed := range t.Seeds(a) {
		o := clone(t.Props)
		maps.Copy(o, seed)
		th := a.thingAdd(t, o)
		a.settle(t, th, a.s.stamp())
		if a.s.p.DefaultsNoted && !t.Stateless {
			a.note(t.Name, th.id, created)
		}
	}
	return all
}

// thingAdd makes an object; it is no change yet.
func (a *account) thingAdd(t *Type, props object) *thing {
	all := a.of(t)
	th := &thing{n: all.numbers.take(), props: props}
	uid, _ := props["uid"].(string)
	id, _ := props["id"].(string)
	switch {
	case id != "":
		th.id = id
	case t.IDIsUID && uid != "":
		th.id = uid
	default:
		th.id = a.s.id(t.Name[0], uint64(th.n))
		if a.s.p.IDs != ShortIDs {
			th.id = t.letters() + th.id[1:]
		}
	}
	delete(props, "id")
	all.byID[th.id] = th
	return th
}

// settle makes of a new or changed object what the server makes of it.
func (a *account) settle(t *Type, th *thing, now string) {
	if t.Settle != nil {
		th.props["id"] = th.id
		t.Settle(a, th.props, now)
		delete(th.props, "id")
	}
	if t.Raw != nil {
		b := a.s.keep([]byte(t.Raw(th.props)))
		a.hold(b.hash)
		th.holds = append(th.holds, b.hash)
		th.props["blobId"], th.props["size"] = a.s.storedBlobID(b.hash, a, th.n), len(b.data)
	}
	maps.DeleteFunc(th.props, func(p string, v any) bool { return v == nil && slices.Contains(t.Absent, p) })
}

// letters begin the ids of a type: "AB" for AddressBook.
func (t *Type) letters() string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, t.Name)
}

// sorted is all of them in the order they were made.
func (all *things) sorted() []*thing {
	return slices.SortedFunc(maps.Values(all.byID), func(x, y *thing) int { return int(x.n) - int(y.n) })
}

// thingGone takes an object away.
func (a *account) thingGone(t *Type, th *thing) {
	all := a.of(t)
	delete(all.byID, th.id)
	if key := t.key(th.props); all.byKey[key] == th {
		delete(all.byKey, key)
	}
	for _, h := range th.holds {
		a.release(h)
	}
	a.note(t.Name, th.id, destroyed)
}

// thingPut gives an object other properties.
func (a *account) thingPut(t *Type, th *thing, props object, holds []hash) {
	for _, h := range holds {
		a.hold(h)
	}
	for _, h := range th.holds {
		a.release(h)
	}
	all := a.of(t)
	if key := t.key(th.props); all.byKey[key] == th {
		delete(all.byKey, key)
	}
	all.byKey[t.key(props)] = th
	th.props, th.holds = props, holds
}

// containers are the ids in the property In.
func (t *Type) containers(o object) []string {
	if t.In == "" {
		return nil
	}
	if id, ok := o[t.In].(string); ok {
		return []string{id}
	}
	set, _ := o[t.In].(object)
	return slices.Sorted(maps.Keys(set))
}

// clone copies a JSON value in depth.
func clone[T any](v T) T {
	var out any
	switch at := any(v).(type) {
	case object:
		o := make(object, len(at))
		for k, e := range at {
			o[k] = clone(e)
		}
		out = o
	case []any:
		list := make([]any, len(at))
		for i, e := range at {
			list[i] = clone(e)
		}
		out = list
	default:
		return v
	}
	return out.(T)
}

// stamp is the time now as JMAP writes it.
func (s *Server) stamp() string { return s.now().Truncate(time.Second).Format(time.RFC3339) }
