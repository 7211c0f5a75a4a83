package jmaptest

// Cyrus36 behaves as Cyrus IMAP 3.6.1 was seen to; replay_test.go compares.
var Cyrus36 = Profile{
	Name: "cyrus-3.6",
	Limits: Limits{MaxSizeUpload: 1 << 30, MaxConcurrentUpload: 5, MaxSizeRequest: 10 << 20, MaxConcurrentRequests: 5,
		MaxCallsInRequest: 50, MaxObjectsInGet: 4096, MaxObjectsInSet: 4096},
	SessionBase:      "relative",
	SessionPath:      "/jmap",
	Capabilities:     cyrusCapabilities,
	URNs:             map[string]string{urnSieve: cyrusURN + "sieve", urnBlob: cyrusURN + "blob", urnQuota: cyrusURN + "quota"},
	Types:            cyrusTypes,
	AccountIDIsLogin: true,
	NameIsLogin:      true,
	NoPrimaryCore:    true,
	QuotaOld:         true,
	UploadCreated:    true,
	EmptyUploadFails: true,

	IDs:                 ContentIDs,
	MalformedFailsItem:  true,
	ImportStateless:     true,
	BlobNotFoundInvalid: true,
	BlobSet:             true,
	NoDigests:           true,
	BareCreated:         true,

	Mailboxes: []DefaultMailbox{
		{"Inbox", "inbox", true},
		{"Archive", "archive", true},
		{"Drafts", "drafts", true},
		{"Junk", "junk", true},
		{"Sent", "sent", true},
		{"Trash", "trash", true},
	},
	Roles:            []string{"inbox", "archive", "drafts", "important", "junk", "sent", "trash"},
	FoldInbox:        true,
	ShareNeeds:       cyrusURN + "mail",
	ShareRights:      []string{"mayRead", "mayWrite", "mayAdmin"},
	RoleClashDropped: true,
	BadNameMarks:     `/%\"<>|;{}` + "`",

	DuplicateAlreadyExists: true,

	DefaultIdentities:  true,
	PlainIdentityNames: true,
	NoIdentitySet:      true,
	VacationCloses:     true,
	OldSieveErrors:     true,
}

const cyrusURN = "https://cyrusimap.org/ns/jmap/"

var cyrusCapabilities = []Capability{
	{URN: urnMail, Session: object{}, Shared: true, Account: object{
		"maxMailboxesPerEmail": 20, "maxKeywordsPerEmail": 100, "maxSizeAttachmentsPerEmail": 10_485_760, "mayCreateTopLevelMailbox": true,
		"emailsListSortOptions": []string{"receivedAt", "sentAt", "from", "id", "emailstate", "size", "subject", "to", "hasKeyword",
			"someInThreadHaveKeyword", "addedDates", "threadSize", "spamScore", "snoozedUntil"},
	}},
	{URN: urnSubmission, Session: object{}, Account: object{
		"maxDelayedSend": 44_236_800, "submissionExtensions": object{"size": []string{"52428800"}}}},
	{URN: urnVacation, Session: object{}, Account: object{}},
	{URN: cyrusURN + "sieve", Session: object{}, Account: object{
		"maxNumberScripts": 5, "maxRedirects": nil, "maxSizeScript": 32_768, "supportsTest": true,
		"sieveExtensions": []string{"encoded-character", "comparator-i;ascii-numeric", "fileinto", "reject", "ereject", "vacation",
			"envelope", "body", "imap4flags", "date", "mailbox", "duplicate", "relational", "regex", "subaddress", "copy", "index", "variables"},
	}},
	{URN: cyrusURN + "blob", Shared: true, Account: object{}, Session: object{
		"maxCatenateItems": 100, "maxSizeBlobSet": 4096, "supportedTypeNames": []string{"Mailbox", "Thread", "Email"}}},
	{URN: cyrusURN + "quota", Session: object{}, Shared: true, Account: object{}},
	{URN: cyrusURN + "contacts", Session: object{}, Account: object{}},
	{URN: cyrusURN + "calendars", Session: object{}, Account: object{}},
	{URN: cyrusURN + "mail", Session: object{}, Shared: true, Account: object{}},
}
