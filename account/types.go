package account

// Type is what mailhaul knows about one JMAP data type.
type Type struct {
	// Name is the type's name and the prefix of its methods: "Mailbox".
	Name string
	// Capabilities announce the type; any one of them suffices. The standard
	// URN comes first, vendors' follow. The first that an account has is the
	// one a request uses.
	Capabilities []string
	// Properties are what /get asks for, nil for whatever the server gives by itself.
	Properties []string
	// PropertiesBy has them by capability where a vendor's form of the type has others.
	PropertiesBy map[string][]string
	// Sharing are capabilities beside the type's own; one of them announces that
	// it has the property shareWith.
	Sharing []string
	// Parent is the property that names the object of the same type that
	// contains this one, "" where there is no tree.
	Parent string
	// Blob is the property that names the object's content, "" if it has none.
	Blob string
	// Writable are the properties that a create or an update may carry, other
	// than Parent and Blob. The server sets the rest.
	Writable []string
	// PerCaller are properties whose value is the asking user's and not the
	// account's: of no use when somebody else asks.
	PerCaller []string
	// Volatile are properties that change by themselves and say nothing of the
	// object: they are not kept.
	Volatile []string
	// Singleton types have one object, always there, with the id "singleton".
	Singleton bool
	// Large types may have more objects than one answer holds: once listed they
	// are followed by what changes.
	Large bool
	// Filter says which objects are wanted (RFC 8620 §5.5), nil for all.
	Filter map[string]any
	// Named types are of use as far as other objects name their ids, and are not listed.
	Named bool
	// Informational types are kept and shown, never restored.
	Informational bool
}

// URNs of capabilities, see [Type].
const (
	contactsURN       = "urn:ietf:params:jmap:contacts"
	calendarsURN      = "urn:ietf:params:jmap:calendars"
	submissionURN     = "urn:ietf:params:jmap:submission"
	cyrusContactsURN  = "https://cyrusimap.org/ns/jmap/contacts"
	cyrusCalendarsURN = "https://cyrusimap.org/ns/jmap/calendars"
	mailShareURN      = "urn:ietf:params:jmap:mail:share" // draft-ietf-jmap-mail-sharing
	principalsURN     = "urn:ietf:params:jmap:principals"
)

