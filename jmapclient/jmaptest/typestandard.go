package jmaptest

import "slices"

const (
	urnContacts  = "urn:ietf:params:jmap:contacts"
	urnCalendars = "urn:ietf:params:jmap:calendars"
	urnFiles     = "urn:ietf:params:jmap:filenode"
)

var (
	allMethods = []string{"get", "changes", "query", "set", "copy"}
	noQuery    = []string{"get", "changes", "set"}
)

// standardTypes are the rows of the strict server.
var standardTypes = []Type{addressBook, contactCard, calendar, calendarEvent, participantIdentity, fileNode, emailSubmission}

// addressBook is RFC 9610 §2.
var addressBook = Type{
	Name: "AddressBook", URN: urnContacts, Methods: noQuery,
	Props:    object{"name": "", "description": nil, "sortOrder": 0.0, "isDefault": false, "isSubscribed": true, "shareWith": nil},
	Required: []string{"name"}, Fixed: []string{"isDefault"},
	Rights:   []string{"mayRead", "mayWrite", "mayShare", "mayDelete"},
	Contents: "ContactCard", DestroyArg: "onDestroyRemoveContents", NotEmpty: "addressBookHasContents",
	Seeds: func(*account) []object { return []object{{"name": "Contacts", "isDefault": true}} },
}

// contactCard is RFC 9610 §3, and RFC 9553.
var contactCard = Type{
	Name: "ContactCard", URN: urnContacts, Methods: allMethods, Open: true,
	Props:    object{"uid": nil, "addressBookIds": nil},
	Required: []string{"@type", "version"},
	In:       "addressBookIds", InType: "AddressBook",
	Unique: []string{"uid"}, Blobs: []string{"media/*/blobId"}, InlineBlobs: true,
	Shapes: map[string]shape{
		"@type": shapeCard, "version": shapeText, "kind": shapeText, "uid": shapeText, "created": shapeUTC, "updated": shapeUTC,
		"name": shapeObject, "members": shapeSet, "keywords": shapeSet, "emails": "map:address", "phones": "map:number",
		"notes": "map:note", "addresses": "map:", "anniversaries": "map:date", "media": "map:uri|blobId", "nicknames": "map:name",
		"organizations": "map:name|units", "titles": "map:name", "onlineServices": "map:uri|user", "links": "map:uri",
	},
	Filters: map[string]string{"inAddressBook": "addressBookIds", "uid": "uid", "kind": "kind", "hasMember": "members"},
}

// calendar is draft-ietf-jmap-calendars §4.
var calendar = Type{
	Name: "Calendar", URN: urnCalendars, Methods: noQuery,
	Props: object{"name": "", "description": nil, "color": nil, "sortOrder": 0.0, "isSubscribed": true, "isVisible": true, "isDefault": false,
		"includeInAvailability": "all", "defaultAlertsWithTime": nil, "defaultAlertsWithoutTime": nil, "timeZone": nil, "shareWith": nil},
	Required: []string{"name"}, Fixed: []string{"isDefault"},
	Rights:   []string{"mayReadFreeBusy", "mayReadItems", "mayWriteAll", "mayWriteOwn", "mayUpdatePrivate", "mayRSVP", "mayShare", "mayDelete"},
	Contents: "CalendarEvent", DestroyArg: "onDestroyRemoveEvents", NotEmpty: "calendarHasEvent",
	Seeds: func(*account) []object { return []object{{"name": "Calendar", "isDefault": true}} },
}

// calendarEvent is draft-ietf-jmap-calendars §5, and RFC 8984.
var calendarEvent = Type{
	Name: "CalendarEvent", URN: urnCalendars, Methods: allMethods, Open: true,
	Props: object{"@type": "Event", "uid": nil, "calendarIds": nil, "isDraft": false, "isOrigin": true},
	Fixed: []string{"isOrigin", "baseEventId", "utcStart", "utcEnd"}, Required: []string{"start"},
	Refused: map[string]string{"method": "An event that is kept has no method."},
	In:      "calendarIds", InType: "Calendar",
	Unique: []string{"uid", "recurrenceId"}, Blobs: []string{"links/*/blobId"},
	Shapes: map[string]shape{
		"@type": shapeEvent, "uid": shapeText, "title": shapeText, "description": shapeText, "start": shapeLocal, "duration": shapeDuration,
		"timeZone": shapeText, "created": shapeUTC, "updated": shapeUTC, "keywords": shapeSet, "categories": shapeSet,
		"locations": "map:", "virtualLocations": "map:uri", "links": "map:href|blobId", "recurrenceRules": "list:frequency",
		"recurrenceOverrides": "map:", "participants": "map:roles|calendarAddress", "alerts": "map:trigger",
	},
	Filters: map[string]string{"inCalendar": "calendarIds", "uid": "uid"},
	Made:    "created", Changed: "updated",
	Settle:    func(a *account, o object, _ string) { settleOrigin(a, o) },
	Schedules: true, ScheduleArg: "sendSchedulingMessages",
}

