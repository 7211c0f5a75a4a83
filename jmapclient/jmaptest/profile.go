package jmaptest

import "time"

// Profile is a table of the points in which servers differ. The zero value of
// every field is the strict RFC server's.
type Profile struct {
	Name string

	// Session and sign-in.

	// Limits are announced and enforced; fields of 0 take Strict's value.
	Limits Limits
	// SessionBase stands before the paths in the session's URLs. "": the origin that
	// was asked; "relative": nothing; else a base such as "https://wrong.example:8443".
	SessionBase string
	// SessionRedirect answers /.well-known/jmap with 307 to /jmap/session.
	SessionRedirect bool
	// AnonymousSession answers a session without accounts to a caller without credentials, in place of 401.
	AnonymousSession bool
	// Capabilities are announced for the session and for each account. nil: Strict's.
	Capabilities []Capability
	// FoldLogin: the login is the same in any case.
	FoldLogin bool
	// AdminID is the id of the administrator's own account, "" for the next free
	// one. With an id of its own the administrator is no principal that is listed.
	AdminID, AdminName string
	// Foreign is what another's account is answered with.
	Foreign ForeignAnswer
	// ListsAreAccounts: a mailing list is an account of its members, like a group.
	ListsAreAccounts bool
	// AnyUsing: methods work whatever capability the request names.
	AnyUsing bool
	// AnyContentType takes a request whose content type is not application/json.
	AnyContentType bool

	// Principals.

	// ListsExpand: a search by a list's address finds the members.
	ListsExpand bool
	// UnknownNameFindsAll: a filter that names nobody is no filter.
	UnknownNameFindsAll bool
	// EveryTypeIndividual: each principal is found by type individual.
	EveryTypeIndividual bool

	// Rates and quotas; the administrator is exempt with AdminExempt.

	AdminExempt          bool
	RatePerMinute        int // requests of one user, 0 no limit
	UploadFilesPerHour   int
	UploadOctetsPerHour  int64
	UploadExpiry         time.Duration // of a blob that nothing refers to; 0: an hour
	UploadKeep           int64         // octets of unreferenced uploads kept, the oldest go first; 0: all
	DownloadsAreRequests bool          // downloads count towards maxConcurrentRequests
	QuotaIsCallers       bool          // Quota/get answers the caller's quota
	UploadQuotaStatus    int           // 0: 403

	// Ids, states and answers.

	IDs IDStyle
	// ReuseIDs gives a destroyed object's id to the next new one.
	ReuseIDs bool
	// MalformedFailsCall: an id or a state that is not well formed is invalidArguments for the call.
	MalformedFailsCall bool
	// OmitEmpty leaves empty and null members out of the answers of set and import.
	OmitEmpty bool
	// BareCreated: Mailbox/set answers a created mailbox's id and nothing else.
	BareCreated bool
	// DanglingNotFound: a "#id" of what was not created is notFound, in place of invalidProperties.
	DanglingNotFound bool
	// LenientSets takes false in a set for what is not in it.
	LenientSets bool
	// CutAtMaxGet: ids null stops at maxObjectsInGet without a word, in place of requestTooLarge.
	CutAtMaxGet bool
	// NoUpdatedProperties: Mailbox/changes does not tell when only counts changed.
	NoUpdatedProperties bool
	// UnsetIsNull: an identity's signatures are null when there are none, in place of empty.
	UnsetIsNull bool
	// IdentityNoOldState leaves oldState out of Identity/set's answer.
	IdentityNoOldState bool
	// ScriptGetNoActive: SieveScript/get shows isActive only when it is asked for.
	ScriptGetNoActive bool
	// PlainQueryPosition reports position 0 for anchors and past the end, and echoes limit.
	PlainQueryPosition bool
	// MaxQueryIDs bounds the ids of one query's answer, 0 no bound.
	MaxQueryIDs int
	// HistoryEntries bounds the changes that are kept, 0 all; older states cannot be calculated from.
	HistoryEntries int
	// ForgetsSilently answers from what history there is, as if that were all of it.
	ForgetsSilently bool

	// Mailboxes.

	// Mailboxes that a new account has. nil: Strict's.
	Mailboxes []DefaultMailbox
	// MaxDepth and MaxName bound mailboxes: levels and octets of a name. 0: Strict's.
	MaxDepth, MaxName int
	// TrimNames takes the space off a mailbox's name.
	TrimNames bool
	// Roles that a mailbox may be given. nil: any.
	Roles []string
	// NoSlash refuses a name with a slash.
	NoSlash bool
	// MailboxACL shows and takes the property acl.
	MailboxACL bool

	// Email.

	// DuplicateAlreadyExists refuses bytes that the account holds with alreadyExists.
	DuplicateAlreadyExists bool
	// DropKnownMessageID says created for a message whose Message-ID the account
	// holds, with an id that means nothing and size 0, and stores nothing.
	DropKnownMessageID bool
	// SpamHeader is "Name: value" that sends mail for the inbox alone to the junk mailbox.
	SpamHeader string
	// RawKeywords stores keywords as they stand in the request's JSON, escapes and all, and takes any.
	RawKeywords bool
	// MaxKeyword cuts keywords, 0: refuses above 255.
	MaxKeyword int
	// LenientDates takes a receivedAt with an offset and drops what is below a second.
	LenientDates bool
	// AnyBytes stores any bytes as a message, but for none.
	AnyBytes bool
	// ReceivedNow dates a message without receivedAt now, whatever its Received headers say.
	ReceivedNow bool
	// MergeThreads merges threads that a message joins; the messages of the
	// thread that goes get other ids, and keep their blobs' ids.
	MergeThreads bool
	// TextIndexLag is how long filters on text do not see a new message.
	TextIndexLag time.Duration
	// NoCreationIDsInBlobID refuses "#id" as a blobId.
	NoCreationIDsInBlobID bool
	// CopyKeyedBySource: the key of Email/copy's create is the source's id.
	CopyKeyedBySource bool

	// Identities, Sieve, vacation.

	// DefaultIdentities makes one for each address at the first Identity/get.
	DefaultIdentities bool
	// AnyIdentityAddress lets an identity have an address that is not the account's.
	AnyIdentityAddress bool
	// VacationScript: the vacation response is a Sieve script of this name, one of
	// all scripts is active, and the response has to be created. "": apart.
	VacationScript string
	// OldSieveErrors: invalidScript and scriptIsActive, as before RFC 9661.
	OldSieveErrors bool
	// NoIdentitySet, as in servers that have none.
	NoIdentitySet bool
}

