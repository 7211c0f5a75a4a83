package jmaptest

import "time"

// Stalwart080 is 0.8.0 as its sources have it: 0.7 where mail is concerned.
var Stalwart080 = func() Profile {
	p := Stalwart07
	p.Name = "stalwart-0.8.0"
	return p
}()

// Stalwart085 is 0.8.5 as its sources have it: it stores messages whose
// Message-ID it knows, and forgets what changed a month ago without a word.
var Stalwart085 = func() Profile {
	p := Stalwart080
	p.Name = "stalwart-0.8.5"
	p.Secrets = SecretsWithApps
	p.DropKnownMessageID = false
	p.MasterSignIn = true
	p.HistoryAge, p.ForgetsSilently = 30*24*time.Hour, true
	return p
}()

// Stalwart011 is 0.11 as its sources have it.
var Stalwart011 = func() Profile {
	p := Stalwart085
	p.Name = "stalwart-0.11"
	p.Management = ManagementPrincipals
	p.SpamHeader = ""
	return p
}()

// Stalwart013 is 0.13 as its sources have it: the session has its own address,
// and a history that ends is told.
var Stalwart013 = func() Profile {
	p := Stalwart011
	p.Name = "stalwart-0.13"
	p.Capabilities = stalwartCapabilities("Stalwart v1.0.0")
	p.SessionRedirect, p.AnonymousSession = true, true
	p.ForgetsSilently = false
	p.VacationUpdateMakes = true
	p.RawKeywords, p.AnyKeywords, p.MaxKeyword = false, true, 128
	return p
}()

// Stalwart015 behaves as Stalwart 0.15.5 was seen to.
var Stalwart015 = func() Profile {
	p := Stalwart013
	p.Name = "stalwart-0.15"
	p.Secrets = SecretOneWithApps
	p.Capabilities = laterCapabilities(false)
	p.Types = laterTypes(false)
	p.SetTellsLittle = true
	p.NameIsLogin, p.NoPrimaryCore = true, true
	p.RequestsUncounted = true
	p.ListsAreAccounts, p.ListsExpand, p.ListsHidden = false, false, true
	p.EveryTypeIndividual = false
	p.UnknownNameFindsAll = true
	p.QuotaTypes = []string{typeEmail, typeScript, "FileNode", "CalendarEvent", "ContactCard"}

	p.FirstAccount, p.FirstNumber, p.FirstMailbox = 1, 1, 7
	p.ReuseIDs, p.ThreadFromEmail = false, true
	p.MalformedFailsCall, p.MalformedFailsItem, p.SkipMalformedBlobs = false, true, true
	p.UnsetIsNull = false
	p.ScriptGetNoActive = false

	p.Mailboxes = []DefaultMailbox{
		{"Inbox", "inbox", true},
		{"Deleted Items", "trash", true},
		{"Junk Mail", "junk", true},
		{"Drafts", "drafts", true},
		{"Sent Items", "sent", true},
	}
	p.DefaultsNoted, p.CountsUnnoted = true, true
	p.MaxDepth = 100
	p.FoldInbox, p.RepeatedNamesInCall = true, true
	p.MailboxACL, p.ShareWith = false, true
	p.FoldKnownKeywords = []string{"$mdnsent"}
	p.PlainIdentityNames = true
	return p
}()

// Stalwart016 behaves as Stalwart 0.16.18 was seen to.
var Stalwart016 = func() Profile {
	p := Stalwart015
	p.Name = "stalwart-0.16"
	p.Management = ManagementObjects
	p.Capabilities = laterCapabilities(true)
	p.Types = laterTypes(true)
	p.SetTellsLittle = false
	p.AdminName = "admin"
	p.UnknownNameFindsAll = false
	p.QuotaIsCallers = false
	p.FirstAccount = 1
	p.SkipMalformedBlobs = false
	p.AnchorPosition = true
	p.StaleIDsFound = true
	p.TakenAlreadyExists = true
	p.CountsUnnoted = false
	p.RatePerMinute = 0
	p.UploadQuotaStatus = 429
	p.AnyBytes = false
	p.CopyKeyedBySource = false
	p.GroupIdentities = true
	p.VacationAlways = true
	return p
}()

// laterCapabilities are 0.15's and 0.16's, less push. In 0.16 groups have them
// too, and scripts are smaller.
func laterCapabilities(in016 bool) []Capability {
	list := stalwartCapabilities("Stalwart v1.0.0")
	for i := range list {
		list[i].Shared = in016
		if list[i].URN == urnSieve {
			list[i].Account["maxNumberScripts"] = 100
			if in016 {
				list[i].Account["maxSizeScript"] = 102_400
			}
		}
	}
	list = append(list, laterTypeCapabilities(in016)...)
	list = append(list,
		Capability{URN: urnPrincipals, Session: object{}, Shared: true},
		Capability{URN: urnPrincipals + ":availability", Session: object{}, Shared: true, Account: object{"maxAvailabilityDuration": "P52W1D"}})
	if in016 {
		list = append(list,
			Capability{URN: urnMail + ":share", AccountOnly: true, Shared: true, Account: object{}},
			Capability{URN: "urn:stalwart:jmap", AccountOnly: true, Shared: true, Account: object{}})
	}
	return list
}