// settleOrigin says who organizes an event, and whether that is the account
// (draft-ietf-jmap-calendars §5.1).
func settleOrigin(a *account, o object) {
	participants, _ := o["participants"].(object)
	if len(participants) > 0 && o["organizerCalendarAddress"] == nil && o["replyTo"] == nil && len(a.user.Emails) > 0 {
		o["organizerCalendarAddress"] = "mailto:" + a.user.Emails[0]
	}
	organizer := address1(o["organizerCalendarAddress"])
	o["isOrigin"] = organizer == "" || (&call{s: a.s, a: a}).mayBe(organizer)
}

// participantIdentity is draft-ietf-jmap-calendars §3.
var participantIdentity = Type{
	Name: "ParticipantIdentity", URN: urnCalendars, Methods: noQuery,
	Props:    object{"name": "", "calendarAddress": "", "isDefault": false},
	Required: []string{"calendarAddress"}, Fixed: []string{"isDefault"},
	Seeds: func(a *account) []object {
		var list []object
		addresses := a.identityAddresses()
		if a.s.p.GroupIdentities { // here a group's come last
			addresses = slices.Concat(a.user.Emails, addresses[:len(addresses)-len(a.user.Emails)])
		}
		for i, email := range addresses {
			list = append(list, object{"name": a.user.Description, "calendarAddress": "mailto:" + email, "isDefault": i == 0})
		}
		return list
	},
}

// fileNode is draft-ietf-jmap-filenode §3.
var fileNode = Type{
	Name: "FileNode", URN: urnFiles, Methods: []string{"get", "changes", "query", "set"},
	Props: object{"parentId": nil, "nodeType": nil, "blobId": nil, "target": nil, "size": nil, "name": "", "type": nil,
		"created": nil, "modified": nil, "accessed": nil, "changed": nil, "executable": nil, "isSubscribed": true, "shareWith": nil, "role": nil},
	Required: []string{"name"}, Fixed: []string{"size", "changed"},
	Parent: "parentId", Unique: []string{"parentId", "name"}, TakenAlreadyExists: true, Blobs: []string{"blobId"},
	Rights:   []string{"mayRead", "mayAddChildren", "mayRename", "mayDelete", "mayModifyContent", "mayShare"},
	Contents: "FileNode", DestroyArg: "onDestroyRemoveChildren", NotEmpty: "nodeHasChildren",
	Shapes:  map[string]shape{"name": shapeFile},
	Filters: map[string]string{"parentId": "parentId", "name": "name", "nodeType": "nodeType"},
	Settle:  settleFile,
}

// settleFile fills in what a server knows of a file or a directory.
func settleFile(a *account, o object, now string) {
	id, _ := o["blobId"].(string)
	o["nodeType"] = "directory"
	if b := a.blobByID(id); b != nil {
		o["nodeType"], o["size"] = "file", len(b.data)
		if o["executable"] == nil {
			o["executable"] = false
		}
	}
	for _, p := range []string{"created", "modified", "accessed"} {
		if o[p] == nil {
			o[p] = now
		}
	}
	o["changed"] = now
}

// emailSubmission is RFC 8621 §7.
var emailSubmission = Type{
	Name: "EmailSubmission", URN: urnSubmission, Methods: []string{"get", "changes", "query", "set"},
	Props: object{"identityId": "", "emailId": "", "threadId": nil, "envelope": nil, "sendAt": nil, "undoStatus": "final",
		"deliveryStatus": nil, "dsnBlobIds": []any{}, "mdnBlobIds": []any{}},
	Required: []string{"identityId", "emailId"}, Fixed: []string{"threadId", "deliveryStatus", "dsnBlobIds", "mdnBlobIds"},
	Filters: map[string]string{"undoStatus": "undoStatus", "identityIds": "identityId", "emailIds": "emailId"},
	Made:    "sendAt", Submits: true,
}

// strictTypeCapabilities announce the types of standardTypes.
var strictTypeCapabilities = []Capability{
	{URN: urnMail + ":share", Session: object{}, Shared: true, Account: object{}},
	{URN: urnContacts, Session: object{}, Shared: true, Account: object{"maxAddressBooksPerCard": nil, "mayCreateAddressBook": true}},
	{URN: urnCalendars, Session: object{}, Shared: true, Account: object{"maxCalendarsPerEvent": nil, "minDateTime": "0001-01-01T00:00:00Z",
		"maxDateTime": "9999-12-31T23:59:59Z", "maxExpandedQueryDuration": "P52W1D", "maxParticipantsPerEvent": nil, "mayCreateCalendar": true}},
	{URN: urnFiles, Session: object{}, Shared: true, Account: object{"maxFileNodeDepth": nil, "maxSizeFileNodeName": 255,
		"fileNodeQuerySortOptions": []string{"name"}, "mayCreateTopLevelFileNode": true}},
}
