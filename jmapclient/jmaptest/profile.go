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
	// SessionPath is where the session is, by a permanent redirect; with "" it is
	// /jmap/session, and SessionRedirect a temporary one.
	SessionPath string
	// AnonymousSession answers a session without accounts to a caller without credentials, in place of 401.
	AnonymousSession bool
	// Capabilities are announced for the session and for each account. nil: Strict's.
	Capabilities []Capability
	// Types are those of which it keeps plain objects. nil: Strict's.
	Types []Type
	// URNs are the server's own capabilities by the standard ones that they stand for.
	URNs map[string]string
	// AccountIDIsLogin: an account's id is its login as it stands.
	AccountIDIsLogin bool
	// MasterSignIn: "alice%admin" with the administrator's password signs in as alice.
	MasterSignIn bool
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

	// NameIsLogin: an account's name in the session is its login, in place of its description.
	NameIsLogin bool
	// NoPrimaryCore leaves the core capability out of primaryAccounts.
	NoPrimaryCore bool
	// RequestsUncounted: maxConcurrentRequests is announced and not enforced.
	RequestsUncounted bool

	// Management.

	// Management is the API over which accounts are made, none by default.
	Management Management
	// Secrets is how an account's passwords are kept.
	Secrets Secrets

	// Principals.

	// ListsExpand: a search by a list's address finds the members.
	ListsExpand bool
	// ListsHidden: a list is no principal.
	ListsHidden bool
	// UnknownNameFindsAll: a filter by a name or an address that nobody has is no filter.
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
	QuotaTypes           []string      // that a quota is said to count, nil: Email and SieveScript
	QuotaAlways          bool          // Quota/get answers a quota of 0 where there is none
	QuotaOld             bool          // Quota/get answers id, used and total, as before RFC 9425
	EmptyUploadFails     bool          // an upload of nothing is answered with 500
	UploadCreated        bool          // an upload is answered with 201
	UploadQuotaStatus    int           // 0: 403

	// Ids, states and answers.

	IDs IDStyle
	// ReuseIDs gives a destroyed object's id to the next new one.
	ReuseIDs bool
	// MalformedFailsCall: an id or a state that is not well formed is invalidArguments for the call.
	MalformedFailsCall bool
	// MalformedFailsItem: a blob id that is not well formed is invalidProperties for the item, and a state invalidArguments for the call.
	MalformedFailsItem bool
	// SkipMalformedBlobs: Blob/get says nothing of an id that is not well formed.
	SkipMalformedBlobs bool
	// OmitEmpty leaves empty and null members out of the answers of set and import.
	OmitEmpty bool
	// SetTellsLittle: the set of a type in Types answers no old state, and no new one where nothing changed.
	SetTellsLittle bool
	// ImportStateless: Email/import's answer has no states, and its members are empty in place of null.
	ImportStateless bool
	// BlobNotFoundInvalid: an unknown blob is invalidProperties, in place of blobNotFound.
	BlobNotFoundInvalid bool
	// BlobSet: Blob/set in place of Blob/upload, and its blobs last for the request only.
	BlobSet bool
	// NoDigests: Blob/get knows no digests.
	NoDigests bool
	// BareCreated: Mailbox/set answers a created mailbox's id and nothing else.
	BareCreated bool
	// DanglingNotFound: a "#id" of what was not created is notFound, in place of invalidProperties.
	DanglingNotFound bool
	// LenientSets takes false in a set for what is not in it.
	LenientSets bool
	// CutAtMaxGet: ids null stops at maxObjectsInGet without a word, in place of requestTooLarge.
	CutAtMaxGet bool
	// CountsUnnoted: a mailbox of which only the counts changed has not changed.
	CountsUnnoted bool
	// NoUpdatedProperties: Mailbox/changes does not tell when only counts changed.
	NoUpdatedProperties bool
	// FirstAccount is the number in the first account's id; what is before it are the server's own principals.
	FirstAccount uint64
	// FirstNumber is the number of the first object of a type, and FirstMailbox that
	// of the first mailbox beyond the default ones, 0: the next.
	FirstNumber, FirstMailbox uint32
	// NumberedBlobs: a blob's id holds no hash, and the same bytes have another id each time.
	NumberedBlobs bool
	// UnsetIsNull: an identity's signatures are null when there are none, in place of empty.
	UnsetIsNull bool
	// IdentityNoOldState leaves oldState out of Identity/set's answer.
	IdentityNoOldState bool
	// ScriptGetNoActive: SieveScript/get shows isActive only when it is asked for.
	ScriptGetNoActive bool
	// PlainQueryPosition reports position 0 for anchors and past the end, and echoes limit.
	PlainQueryPosition bool
	// AnchorPosition: with PlainQueryPosition too an anchor's position is told.
	AnchorPosition bool
	// MaxQueryIDs bounds the ids of one query's answer, 0 no bound.
	MaxQueryIDs int
	// HistoryEntries bounds the changes that are kept, 0 all; older states cannot be calculated from.
	HistoryEntries int
	// HistoryAge bounds the age of the changes that are kept, 0 none; older states cannot be calculated from.
	HistoryAge time.Duration
	// ForgetsSilently answers from what history there is, as if that were all of it.
	ForgetsSilently bool

	// Mailboxes.

	// Mailboxes that a new account has. nil: Strict's.
	Mailboxes []DefaultMailbox
	// DefaultsNoted: that default mailboxes and identities were made is in the history of changes.
	DefaultsNoted bool
	// MaxDepth and MaxName bound mailboxes: levels and octets of a name. 0: Strict's.
	MaxDepth, MaxName int
	// TrimNames takes the space off a mailbox's name.
	TrimNames bool
	// Roles that a mailbox may be given. nil: any.
	Roles []string
	// RoleClashDropped makes a mailbox without a role when another has that one.
	RoleClashDropped bool
	// BadNameMarks are characters of which a name has none, else it is refused with serverFail.
	BadNameMarks string
	// NoSlash refuses a name with a slash.
	NoSlash bool
	// FoldInbox: there is one mailbox of the name INBOX at the top, in any case.
	FoldInbox bool
	// TakenAlreadyExists: a name that is taken is alreadyExists with the other's id, in place of invalidProperties.
	TakenAlreadyExists bool
	// RepeatedNamesInCall takes two siblings of one name when one call makes both.
	RepeatedNamesInCall bool
	// ShareWith shows and takes the property shareWith, and the right mayShare.
	ShareWith bool
	// ShareNeeds is a capability that a request has to use for shareWith to be there; whom
	// it names is not looked up.
	ShareNeeds string
	// ShareRights are what a mailbox's shareWith tells of. nil: those of RFC 8621, and mayShare.
	ShareRights []string
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
	// AnyKeywords takes any text for a keyword, in the case that it has.
	AnyKeywords bool
	// RawKeywords is AnyKeywords, and they are stored as they stand in the request's JSON, escapes and all.
	RawKeywords bool
	// FoldKnownKeywords are written in small letters whatever the case they came in.
	FoldKnownKeywords []string
	// MaxKeyword cuts keywords, 0: refuses above 255.
	MaxKeyword int
	// LenientDates takes a receivedAt with an offset and drops what is below a second.
	LenientDates bool
	// AnyBytes stores any bytes as a message, but for none.
	AnyBytes bool
	// ReceivedNow dates a message without receivedAt now, whatever its Received headers say.
	ReceivedNow bool
	// ThreadFromEmail: a thread has the number of its first message.
	ThreadFromEmail bool
	// StaleIDsFound: Email/get answers by an id that a message had before its threads were merged.
	StaleIDsFound bool
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
	// PlainIdentityNames: the default ones are named without their address.
	PlainIdentityNames bool
	// GroupIdentities: there is one for each address of the account's groups, too.
	GroupIdentities bool
	// AnyIdentityAddress lets an identity have an address that is not the account's.
	AnyIdentityAddress bool
	// VacationScript: the vacation response is a Sieve script of this name, one of
	// all scripts is active, and the response has to be created. "": apart.
	VacationScript string
	// VacationUpdateMakes: an update makes the response where there is none.
	VacationUpdateMakes bool
	// VacationAlways: with a VacationScript too the response need not be created and cannot be.
	VacationAlways bool
	// VacationCloses: VacationResponse/get ends the connection without an answer.
	VacationCloses bool
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
