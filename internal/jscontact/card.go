package jscontact

import (
	js "mailhaul/internal/jsschema"

	"mailhaul/account"
)

// Validate says what about a ContactCard is not as RFC 9553 and RFC 9610 have
// it. The properties of RFC 9555 (vCardProps and the like) may be there.
func Validate(o account.Object) []js.Problem {
	m, err := js.Decode(o)
	if err != nil {
		return []js.Problem{{Reason: err.Error()}}
	}
	return js.Check(card, m)
}

// The tables of RFC 9553; the number is the section's.
var (
	contexts        = js.Set(js.Enum("private", "work"))
	addressContexts = js.Set(js.Enum("private", "work", "billing", "delivery"))
	pref            = js.Int(1, 100)
	phoneticSystem  = js.Enum("ipa", "jyut", "piny")
)

// listed is a map from ids to objects of a type.
func listed(t *js.Type) js.Prop { return js.May(js.Map(js.ID, js.Object(t))) }

// with is a table and the rows that many tables share, 1.5.
func with(shared string, props map[string]js.Prop) map[string]js.Prop {
	rows := map[byte]struct {
		name string
		js.Prop
	}{'c': {"contexts", js.May(contexts)}, 'p': {"pref", js.May(pref)}, 'l': {"label", js.May(js.String)}}
	for i := range shared {
		props[rows[shared[i]].name] = rows[shared[i]].Prop
	}
	return props
}

// resource is 1.4.4 with the kinds it may be, "" for a kind that may be left out.
func resource(name string, kindRequired bool, kinds ...string) *js.Type {
	kind := js.Prop{Form: js.Enum(kinds...), Required: kindRequired}
	return &js.Type{Name: name, Props: with("cpl", map[string]js.Prop{
		"kind": kind, "uri": js.Need(js.URI), "mediaType": js.May(js.MediaType),
	})}
}

