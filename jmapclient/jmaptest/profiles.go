package jmaptest

import "time"

// Profiles are all that there are, by name, oldest first, so that a test can
// hold a claim against each.
var Profiles = []Profile{
	Strict,
	Stalwart04, Stalwart05, Stalwart06, Stalwart07,
	Stalwart080, Stalwart085, Stalwart011, Stalwart013, Stalwart015, Stalwart016,
	Cyrus36,
}

// Strict is the RFCs' server, and the zero Profile.
var Strict = Profile{Name: "strict"}

// withDefaults fills in what the strict server has.
func (p Profile) withDefaults() Profile {
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
		p.ShareWith = true
	}
	if p.Types == nil {
		p.Types = standardTypes
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
	if p.QuotaTypes == nil {
		p.QuotaTypes = []string{typeEmail, typeScript}
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