// The data types, see [Types].
var (
	// Mailbox is RFC 8621 §2. Counts are left out: they change with every
	// message and restore to nothing.
	Mailbox = Type{
		Name:         "Mailbox",
		Capabilities: []string{"urn:ietf:params:jmap:mail"},
		Properties:   []string{"id", "name", "parentId", "role", "sortOrder", "isSubscribed", "myRights"},
		Parent:       "parentId",
		Writable:     []string{"name", "role", "sortOrder", "isSubscribed"},
		Sharing:      []string{mailShareURN, principalsURN, "https://cyrusimap.org/ns/jmap/mail"},
		PerCaller:    []string{"isSubscribed", "myRights"},
	}
	// Email is RFC 8621 §4. The header properties are there so that a failure
	// can be named and an archive be looked at; the message itself is the blob.
	Email = Type{
		Name:         "Email",
		Capabilities: []string{"urn:ietf:params:jmap:mail"},
		Properties: []string{"id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt",
			"messageId", "inReplyTo", "references", "from", "subject", "sentAt", "hasAttachment"},
		Blob:     "blobId",
		Writable: []string{"mailboxIds", "keywords", "receivedAt"},
	}
	// Identity is RFC 8621 §6.
	Identity = Type{
		Name:         "Identity",
		Capabilities: []string{submissionURN},
		Properties:   []string{"id", "name", "email", "replyTo", "bcc", "textSignature", "htmlSignature", "mayDelete"},
		Writable:     []string{"name", "email", "replyTo", "bcc", "textSignature", "htmlSignature"},
	}
	// SieveScript is RFC 9661. isActive is set by activation, not by a create.
	SieveScript = Type{
		Name:         "SieveScript",
		Capabilities: []string{"urn:ietf:params:jmap:sieve", "https://cyrusimap.org/ns/jmap/sieve"},
		Properties:   []string{"id", "name", "blobId", "isActive"},
		Blob:         "blobId",
		Writable:     []string{"name"},
	}
	// VacationResponse is RFC 8621 §8.
	VacationResponse = Type{
		Name:         "VacationResponse",
		Capabilities: []string{"urn:ietf:params:jmap:vacationresponse"},
		Properties:   []string{"id", "isEnabled", "fromDate", "toDate", "subject", "textBody", "htmlBody"},
		Writable:     []string{"isEnabled", "fromDate", "toDate", "subject", "textBody", "htmlBody"},
		Singleton:    true,
	}
	// AddressBook is RFC 9610 §2. isDefault is set beside a create, not by it.
	AddressBook = Type{
		Name:         "AddressBook",
		Capabilities: []string{contactsURN},
		Properties:   []string{"id", "name", "description", "sortOrder", "isDefault", "isSubscribed", "shareWith", "myRights"},
		Writable:     []string{"name", "description", "sortOrder", "isSubscribed"},
		PerCaller:    []string{"isSubscribed", "myRights"},
	}
	// ContactCard is RFC 9610 §3, a JSContact Card (RFC 9553).
	ContactCard = Type{Name: "ContactCard", Capabilities: []string{contactsURN}, Large: true}
	// Contact is Cyrus's own from before the standard. Its blobId is its vCard.
	Contact = Type{Name: "Contact", Capabilities: []string{cyrusContactsURN}, Large: true}
	// ContactGroup is Cyrus's own.
	ContactGroup = Type{Name: "ContactGroup", Capabilities: []string{cyrusContactsURN}, Large: true}
	// Calendar is draft-ietf-jmap-calendars §4, and Cyrus's own from before it.
	// Some properties are given only when they are asked for (Stalwart 0.15).
	Calendar = Type{
		Name:         "Calendar",
		Capabilities: []string{calendarsURN, cyrusCalendarsURN},
		Properties: []string{"id", "name", "description", "color", "sortOrder", "isSubscribed", "isVisible", "isDefault",
			"includeInAvailability", "defaultAlertsWithTime", "defaultAlertsWithoutTime", "timeZone", "shareWith", "myRights"},
		PropertiesBy: map[string][]string{cyrusCalendarsURN: nil},
		Writable: []string{"name", "description", "color", "sortOrder", "isSubscribed", "isVisible",
			"includeInAvailability", "defaultAlertsWithTime", "defaultAlertsWithoutTime", "timeZone"},
		PerCaller: []string{"isSubscribed", "myRights"},
	}
	// CalendarEvent is draft-ietf-jmap-calendars §5, a JSCalendar Event (RFC 8984),
	// and Cyrus's own from before it, whose blobId, its iCalendar object, is given
	// only when it is asked for.
	CalendarEvent = Type{
		Name:         "CalendarEvent",
		Capabilities: []string{calendarsURN, cyrusCalendarsURN},
		PropertiesBy: map[string][]string{cyrusCalendarsURN: {"@type", "id", "uid", "calendarId", "title", "start", "timeZone", "duration",
			"showWithoutTime", "relatedTo", "prodId", "created", "updated", "sequence", "priority", "description", "descriptionContentType",
			"keywords", "links", "locale", "locations", "virtualLocations", "recurrenceRule", "recurrenceOverrides", "status",
			"freeBusyStatus", "privacy", "replyTo", "participants", "participantId", "useDefaultAlerts", "alerts", "color", "categories",
			"localizations", "method", "x-href", "blobId"}},
		Large: true,
	}
	// ParticipantIdentity is draft-ietf-jmap-calendars §3.
	ParticipantIdentity = Type{Name: "ParticipantIdentity", Capabilities: []string{calendarsURN}, Writable: []string{"name", "calendarAddress"}}
	// FileNode is draft-ietf-jmap-filenode §3. A directory has no blobId. Most
	// properties are given only when they are asked for (Stalwart 0.15).
	FileNode = Type{
		Name:         "FileNode",
		Capabilities: []string{"urn:ietf:params:jmap:filenode"},
		Properties: []string{"id", "parentId", "nodeType", "blobId", "target", "size", "name", "type", "created", "modified", "accessed",
			"changed", "executable", "isSubscribed", "shareWith", "role"},
		Parent:    "parentId",
		Writable:  []string{"nodeType", "blobId", "target", "name", "type", "created", "modified", "accessed", "executable", "isSubscribed", "role"},
		PerCaller: []string{"isSubscribed"},
		Large:     true,
	}
	// Blob is what other objects name in a blobId, and no type of its own on a
	// server: a contact's photo or vCard, an event's attachment or iCalendar
	// object, a file's content. The id is the server's blobId; size is in octets.
	Blob = Type{Name: "Blob", Properties: []string{"id", "size"}, Blob: "id", Named: true}
	// Quota is RFC 9425.
	Quota = Type{
		Name:          "Quota",
		Capabilities:  []string{"urn:ietf:params:jmap:quota", "https://cyrusimap.org/ns/jmap/quota"},
		Volatile:      []string{"used"},
		Informational: true,
	}
	// Principal is RFC 9670 §2: who is named in a shareWith.
	Principal = Type{
		Name:          "Principal",
		Capabilities:  []string{principalsURN},
		Properties:    []string{"id", "type", "name", "description", "email", "timeZone"},
		Named:         true,
		Informational: true,
	}
	// EmailSubmission is RFC 8621 §7: what waits to be sent. What was sent is over.
	EmailSubmission = Type{
		Name:          "EmailSubmission",
		Capabilities:  []string{submissionURN},
		Filter:        map[string]any{"undoStatus": "pending"},
		Informational: true,
	}
)

// Types are the data types that mailhaul moves, in the order in which they are
// restored: what contains comes before what is contained, and of mail what
// switches something on comes last.
var Types = []Type{
	Mailbox, Email, Identity, SieveScript, VacationResponse,
	AddressBook, ContactCard, Contact, ContactGroup,
	Calendar, CalendarEvent, ParticipantIdentity,
	FileNode, Blob,
	Quota, Principal, EmailSubmission,
}

// TypeByName finds a row of the table.
func TypeByName(name string) (Type, bool) {
	for _, t := range Types {
		if t.Name == name {
			return t, true
		}
	}
	return Type{}, false
}
