package jmaptest

import (
	"strings"
	"time"
)

// Stalwart07 behaves as Stalwart 0.7.3 was seen to; replay_test.go compares.
var Stalwart07 = Profile{
	Name:             "stalwart-0.7",
	Capabilities:     stalwartCapabilities("Stalwart JMAP v0.1.0"),
	Types:            []Type{emailSubmission},
	FoldLogin:        true,
	AdminID:          "d333333",
	AdminName:        "Fallback Administrator",
	Foreign:          ForeignForbidden,
	ListsAreAccounts: true,
	AnyUsing:         true,
	AnyContentType:   true,
	Management:       ManagementAPI,

	ListsExpand:         true,
	EveryTypeIndividual: true,

	AdminExempt:          true,
	RatePerMinute:        1000,
	UploadFilesPerHour:   1000,
	UploadOctetsPerHour:  50_000_000,
	QuotaIsCallers:       true,
	DownloadsAreRequests: true,

	IDs:                 ShortIDs,
	ReuseIDs:            true,
	MalformedFailsCall:  true,
	OmitEmpty:           true,
	BareCreated:         true,
	DanglingNotFound:    true,
	LenientSets:         true,
	CutAtMaxGet:         true,
	NoUpdatedProperties: true,
	UnsetIsNull:         true,
	IdentityNoOldState:  true,
	ScriptGetNoActive:   true,
	PlainQueryPosition:  true,
	MaxQueryIDs:         5000,

	Mailboxes: []DefaultMailbox{
		{"Inbox", "inbox", false},
		{"Deleted Items", "trash", false},
		{"Junk Mail", "junk", false},
		{"Drafts", "drafts", false},
		{"Sent Items", "sent", false},
	},
	MaxDepth:   10,
	MaxName:    255,
	TrimNames:  true,
	Roles:      []string{"inbox", "trash", "spam", "junk", "drafts", "archive", "sent"},
	MailboxACL: true,

	DropKnownMessageID:    true,
	SpamHeader:            "X-Spam-Status: Yes",
	RawKeywords:           true,
	LenientDates:          true,
	AnyBytes:              true,
	ReceivedNow:           true,
	MergeThreads:          true,
	TextIndexLag:          10 * time.Second,
	NoCreationIDsInBlobID: true,
	CopyKeyedBySource:     true,

	DefaultIdentities: true,
	VacationScript:    "vacation",
	OldSieveErrors:    true,
}

// Stalwart06 behaves as Stalwart 0.6.0 was seen to: its administrator is an
// account like others, and a list is no account.
var Stalwart06 = func() Profile {
	p := Stalwart07
	p.Name = "stalwart-0.6"
	p.Management = ManagementAdmin
	p.AdminID, p.AdminName = "", "Superuser"
	p.Capabilities = stalwartCapabilities("Stalwart JMAP v0.6.0")
	p.ListsAreAccounts = false
	return p
}()

// Stalwart05 behaves as 0.6 does, as far as its notes and sources tell.
var Stalwart05 = func() Profile {
	p := Stalwart06
	p.Name = "stalwart-0.5"
	p.Capabilities = stalwartCapabilities("Stalwart JMAP v0.5.3")
	return p
}()

// Stalwart04 behaves as Stalwart 0.4.2 was seen to: it stores every message
// as it comes, and its blob ids hold no hash.
var Stalwart04 = func() Profile {
	p := Stalwart05
	p.Name = "stalwart-0.4"
	p.Management = ""
	p.Capabilities = stalwartCapabilities("Stalwart JMAP v0.4.2")
	p.NumberedBlobs = true
	p.QuotaAlways = true
	p.ReuseIDs = false
	p.DropKnownMessageID = false
	p.SpamHeader = ""
	p.TextIndexLag = 0
	p.DefaultIdentities = false
	p.Mailboxes = []DefaultMailbox{
		{"Inbox", "inbox", false},
		{"Deleted Items", "trash", false},
		{"Drafts", "drafts", false},
		{"Sent Items", "sent", false},
		{"Junk Mail", "junk", false},
	}
	return p
}()

// stalwartCapabilities are 0.6's and 0.7's, less push; sieve is what implements Sieve.
func stalwartCapabilities(sieve string) []Capability {
	return []Capability{
		{URN: urnMail, Session: object{}, Shared: true, Account: object{
			"maxMailboxesPerEmail": nil, "maxMailboxDepth": 10, "maxSizeMailboxName": 255,
			"maxSizeAttachmentsPerEmail": 50_000_000, "mayCreateTopLevelMailbox": true,
			"emailQuerySortOptions": []string{"receivedAt", "size", "from", "to", "subject", "sentAt", "hasKeyword",
				"allInThreadHaveKeyword", "someInThreadHaveKeyword"},
		}},
		{URN: urnSubmission, Session: object{}, Account: object{"maxDelayedSend": 2_592_000, "submissionExtensions": object{
			"FUTURERELEASE": []string{}, "SIZE": []string{}, "DSN": []string{}, "DELIVERYBY": []string{},
			"MT-PRIORITY": []string{"MIXER"}, "REQUIRETLS": []string{},
		}}},
		{URN: urnVacation, Session: object{}, Account: object{}},
		{URN: urnSieve, Session: object{"implementation": sieve}, Account: object{
			"maxSizeScriptName": 512, "maxSizeScript": 1_048_576, "maxNumberScripts": 256, "maxNumberRedirects": 1,
			"sieveExtensions": strings.Fields(`body comparator-elbonia comparator-i;ascii-casemap
			comparator-i;ascii-numeric comparator-i;octet convert copy date duplicate editheader enclose
			encoded-character enotify envelope envelope-deliverby envelope-dsn environment ereject extlists
			extracttext fcc fileinto foreverypart ihave imap4flags imapsieve include index mailbox mailboxid
			mboxmetadata mime redirect-deliverby redirect-dsn regex reject relational replace servermetadata
			spamtest spamtestplus special-use subaddress vacation vacation-seconds variables virustest`),
			"notificationMethods": []string{"mailto"}, "externalLists": nil,
		}},
		{URN: urnBlob, Session: object{}, Shared: true, Account: object{
			"maxSizeBlobSet": maxSizeBlobSet, "maxDataSources": 16, "supportedTypeNames": []string{"Email", "Thread", "SieveScript"},
			"supportedDigestAlgorithms": []string{"sha", "sha-256", "sha-512"},
		}},
		{URN: urnQuota, Session: object{}, Shared: true, Account: object{}},
	}
}
