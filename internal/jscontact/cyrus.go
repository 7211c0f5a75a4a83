package jscontact

import (
	"regexp"

	js "mailhaul/internal/jsschema"
)

// What Cyrus 3.6 answers for a Contact and takes for one, as it was seen to;
// docs/types/contacts.md has the findings.

// serverSet are properties that Cyrus sets itself and refuses in a create
// (invalidProperties): they say nothing about the person.
var serverSet = []string{"id", "blobId", "size", "x-href", "x-hasPhoto"}

const cyrusHasNot = "Cyrus has no place for it"

// noDate is what Cyrus gives for a birthday or anniversary that is not set.
const noDate = "0000-00-00"

// noYear and all years before it are refused: 1604 is how Apple's vCards say that
// a birthday has no year.
const noYear = 1604

var cyrusDate = js.Text("a date as Cyrus has it (YYYY-MM-DD, zeros for what is unknown)",
	regexp.MustCompile(`^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])$`).MatchString)

var (
	cyrusList    = js.May(js.Array(js.Any)) // each element is held to its own table, so that one costs no other
	cyrusContact = &js.Type{Name: "Contact", Closed: true, Unknown: "mailhaul does not know this property of Cyrus", Props: map[string]js.Prop{
		"uid": js.Need(js.NonEmpty), "addressbookId": js.May(js.NonEmpty),
		"prefix": js.May(js.String), "firstName": js.May(js.String), "lastName": js.May(js.String), "suffix": js.May(js.String),
		"nickname": js.May(js.String), "company": js.May(js.String), "department": js.May(js.String), "jobTitle": js.May(js.String),
		"birthday": js.May(cyrusDate), "anniversary": js.May(cyrusDate), "notes": js.May(js.String),
		"emails": cyrusList, "phones": cyrusList, "online": cyrusList, "addresses": cyrusList,
		"avatar": js.May(js.Object(cyrusFile)), "isFlagged": js.May(js.Bool), "importance": js.May(js.Any),
	}}
	cyrusFile = &js.Type{Name: "File", Closed: true, Props: map[string]js.Prop{
		"blobId": js.Need(js.NonEmpty), "type": js.May(js.String), "name": js.May(js.String), "size": js.May(js.Any)}}
	cyrusEmail   = information(map[string]js.Prop{"isDefault": js.May(js.Bool)}, "personal", "work", "other")
	cyrusPhone   = information(map[string]js.Prop{}, "home", "work", "mobile", "fax", "pager", "other")
	cyrusOnline  = information(map[string]js.Prop{}, "uri", "username", "other")
	cyrusAddress = &js.Type{Name: "Address", Closed: true, Props: map[string]js.Prop{
		"type": js.Need(js.Exactly("home", "work", "billing", "postal", "other")), "label": js.May(js.String),
		"street": js.May(js.String), "locality": js.May(js.String), "region": js.May(js.String),
		"postcode": js.May(js.String), "country": js.May(js.String)}}
	cyrusGroup = &js.Type{Name: "ContactGroup", Closed: true, Unknown: "mailhaul does not know this property of Cyrus", Props: map[string]js.Prop{
		"uid": js.Need(js.NonEmpty), "addressbookId": js.May(js.NonEmpty), "name": js.May(js.String),
		"contactIds": js.May(js.Array(js.NonEmpty)), "otherAccountContactIds": js.May(js.Map(js.NonEmpty, js.Array(js.NonEmpty)))}}
)

// information is the table of Cyrus's ContactInformation with the types it may
// have in one list.
func information(props map[string]js.Prop, types ...string) *js.Type {
	props["type"] = js.Need(js.Exactly(types...))
	props["value"], props["label"] = js.Need(js.String), js.May(js.String)
	return &js.Type{Name: "ContactInformation", Closed: true, Props: props}
}

// names pairs the parts of a name; the order is that of a name as Cyrus writes
// it. The first kind of each is what the part becomes, the others become the
// part too.
var names = []struct {
	cyrus string
	kinds []string
}{
	{"prefix", []string{"title"}},
	{"firstName", []string{"given", "given2"}},
	{"lastName", []string{"surname", "surname2"}},
	{"suffix", []string{"credential", "generation"}}, // RFC 9555 §2.5.6 reads suffixes so
}

// dates pairs a Contact's days with kinds of anniversaries; vCard's ANNIVERSARY,
// which is Cyrus's, is of a wedding (RFC 6350 §6.2.6).
var dates = []struct{ cyrus, kind string }{{"birthday", "birth"}, {"anniversary", "wedding"}}

// emailContexts, phoneUses and addressContexts pair the type of a Contact's
// entry with what says the same of a card's. "other" is what says nothing.
var (
	emailContexts = []use{{"personal", "contexts", "private"}, {"work", "contexts", "work"}}
	phoneUses     = []use{{"fax", "features", "fax"}, {"pager", "features", "pager"}, {"mobile", "features", "mobile"},
		{"work", "contexts", "work"}, {"home", "contexts", "private"}}
	addressUses = []use{{"home", "contexts", "private"}, {"work", "contexts", "work"},
		{"billing", "contexts", "billing"}, {"postal", "contexts", "delivery"}}
)

// use is a type of Cyrus's and the property and key of a card that mean it.
type use struct{ cyrus, property, key string }

// addressParts pairs the parts of an address. What stands in the street on Cyrus
// may be several lines: a street's name takes them as they are.
var addressParts = []struct{ cyrus, kind string }{
	{"street", "name"}, {"locality", "locality"}, {"region", "region"}, {"postcode", "postcode"}, {"country", "country"}}

// flagged is the keyword of a card that Cyrus has flagged.
const flagged = "$flagged"