// ForeignAnswer is what a server says to one who names another's account.
type ForeignAnswer string

// The ways to refuse.
const (
	ForeignNotFound     ForeignAnswer = ""          // accountNotFound, RFC 8620 §3.6.2
	ForeignForbidden    ForeignAnswer = "forbidden" // for the call
	ForeignUnauthorized ForeignAnswer = "401"       // for the whole request
)

// Limits are those of RFC 8620 §2. Sizes are octets.
type Limits struct {
	MaxSizeUpload         int64 `json:"maxSizeUpload"`
	MaxConcurrentUpload   int64 `json:"maxConcurrentUpload"`
	MaxSizeRequest        int64 `json:"maxSizeRequest"`
	MaxConcurrentRequests int64 `json:"maxConcurrentRequests"`
	MaxCallsInRequest     int64 `json:"maxCallsInRequest"`
	MaxObjectsInGet       int64 `json:"maxObjectsInGet"`
	MaxObjectsInSet       int64 `json:"maxObjectsInSet"`
}

// DefaultMailbox is a mailbox that every new account has.
type DefaultMailbox struct {
	Name, Role string
	Subscribed bool
}

// Strict is the RFCs' server, and the zero Profile.
var Strict = Profile{}

// withDefaults fills in what the strict server has.
func (p Profile) withDefaults() Profile {
	if p.Name == "" {
		p.Name = "strict"
	}
	fill := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	fill(&p.Limits.MaxSizeUpload, 50_000_000)
	fill(&p.Limits.MaxConcurrentUpload, 4)
	fill(&p.Limits.MaxSizeRequest, 10_000_000)
	fill(&p.Limits.MaxConcurrentRequests, 4)
	fill(&p.Limits.MaxCallsInRequest, 16)
	fill(&p.Limits.MaxObjectsInGet, 500)
	fill(&p.Limits.MaxObjectsInSet, 500)
	if p.Capabilities == nil {
		p.Capabilities = strictCapabilities
	}
	if p.Mailboxes == nil {
		p.Mailboxes = strictMailboxes
	}
	if p.MaxDepth == 0 {
		p.MaxDepth = 32
	}
	if p.MaxName == 0 {
		p.MaxName = 490 // RFC 8621 §2: a name is at least 100 octets; the bound is the server's
	}
	if p.UploadExpiry == 0 {
		p.UploadExpiry = time.Hour // RFC 8620 §6.1: at least an hour
	}
	if p.UploadQuotaStatus == 0 {
		p.UploadQuotaStatus = 403
	}
	return p
}

var strictMailboxes = []DefaultMailbox{
	{"Inbox", "inbox", true},
	{"Drafts", "drafts", true},
	{"Sent", "sent", true},
	{"Archive", "archive", true},
	{"Junk", "junk", true},
	{"Trash", "trash", true},
}