var (
	nameComponent = &js.Type{Name: "NameComponent", Props: map[string]js.Prop{ // 2.2.1.2
		"kind":  js.Need(js.Enum("title", "given", "given2", "surname", "surname2", "credential", "generation", "separator")),
		"value": js.Need(js.String), "phonetic": js.May(js.String),
	}}
	name = &js.Type{Name: "Name", AnyOf: []string{"components", "full"}, Verify: verifyOrder, Props: map[string]js.Prop{ // 2.2.1.1
		"components": js.May(js.Array(js.Object(nameComponent))), "isOrdered": js.May(js.Bool),
		"defaultSeparator": js.May(js.String), "full": js.May(js.String),
		"sortAs":         js.May(js.Map(js.Enum("title", "given", "given2", "surname", "surname2", "credential", "generation"), js.String)),
		"phoneticScript": js.May(js.Text("a script's code", isScript)), "phoneticSystem": js.May(phoneticSystem),
	}}
	nickname = &js.Type{Name: "Nickname", Props: with("cp", map[string]js.Prop{"name": js.Need(js.String)})} // 2.2.2
	orgUnit  = &js.Type{Name: "OrgUnit", Props: map[string]js.Prop{"name": js.Need(js.String), "sortAs": js.May(js.String)}}
	org      = &js.Type{Name: "Organization", AnyOf: []string{"name", "units"}, Props: with("c", map[string]js.Prop{ // 2.2.3
		"name": js.May(js.String), "units": js.May(js.Array(js.Object(orgUnit))), "sortAs": js.May(js.String)})}
	pronouns  = &js.Type{Name: "Pronouns", Props: with("cp", map[string]js.Prop{"pronouns": js.Need(js.String)})}
	speakToAs = &js.Type{Name: "SpeakToAs", AnyOf: []string{"grammaticalGender", "pronouns"}, Props: map[string]js.Prop{ // 2.2.4
		"grammaticalGender": js.May(js.Enum("animate", "common", "feminine", "inanimate", "masculine", "neuter")),
		"pronouns":          listed(pronouns)}}
	title = &js.Type{Name: "Title", Props: map[string]js.Prop{ // 2.2.5
		"name": js.Need(js.String), "kind": js.May(js.Enum("title", "role")), "organizationId": js.May(js.ID)}}
	email   = &js.Type{Name: "EmailAddress", Props: with("cpl", map[string]js.Prop{"address": js.Need(js.NonEmpty)})} // 2.3.1
	service = &js.Type{Name: "OnlineService", AnyOf: []string{"uri", "user"}, Props: with("cpl", map[string]js.Prop{  // 2.3.2
		"service": js.May(js.String), "uri": js.May(js.URI), "user": js.May(js.String)})}
	phone = &js.Type{Name: "Phone", Props: with("cpl", map[string]js.Prop{ // 2.3.3
		"number":   js.Need(js.NonEmpty),
		"features": js.May(js.Set(js.Enum("mobile", "voice", "text", "video", "main-number", "textphone", "fax", "pager")))})}
	languagePref = &js.Type{Name: "LanguagePref", Props: with("cp", map[string]js.Prop{"language": js.Need(js.Language)})} // 2.3.4
	scheduling   = &js.Type{Name: "SchedulingAddress", Props: with("cpl", map[string]js.Prop{"uri": js.Need(js.URI)})}     // 2.4.2

	addressComponent = &js.Type{Name: "AddressComponent", Props: map[string]js.Prop{ // 2.5.1.2
		"kind": js.Need(js.Enum("room", "apartment", "floor", "building", "number", "name", "block", "subdistrict", "district",
			"locality", "region", "postcode", "country", "direction", "landmark", "postOfficeBox", "separator")),
		"value": js.Need(js.String), "phonetic": js.May(js.String)}}
	address = &js.Type{Name: "Address", Verify: verifyOrder, // 2.5.1.1
		AnyOf: []string{"components", "coordinates", "countryCode", "full", "timeZone"}, Props: with("p", map[string]js.Prop{
			"components": js.May(js.Array(js.Object(addressComponent))), "isOrdered": js.May(js.Bool),
			"defaultSeparator": js.May(js.String), "full": js.May(js.String), "contexts": js.May(addressContexts),
			"countryCode": js.May(js.Country), "coordinates": js.May(js.Geo), "timeZone": js.May(js.TimeZone),
			"phoneticScript": js.May(js.Text("a script's code", isScript)), "phoneticSystem": js.May(phoneticSystem)})}

	media = &js.Type{Name: "Media", AnyOf: []string{"uri", "blobId"}, Props: with("cpl", map[string]js.Prop{ // 2.6.4, RFC 9610 §3
		"kind": js.Need(js.Enum("photo", "sound", "logo")), "uri": js.May(js.URI), "mediaType": js.May(js.MediaType),
		"blobId": js.May(js.NonEmpty)})}

	timestamp   = &js.Type{Name: "Timestamp", Named: true, Props: map[string]js.Prop{"utc": js.Need(js.UTCDateTime)}}
	partialDate = &js.Type{Name: "PartialDate", Verify: verifyDate, Props: map[string]js.Prop{ // 2.8.1
		"year": js.May(js.Int(0, js.MaxInt)), "month": js.May(js.Int(1, 12)), "day": js.May(js.Int(1, 31)),
		"calendarScale": js.May(js.String)}}
	anniversary = &js.Type{Name: "Anniversary", Props: with("", map[string]js.Prop{
		"kind": js.Need(js.Enum("birth", "death", "wedding")), "date": js.Need(js.Object(partialDate, timestamp)),
		"place": js.May(js.Object(address))})}
	author = &js.Type{Name: "Author", AnyOf: []string{"name", "uri"}, Props: map[string]js.Prop{"name": js.May(js.String), "uri": js.May(js.URI)}}
	note   = &js.Type{Name: "Note", Props: map[string]js.Prop{ // 2.8.3
		"note": js.Need(js.String), "created": js.May(js.UTCDateTime), "author": js.May(js.Object(author))}}
	personal = &js.Type{Name: "PersonalInfo", Props: with("l", map[string]js.Prop{ // 2.8.4
		"kind": js.Need(js.Enum("expertise", "hobby", "interest")), "value": js.Need(js.String),
		"level": js.May(js.Enum("high", "medium", "low")), "listAs": js.May(js.Int(1, js.MaxInt))})}
	relation = &js.Type{Name: "Relation", Props: map[string]js.Prop{ // 2.1.8
		"relation": js.May(js.Set(js.Enum("acquaintance", "agent", "child", "co-resident", "co-worker", "colleague", "contact",
			"crush", "date", "emergency", "friend", "kin", "me", "met", "muse", "neighbor", "parent", "sibling", "spouse", "sweetheart")))}}
	directory = resource("Directory", true, "directory", "entry") // 2.6.2

	card = &js.Type{Name: "Card", Named: true, Verify: verifyCard, Unpatchable: []string{"localizations"}, Props: map[string]js.Prop{ // 2.1
		"version": js.Need(js.Exactly("1.0")), "uid": js.Need(js.NonEmpty),
		"created": js.May(js.UTCDateTime), "updated": js.May(js.UTCDateTime), "prodId": js.May(js.NonEmpty),
		"kind":     js.May(js.Enum("individual", "group", "org", "location", "device", "application")),
		"language": js.May(js.Language), "members": js.May(js.Set(js.NonEmpty)),
		"relatedTo": js.May(js.Map(js.NonEmpty, js.Object(relation))),
		"name":      js.May(js.Object(name)), "nicknames": listed(nickname), "organizations": listed(org),
		"speakToAs": js.May(js.Object(speakToAs)), "titles": listed(title), "emails": listed(email),
		"onlineServices": listed(service), "phones": listed(phone), "preferredLanguages": listed(languagePref),
		"calendars": listed(resource("Calendar", true, "calendar", "freeBusy")), "schedulingAddresses": listed(scheduling),
		"addresses": listed(address), "cryptoKeys": listed(resource("CryptoKey", false)), "directories": listed(directory),
		"links": listed(resource("Link", false, "contact")), "media": listed(media), "anniversaries": listed(anniversary),
		"keywords": js.May(js.Set(js.NonEmpty)), "notes": listed(note), "personalInfo": listed(personal),
		"localizations": js.May(js.Map(js.Language, js.Patch)),
		// RFC 9610 §3
		"id": js.May(js.NonEmpty), "addressBookIds": js.May(js.Filled(js.Set(js.NonEmpty))),
		// RFC 9555 §2.15
		"vCardProps": js.May(js.Array(js.Any)),
	}}
)

func init() {
	directory.Props["listAs"] = js.May(js.Int(1, js.MaxInt))
	js.Each(card, func(t *js.Type) { // RFC 9555 §2.15.2 and §2.15.3: any object may have them
		t.Props["vCardParams"] = js.May(js.Map(js.NonEmpty, js.Any))
		t.Props["vCardName"] = js.May(js.NonEmpty)
	})
}
