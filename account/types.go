package account

// Type is what mailhaul knows about one JMAP data type.
type Type struct {
	// Name is the type's name and the prefix of its methods: "Mailbox".
	Name string
	// Capabilities announce the type; any one of them suffices. The standard
	// URN comes first, vendors' follow. The first that an account has is the
	// one a request uses.
	Capabilities []string
	// Properties are what /get asks for.
	Properties []string
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
	// Singleton types have one object, always there, with the id "singleton".
	Singleton bool
}

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
		Capabilities: []string{"urn:ietf:params:jmap:submission"},
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
)

// Types are the data types that mailhaul moves, in the order in which they are
// restored: what contains comes before what is contained, and what switches
// something on comes last.
var Types = []Type{Mailbox, Email, Identity, SieveScript, VacationResponse}

// TypeByName finds a row of the table.
func TypeByName(name string) (Type, bool) {
	for _, t := range Types {
		if t.Name == name {
			return t, true
		}
	}
	return Type{}, false
}
